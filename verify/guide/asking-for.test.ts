/** Keys that a world states, and what has to be in a packet for a lookup to ask for them. */
import { describe, expect, it } from 'vitest';
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import {
  binary,
  byteOf,
  input,
  type Operand,
  swap,
  bytes as word,
} from '../../sim/ebpf/dataflow/expression.ts';
import type { FlowCall } from '../../sim/ebpf/dataflow/flow-trace.ts';
import type { InputField } from '../../sim/ebpf/dataflow/inputs.ts';
import type { Machine } from '../../sim/ebpf/machine.ts';
import { testMap, testObject } from '../../sim/ebpf/test-support/assemble.ts';
import type { World } from '../../sim/runtime/world.ts';
import { askingFor, statedKeys } from './stated-entries.ts';

const place = (offset: number): InputField => ({ kind: 'packet', packet: 0, offset });
/** Byte `offset` of the packet, which holds its own number plus 100. */
const BYTES = Array.from({ length: 16 }, (_, offset) => input(place(offset), BigInt(offset + 100)));
const at = (offset: number): Operand => BYTES[offset]!;

/** What is solved for the packet’s bytes, as `offset=value`; undefined: the lookup cannot ask for the key. */
function solved(
  keyParts: readonly Operand[],
  key: readonly number[],
  map: BpfMap = testMap('m', 'HASH'),
  choosable: (field: InputField) => boolean = () => true,
): string | undefined {
  const call = { map: 0, keyParts, key: new Uint8Array(map.keySize) } as unknown as FlowCall;
  const machine = { object: testObject({ main: 'exit' }, [map]) } as unknown as Machine;
  const found = askingFor(call, Uint8Array.from(key), machine, choosable);
  return found === undefined
    ? undefined
    : [...found]
        .map(([field, value]) => `${field.kind === 'packet' ? field.offset : field.kind}=${value}`)
        .sort()
        .join(' ');
}

const wide = (size: number): BpfMap => testMap('m', 'HASH', { keySize: size });

describe('a lookup asks for', () => {
  it('bytes as they are in the packet', () => {
    expect(solved([at(2), at(3), at(4), at(5)], [1, 2, 3, 4])).toBe('2=1 3=2 4=3 5=4');
    expect(solved([at(2)], [9], wide(1))).toBe('2=9');
    // What it asks for already needs no change.
    expect(solved([at(2), at(3), at(4), at(5)], [102, 103, 104, 105])).toBe('');
    expect(solved([at(2), at(3), at(4), at(5)], [102, 103, 9, 105])).toBe('4=9');
  });

  it('constants beside them, where the key has the same', () => {
    expect(solved([at(2), 7n, 0n, 0n], [1, 7, 0, 0])).toBe('2=1');
    expect(solved([at(2), 7n, 0n, 0n], [1, 8, 0, 0])).toBeUndefined();
    expect(solved([7n, 7n, 0n, 0n], [7, 7, 0, 0])).toBe('');
    expect(solved([0x107n, 7n, 0n, 0n], [7, 7, 0, 0])).toBe('');
  });

  it.each([2, 4, 8])('a value of %i bytes that was computed', (size) => {
    const value = binary('add', 64, word(BYTES.slice(0, size)), 1n);
    const parts = Array.from({ length: size }, (_, index) => byteOf(value, index));
    const key = [0x11, ...Array.from({ length: size - 1 }, (_, index) => index)];
    expect(solved(parts, key, wide(size))).toBe(
      [0x10, ...key.slice(1)].map((byte, offset) => `${offset}=${byte}`).join(' '),
    );
    // Beside others of other sizes.
    expect(solved([at(12), ...parts, 5n], [3, ...key, 5], wide(size + 2))).toContain('12=3');
  });

  it('a number in the other byte order', () => {
    const value = swap(16, word([at(0), at(1)]));
    expect(solved([byteOf(value, 0), byteOf(value, 1), 0n, 0n], [0x34, 0x12, 0, 0])).toBe('0=18 1=52');
  });

  it('an index, which is one value', () => {
    const array = testMap('m', 'ARRAY');
    expect(solved([binary('sub', 32, at(3), 5n)], [4, 0, 0, 0], array)).toBe('3=9');
    expect(solved([at(3)], [4, 0, 0, 0], array)).toBe('3=4');
    // No byte holds so much.
    expect(solved([at(3)], [0, 1, 0, 0], array)).toBeUndefined();
    expect(solved([4n], [4, 0, 0, 0], array)).toBe('');
    expect(solved([4n], [5, 0, 0, 0], array)).toBeUndefined();
  });

  it('a prefix of a trie, whatever its length', () => {
    const trie = testMap('m', 'LPM_TRIE', { keySize: 8 });
    const parts = [32n, 0n, 0n, 0n, at(0), at(1), at(2), at(3)];
    expect(solved(parts, [16, 0, 0, 0, 10, 1, 0, 0], trie)).toBe('0=10 1=1 2=0 3=0');
    expect(solved(parts, [16, 0, 0, 0, 10, 1, 0, 0], wide(8))).toBeUndefined();
  });

  it('one byte in two places of the key, where both are the same', () => {
    expect(solved([at(0), at(0), 0n, 0n], [5, 5, 0, 0])).toBe('0=5');
    expect(solved([at(0), at(0), 0n, 0n], [5, 6, 0, 0])).toBeUndefined();
  });

  it('nothing that nobody can choose', () => {
    const without = (offset: number) => (field: InputField) =>
      field.kind !== 'packet' || field.offset !== offset;
    expect(solved([at(2), at(3), 0n, 0n], [1, 2, 0, 0], wide(4), without(3))).toBeUndefined();
    expect(solved([at(2), at(3), 0n, 0n], [1, 103, 0, 0], wide(4), without(3))).toBe('2=1');
    expect(solved([at(2), at(3), 0n, 0n], [1, 2, 0, 0], wide(4), without(4))).toBe('2=1 3=2');
  });

  it('no key of another size', () => {
    expect(solved([at(0), at(1), at(2), at(3)], [1, 2, 3])).toBeUndefined();
    expect(solved([at(0), at(1), at(2)], [1, 2, 3, 4])).toBeUndefined();
    expect(solved([], [1, 2, 3, 4])).toBeUndefined();
    expect(solved([at(0)], [1, 2], wide(2))).toBeUndefined();
  });
});

describe('keys that worlds state', () => {
  const entry = (key: number) => ({ key: Uint8Array.of(key), value: new Uint8Array(1) });
  const keys = (...worlds: readonly World[]): Record<string, number[]> =>
    Object.fromEntries(
      [...statedKeys(worlds.map((world) => ({ name: 'w', world })))].map(([name, all]) => [
        name,
        all.map((key) => key[0]!),
      ]),
    );

  it('come from entries and from slots', () => {
    const slots = { tenants: [{ key: Uint8Array.of(3), name: 'inner' }] };
    expect(
      keys({ maps: { m: [entry(1), entry(2)] }, slots }, { maps: { m: [entry(2), entry(4)] } }, {}),
    ).toEqual({
      m: [1, 2, 4],
      tenants: [3],
    });
  });

  it('are at most 16 of a map', () => {
    const maps = { m: Array.from({ length: 20 }, (_, key) => entry(key)), n: [entry(7)] };
    expect(keys({ maps }, { maps: { m: [entry(99)] } })).toEqual({ m: [...Array(16).keys()], n: [7] });
  });
});
