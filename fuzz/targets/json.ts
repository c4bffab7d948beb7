/**
 * Strict JSON. Two readers must not understand a file differently: what is accepted, JSON.parse accepts with the same value;
 * what JSON.parse refuses is refused; and what is refused although JSON.parse takes it, for one of the reasons that json.ts
 * states.
 */
import { GlassbertError } from '../../src/errors.ts';
import { type JsonLimits, parseJson } from '../../src/io/json.ts';
import { claim, magnitude, outcome } from '../target.ts';

export const largest = 4096;

// biome-ignore format: a table
export const dictionary = [
  '{', '}', '[', ']', ',', ':', '"', '\\', '\\u0000', '\\ud83d\\ude00', '\\ud800', '\\udc00', '\\u0022', '\\n', 'null', 'true',
  'false', '-', '1e', '1E+400', '.5', '-0', '9007199254740991', '9007199254740992', '"__proto__":', '"a":', '"\\u0061":',
  '\ufeff', '\u2028', '\u00a0', '\t', '\r', '/*', '//', 'NaN', 'Infinity', "'", '\0',
];

const STRICTER =
  /stands twice|half of a surrogate pair|too large to be read|beyond the range|levels deep|more than \d+ values|byte order mark|UTF-16/;

export function fuzz(data: Uint8Array): string {
  const theirs = read(() => JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data)));
  const shape = outcome(['E_JSON'], () => {
    const value = parseJson(data, 'x.json');
    claim('value' in theirs, 'accepted what JSON.parse refuses');
    const text = JSON.stringify(value);
    claim(text === JSON.stringify(theirs.value), 'read another value than JSON.parse');
    claim(JSON.stringify(parseJson(text)) === text, 'what was written is read otherwise');
    return `${kindOf(value)} ${magnitude(text.length)}`;
  });

  const ours = read(() => parseJson(data));
  if ('error' in ours && 'value' in theirs) {
    claim(STRICTER.test((ours.error as Error).message), `refused for no stated reason: ${ours.error}`);
  }
  // The ways to read numbers only differ in what they refuse.
  for (const [strict, lax] of [
    [{ numbers: 'natural' }, {}],
    [{}, { numbers: 'rounded' }],
  ] satisfies [JsonLimits, JsonLimits][]) {
    const [a, b] = [read(() => parseJson(data, undefined, strict)), read(() => parseJson(data, undefined, lax))];
    if ('value' in a) claim('value' in b && JSON.stringify(a.value) === JSON.stringify(b.value), 'laxer is stricter');
    else claim(a.error instanceof GlassbertError, `untyped: ${a.error}`);
  }
  return shape;
}

function read(run: () => unknown): { value: unknown } | { error: unknown } {
  try {
    return { value: run() };
  } catch (error) {
    return { error };
  }
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
}
