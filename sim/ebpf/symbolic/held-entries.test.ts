/** Pointers to entries that are updated and deleted: the reader follows them as the machine does, or not at all. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BpfMap } from '../bpf-object.ts';
import { Machine } from '../machine.ts';
import { testMap, testObject } from '../test-support/assemble.ts';
import { followed, frameOf } from '../test-support/call-sequences.ts';
import { DEFAULT_EXPLORE_LIMITS, explore } from './explore.ts';
import { Feasibility } from './feasibility.ts';
import { Inputs } from './inputs.ts';
import { NO_SOLVER } from './solver.ts';
import { termText } from './term.ts';
import { TermPool } from './term-pool.ts';

const FRAME = frameOf(0x0800);
const GONE = 'a pointer to an entry that is gone, whose memory the map may have used again';

const KINDS: Readonly<Record<string, BpfMap>> = {
  HASH: testMap('m', 'HASH'),
  'HASH without preallocation': testMap('m', 'HASH', { mapFlags: 1 }),
  LRU_HASH: testMap('m', 'LRU_HASH', { valueSize: 8 }),
  LPM_TRIE: testMap('m', 'LPM_TRIE', { keySize: 8, valueSize: 8, maxEntries: 8 }),
  PERCPU_HASH: testMap('m', 'PERCPU_HASH', { valueSize: 8 }),
  LRU_PERCPU_HASH: testMap('m', 'LRU_PERCPU_HASH', { valueSize: 8 }),
};

type Step =
  | readonly ['update', key: number, flags: number]
  | readonly ['delete' | 'hold', key: number]
  | readonly ['write'];

/** One step; `number` tells it from the others. What is held is in r9, and read after each step. */
function textOf(step: Step, number: number): string {
  const [what, key = 0] = step;
  const call = `*(u32 *)(r10 - 16) = 32\n*(u32 *)(r10 - 12) = ${key}\nr1 = map[m]\nr2 = r10\nr2 += KEY`;
  const read = `if r9 == 0 goto none${number}\nr8 = *(u64 *)(r9 + 0)\nr8 = *(u8 *)(r9 + 3)\nnone${number}:`;
  switch (what) {
    case 'update':
      return `${call}\n*(u64 *)(r10 - 24) = ${100 + number}\nr3 = r10\nr3 += -24\nr4 = ${step[2]}\ncall bpf_map_update_elem\n${read}`;
    case 'delete':
      return `${call}\ncall bpf_map_delete_elem\n${read}`;
    case 'hold':
      return `${call}\ncall bpf_map_lookup_elem\nr9 = r0\n${read}`;
    default:
      return `if r9 == 0 goto nothing${number}\nr1 = ${7000 + number}\n*(u64 *)(r9 + 0) = r1\nnothing${number}:\n${read}`;
  }
}

function scriptOf(steps: readonly Step[], map: BpfMap): string {
  const text = steps.map(textOf).join('\n');
  // A prefix begins with its length.
  return `r9 = 0\n${text.replaceAll('KEY', map.keySize === 8 ? '-16' : '-12')}`;
}

const key = fc.constantFrom(1, 2, 3);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.tuple(fc.constant('update' as const), key, fc.constantFrom(0, 0, 0, 1, 2)),
    fc.tuple(fc.constantFrom('delete' as const, 'hold' as const, 'hold' as const), key),
    fc.tuple(fc.constant('write' as const)),
  ),
  { minLength: 4, maxLength: 14 },
);

describe('a held pointer', () => {
  it.each(Object.entries(KINDS))('into a %s shows on a path what it shows in the machine', (name, map) => {
    const isExact = ['HASH', 'PERCPU_HASH'].includes(name);
    // Of a trie it depends on prefixes that nobody looked up whether another one is there.
    const left = name === 'LPM_TRIE' ? /prefix|trie/ : new RegExp(`${GONE}$`);
    fc.assert(
      fc.property(steps, (script) => {
        const said = followed('xdp', FRAME, [[scriptOf(script, map)]], { maps: [map] });
        for (const one of said) {
          expect(isExact ? 'followed' : 'left').toBe('left');
          expect(one).toMatch(left);
        }
      }),
      { numRuns: 60 },
    );
  });
});

/** What is not followed in tries: whether a shorter prefix of them is there, which no path has looked up. */
const BELOW_OTHERS = 'a prefix that is not there, below others that may be';

/** How paths end that return the number behind the held pointer to key 1, which held 1 before the steps. */
async function ends(name: string, ...script: readonly Step[]): Promise<string[]> {
  const map = KINDS[name]!;
  const text = scriptOf([['update', 1, 0], ['hold', 1], ...script], map).replace('= 100', '= 1');
  const object = testObject(
    { main: `${text}\nr0 = 77\nif r9 == 0 goto out\nr0 = *(u64 *)(r9 + 0)\nout:\nexit` },
    [map],
  );
  const inputs = new Inputs(new TermPool(), new Machine(object, {}), 'xdp', object.programs[0]!);
  const found = new Set<string>();
  await explore(inputs, 0, new Feasibility(NO_SOLVER), {
    limits: { ...DEFAULT_EXPLORE_LIMITS, deadline: Number.POSITIVE_INFINITY },
    now: () => 0,
    onPath: ({ end }) => {
      found.add(end?.kind === 'exit' ? termText(end.action) : `${end?.kind}: ${end?.reason}`);
    },
    stopped: () => false,
  });
  return [...found].filter((one) => one !== '0x4d:32' && !one.endsWith(BELOW_OTHERS)).sort();
}

describe('what a program reads through a pointer that it has held', () => {
  it('is the old value behind an update, but where updates write in place', async () => {
    for (const name of ['HASH', 'HASH without preallocation', 'LRU_HASH', 'LPM_TRIE'])
      expect([name, await ends(name, ['update', 1, 0])]).toEqual([name, ['0x1:32']]);
    for (const name of ['PERCPU_HASH', 'LRU_PERCPU_HASH'])
      expect([name, await ends(name, ['update', 1, 0])]).toEqual([name, ['0x66:32']]);
  });

  it('is what a new lookup finds, for a new lookup', async () => {
    for (const name of Object.keys(KINDS))
      expect([name, await ends(name, ['update', 1, 0], ['hold', 1])]).toEqual([name, ['0x66:32']]);
  });

  it('is not written into the entry that has taken its place', async () => {
    const lost = ['update', 1, 0] as const;
    expect(await ends('HASH', lost, ['write'], ['hold', 1])).toEqual(['0x66:32']);
    expect(await ends('PERCPU_HASH', lost, ['write'], ['hold', 1])).toEqual(['0x1b5b:32']);
  });

  it('is what the second update has written there, where it is known to use that memory', async () => {
    const twice = [
      ['update', 1, 0],
      ['update', 1, 0],
    ] as const;
    expect(await ends('HASH', ...twice)).toEqual(['0x67:32']);
    expect(await ends('LPM_TRIE', ...twice)).toEqual(['0x1:32']);
    for (const name of ['HASH without preallocation', 'LRU_HASH'])
      expect(await ends(name, ...twice)).toEqual([`not followed: ${GONE}`]);
  });

  it('is the old value behind a deletion, until the memory is used again', async () => {
    for (const name of Object.keys(KINDS))
      expect([name, await ends(name, ['delete', 1])]).toEqual([name, ['0x1:32']]);
    const again = [
      ['delete', 1],
      ['update', 1, 0],
    ] as const;
    for (const name of ['HASH', 'PERCPU_HASH']) expect(await ends(name, ...again)).toEqual(['0x67:32']);
    expect(await ends('LPM_TRIE', ...again)).toEqual(['0x1:32']);
    for (const name of ['HASH without preallocation', 'LRU_HASH', 'LRU_PERCPU_HASH'])
      expect(await ends(name, ...again)).toEqual([`not followed: ${GONE}`]);
  });

  it('of an LRU_HASH is not known behind an update that was refused', async () => {
    expect(await ends('LRU_HASH', ['delete', 1], ['update', 1, 2])).toEqual([`not followed: ${GONE}`]);
    expect(await ends('HASH', ['delete', 1], ['update', 1, 2])).toEqual(['0x1:32']);
  });
});

describe('a walk through a hash map whose function changes the map', () => {
  /** Why paths are left of a program that has put keys 1 and 2 in, and whose function makes this call for each of them. */
  async function left(key: number, call: string): Promise<string> {
    const map = KINDS.HASH!;
    const at = (one: number, name: string): string =>
      `*(u32 *)(r10 - 12) = ${one}\n*(u64 *)(r10 - 24) = 5\nr1 = map[m]\nr2 = r10\nr2 += -12\nr3 = r10\nr3 += -24\nr4 = 0\ncall ${name}`;
    const [one, other] = [1, 2].map((put) => at(put, 'bpf_map_update_elem'));
    const walk = 'r1 = map[m]\nr2 = visit\nr3 = 0\nr4 = 0\ncall bpf_for_each_map_elem\nexit';
    const main = `${one}\n${other}\n${walk}\nvisit:\n${at(key, call)}\nr0 = 0\nexit`;
    const object = testObject({ main }, [map]);
    const inputs = new Inputs(new TermPool(), new Machine(object, {}), 'xdp', object.programs[0]!);
    const reasons = new Set<string>();
    await explore(inputs, 0, new Feasibility(NO_SOLVER), {
      limits: { ...DEFAULT_EXPLORE_LIMITS, deadline: Number.POSITIVE_INFINITY },
      now: () => 0,
      onPath: ({ end }) => {
        if (end?.kind !== 'exit') reasons.add(`${end?.reason}`);
      },
      stopped: () => false,
    });
    return [...reasons].join('\n');
  }

  it('is not followed where chance decides what it meets', async () => {
    expect(await left(3, 'bpf_map_update_elem')).toContain('put into a map that the program walks through');
    expect(await left(2, 'bpf_map_update_elem')).toContain('has yet to visit');
    expect(await left(2, 'bpf_map_delete_elem')).toContain('has yet to visit');
    expect(await left(3, 'bpf_map_lookup_elem')).toContain('looked up first while');
    expect(await left(2, 'bpf_map_lookup_elem')).toBe('');
  });
});
