/** What a path that ends too soon, or that the machine leaves, says of branches: of those behind it nothing, of others all the same. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Machine } from '../../sim/ebpf/machine.ts';
import { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import type { Solver } from '../../sim/ebpf/symbolic/solver.ts';
import { TermPool } from '../../sim/ebpf/symbolic/term-pool.ts';
import { testMap, testObject } from '../../sim/ebpf/test-support/assemble.ts';
import { reachedFrom } from './behind.ts';
import { doubtsOf, type TriedPath } from './doubts.ts';
import { proveProgram } from './prove.ts';
import { END, frame, programOf } from './test-support/asking-programs.ts';
import { createZ3Solver, endZ3 } from './z3-solver.ts';

const LIMITS = { shortest: 0, longest: 40, mostMetadata: 0 };
const NETS = testMap('nets', 'LPM_TRIE', { maxEntries: 4, keySize: 8, valueSize: 4 });

let solver: Solver;

beforeAll(async () => {
  solver = (await createZ3Solver())!;
});
afterAll(endZ3);

const call = (name: string): string => `r1 = map[nets]\nr2 = r10\nr2 += -8\ncall bpf_map_${name}_elem`;
/** A prefix that was looked up is taken out: no path is followed beyond that. */
const CUT = `*(u64 *)(r10 - 8) = 24\n${call('lookup')}\nif r0 == 0 goto out\n${call('delete')}`;
/** No number is both. */
const NEVER = 'if r2 > 3 goto out\nif r2 > 5 goto out';

async function ways(text: string): Promise<string[]> {
  const program = programOf('test', { text: `${frame(20)}\n${text}`, maps: [NETS] });
  const { branches, properties } = await proveProgram(program, { solver, limits: LIMITS });
  expect(properties.map(({ status }) => status)).not.toContain('proved');
  return branches
    .filter(({ taken }) => taken)
    .map(({ status }) => status)
    .slice(1);
}

describe('a path that ends before the program does', () => {
  const read = 'r1 = *(u8 *)(r7 + 14)\nr2 = *(u8 *)(r7 + 15)';

  it('leaves branches decided that it cannot come to', async () => {
    expect(
      await ways(`${read}\nif r1 == 7 goto cut\n${NEVER}\nr0 = 2\nexit\ncut:\n${CUT}\n${NEVER}\n${END}`),
    ).toEqual(['reached', 'reached', 'unreachable', 'reached', 'undecided', 'undecided']);
  });

  it('leaves all open that it could come to', async () => {
    expect(
      await ways(`${read}\nif r1 == 7 goto cut\ngoto both\ncut:\n${CUT}\nboth:\n${NEVER}\n${END}`),
    ).toEqual(['reached', 'reached', 'reached', 'undecided']);
  });
});

describe('a path that the machine leaves', () => {
  const object = testObject(
    {
      main: `r1 = map[nets]\nr2 = r10\ncall bpf_map_lookup_elem
        call bpf_ktime_get_ns
        r1 = map[jobs]\nr2 = r10\ncall bpf_map_pop_elem
        r1 = map[nets]\nr2 = r10\ncall bpf_map_lookup_elem
        exit`,
    },
    [NETS, testMap('jobs', 'QUEUE', { keySize: 0, valueSize: 8 })],
  );
  const inputs = new Inputs(new TermPool(), new Machine(object, {}), 'xdp', object.programs[0]!, LIMITS);
  const calls = [3, 4, 8, 12];
  const arrivals = calls.map((slot, index) => {
    const state = inputs.start(0);
    state.slot = slot;
    const map = [0, undefined, 1, 0][index];
    if (map !== undefined)
      state.registers[1] = { term: inputs.pool.constant(64, 0), region: { kind: 'map', map } };
    return state;
  });
  const parted = (edit: (state: PathState) => void): TriedPath => {
    const state = inputs.start(0);
    edit(state);
    return { state, witness: {}, confirmed: false, reason: 'elsewhere' };
  };
  const from = (edit: (state: PathState) => void) => {
    const [doubt] = doubtsOf(inputs, undefined, [parted(edit)], arrivals);
    expect(doubt?.reason).toBe('a packet went another way than was predicted: elsewhere');
    return doubt?.from?.map(({ slot }) => slot);
  };

  it('leaves open what lies behind its first call, and behind calls for the same', () => {
    expect(
      from((state) => {
        state.firstCall = { program: 0, slot: 8 };
      }),
    ).toEqual([8]);
    expect(
      from((state) => {
        state.firstCall = { program: 0, slot: 8 };
        state.pushed.set(1, []);
      }),
    ).toEqual([8, 8]);
    expect(
      from((state) => {
        state.firstCall = { program: 0, slot: 8 };
        const there = inputs.pool.true;
        state.entries = [{ map: 0, key: [], wasThere: there, isThere: there, block: 0 }];
        state.answers = [{ helper: 'bpf_ktime_get_ns' } as PathState['answers'][number]];
      }),
    ).toEqual([8, 3, 4, 12]);
  });

  it('leaves all open where it has called nothing', () => {
    expect(from(() => {})).toBeUndefined();
  });

  it('is none where the machine went along, or nobody can tell', () => {
    const path = parted(() => {});
    for (const more of [
      { confirmed: true },
      { witness: undefined },
      { gap: 'x' },
      { missed: [] },
      { stopped: 'y' },
    ])
      expect(doubtsOf(inputs, undefined, [{ ...path, ...more }], arrivals)).toEqual([]);
  });
});

describe('what lies behind an instruction', () => {
  it('are the functions that a helper calls, and what called the one that ends', () => {
    const text = 'r1 = 3\nr2 = round\nr3 = 0\nr4 = 0\ncall bpf_loop\nr0 = 2\nexit\nround:\nr0 = 0\nexit';
    const made = testObject({ main: text });
    const [main] = made.programs;
    const subprograms = [main!.subprograms[0]!, { ...main!.subprograms[0]!, name: 'round', start: 8 }];
    const object = { ...made, programs: [{ ...main!, subprograms }] };
    const from = (slot: number): number[] =>
      [...reachedFrom(object, [{ program: 0, slot }])]
        .map((key) => Number(key.split(':')[1]))
        .sort((a, b) => a - b);
    expect(from(6)).toEqual([6, 7]);
    // The first two are the number and the address of the function, which are there before.
    expect(from(5)).toEqual([3, 4, 5, 6, 7, 8, 9]);
    expect(from(8)).toEqual([3, 4, 5, 6, 7, 8, 9]);
  });
});
