/** Queues, stacks and Bloom filters that only user space fills: guidance fills them, and solves for what comes out. */
import { describe, expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { MapType } from '../../sim/runtime/maps.ts';
import type { MapEntry, World } from '../../sim/runtime/world.ts';
import { type Guidance, guide } from './guide.ts';

const POP = 'r1 = map[m]\nr2 = r10\nr2 += -8\ncall bpf_map_pop_elem\nif r0 s< 0 goto out';
const PEEK = POP.replace('pop', 'peek');
const compared = (value: number): string => `r1 = *(u32 *)(r10 - 8)\nif r1 != ${value} goto out`;
const START = '*(u64 *)(r10 - 8) = 0\nr6 = r1';
const END = 'r0 = 1\nexit\nout:\nr0 = 2\nexit';

function guided(
  type: MapType,
  body: string,
  {
    world = {},
    maxEntries = 16,
    effort = 200_000,
  }: { world?: World; maxEntries?: number; effort?: number } = {},
): Guidance {
  const object = writeElf({ main: `${START}\n${body}\n${END}` }, [
    testMap('m', type, { keySize: 0, valueSize: 4, maxEntries }),
  ]);
  const program = { name: 'p', entries: [{ function: 'main', hook: 'xdp' as const }], object };
  return guide(program, { seed: 'queues', effort, worlds: [{ name: 'stated', world }] });
}

const entriesIn = ({ cases }: Guidance): readonly MapEntry[][] =>
  cases.flatMap(({ world }) => (world.maps?.m === undefined ? [] : [[...world.maps.m]]));
const firstWord = ({ value }: MapEntry): number => value[0]!;

describe.each<MapType>(['QUEUE', 'STACK'])('a %s', (type) => {
  it('is filled where something is taken out of it', () => {
    expect(guided(type, POP).missing).toEqual([]);
    expect(guided(type, PEEK).missing).toEqual([]);
  });

  it('holds what it is compared with', () => {
    const guidance = guided(type, `${POP}\n${compared(77)}`);
    expect(guidance.missing).toEqual([]);
    expect(entriesIn(guidance).some((entries) => entries.some((one) => firstWord(one) === 77))).toBe(true);
  });

  it('holds as many as are taken out, in the order in which they come', () => {
    const twice = `${POP}\n${compared(7)}\n${POP}\n${compared(9)}\n${PEEK}`;
    const guidance = guided(type, twice);
    expect(guidance.missing).toEqual([]);
    const inOrder = entriesIn(guidance).map((entries) => (type === 'STACK' ? entries.toReversed() : entries));
    expect(inOrder.some((entries) => entries.slice(0, 2).map(firstWord).join() === '7,9')).toBe(true);
  });

  it('is never given more than it has room for', () => {
    const guidance = guided(type, `${POP}\n${POP}`, { maxEntries: 1 });
    expect(guidance.missing).toHaveLength(1);
    for (const entries of entriesIn(guidance)) expect(entries.length).toBeLessThan(2);
  });

  it('is emptied where what the world put there leaves no other way', () => {
    const stated = { key: new Uint8Array(0), value: Uint8Array.of(1, 0, 0, 0) };
    expect(guided(type, POP, { world: { maps: { m: [stated, stated] } } }).missing).toEqual([]);
  });

  it('is filled by the packets before, where the program pushes', () => {
    const push = `r1 = map[m]\nr2 = r10\nr2 += -8\nr3 = 0\n*(u32 *)(r10 - 8) = 5\ncall bpf_map_push_elem`;
    const guidance = guided(
      type,
      `${POP.replace('goto out', 'goto push')}\n${compared(5)}\nr0 = 1\nexit\npush:\n${push}`,
      {
        effort: 100_000,
      },
    );
    const pops = guidance.cases.find(({ stimuli }) => stimuli.length > 1);
    expect(pops?.world.maps).toBeUndefined();
    expect(pops).toBeDefined();
  });

  it('holds enough for many packets, unless a case needs it to end', () => {
    const sizes = entriesIn(guided(type, POP, { maxEntries: 1000 })).map(({ length }) => length);
    expect(Math.max(...sizes)).toBe(255);
    const ends = entriesIn(guided(type, `${POP}\n${POP}`, { maxEntries: 1000 }));
    expect(ends.some(({ length }) => length === 1)).toBe(true);
  });
});

it('a Bloom filter has the value that is asked for, and may not have it', () => {
  const asks = `r2 = *(u32 *)(r6 + 0)\nr3 = *(u32 *)(r6 + 4)\nr4 = r2\nr4 += 20\nif r4 > r3 goto out
    r1 = *(u32 *)(r2 + 16)\n*(u32 *)(r10 - 8) = r1\n${PEEK.replace('if r0 s< 0', 'if r0 != 0')}`;
  const guidance = guided('BLOOM_FILTER', asks);
  expect(guidance.missing).toEqual([]);
  expect(entriesIn(guidance).length).toBeGreaterThan(0);
  // What the user has put there is asked for.
  const value = Uint8Array.of(0x12, 0x34, 0x56, 0x78);
  const stated: World = { maps: { m: [{ key: new Uint8Array(0), value }] } };
  const led = guided('BLOOM_FILTER', asks, { world: stated });
  expect(
    led.cases.some(({ stimuli }) => Buffer.from(stimuli[0]!.packet).includes(Buffer.from(value), 16)),
  ).toBe(true);
  expect(led.missing).toEqual([]);
});
