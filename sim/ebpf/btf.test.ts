import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BTF_KIND, parseBtf } from './btf.ts';
import { loadObject } from './object.ts';
import { ObjectError } from './object-error.ts';
import { BtfBuilder } from './test-support/btf-builder.ts';

const linking = new Uint8Array(readFileSync(new URL('./test-support/linking.o', import.meta.url)));

describe('parseBtf', () => {
  it('finds types by name and kind', () => {
    const btf = loadObject(linking).btf!;
    const stats = btf.find('stats', BTF_KIND.STRUCT)!;
    expect(btf.sizeOf(stats)).toBe(24);
    expect(btf.members(stats)).toEqual([
      { name: 'packets', typeId: expect.any(Number), bitOffset: 0, bitfieldSize: 0 },
      { name: 'port', typeId: expect.any(Number), bitOffset: 64, bitfieldSize: 0 },
      { name: 'flags', typeId: expect.any(Number), bitOffset: 80, bitfieldSize: 0 },
      { name: 'name', typeId: expect.any(Number), bitOffset: 96, bitfieldSize: 0 },
    ]);
    expect(btf.find('stats', BTF_KIND.UNION)).toBeUndefined();
    expect(btf.named('no such name')).toEqual([]);
  });

  it('steps over the records of every kind', () => {
    const blob = new BtfBuilder();
    const int = blob.int('int', 4, 1);
    const pointer = blob.add('PTR', '', int);
    blob.array(int, 3);
    blob.struct('s', 4, [['a', int, 0]]);
    blob.struct('u', 4, [['a', int, 0]], 'UNION');
    blob.enum('e', true, [['A', -1]]);
    blob.add('FWD', 'f', 0);
    const typedef = blob.add('TYPEDEF', 't', int);
    const volatile = blob.add('VOLATILE', '', typedef);
    const constant = blob.add('CONST', '', volatile);
    const restrict = blob.add('RESTRICT', '', constant);
    const prototype = blob.add('FUNC_PROTO', '', int, [blob.string('x'), int], 1);
    blob.add('FUNC', 'fn', prototype, [], 1);
    const variable = blob.add('VAR', 'v', int, [1]);
    blob.add('DATASEC', '.data', 4, [variable, 0, 4], 1);
    blob.add('FLOAT', 'double', 8);
    blob.add('DECL_TAG', 'tag', variable, [0xffff_ffff]);
    const tag = blob.add('TYPE_TAG', 'user', restrict);
    const wide = blob.enum64('w', false, [['BIG', 0xffff_ffff_ffff_ffffn]]);
    const btf = parseBtf(blob.bytes());
    expect(btf.count).toBe(20);
    expect(btf.resolve(tag)).toBe(int);
    expect(btf.resolve(tag, false)).toBe(typedef);
    expect(btf.sizeOf(pointer)).toBe(8);
    expect(btf.sizeOf(variable)).toBe(4);
    expect(btf.parameters(prototype)).toEqual([{ name: 'x', typeId: int }]);
    expect(btf.enumerators(wide)).toEqual([{ name: 'BIG', value: 0xffff_ffff_ffff_ffffn }]);
    expect(btf.find('fn', BTF_KIND.FUNC)).toBe(prototype + 1);
  });

  it('keeps the sign of enumerators', () => {
    const blob = new BtfBuilder();
    const narrow = blob.enum('n', true, [['MINUS', -2]]);
    const unsigned = blob.enum('u', false, [['LARGE', 0xffff_fffe]]);
    const wide = blob.enum64('w', true, [['MINUS', -3n]]);
    const btf = parseBtf(blob.bytes());
    expect(btf.enumerators(narrow)[0]!.value).toBe(-2n);
    expect(btf.enumerators(unsigned)[0]!.value).toBe(0xffff_fffen);
    expect(btf.enumerators(wide)[0]!.value).toBe(-3n);
  });

  it('refuses circles when they are followed, not before', () => {
    const blob = new BtfBuilder();
    blob.add('TYPEDEF', 'a', 2);
    blob.add('CONST', '', 1);
    blob.array(3, 1);
    const btf = parseBtf(blob.bytes());
    expect(() => btf.resolve(1)).toThrow(ObjectError);
    expect(() => btf.sizeOf(3)).toThrow('32 types on top of each other');
  });

  it('refuses arrays whose size no number holds', () => {
    const blob = new BtfBuilder();
    const int = blob.int('int', 4);
    const inner = blob.array(int, 0xffff_ffff);
    const outer = blob.array(inner, 0xffff_ffff);
    expect(() => parseBtf(blob.bytes()).sizeOf(outer)).toThrow('arrays of at most');
  });

  it.each([
    ['another magic', (bytes: Uint8Array) => bytes.set([0x9f, 0xec]), 'the magic 0xeb9f, found 0xec9f'],
    ['the other byte order', (bytes: Uint8Array) => bytes.set([0xeb, 0x9f]), 'found a big-endian one'],
    ['another version', (bytes: Uint8Array) => bytes.set([2], 2), 'version 1, found 2'],
    ['a header that is too short', (bytes: Uint8Array) => bytes.set([8], 4), 'a header of 24 bytes, found 8'],
    ['types beyond the end', (bytes: Uint8Array) => bytes.set([0xff, 0xff], 12), 'the types (65535 bytes)'],
    ['strings beyond the end', (bytes: Uint8Array) => bytes.set([0xff], 20), 'the strings (255 bytes)'],
    ['a kind that does not exist', (bytes: Uint8Array) => bytes.set([20], 31), 'found 20 in type 1'],
    ['a record beyond the types', (bytes: Uint8Array) => bytes.set([0xff, 0, 0, 4], 28), 'type 1 (STRUCT)'],
  ])('refuses %s', (_, spoil, message) => {
    const blob = new BtfBuilder();
    blob.int('int', 4);
    const bytes = blob.bytes();
    spoil(bytes);
    expect(() => parseBtf(bytes)).toThrow(message);
  });

  it('refuses ids that no type has', () => {
    const blob = new BtfBuilder();
    blob.add('PTR', '', 77);
    const btf = parseBtf(blob.bytes());
    expect(() => btf.kind(btf.target(1))).toThrow('a type id from 1 to 1, found 77');
    expect(() => btf.members(1)).toThrow('BTF type 1: expected STRUCT or UNION, found PTR');
  });
});
