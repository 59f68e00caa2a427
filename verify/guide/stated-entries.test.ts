import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { addressToText } from '../../sim/packet/addresses.ts';
import { readU16 } from '../../sim/packet/bytes.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { MapEntry, World } from '../../sim/runtime/world.ts';
import { guide } from './guide.ts';
import { StatedEntries, statedKeys } from './stated-entries.ts';

const program: Program = {
  name: 'world_file',
  object: readFileSync(new URL('../../sim/ebpf/test-support/world-file.o', import.meta.url)),
  entries: [{ function: 'enter', hook: 'xdp' }],
  maxEntries: { sized: 8 },
};
const value = new Uint8Array(44);

it('leads to every entry of the world, by composite keys, prefixes and numbers in another byte order', () => {
  const world: World = {
    maps: {
      flows: [
        { key: Uint8Array.of(198, 18, 7, 7, 0x9c, 0xbb, 17, 0), value },
        { key: Uint8Array.of(198, 18, 9, 9, 0x9c, 0xbc, 6, 0), value },
      ],
      networks: [{ key: Uint8Array.of(16, 0, 0, 0, 203, 0, 0, 0), value: new Uint8Array(4) }],
    },
    slots: { tenants: [{ key: Uint8Array.of(0x39, 0x30, 0, 0, 0, 0, 0, 0), name: 'inner_one' }] },
  };
  const { cases } = guide(program, { seed: 's', effort: 300_000, worlds: [{ name: 'stated', world }] });
  const seen = cases
    .filter((one) => one.world === world)
    .flatMap(({ stimuli }) => stimuli)
    .filter(({ packet }) => packet.length >= 38)
    .map(({ packet }) => ({
      flow: `${addressToText(packet.subarray(26, 30))}:${readU16(packet, 36)}/${packet[23]}`,
      net: addressToText(packet.subarray(26, 28 + 2)).startsWith('203.0.'),
      port: readU16(packet, 36),
    }));
  const flows = seen.map(({ flow }) => flow);
  expect(flows).toContain('198.18.7.7:40123/17');
  expect(flows).toContain('198.18.9.9:40124/6');
  expect(seen.some(({ net }) => net)).toBe(true);
  // The program looks for the port in the machine's order.
  expect(seen.map(({ port }) => port)).toContain(12_345);
});

it('takes each key once, as far as a key is there', () => {
  const one = Uint8Array.of(1);
  const entries = [
    { key: one, value: one },
    { key: Uint8Array.of(1), value },
    { key: Uint8Array.of(2), value },
  ];
  const worlds = [
    { name: 'a', world: { maps: { m: entries } } },
    { name: 'b', world: { maps: { m: entries, n: [] } } },
  ];
  expect([...statedKeys(worlds)]).toEqual([
    ['m', [one, Uint8Array.of(2)]],
    ['n', []],
  ]);
});

it('knows the entries that one of the worlds states, by key, by value, or by their place', () => {
  const one = Uint8Array.of(1);
  const none = new Uint8Array(0);
  const element = { key: none, value: Uint8Array.of(9) };
  const stated = new StatedEntries([
    { name: 'a', world: { maps: { m: [{ key: one, value }], q: [element, element] } } },
    {
      name: 'b',
      world: {
        maps: { m: [{ key: Uint8Array.of(2), value }], f: [element] },
        slots: { s: [{ key: one, name: 'p' }] },
      },
    },
  ]);
  const has = (name: string, type: BpfMap['type'], ...key: number[]): boolean =>
    stated.has({ name, type }, Uint8Array.from(key));
  expect([1, 2, 3].map((key) => has('m', 'HASH', key))).toEqual([true, true, false]);
  expect([1, 2].map((key) => has('n', 'HASH', key))).toEqual([false, false]);
  expect([1, 2].map((key) => has('s', 'HASH_OF_MAPS', key))).toEqual([true, false]);
  expect([0, 1, 2].map((at) => has('q', 'QUEUE', at, 0, 0, 0))).toEqual([true, true, false]);
  // What the program has put into it itself has no place.
  expect(has('q', 'QUEUE')).toBe(false);
  expect([9, 1].map((asked) => has('f', 'BLOOM_FILTER', asked))).toEqual([true, false]);
  expect(stated.holds('m', { key: one, value: none })).toBe(true);
  expect(stated.holds('m', { key: Uint8Array.of(3), value })).toBe(false);
});

/** Looks up the byte after the Ethernet header, and asks whether the entry holds a 9. */
const text = `r6 = *(u32 *)(r1 + 0)
  r7 = *(u32 *)(r1 + 4)
  r2 = r6
  r2 += 16
  if r2 > r7 goto pass
  r3 = *(u8 *)(r6 + 14)
  r3 &= 1
  *(u32 *)(r10 - 4) = r3
  r1 = map[rules]
  r2 = r10
  r2 += -4
  call bpf_map_lookup_elem
  if r0 == 0 goto pass
  r3 = *(u32 *)(r0 + 0)
  if r3 == 9 goto drop
  r3 = *(u8 *)(r6 + 15)
  if r3 == 77 goto drop
  pass:
  r0 = 2
  exit
  drop:
  r0 = 1
  exit`;

describe.each(['ARRAY', 'HASH'] as const)('of a map of type %s', (type) => {
  const rules: Program = {
    name: 'rules',
    entries: [{ function: 'main', hook: 'xdp' }],
    object: writeElf({ main: text }, [testMap('rules', type, { maxEntries: 2, keySize: 4, valueSize: 4 })]),
  };
  /** The values that entry 0, and entry 1, have in the cases. */
  const valuesIn = (maps: NonNullable<World['maps']>): string[][] => {
    const { cases } = guide(rules, { seed: 's', effort: 300_000, worlds: [{ name: 'w', world: { maps } }] });
    return [0, 1].map((key) => {
      const entries = cases.map(({ world }) => world.maps?.rules?.find((one) => one.key[0] === key)?.value);
      return [...new Set(entries.map((one) => one?.join() ?? 'none'))].sort();
    });
  };
  const stated = (key: number): MapEntry => ({
    key: Uint8Array.of(key, 0, 0, 0),
    value: Uint8Array.of(3, 0, 0, 0),
  });

  it('leaves the entry of the world as it is, and makes another beside it', () => {
    const [first, second] = valuesIn({ rules: [stated(1)] });
    expect(second).toEqual(['3,0,0,0']);
    expect(first).toContain('9,0,0,0');
  });

  it('makes none where the world states all', () => {
    expect(valuesIn({ rules: [stated(0), stated(1)] })).toEqual([['3,0,0,0'], ['3,0,0,0']]);
  });

  it('makes them where the world states none', () => {
    expect(valuesIn({}).flat()).toContain('9,0,0,0');
  });
});
