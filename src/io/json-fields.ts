/**
 * Typed access to the fields of a configuration file. Whatever is missing, mistyped or out of range ends in E_CONFIG with
 * the name of the key:
 *
 *   config.json: "hidden_size" is out of range: expected an integer from 1 to 16384, found 0
 *
 * `null` is how Python writes None; it counts as absent. Without a default, an absent field is an error.
 */
import { type ErrorCode, GlassbertError } from '../errors.ts';
import { type Json, type JsonObject, quote } from './json.ts';

export interface Bounds {
  min: number;
  max: number;
  default?: number;
}

export interface Fields {
  readonly file: string;
  readonly keys: readonly string[];
  /** These fields, if there are no others. */
  only(keys: readonly string[]): Fields;
  /** Nothing, where none of these is null: Python takes no None for them. */
  neverNull(keys: readonly string[]): void;
  /** Whether the field is there and not null. */
  has(key: string): boolean;
  /** The value as it was read; undefined where absent or null. */
  raw(key: string): Exclude<Json, null> | undefined;
  integer(key: string, bounds: Bounds): number;
  /** `exclusive` takes both ends out of the range. */
  number(key: string, bounds: Bounds & { exclusive?: boolean }): number;
  string(key: string, options?: { oneOf?: readonly string[]; default?: string }): string;
  boolean(key: string, options?: { default?: boolean }): boolean;
  array(key: string, options?: { default?: readonly Json[] }): readonly Json[];
  /** The fields of the object below this key. */
  object(key: string): Fields;
}

/**
 * @param where - how the object is reached inside the file, for errors: `[2]` for the third of an array
 * @param code - of every error, where the file is no configuration
 * @throws E_CONFIG when the value is not an object
 */
export function fields(value: Json, file: string, where = '', code: ErrorCode = 'E_CONFIG'): Fields {
  const object = asObject(value, file, where, code);
  const nameOf = (key: string): string => quote(where === '' ? key : `${where}.${key}`);

  const refuse = (key: string, problem: string, expected: string): GlassbertError =>
    new GlassbertError(code, `${nameOf(key)} ${problem}`, {
      file,
      expected,
      found: raw(key) === undefined ? undefined : describe(object[key] as Json),
    });

  function raw(key: string): Exclude<Json, null> | undefined {
    return Object.hasOwn(object, key) ? (object[key] ?? undefined) : undefined;
  }

  /** The value if it is of the type, the default if it is absent. */
  function typed<Value>(
    key: string,
    is: (value: Json) => boolean,
    expected: string,
    fallback: Value | undefined,
  ): Value {
    const value = raw(key);
    if (value === undefined) {
      if (fallback === undefined) throw refuse(key, 'is missing', expected);
      return fallback;
    }
    if (!is(value)) throw refuse(key, 'has the wrong type', expected);
    return value as Value;
  }

  const self: Fields = {
    file,
    keys: Object.keys(object),
    raw,

    only(keys) {
      const unknown = self.keys.find(key => !keys.includes(key));
      if (unknown === undefined) return self;
      throw new GlassbertError(code, `${nameOf(unknown)} is no field of this format`, {
        file,
        expected: keys.map(quote).join(', '),
      });
    },

    neverNull(keys) {
      const key = keys.find(key => object[key] === null && Object.hasOwn(object, key));
      if (key === undefined) return;
      const details = { file, expected: 'a value, or no such key' };
      throw new GlassbertError(code, `${nameOf(key)} is null, which Python refuses`, details);
    },

    has: key => raw(key) !== undefined,

    integer(key, { min, max, default: fallback }) {
      const expected = `an integer from ${min} to ${max}`;
      const value = typed(key, Number.isInteger, expected, fallback);
      if (value < min || value > max) throw refuse(key, 'is out of range', expected);
      return value + 0; // -0 becomes 0
    },

    number(key, { min, max, exclusive = false, default: fallback }) {
      const expected = exclusive ? `a number between ${min} and ${max}` : `a number from ${min} to ${max}`;
      const value = typed(key, Number.isFinite, expected, fallback);
      const outside = exclusive ? value <= min || value >= max : value < min || value > max;
      if (outside) throw refuse(key, 'is out of range', expected);
      return value;
    },

    string(key, { oneOf, default: fallback } = {}) {
      const expected = oneOf === undefined ? 'a string' : `one of ${oneOf.map(quote).join(', ')}`;
      const value = typed(key, value => typeof value === 'string', expected, fallback);
      if (oneOf !== undefined && !oneOf.includes(value)) throw refuse(key, 'has an unknown value', expected);
      return value;
    },

    boolean: (key, options = {}) => typed(key, value => typeof value === 'boolean', 'true or false', options.default),
    array: (key, options = {}) => typed(key, Array.isArray, 'an array', options.default),
    object: key =>
      fields(typed<Json>(key, isObject, 'an object', undefined), file, where === '' ? key : `${where}.${key}`, code),
  };
  return self;
}

/** @throws E_CONFIG, or what `code` says, when the value is not an object */
export function asObject(value: Json, file: string, where = '', code: ErrorCode = 'E_CONFIG'): JsonObject {
  if (isObject(value)) return value;
  const summary = where === '' ? 'the file holds something else than an object' : `${quote(where)} has the wrong type`;
  throw new GlassbertError(code, summary, { file, expected: 'an object', found: describe(value) });
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Map);
}

/** The value in an error: short ones as they are, the others by their kind. */
function describe(value: Json): string {
  if (typeof value === 'string') return `the string ${quote(value)}`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
