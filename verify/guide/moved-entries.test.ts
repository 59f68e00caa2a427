/** Where packets get other bytes, entries that guidance has made for them go along. */
import { describe, expect, it } from 'vitest';
import { binary, input, type Operand } from '../../sim/ebpf/dataflow/expression.ts';
import type { FlowCall } from '../../sim/ebpf/dataflow/flow-trace.ts';
import type { InputField } from '../../sim/ebpf/dataflow/inputs.ts';
import { Machine } from '../../sim/ebpf/machine.ts';
import { testMap, testObject } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { Background } from './background.ts';
import { changeSequence } from './change-case.ts';
import { guide } from './guide.ts';

const MAPS = [
  testMap('hosts', 'HASH', { maxEntries: 3, keySize: 2, valueSize: 1 }),
  testMap('ports', 'ARRAY', { maxEntries: 4, keySize: 4, valueSize: 1 }),
  testMap('seen', 'BLOOM_FILTER', { maxEntries: 4, keySize: 0, valueSize: 2 }),
];
const machine = new Machine(testObject({ main: 'r0 = 2\nexit' }, MAPS), {});

const BYTES: readonly InputField[] = [0, 1].map((offset) => ({ kind: 'packet', packet: 0, offset }));
const [FIRST, SECOND] = BYTES as [InputField, InputField];
const [A, B] = [input(FIRST, 1n), input(SECOND, 2n)];

function found(map: number, keyParts: readonly Operand[], ...key: number[]): FlowCall {
  return {
    ...{
      program: 0,
      slot: 3,
      packet: 0,
      helper: 'bpf_map_lookup_elem',
      map,
      key: Uint8Array.from(key),
      keyParts,
    },
    ...{ found: true, result: 1n, parameters: new Uint8Array(0), needs: 0 },
  };
}

const entryOf = (value: number, ...key: number[]): { key: Uint8Array; value: Uint8Array } => ({
  key: Uint8Array.from(key),
  value: Uint8Array.of(value),
});

/** The entries after the packet's first byte, 1, has become 7: key = value. */
function changed(
  maps: World['maps'] & object,
  calls: readonly FlowCall[],
  more: Partial<Background> = {},
): string {
  const background: Background = {
    ...{ machine, calls, mayPreset: () => true, isStated: () => false, isStatedEntry: () => false },
    ...{ mayFill: () => true, ...more },
  };
  const sequence = { world: { maps }, stimuli: [{ packet: Uint8Array.of(1, 2) }] };
  const { world } = changeSequence(sequence, new Map([[FIRST, 7n]]), background)!;
  return Object.values(world.maps ?? {})
    .flatMap((entries) => entries.map(({ key, value }) => `${key.join()} = ${value.join()}`))
    .join('; ');
}

describe('an entry whose key a packet is asked for', () => {
  const hosts = [entryOf(9, 1, 2), entryOf(8, 5, 5)];
  const asks = found(0, [A, B], 1, 2);

  it('moves to the key that the changed packet has', () => {
    expect(changed({ hosts }, [asks])).toBe('5,5 = 8; 7,2 = 9');
  });

  it('moves by what is computed from the packet', () => {
    expect(changed({ hosts }, [found(0, [binary('xor', 64, A, 3n), B], 1, 2)])).toBe('5,5 = 8; 4,2 = 9');
  });

  it('stays where nothing of the key changes, nothing was found, or nobody knows what the key is made of', () => {
    const before = '1,2 = 9; 5,5 = 8';
    expect(changed({ hosts }, [found(0, [1n, B], 1, 2)])).toBe(before);
    expect(changed({ hosts }, [{ ...asks, found: false }])).toBe(before);
    expect(changed({ hosts }, [found(0, [], 1, 2)])).toBe(before);
    expect(changed({ hosts }, [])).toBe(before);
  });

  it('stays where a world states it, or what is under the new key', () => {
    for (const stated of [1, 7])
      expect(changed({ hosts }, [asks], { isStatedEntry: (_, [first]) => first === stated })).toBe(
        '1,2 = 9; 5,5 = 8',
      );
  });

  it('is copied where another lookup still asks for it, as far as there is room', () => {
    const other = found(0, [1n, 2n], 1, 2);
    expect(changed({ hosts }, [asks, other])).toBe('1,2 = 9; 5,5 = 8; 7,2 = 9');
    const full = [...hosts, entryOf(3, 6, 6)];
    expect(changed({ hosts: full }, [asks, other])).toBe('1,2 = 9; 5,5 = 8; 6,6 = 3');
  });

  it('takes the place of none that is there', () => {
    expect(changed({ hosts: [...hosts, entryOf(3, 7, 2)] }, [asks])).toBe('5,5 = 8; 7,2 = 3');
  });

  it('moves in an array as far as that has the index', () => {
    const ports = [entryOf(9, 1, 0, 0, 0)];
    const index = (of: Operand): FlowCall => found(1, [of, 0n, 0n, 0n], 1, 0, 0, 0);
    expect(changed({ ports }, [index(binary('and', 64, A, 3n))])).toBe('3,0,0,0 = 9');
    expect(changed({ ports }, [index(A)])).toBe('1,0,0,0 = 9');
  });

  it('is the value of a Bloom filter', () => {
    const seen = [{ key: new Uint8Array(0), value: Uint8Array.of(1, 2) }];
    expect(changed({ seen }, [found(2, [A, B], 1, 2)])).toBe(' = 7,2');
  });
});

/** Drops what is not in the map, then what has one of a few values in a byte of the key. */
const text = `r6 = *(u32 *)(r1 + 0)
  r7 = *(u32 *)(r1 + 4)
  r2 = r6
  r2 += 34
  if r2 > r7 goto pass
  r3 = *(u32 *)(r6 + 30)
  *(u32 *)(r10 - 4) = r3
  r1 = map[blocked]
  r2 = r10
  r2 += -4
  call bpf_map_lookup_elem
  if r0 == 0 goto pass
  r3 = *(u8 *)(r6 + 30)
  r4 = *(u8 *)(r6 + 33)
  if r3 >= 224 goto pass
  if r4 != 178 goto pass
  if r3 < 190 goto pass
  if r3 == 199 goto drop
  r0 = 3
  exit
  pass:
  r0 = 2
  exit
  drop:
  r0 = 1
  exit`;

it.each(['a', 'b', 'c', 'd'])(
  'what is asked about the key of a found entry goes all ways (seed %s)',
  (seed) => {
    const program: Program = {
      name: 'blocked',
      entries: [{ function: 'main', hook: 'xdp' }],
      object: writeElf({ main: text }, [
        testMap('blocked', 'HASH', { maxEntries: 8, keySize: 4, valueSize: 1 }),
      ]),
    };
    expect(guide(program, { seed, effort: 100_000 }).missing).toEqual([]);
  },
);
