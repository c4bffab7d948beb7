/**
 * The options of a public call: which there are, and what each may be. A misspelt option would otherwise be one that does
 * nothing, and one of the wrong type one that does something else; so both are refused, by name.
 */
import { GlassbertError } from './errors.ts';

/** What a value may be. */
export interface Rule {
  /** As it stands in the error. */
  readonly expected: string;
  readonly allows: (value: unknown) => boolean;
}

/** A rule for each option: `satisfies Rules<EncodeOptions>` keeps the names those of the interface. */
export type Rules<Options> = { readonly [Name in keyof Required<Options>]: Rule };

export const STRING: Rule = { expected: 'a string', allows: value => typeof value === 'string' };
export const BOOLEAN: Rule = { expected: 'true or false', allows: value => typeof value === 'boolean' };
export const FUNCTION: Rule = { expected: 'a function', allows: value => typeof value === 'function' };
export const OBJECT: Rule = { expected: 'an object', allows: value => typeof value === 'object' && value !== null };

/** An integer from `least` to `most`, both allowed. */
export function integer(least: number, most = Number.POSITIVE_INFINITY): Rule {
  return {
    expected: `an integer from ${least}${most === Number.POSITIVE_INFINITY ? '' : ` to ${most}`}`,
    allows: value => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most,
  };
}

export function oneOf(names: readonly string[]): Rule {
  return { expected: names.join(', '), allows: value => names.includes(value as string) };
}

/** Null as well: it counts as not given. */
export function orNull({ expected, allows }: Rule): Rule {
  return { expected, allows: value => value === null || allows(value) };
}

/**
 * The options as they were at the moment of the call, each read once. One that is undefined is not given.
 *
 * @param call - its name, for the error
 * @throws E_ARGUMENT for something else than an object, for an option that there is not, for a value that its rule does not
 *   allow
 */
export function readOptions<Options extends object>(call: string, options: unknown, rules: Rules<Options>): Options {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new GlassbertError('E_ARGUMENT', `the options of ${call} are an object`, { found: nameOf(options) });
  }
  const names = Object.keys(rules);
  const unknown = Object.keys(options).find(name => !names.includes(name));
  if (unknown !== undefined) {
    throw new GlassbertError('E_ARGUMENT', `${call} has no such option`, {
      expected: names.join(', '),
      found: nameOf(unknown),
    });
  }
  const given: Record<string, unknown> = {};
  for (const [name, rule] of Object.entries<Rule>(rules)) {
    const value = (options as Record<string, unknown>)[name];
    if (value === undefined) continue;
    checkArgument(`the option ${name} of ${call}`, value, rule);
    given[name] = value;
  }
  return given as Options;
}

/** @throws E_ARGUMENT */
export function checkArgument(what: string, value: unknown, { expected, allows }: Rule): void {
  if (allows(value)) return;
  throw new GlassbertError('E_ARGUMENT', `${what} cannot be used`, { expected, found: nameOf(value) });
}

/** A value as it may stand in an error, whatever it is: `null`, `"no"`, `10000`, `an array of 3`, `an object`. */
export function nameOf(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
