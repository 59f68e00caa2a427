/** How large and how deep the questions are that the solver takes. */
import { afterAll, expect, it } from 'vitest';
import { DEFAULT_EXPLORE_LIMITS } from '../../sim/ebpf/symbolic/explore.ts';
import { Feasibility } from '../../sim/ebpf/symbolic/feasibility.ts';
import type { Term } from '../../sim/ebpf/symbolic/term.ts';
import { TermPool } from '../../sim/ebpf/symbolic/term-pool.ts';
import { createZ3Solver, endThreads, endZ3 } from './z3-solver.ts';

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

/** Two factors of a product of two primes of 30 bits: nobody finds them in a moment. */
function hard(): Term[] {
  const pool = new TermPool();
  const [x, y] = [pool.unknown(64, 'x'), pool.unknown(64, 'y')];
  const bound = pool.constant(64, 1n << 32n);
  const one = pool.constant(64, 1n);
  const product = pool.constant(64, 1_073_741_789n * 1_073_741_783n);
  return [
    pool.equal(pool.multiply(x, y), product),
    ...[x, y].flatMap((factor) => [pool.less(factor, bound), pool.less(one, factor)]),
  ];
}

it('counts steps, which are the same on every machine, before it looks at the clock', async () => {
  const steps = (await createZ3Solver({ timeout: 600_000, steps: 150_000 }))!;
  expect(await steps.check(hard())).toEqual({ status: 'unknown', reason: 'the solver had 150,000 steps' });
  const clock = (await createZ3Solver({ timeout: 50 }))!;
  expect(await clock.check(hard())).toEqual({ status: 'unknown', reason: 'the solver had 0.05 s' });
  const both = (await createZ3Solver({ timeout: 50, steps: 4_000_000_000 }))!;
  expect(await both.check(hard())).toEqual({ status: 'unknown', reason: 'the solver had 0.05 s' });
  const pool = new TermPool();
  const easy = [pool.equal(pool.unknown(8, 'z'), pool.constant(8, 9))];
  expect((await steps.check(easy)).status).toBe('satisfiable');
});

it('ends without a word from threads whose last message comes late', () => {
  const said: unknown[] = [];
  const [running, unused] = [{ onmessage: () => {} }, { onmessage: () => {} }];
  const all = [running, unused];
  endThreads({
    runningWorkers: [running],
    unusedWorkers: [unused],
    terminateAllThreads: () => {
      for (const worker of all) worker.onmessage = () => void said.push('complains');
    },
  });
  for (const worker of all) worker.onmessage();
  expect(said).toEqual([]);
});
