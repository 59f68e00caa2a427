/** What is proved of programs that hold a pointer to a map's value while its entry is updated or deleted. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import type { Solver } from '../../sim/ebpf/symbolic/solver.ts';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { proveProgram } from './prove.ts';
import { END, frame, programOf } from './test-support/asking-programs.ts';
import { createZ3Solver, endZ3 } from './z3-solver.ts';

let solver: Solver;

beforeAll(async () => {
  solver = (await createZ3Solver())!;
});
afterAll(endZ3);

const CALL = 'r1 = map[m]\nr2 = r10\nr2 += -8';
/** Puts a number into the entry of the frame's first bytes. */
const update = (value: string): string =>
  `${value}\n*(u64 *)(r10 - 16) = r1\n${CALL}\nr3 = r10\nr3 += -16\nr4 = 0\ncall bpf_map_update_elem\nif r0 != 0 goto out`;
const HOLD = `${CALL}\ncall bpf_map_lookup_elem\nif r0 == 0 goto out\nr9 = r0`;
const DELETE = `${CALL}\ncall bpf_map_delete_elem`;
/** Returns 77 where the pointer does not show the number. */
const compare = (value: string): string => `${value}\nr2 = *(u64 *)(r9 + 0)\nr0 = 77\nif r2 != r1 goto end`;

const OLD = 'r1 = 4369';
const NEW = 'r1 = *(u32 *)(r7 + 22)';

async function actions(map: BpfMap, ...steps: readonly string[]): Promise<string> {
  const key = 'r1 = *(u32 *)(r7 + 14)\n*(u64 *)(r10 - 8) = r1';
  const text = [frame(30), key, update(OLD), HOLD, ...steps, END.replace('out:', 'end:\nexit\nout:')];
  const program = programOf('test', { text: text.join('\n'), maps: [map] });
  const limits = { shortest: 0, longest: 60, mostMetadata: 0 };
  const { properties } = await proveProgram(program, { solver, limits });
  const found = properties.find(({ invariant }) => invariant === 'action/unknown');
  return found?.reason === undefined ? `${found?.status}` : `${found.status}: ${found.reason}`;
}

const SIZES = { keySize: 8, valueSize: 8, maxEntries: 16 };
const REFUTED = 'refuted: the program returns 77';

describe('a pointer that is held across an update', () => {
  it.each([
    testMap('m', 'HASH', SIZES),
    testMap('m', 'HASH', { ...SIZES, mapFlags: 1 }),
    testMap('m', 'LRU_HASH', SIZES),
  ])('shows the old value ($type, flags $mapFlags)', async (map) => {
    expect(await actions(map, update(NEW), compare(NEW))).toBe(REFUTED);
    expect(await actions(map, update(NEW), compare(OLD))).toBe('proved');
  });

  it('shows the new one of per-CPU values', async () => {
    const map = testMap('m', 'PERCPU_HASH', SIZES);
    expect(await actions(map, update(NEW), compare(NEW))).toBe('proved');
    expect(await actions(map, update(NEW), compare(OLD))).toBe(REFUTED);
  });

  it('leaves the new entry as it is when it is written through', async () => {
    const write = 'r1 = 8738\n*(u64 *)(r9 + 0) = r1';
    expect(await actions(testMap('m', 'HASH', SIZES), update(NEW), write, HOLD, compare(NEW))).toBe('proved');
    expect(await actions(testMap('m', 'HASH', SIZES), update(NEW), HOLD, compare(NEW))).toBe('proved');
  });

  it('is left open behind a further update, where nobody knows what memory that takes', async () => {
    const twice = [update(NEW), update('r1 = 5')];
    expect(await actions(testMap('m', 'HASH', SIZES), ...twice, compare('r1 = 5'))).toBe('proved');
    for (const map of [testMap('m', 'HASH', { ...SIZES, mapFlags: 1 }), testMap('m', 'LRU_HASH', SIZES)])
      for (const value of [OLD, 'r1 = 5'])
        expect(await actions(map, ...twice, compare(value))).toMatch(/^undecided/);
  });
});

describe('an entry that is deleted and made anew', () => {
  it('shows a pointer from before the new value, and a small map need not be full', async () => {
    const map = testMap('m', 'HASH', SIZES);
    expect(await actions(map, DELETE, compare(OLD))).toBe('proved');
    expect(await actions(map, DELETE, update(NEW), compare(NEW))).toBe('proved');
    expect(await actions(map, DELETE, update(NEW), compare(OLD))).toBe(REFUTED);
  });
});
