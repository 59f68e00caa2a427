/** How large and how deep the questions are that the solver takes. */
import { afterAll, expect, it } from 'vitest';
import { DEFAULT_EXPLORE_LIMITS } from '../../sim/ebpf/symbolic/explore.ts';
import { Feasibility } from '../../sim/ebpf/symbolic/feasibility.ts';
import type { Term } from '../../sim/ebpf/symbolic/term.ts';
import { TermPool } from '../../sim/ebpf/symbolic/term-pool.ts';
import { createZ3Solver, endZ3 } from './z3-solver.ts';

afterAll(endZ3);

it('takes terms as deep as paths may have them, each of which stands in the next one twice', async () => {
  const solver = (await createZ3Solver({ timeout: 100 }))!;
  const pool = new TermPool();
  const bit = (name: string): Term => pool.unknown(1, name);
  let chain = bit('start');
  while (chain.depth < DEFAULT_EXPLORE_LIMITS.depth) {
    chain = pool.or(pool.xor(chain, bit(`x${chain.depth % 7}`)), pool.and(chain, bit(`y${chain.depth % 7}`)));
  }
  const feasibility = new Feasibility(solver, () => performance.now());
  const { status } = await feasibility.solve([chain]);
  expect(['satisfiable', 'unknown']).toContain(status);
  expect((await feasibility.solve([pool.and(bit('a'), pool.not(bit('b')))])).status).toBe('satisfiable');
});
