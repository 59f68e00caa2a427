import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseBtf } from './btf.ts';
import { encodeValue } from './btf-encode.ts';
import { formatValue, toJson } from './btf-value.ts';
import { loadObject } from './object.ts';
import { BtfBuilder } from './test-support/btf-builder.ts';

const linking = new Uint8Array(readFileSync(new URL('./test-support/linking.o', import.meta.url)));

/** A blob built by `build`, and one value shown both ways. */
function show(build: (blob: BtfBuilder) => number, bytes: readonly number[]): [text: string, json: unknown] {
  const blob = new BtfBuilder();
  const type = build(blob);
  const btf = parseBtf(blob.bytes());
  const value = Uint8Array.from(bytes);
  return [formatValue(btf, type, value), toJson(btf, type, value)];
}

/** The same value as JSON with addresses in text, and what these are turned back into. */
function withAddresses(build: (blob: BtfBuilder) => number, bytes: readonly number[]): [unknown, number[]] {
  const blob = new BtfBuilder();
  const type = build(blob);
  const btf = parseBtf(blob.bytes());
  const json = toJson(btf, type, Uint8Array.from(bytes), { addresses: true });
  return [json, [...encodeValue({ btf, typeId: type, size: bytes.length }, json, 'value')]];
}

describe('formatValue and toJson', () => {
  it('show the value of a map as its struct', () => {
    const object = loadObject(linking);
    const { valueType } = object.maps.find((map) => map.name === 'first')!;
    const value = new Uint8Array(24);
    value.set([5, 0, 0, 0, 0, 0, 0, 0, 0x1f, 0x90, 1, 2, 0x65, 0x74, 0x68, 0x30]);
    expect(formatValue(object.btf!, valueType!, value)).toBe(
      '{ .packets = 5, .port = 8080, .flags = [1, 2], .name = "eth0" }',
    );
    expect(toJson(object.btf!, valueType!, value)).toEqual({
      packets: 5,
      port: 8080,
      flags: [1, 2],
      name: 'eth0',
    });
  });

  it('show a data section as its variables, where the linker put them', () => {
    const object = loadObject(linking);
    const rodata = object.maps.find((map) => map.name === '.rodata')!;
    expect(toJson(object.btf!, rodata.valueType!, rodata.global!.bytes)).toEqual({
      limit: 7,
      ports: [80, 443, 8080],
      'count.____fmt': 'sum %d',
    });
    const data = object.maps.find((map) => map.name === '.data')!;
    expect(formatValue(object.btf!, data.valueType!, data.global!.bytes)).toBe(
      '{ .generation = 3, .hidden = 4 }',
    );
  });

  it('show integers with their size and sign, exact beyond 2^53', () => {
    expect(show((blob) => blob.int('char', 1, 1), [0xff])).toEqual(['-1', -1]);
    expect(show((blob) => blob.int('u8', 1), [0xff])).toEqual(['255', 255]);
    expect(show((blob) => blob.int('u64', 8), Array(8).fill(0xff))).toEqual([
      '18446744073709551615',
      '18446744073709551615',
    ]);
    expect(show((blob) => blob.int('s64', 8, 1), Array(8).fill(0xff))).toEqual(['-1', -1]);
    expect(show((blob) => blob.int('_Bool', 1, 4), [1])).toEqual(['true', true]);
  });

  it('show numbers in network order in host order, arrays of them too', () => {
    const be = (blob: BtfBuilder, name: string, size: number): number =>
      blob.add('TYPEDEF', name, blob.int('unsigned', size));
    expect(show((blob) => be(blob, '__be16', 2), [0x1f, 0x90])).toEqual(['8080', 8080]);
    expect(show((blob) => be(blob, '__sum16', 2), [0x1f, 0x90])).toEqual(['8080', 8080]);
    expect(show((blob) => be(blob, '__be32', 4), [10, 11, 1, 2])).toEqual(['168493314', 168493314]);
    expect(show((blob) => blob.add('TYPEDEF', 'port_t', be(blob, '__be16', 2)), [0, 80])).toEqual(['80', 80]);
    expect(show((blob) => blob.array(be(blob, '__be16', 2), 2), [0, 80, 0, 81])).toEqual([
      '[80, 81]',
      [80, 81],
    ]);
  });

  it('show enums by name, and unknown values as numbers', () => {
    const action = (blob: BtfBuilder): number =>
      blob.enum('a', false, [
        ['XDP_DROP', 1],
        ['XDP_PASS', 2],
      ]);
    expect(show(action, [2, 0, 0, 0])).toEqual(['XDP_PASS', 'XDP_PASS']);
    expect(show(action, [9, 0, 0, 0])).toEqual(['9', 9]);
    const negative = (blob: BtfBuilder): number => blob.enum64('n', true, [['MINUS', -2n]]);
    expect(show(negative, [0xfe, ...Array(7).fill(0xff)])).toEqual(['MINUS', 'MINUS']);
  });

  it('show bit fields across byte borders', () => {
    const fields = (blob: BtfBuilder): number => {
      const unsigned = blob.int('unsigned', 4);
      const signed = blob.int('int', 4, 1);
      return blob.struct('f', 4, [
        ['a', unsigned, 0, 3],
        ['b', unsigned, 3, 7],
        ['c', signed, 10, 2],
      ]);
    };
    // 0b11_1111111_101: a = 5, b = 127, c = -1
    expect(show(fields, [0xfd, 0x0f, 0, 0])).toEqual([
      '{ .a = 5, .b = 127, .c = -1 }',
      { a: 5, b: 127, c: -1 },
    ]);
  });

  it('show unions by all of their members, and anonymous ones as part of what is around', () => {
    const union = (blob: BtfBuilder): number => {
      const u32 = blob.int('u32', 4);
      const u8 = blob.int('u8', 1);
      const inner = blob.struct(
        '',
        4,
        [
          ['word', u32, 0],
          ['byte', u8, 0],
        ],
        'UNION',
      );
      return blob.struct('outer', 8, [
        ['', inner, 0],
        ['last', u32, 32],
      ]);
    };
    expect(show(union, [1, 1, 0, 0, 7, 0, 0, 0])).toEqual([
      '{ { .word = 257, .byte = 1 }, .last = 7 }',
      { word: 257, byte: 1, last: 7 },
    ]);
  });

  it('show char arrays as text only where they are text', () => {
    const name = (blob: BtfBuilder): number => blob.array(blob.int('char', 1, 1), 4);
    expect(show(name, [0x6c, 0x6f, 0, 0])).toEqual(['"lo"', 'lo']);
    expect(show(name, [0x6c, 0, 1, 0])).toEqual(['[108, 0, 1, 0]', [108, 0, 1, 0]]);
    expect(show(name, [0xff, 1, 2, 3])).toEqual(['[-1, 1, 2, 3]', [-1, 1, 2, 3]]);
  });

  it('show pointers and floats', () => {
    expect(show((blob) => blob.add('PTR', '', 0), [1, 2, 0, 0, 0, 0, 0, 0])).toEqual(['0x201', '0x201']);
    expect(show((blob) => blob.add('FLOAT', 'float', 4), [0, 0, 0x20, 0xc0])).toEqual(['-2.5', -2.5]);
    expect(show((blob) => blob.add('FLOAT', 'float', 4), [0, 0, 0x80, 0x7f])).toEqual([
      'Infinity',
      'Infinity',
    ]);
  });

  it('refuse values shorter than their type', () => {
    expect(() => show((blob) => blob.int('u32', 4), [1, 2])).toThrow('expected 4 bytes, found 2');
  });

  it('end on types that contain themselves, or more parts than the value could have', () => {
    const circle = (blob: BtfBuilder): number => blob.struct('s', 4, [['self', 1, 0]]);
    expect(() => show(circle, [0, 0, 0, 0])).toThrow('values inside each other');
    const crowd = (blob: BtfBuilder): number => {
      let type = blob.int('u8', 1);
      for (let level = 0; level < 8; level++) {
        type = blob.struct(
          's',
          1,
          Array.from({ length: 64 }, (_, index) => [`m${index}`, type, 0] as const),
        );
      }
      return type;
    };
    expect(() => show(crowd, [0])).toThrow('a value of at most');
    expect(show((blob) => blob.array(blob.struct('empty', 0, []), 0xffff_ffff), [])).toEqual(['[]', []]);
  });
});

describe('toJson with addresses', () => {
  const be = (name: string, size: number) => (blob: BtfBuilder) =>
    blob.add('TYPEDEF', name, blob.int('unsigned', size));

  it('shows a __be32 as an address that a world file takes, and other numbers as before', () => {
    const bytes = [10, 0, 0, 1];
    expect(withAddresses(be('__be32', 4), bytes)).toEqual(['10.0.0.1', bytes]);
    expect(withAddresses(be('__u32', 4), bytes)[0]).toBe(0x0100000a);
    expect(withAddresses(be('__be16', 2), [0, 53])[0]).toBe(53);
    expect(withAddresses(be('__be64', 8), [0, 0, 0, 0, 0, 0, 0, 9])[0]).toBe(9);
  });

  it('shows a list of them as addresses, but for the four words of an IPv6 address', () => {
    const list = (count: number) => (blob: BtfBuilder) => blob.array(be('__be32', 4)(blob), count);
    const two = [10, 0, 0, 1, 10, 0, 0, 2];
    expect(withAddresses(list(2), two)).toEqual([['10.0.0.1', '10.0.0.2'], two]);
    expect(withAddresses(list(4), [...two, ...two])[0]).toEqual([
      0x0a000001, 0x0a000002, 0x0a000001, 0x0a000002,
    ]);
  });
});
