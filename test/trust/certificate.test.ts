/** DER and X.509: what a certificate says, and bytes that are none. */
import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { GlassbertError } from '../../src/errors.ts';
import { parseCertificate, parseCertificates } from '../../src/trust/certificate.ts';
import {
  DerError,
  parseDer,
  readBits,
  readBoolean,
  readInteger,
  readNatural,
  readOid,
  readTime,
} from '../../src/trust/der.ts';
import { random } from '../support/random.ts';
import { refusal } from '../support/refusal.ts';
import {
  authority,
  basicConstraints,
  CODE_SIGNING,
  ecKeys,
  extendedKeyUsage,
  extension,
  issue,
  keyUsage,
  octets,
  oid,
  rsaKeys,
  signing,
  tlv,
} from '../support/x509.ts';

const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex');
const der = (text: string) => parseDer(hex(text));

describe('an element of DER', () => {
  test('has a tag, a length and a content', () => {
    const { tag, bytes, content, children } = der('30 06 02 01 05 04 01 ff');
    expect({ tag, size: bytes.length, inside: content.length }).toEqual({ tag: 0x30, size: 8, inside: 6 });
    expect(children.map(({ tag, content }) => [tag, ...content])).toEqual([
      [0x02, 5],
      [0x04, 0xff],
    ]);
  });

  test.each([
    ['a byte after the end', '05 00 00'],
    ['nothing', ''],
    ['half a header', '30'],
    ['a content that is cut off', '04 02 01'],
    ['a child that ends after its parent', '30 03 04 02 01'],
    ['an indefinite length', '30 80 00 00'],
    ['a length in two bytes where one is enough', `04 81 01 00`],
    ['a length with a zero before it', `04 82 00 80 ${'00'.repeat(128)}`],
    ['a length of four bytes', '04 84 01 00 00 00'],
    ['a tag of two bytes', '3f 81 00 00'],
    ['the end of contents', '00 00'],
    ['a string in pieces', '24 03 04 01 01'],
    ['a sequence that is not made of elements', '10 00'],
    [
      '17 levels',
      '30 20 30 1e 30 1c 30 1a 30 18 30 16 30 14 30 12 30 10 30 0e 30 0c 30 0a 30 08 30 06 30 04 30 02 30 00',
    ],
  ])('refused: %s', (_, text) => {
    expect(() => der(text)).toThrow(DerError);
  });

  test('16 levels are read', () => {
    const text = '30 1e 30 1c 30 1a 30 18 30 16 30 14 30 12 30 10 30 0e 30 0c 30 0a 30 08 30 06 30 04 30 02 30 00';
    expect(der(text).children).toHaveLength(1);
  });

  test('booleans are 00 or FF', () => {
    expect([readBoolean(der('01 01 00')), readBoolean(der('01 01 ff'))]).toEqual([false, true]);
    for (const text of ['01 01 01', '01 02 00 00', '01 00']) expect(() => readBoolean(der(text))).toThrow(DerError);
  });

  test('integers are as short as they can be', () => {
    expect(readNatural(der('02 01 7f'))).toBe(127);
    expect(readNatural(der('02 02 00 80'))).toBe(128);
    expect(readNatural(der('02 04 7f ff ff ff'))).toBe(2 ** 31 - 1);
    expect([...readInteger(der('02 02 ff 7f'))]).toEqual([0xff, 0x7f]);
    for (const text of ['02 00', '02 02 00 7f', '02 02 ff 80']) expect(() => readInteger(der(text))).toThrow(DerError);
    for (const text of ['02 01 ff', '02 05 00 80 00 00 00']) expect(() => readNatural(der(text))).toThrow(DerError);
  });

  test('the unused bits of a bit string are zero', () => {
    expect([...readBits(der('03 02 07 80'))]).toEqual([0x80]);
    expect([...readBits(der('03 01 00'))]).toEqual([]);
    for (const text of ['03 00', '03 01 01', '03 02 08 00', '03 02 01 01']) {
      expect(() => readBits(der(text)), text).toThrow(DerError);
    }
  });

  test('object identifiers of every first arc, and of large ones', () => {
    const read = (dotted: string): string => readOid(parseDer(oid(dotted)));
    for (const dotted of ['0.39', '1.2.840.113549.1.1.11', '2.5.29.15', '2.999.3', '1.3.6.1.4.1.57264.1.8']) {
      expect(read(dotted)).toBe(dotted);
    }
    for (const text of ['06 00', '06 01 80', '06 02 80 01', '06 02 2a 80', `06 41 ${'2a'.repeat(65)}`]) {
      expect(() => readOid(der(text)), text).toThrow(DerError);
    }
  });

  test('times are in UTC, with seconds, and on the calendar', () => {
    const time = (tag: number, text: string): string => readTime(parseDer(tlv(tag, Buffer.from(text)))).toISOString();
    expect(time(0x17, '491231235959Z')).toBe('2049-12-31T23:59:59.000Z');
    expect(time(0x17, '500101000000Z')).toBe('1950-01-01T00:00:00.000Z');
    expect(time(0x18, '20500228000000Z')).toBe('2050-02-28T00:00:00.000Z');
    expect(time(0x18, '00010101000000Z')).toBe('0001-01-01T00:00:00.000Z');
    for (const text of ['4912312359Z', '491231235959+0100', '490230000000Z', '491231240000Z', '491231235960Z']) {
      expect(() => time(0x17, text), text).toThrow(DerError);
    }
    for (const text of ['20501301000000Z', '20500101000000.5Z', '20500101000000']) {
      expect(() => time(0x18, text), text).toThrow(DerError);
    }
    expect(() => time(0x04, '491231235959Z')).toThrow(DerError);
  });
});

describe('a certificate', () => {
  const root = authority({ name: 'root', from: 2021, until: 2051 }, 3);

  test('says who, when, and for what', () => {
    const certificate = parseCertificate(root.der, 'root.pem');
    expect(certificate).toMatchObject({
      name: 'CN=root',
      signatureOid: '1.2.840.10045.4.3.2',
      notBefore: new Date('2021-01-01'),
      notAfter: new Date('2051-01-01'),
      isAuthority: true,
      pathLength: 3,
      keyUsage: { digitalSignature: false, keyCertSign: true },
      extendedKeyUsage: undefined,
      unheeded: [],
    });
    expect(certificate.issuer).toEqual(certificate.subject);
    expect(parseCertificate(signing({ name: 'leaf' }).der).extendedKeyUsage).toEqual([CODE_SIGNING]);
    expect(parseCertificate(issue({ name: 'bare' }).der)).toMatchObject({ isAuthority: false, keyUsage: undefined });
  });

  test('is read as OpenSSL reads it', () => {
    for (const { der } of [
      root,
      signing({ name: 'Größe', issuer: root }),
      authority({ name: 'r', keys: rsaKeys(2048) }),
    ]) {
      const [ours, theirs] = [parseCertificate(der), new X509Certificate(der)];
      expect(ours.name).toBe(theirs.subject);
      expect(ours.notAfter).toEqual(new Date(theirs.validTo));
      expect(ours.isAuthority).toBe(theirs.ca);
      expect(Buffer.from(ours.spki)).toEqual(theirs.publicKey.export({ type: 'spki', format: 'der' }));
    }
  });

  test('may write out a FALSE that DER leaves out', () => {
    const written = extension('2.5.29.19', hex('30 03 01 01 00'));
    expect(parseCertificate(issue({ name: 'x', extensions: [written] }).der).isAuthority).toBe(false);
  });

  test.each<[string, Uint8Array[]]>([
    ['an extension twice', [keyUsage('keyCertSign'), keyUsage('digitalSignature')]],
    ['BasicConstraints with junk', [extension('2.5.29.19', hex('30 05 01 01 ff 05 00'))]],
    ['BasicConstraints with bytes after them', [extension('2.5.29.19', hex('30 00 00'))]],
    ['KeyUsage that is no bit string', [extension('2.5.29.15', octets(hex('80')))]],
    ['a negative path length', [extension('2.5.29.19', hex('30 06 01 01 ff 02 01 ff'))]],
    ['usages that are none', [extension('2.5.29.37', hex('30 03 02 01 01'))]],
  ])('refused: %s', async (_, extensions) => {
    await refusal('E_CERTIFICATE', () => parseCertificate(issue({ name: 'x', extensions }).der));
  });

  test('whose two signature algorithms differ is refused', async () => {
    const { der } = root;
    const sha256 = Buffer.from(oid('1.2.840.10045.4.3.2'));
    const outer = Buffer.from(der).lastIndexOf(sha256);
    const changed = Uint8Array.from(der);
    changed[outer + sha256.length - 1] = 3;
    const { message } = await refusal('E_CERTIFICATE', () => parseCertificate(changed));
    expect(message).toContain('two signature algorithms');
  });

  test('larger than any is refused unread', async () => {
    await refusal('E_CERTIFICATE', () => parseCertificate(new Uint8Array(2 ** 16 + 1)));
  });

  test('whatever becomes of its bytes, the end is an error of this library or a certificate', () => {
    const { integer } = random(7);
    let refused = 0;
    for (let n = 0; n < 20_000; n++) {
      const bytes = Uint8Array.from(root.der);
      for (let changes = 1 + integer(3); changes > 0; changes--) bytes[integer(bytes.length)] = integer(256);
      try {
        parseCertificate(bytes.subarray(0, integer(4) === 0 ? integer(bytes.length) : bytes.length));
      } catch (error) {
        expect(error).toBeInstanceOf(GlassbertError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(5_000);
  });
});

describe('a PEM file', () => {
  const [a, b] = [authority({ name: 'a' }), authority({ name: 'b', keys: ecKeys('P-384') })];

  test('holds one certificate or several, with text between', () => {
    const text = `Certificate:\n    Data:\n${a.pem}\n\nand\n${b.pem.replaceAll('\n', '\r\n')}`;
    expect(parseCertificates(text, 'ca.pem').map(({ name }) => name)).toEqual(['CN=a', 'CN=b']);
  });

  test.each([
    ['no PEM', 'hello', /expected -----BEGIN CERTIFICATE-----, found no PEM/],
    ['another thing', a.pem.replaceAll('CERTIFICATE', 'PRIVATE KEY'), /found -----BEGIN PRIVATE KEY-----/],
    ['no end', a.pem.replace('-----END', ''), /a PEM block is broken/],
    ['junk in the base64', a.pem.replace('MI', 'M*I'), /a PEM block is broken/],
    ['a broken certificate', a.pem.replace('MII', 'MIJ'), /malformed/],
  ])('refused: %s', async (_, text, message) => {
    const error = await refusal('E_CERTIFICATE', () => parseCertificates(text, 'ca.pem'));
    expect(error.message).toMatch(message);
    expect(error.file).toBe('ca.pem');
  });

  test('with more certificates than any system trusts is refused', async () => {
    await refusal('E_CERTIFICATE', () => parseCertificates(a.pem.repeat(1001), 'ca.pem'));
  });

  test('an authority that is odd does not spoil the others', () => {
    const odd = authority({ name: 'odd', extensions: [basicConstraints(true), extendedKeyUsage('1.2.3')] });
    expect(parseCertificates(odd.pem + a.pem)).toHaveLength(2);
  });
});
