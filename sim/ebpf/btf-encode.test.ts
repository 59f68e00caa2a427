import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBtf } from './btf.ts';
import { encodeValue } from './btf-encode.ts';
import { toJson } from './btf-value.ts';
import { loadObject } from './object.ts';
import { BtfBuilder } from './test-support/btf-builder.ts';
import { encodePrefix } from './value-forms.ts';

const object = loadObject(
  new Uint8Array(readFileSync(new URL('./test-support/world-file.o', import.meta.url))),
);
const btf = object.btf!;
const flows = object.maps.find((map) => map.name === 'flows')!;
const KEY = { btf, typeId: flows.keyType, size: flows.keySize };
const POLICY = { btf, typeId: flows.valueType, size: flows.valueSize };
const names = { ifindexOf: (device: string) => (device === 'eth1' ? 3 : undefined) };

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** A type built by `build`, and a value of it as hexadecimal digits. */
function encoded(build: (blob: BtfBuilder) => number, size: number, json: unknown): string {
  const blob = new BtfBuilder();
  const typeId = build(blob);
  return hex(encodeValue({ btf: parseBtf(blob.bytes()), typeId, size }, json, 'value', names));
}

const u16 = (blob: BtfBuilder): number => blob.int('unsigned short', 2);
const u32 = (blob: BtfBuilder): number => blob.int('unsigned int', 4);
const s8 = (blob: BtfBuilder): number => blob.int('signed char', 1, 1);
const be = (name: string, size: number) => (blob: BtfBuilder) =>
  blob.add('TYPEDEF', name, blob.int('unsigned', size));

const float = (size: number) => (blob: BtfBuilder) => blob.add('FLOAT', 'float', size);

/** Arrays of one element in each other, around a byte. */
const nested = (depth: number) => (blob: BtfBuilder) => {
  let type = blob.int('unsigned char', 1);
  for (let level = 0; level < depth; level++) type = blob.array(type, 1);
  return type;
};

function list(depth: number): unknown {
  return depth === 0 ? 5 : [list(depth - 1)];
}

describe('encodeValue', () => {
  it('writes the members of a struct, and zeros where there is none', () => {
    expect(hex(encodeValue(KEY, { saddr: '10.0.0.1', port: 80, proto: 6 }, 'key'))).toBe('0a00000100500600');
    expect(hex(encodeValue(KEY, { port: 'htons(80)' }, 'key'))).toBe('0000000000500000');
    expect(hex(encodeValue(KEY, {}, 'key'))).toBe('0000000000000000');
  });

  it('writes enums by name, unions by member, bit fields, arrays, nested structs, text and flags', () => {
    const policy = {
      verdict: 'VERDICT_DENY',
      v4: '192.0.2.1',
      low: 3,
      high: 1000,
      next_hop: { mac: '02:00:00:00:00:09', port: 8080 },
      name: 'eth0',
      counted: true,
      delta: -5,
    };
    expect(hex(encodeValue(POLICY, policy, 'value'))).toBe(
      ['09000000', 'c0000201', '00'.repeat(12), '833e', '020000000009', '901f'].join('') +
        ['6574683000000000', '01', '00', 'fbffffff'].join(''),
    );
    const six = hex(encodeValue(POLICY, { v6: ['1.2.3.4', 0, 0, 1], name: '' }, 'value'));
    expect(six.slice(8, 40)).toBe('01020304000000000000000000000001');
  });

  it('is the inverse of toJson, for any bytes of the types', () => {
    const inverse = ({ typeId, size }: typeof POLICY, bytes: Uint8Array): void => {
      const json = toJson(btf, typeId!, bytes);
      const back = toJson(btf, typeId!, encodeValue({ btf, typeId, size }, json, 'value'));
      expect(back).toEqual(json);
    };
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: POLICY.size, maxLength: POLICY.size, size: 'max' }),
        fc.uint8Array({ minLength: KEY.size, maxLength: KEY.size, size: 'max' }),
        (value, key) => {
          inverse(POLICY, value);
          inverse(KEY, key);
        },
      ),
      { seed: 3, numRuns: 500 },
    );
  });

  it.each<[what: string, build: (blob: BtfBuilder) => number, size: number, json: unknown, bytes: string]>([
    ['numbers in the machine’s order', u32, 4, 0x0a000001, '0100000a'],
    ['numbers of a __be type in network order', be('__be32', 4), 4, 0x0a000001, '0a000001'],
    ['addresses as bytes, whatever the order', u32, 4, '10.0.0.1', '0a000001'],
    ['addresses in a __be type', be('__be32', 4), 4, '10.0.0.1', '0a000001'],
    ['htons where the type does not say it', u16, 2, 'htons(80)', '0050'],
    ['htons once where the type says it, too', be('__be16', 2), 2, 'bpf_htons(80)', '0050'],
    ['htonl', u32, 4, 'htonl(0x0a000001)', '0a000001'],
    ['text of digits', u32, 4, '0x10', '10000000'],
    ['true', (blob) => blob.int('_Bool', 1, 4), 1, true, '01'],
    ['false', (blob) => blob.int('_Bool', 1, 4), 1, false, '00'],
    ['true where there is a number', u32, 4, true, '01000000'],
    ['numbers where there is a truth', (blob) => blob.int('_Bool', 1, 4), 1, 2, '02'],
    ['characters', (blob) => blob.int('char', 1, 2), 1, "'A'", '41'],
    ['negative numbers', s8, 1, -1, 'ff'],
    ['-1 as all ones', u32, 4, -1, 'ffffffff'],
    ['names of devices', u32, 4, 'eth1', '03000000'],
    ['names of actions', u32, 4, 'XDP_TX', '03000000'],
    ['names of protocols', (blob) => blob.int('__u8', 1), 1, 'IPPROTO_TCP', '06'],
    ['numbers beyond 2^53', (blob) => blob.int('u64', 8), 8, 2n ** 64n - 1n, 'ff'.repeat(8)],
    [
      'MAC addresses',
      (blob) => blob.array(blob.int('unsigned char', 1), 6),
      6,
      '02:00:00:00:00:01',
      '020000000001',
    ],
    [
      'IPv6 addresses',
      (blob) => blob.array(be('__be32', 4)(blob), 4),
      16,
      '2001:db8::1',
      '20010db8000000000000000000000001',
    ],
    ['bytes as they are', u32, 4, { hex: '0a 00:00 01' }, '0a000001'],
    ['elements by index', (blob) => blob.array(u16(blob), 3), 6, { 2: 5 }, '000000000500'],
  ])('takes %s', (_what, build, size, json, bytes) => {
    expect(encoded(build, size, json)).toBe(bytes);
  });

  it.each<[json: unknown, message: string]>([
    [{ sadr: 1 }, 'key.sadr: struct flow has no such member; did you mean “saddr”?'],
    [{ port: 65_536 }, 'key.port: 65536 does not fit into 2 bytes'],
    [{ proto: -129 }, 'key.proto: -129 does not fit into 1 byte'],
    [
      { saddr: '10.0.0.256' },
      'key.saddr: expected a whole number, an IPv4 address, the name of a device, “htonl(…)”, got "10.0.0.256"',
    ],
    [
      { saddr: 1.5 },
      'key.saddr: expected a whole number, an IPv4 address, the name of a device, “htonl(…)”, got 1.5',
    ],
    [{ saddr: 'htons(80)' }, 'key.saddr: "htons(80)" has 2 bytes, expected 4'],
    [{ hex: '0a' }, 'key.hex: expected 8 bytes, got 1'],
    [{ hex: '0' }, 'key.hex: expected an even number of hexadecimal digits, got "0"'],
    [[1, 2], 'key: expected an object with members of struct flow, got a list'],
    [null, 'key: expected an object with members of struct flow, got null'],
  ])('refuses %o, naming the place', (json, message) => {
    expect(() => encodeValue(KEY, json, 'key')).toThrow(message);
  });

  it.each<[json: unknown, message: string]>([
    [
      { verdict: 'VERDICT_DENI' },
      'value.verdict: enum verdict has no "VERDICT_DENI"; did you mean “VERDICT_DENY”?',
    ],
    [{ v4: '1.2.3.4', v6: ['1.2.3.5'] }, 'value.v6[0]: contradicts another member that shares its bytes'],
    [{ low: 16 }, 'value.low: 16 does not fit into 4 bits'],
    [{ name: 'too long a name' }, 'value.name: expected text of at most 8 bytes, got 15'],
    [{ v6: [1, 2, 3, 4, 5] }, 'value.v6: expected at most 4 elements, got 5'],
    [
      { next_hop: { mac: '02:00' } },
      'value.next_hop.mac: expected a list of up to 6 elements or a MAC address, got "02:00"',
    ],
  ])('refuses %o, naming the place within', (json, message) => {
    expect(() => encodeValue(POLICY, json, 'value')).toThrow(message);
  });

  it.each<[what: string, build: (blob: BtfBuilder) => number, size: number, json: unknown, bytes: string]>([
    ['half-precise numbers', float(4), 4, 1.5, '0000c03f'],
    ['precise numbers', float(8), 8, -2, '00000000000000c0'],
    [
      'the only member of a struct by itself',
      (blob) => blob.struct('one', 4, [['a', u32(blob), 0]]),
      4,
      7,
      '07000000',
    ],
    [
      'the only member behind a hole',
      (blob) => blob.struct('one', 8, [['a', u32(blob), 32]]),
      8,
      7,
      '0000000007000000',
    ],
    [
      'the member of a union that it fits',
      (blob) =>
        blob.struct(
          'either',
          4,
          [
            ['small', s8(blob), 0],
            ['large', u32(blob), 0],
          ],
          'UNION',
        ),
      4,
      300,
      '2c010000',
    ],
    [
      'members of a nameless struct in a struct',
      (blob) => {
        const inner = blob.struct('', 4, [
          ['b', u16(blob), 0],
          ['c', u16(blob), 16],
        ]);
        return blob.struct('outer', 8, [
          ['a', u32(blob), 0],
          ['', inner, 32],
        ]);
      },
      8,
      { a: 1, c: 2 },
      '0100000000000200',
    ],
    ['32 lists in each other', nested(32), 1, list(32), '05'],
  ])('takes %s', (_what, build, size, json, bytes) => {
    expect(encoded(build, size, json)).toBe(bytes);
  });

  it.each<[what: string, build: (blob: BtfBuilder) => number, size: number, json: unknown, message: string]>([
    ['text for a half-precise number', float(4), 4, '1.5', 'value: expected a number, got "1.5"'],
    ['numbers of 16 bytes', float(16), 16, 1.5, 'value: expected a number, got 1.5'],
    [
      'an index behind the last',
      (blob) => blob.array(u16(blob), 3),
      6,
      { 3: 5 },
      'value: expected an index below 3, got "3"',
    ],
    [
      'a name for an index',
      (blob) => blob.array(u16(blob), 3),
      6,
      { first: 5 },
      'value: expected an index below 3, got "first"',
    ],
    [
      'a member that no name is near to',
      (blob) =>
        blob.struct('two', 4, [
          ['a', u16(blob), 0],
          ['b', u16(blob), 16],
        ]),
      4,
      { elsewhere: 1 },
      'value.elsewhere: struct two has no such member; its members are a, b',
    ],
    ['33 lists in each other', nested(33), 1, list(33), 'expected at most 32 types on top of each other'],
  ])('refuses %s', (_what, build, size, json, message) => {
    expect(() => encoded(build, size, json)).toThrow(message);
  });

  it('writes bytes without a type by their size alone', () => {
    const untyped = (size: number, json: unknown): string =>
      hex(encodeValue({ btf: undefined, typeId: undefined, size }, json, 'value', names));
    expect(untyped(4, 258)).toBe('02010000');
    expect(untyped(4, '10.0.0.1')).toBe('0a000001');
    expect(untyped(3, [1, '0x02', 3])).toBe('010203');
    expect(() => untyped(3, [1, 2])).toThrow('value: expected 3 bytes, got 2');
    expect(() => untyped(12, 5)).toThrow('value: expected 12 bytes ({ "hex": "…" }, a list of bytes');
  });
});

describe('encodePrefix', () => {
  it('writes the length and the address', () => {
    expect(hex(encodePrefix('10.0.0.0/8', 8, 'key')!)).toBe('080000000a000000');
    expect(hex(encodePrefix('10.0.0.1', 8, 'key')!)).toBe('200000000a000001');
    expect(hex(encodePrefix('fc00::/7', 20, 'key')!)).toBe(`07000000fc${'00'.repeat(15)}`);
    expect(encodePrefix({ length: 8 }, 8, 'key')).toBeUndefined();
  });

  it('refuses another family, and what is no prefix', () => {
    expect(() => encodePrefix('fc00::/7', 8, 'key')).toThrow(
      'key: an IPv6 prefix takes a key of 20 bytes, this map’s has 8',
    );
    expect(() => encodePrefix('10.0.0.0/33', 8, 'key')).toThrow(
      'key: expected an IPv4 or IPv6 prefix, got "10.0.0.0/33"',
    );
  });
});
