import { describe, expect, it } from 'vitest';
import { parseBtf } from './btf.ts';
import { fieldAt, fieldsOf } from './btf-field.ts';
import { BtfBuilder } from './test-support/btf-builder.ts';

const blob = new BtfBuilder();
const u8 = blob.int('u8', 1);
const u16 = blob.int('u16', 2);
const u32 = blob.int('u32', 4);
const mac = blob.array(u8, 6);
const inner = blob.struct('inner', 8, [
  ['seen', u32, 0],
  ['kind', u16, 32],
]);
const two = blob.struct(
  '',
  4,
  [
    ['whole', u32, 0],
    ['half', u16, 0],
  ],
  'UNION',
);
const pair = blob.array(u16, 2);
const flags = blob.struct('flags', 4, [
  ['low', u32, 0, 4],
  ['high', u32, 4, 28],
]);
const value = blob.struct('value', 40, [
  ['count', u32, 0],
  ['last', blob.array(inner, 3), 32],
  ['', two, 224],
  ['mac', mac, 256],
]);
const btf = parseBtf(blob.bytes());

describe('the field of a byte', () => {
  it.each<readonly [at: number, path: string, offset: number, size: number]>([
    [0, '.count', 0, 4],
    [3, '.count', 0, 4],
    [4, '.last[0].seen', 4, 4],
    [21, '.last[2].seen', 20, 4],
    [25, '.last[2].kind', 24, 2],
    // An anonymous union has no name, and its first member is the one.
    [29, '.whole', 28, 4],
  ])('%i is %s', (at, path, offset, size) =>
    expect(fieldAt(btf, value, at)).toEqual({ path, offset, size, isBytes: false }),
  );

  it('is the whole array of bytes', () => {
    expect(fieldAt(btf, value, 35)).toEqual({ path: '.mac', offset: 32, size: 6, isBytes: true });
  });

  it('has no name in a number', () => {
    expect(fieldAt(btf, u32, 2)).toEqual({ path: '', offset: 0, size: 4, isBytes: false });
  });

  it.each([26, 38, 40])('is none where there is padding, or nothing: %i', (at) =>
    expect(fieldAt(btf, value, at)).toBeUndefined(),
  );

  it('is none of bit fields', () => expect(fieldAt(btf, flags, 0)).toBeUndefined());
});

describe('the fields of a type', () => {
  it('are those that follow each other', () => {
    expect(fieldsOf(btf, two)?.map(({ path }) => path)).toEqual(['.whole']);
    expect(fieldsOf(btf, pair)?.map(({ path }) => path)).toEqual(['[0]', '[1]']);
  });

  it('are none where there is padding', () => expect(fieldsOf(btf, inner)).toBeUndefined());
});
