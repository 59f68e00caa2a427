/** What is proved of programs that look up the values of one CPU, which may be the one that runs them. */
import { afterAll, beforeAll, expect, it } from 'vitest';
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

const MAP = testMap('m', 'PERCPU_ARRAY', { keySize: 4, valueSize: 8, maxEntries: 2 });
const CALL = '*(u32 *)(r10 - 8) = 1\nr1 = map[m]\nr2 = r10\nr2 += -8';
const OWN = `${CALL}\ncall bpf_map_lookup_elem\nif r0 == 0 goto out\nr6 = r0`;
const OF_CPU = (cpu: number, register: string): string =>
  `${CALL}\nr3 = ${cpu}\ncall bpf_map_lookup_percpu_elem\nif r0 == 0 goto out\n${register} = r0`;
const WRITE = 'r1 = 4369\n*(u64 *)(r6 + 0) = r1';
const READ = 'r8 = *(u64 *)(r9 + 0)';
/** Returns 77 where the value is another one than before. */
const READ_AGAIN = 'r2 = *(u64 *)(r9 + 0)\nr0 = 77\nif r2 != r8 goto end';

/** Is it proved that the program never returns 77? */
async function verdict(...steps: readonly string[]): Promise<string> {
  const text = [frame(30), ...steps, END.replace('out:', 'end:\nexit\nout:')].join('\n');
  const limits = { shortest: 0, longest: 60, mostMetadata: 0 };
  const { properties } = await proveProgram(programOf('test', { text, maps: [MAP] }), { solver, limits });
  const found = properties.find(({ invariant }) => invariant === 'action/unknown');
  return found?.reason === undefined ? `${found?.status}` : `${found.status}: ${found.reason}`;
}

it('a value that is not written stays as it is', async () => {
  expect(await verdict(OWN, OF_CPU(1, 'r9'), READ, READ_AGAIN)).toBe('proved');
  expect(await verdict(OWN, WRITE, OF_CPU(1, 'r9'), READ, READ_AGAIN)).toBe('proved');
});

it('what the program writes to its own value, or to that of a CPU, another lookup may have found, too', async () => {
  expect(await verdict(OWN, OF_CPU(1, 'r9'), READ, WRITE, READ_AGAIN)).toMatch(/^undecided: /);
  expect(await verdict(OF_CPU(1, 'r9'), READ, OWN, WRITE, READ_AGAIN)).toMatch(/^undecided: /);
  expect(await verdict(OF_CPU(1, 'r6'), OF_CPU(1, 'r9'), READ, WRITE, READ_AGAIN)).toMatch(/^undecided: /);
  expect(await verdict(OWN, 'r9 = r6', OF_CPU(1, 'r6'), READ, WRITE, READ_AGAIN)).toMatch(
    /: a store into the value of a CPU that may be/,
  );
});

it('nor does anybody know whether both are one', async () => {
  expect(await verdict(OWN, OF_CPU(1, 'r9'), 'r0 = 77\nif r6 == r9 goto end')).toMatch(
    /: a comparison of addresses of values of some CPU$/,
  );
});
