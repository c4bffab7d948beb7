/**
 * A strict reader of DER (ITU-T X.690), for certificates.
 *
 * DER has one encoding for one value, and that is what a signature over it relies on: bytes that two programs read
 * differently are two certificates in one. So whatever another encoding of the same value would need is refused: indefinite
 * and needlessly long lengths, bytes after the end, strings in pieces, tags beyond one byte (X.509 has none), integers,
 * booleans, identifiers and bit strings in any other than the shortest form. The order of a SET is not checked: nothing here
 * depends on it, and names are compared as bytes.
 *
 * Size bounds everything: an element takes at least two bytes, so a certificate of 64 KiB holds at most 32,768 of them.
 */

/** What is wrong with the bytes, for a caller that knows whose bytes they are; it does not leave this folder. */
export class DerError extends Error {}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

export interface Der {
  readonly tag: number;
  /** The whole element: tag, length and content. */
  readonly bytes: Uint8Array;
  readonly content: Uint8Array;
  /** The elements inside a constructed one; none in a primitive one. */
  readonly children: readonly Der[];
}

/** The deepest element of a certificate, a part of a name, lies 6 levels down. */
const MAX_DEPTH = 16;

/** @throws DerError unless the bytes are one element and nothing else */
export function parseDer(bytes: Uint8Array): Der {
  const element = readElement(bytes, 0, 1);
  if (element.bytes.length !== bytes.length) throw new DerError('there are bytes after the end');
  return element;
}

/** The elements of a sequence, one after the other. */
export class Sequence {
  private readonly what: string;
  private readonly elements: readonly Der[];
  private at = 0;

  /** @param what - names the sequence in errors */
  constructor(der: Der, what: string, tag: number = TAG.sequence) {
    if (der.tag !== tag) throw new DerError(`${what} has the tag ${hex(der.tag)} instead of ${hex(tag)}`);
    this.what = what;
    this.elements = der.children;
  }

  next(tag: number): Der {
    const element = this.optional(tag);
    if (element !== undefined) return element;
    const found = this.at < this.elements.length ? hex(this.elements[this.at].tag) : 'its end';
    throw new DerError(`element ${this.at + 1} of ${this.what} should have the tag ${hex(tag)}, found ${found}`);
  }

  optional(tag: number): Der | undefined {
    return this.elements[this.at]?.tag === tag ? this.elements[this.at++] : undefined;
  }

  any(): Der | undefined {
    return this.elements[this.at++];
  }

  end(): void {
    if (this.at < this.elements.length) throw new DerError(`${this.what} has more elements than it may have`);
  }
}

export function readBoolean(der: Der): boolean {
  const [value] = der.content;
  if (der.content.length !== 1 || (value !== 0 && value !== 0xff)) throw new DerError('a boolean is neither 00 nor FF');
  return value === 0xff;
}

/** An integer from 0 to 2^31 - 1. */
export function readNatural(der: Der): number {
  const bytes = readInteger(der);
  if (bytes.length > 4 || bytes[0] >= 0x80) throw new DerError('an integer is negative or too large');
  return bytes.reduce((value, byte) => value * 256 + byte, 0);
}

/** The bytes of an integer, in two's complement. */
export function readInteger({ content }: Der): Uint8Array {
  const [first, second] = content;
  if (first === undefined) throw new DerError('an integer is empty');
  const padded = (first === 0 && second < 0x80) || (first === 0xff && second >= 0x80);
  if (content.length > 1 && padded) throw new DerError('an integer is longer than it must be');
  return content;
}

/** The bits in whole bytes, the unused ones of the last byte being zero. */
export function readBits({ content }: Der): Uint8Array {
  const [unused] = content;
  const last = content[content.length - 1];
  const fits = unused <= 7 && (content.length > 1 || unused === 0);
  if (!fits || (content.length > 1 && (last & ((1 << unused) - 1)) !== 0)) {
    throw new DerError('a bit string does not end as it must');
  }
  return content.subarray(1);
}

/** A bit string that holds bytes: with unused bits it would be another encoding of the same ones. */
export function readBytes(der: Der): Uint8Array {
  if (der.content[0] !== 0) throw new DerError('a bit string is not of whole bytes');
  return readBits(der);
}

/** No identifier in use comes near; the bound keeps the arithmetic of a hostile one cheap. */
const MAX_OID_BYTES = 64;

/** In dotted notation, 2.5.29.19. */
export function readOid({ content }: Der): string {
  const arcs: bigint[] = [];
  let arc = 0n;
  let complete = true;
  if (content.length > MAX_OID_BYTES) throw new DerError('an object identifier is too long');
  for (const byte of content) {
    if (complete && byte === 0x80) throw new DerError('an object identifier is longer than it must be');
    arc = (arc << 7n) | BigInt(byte & 0x7f);
    complete = byte < 0x80;
    if (!complete) continue;
    arcs.push(arc);
    arc = 0n;
  }
  if (!complete || arcs.length === 0) throw new DerError('an object identifier is cut off');
  // The first two arcs share a number: 40 times the first, which is 0, 1 or 2, plus the second.
  const top = arcs[0] < 80n ? arcs[0] / 40n : 2n;
  return [top, arcs[0] - 40n * top, ...arcs.slice(1)].join('.');
}

/** The two kinds of time as RFC 5280 4.1.2.5 allows them: in UTC, with seconds, without fractions. */
export function readTime({ tag, content }: Der): Date {
  const text = Buffer.from(content).toString('latin1');
  const wellFormed = tag === TAG.utcTime ? /^[0-9]{12}Z$/ : /^[0-9]{14}Z$/;
  if ((tag !== TAG.utcTime && tag !== TAG.generalizedTime) || !wellFormed.test(text)) {
    throw new DerError('a time is malformed');
  }
  // Two digits of a year mean 1950 to 2049.
  const full = tag === TAG.generalizedTime ? text : `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}`;
  const [, year, month, day, hour, minute, second] = /^(.{4})(..)(..)(..)(..)(..)Z$/.exec(full) as RegExpExecArray;
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const time = new Date(iso);
  // The 30th of February would become the 2nd of March.
  if (Number.isNaN(time.getTime()) || time.toISOString() !== iso) throw new DerError('a time is on no calendar');
  return time;
}

// ---------------------------------------------------------------------------------------------------------------------

const CONSTRUCTED = 0x20;

function readElement(bytes: Uint8Array, start: number, level: number): Der {
  if (level > MAX_DEPTH) throw new DerError(`elements are nested more than ${MAX_DEPTH} levels deep`);
  const tag = bytes[start];
  checkTag(tag);
  const { length, at } = readLength(bytes, start + 1);
  const end = at + length;
  if (end > bytes.length) throw new DerError('an element ends after the bytes do');

  const content = bytes.subarray(at, end);
  const children: Der[] = [];
  if ((tag & CONSTRUCTED) !== 0) {
    for (let next = 0; next < content.length; next += children[children.length - 1].bytes.length) {
      children.push(readElement(content, next, level + 1));
    }
  }
  return { tag, bytes: bytes.subarray(start, end), content, children };
}

/** Of the universal types only SEQUENCE and SET are made of elements; in DER, strings are not. */
function checkTag(tag: number | undefined): void {
  if (tag === undefined) throw new DerError('an element is cut off');
  const number = tag & 0x1f;
  if (number === 0x1f) throw new DerError('a tag is longer than one byte');
  if (tag >= 0x40) return; // the classes whose meaning depends on where they stand
  const constructed = (tag & CONSTRUCTED) !== 0;
  if (number === 0 || constructed !== (number === 0x10 || number === 0x11)) {
    throw new DerError(`the tag ${hex(tag)} is none of DER`);
  }
}

/** One byte below 128, else a byte with the number of bytes that follow. */
function readLength(bytes: Uint8Array, at: number): { length: number; at: number } {
  const first = bytes[at];
  if (first === undefined) throw new DerError('an element is cut off');
  if (first < 0x80) return { length: first, at: at + 1 };
  const count = first & 0x7f;
  if (count === 0) throw new DerError('a length is indefinite');
  if (count > 3 || at + count >= bytes.length) throw new DerError('an element ends after the bytes do');
  const length = bytes.subarray(at + 1, at + 1 + count).reduce((value, byte) => value * 256 + byte, 0);
  if (length < 0x80 || length < 256 ** (count - 1)) throw new DerError('a length is longer than it must be');
  return { length, at: at + 1 + count };
}

function hex(tag: number): string {
  return `0x${tag.toString(16).padStart(2, '0')}`;
}
