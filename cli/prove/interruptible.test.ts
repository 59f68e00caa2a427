import { expect, it } from 'vitest';
import type { Solver } from '../../sim/ebpf/symbolic/solver.ts';
import { interruptible } from './interruptible.ts';

it('waits for a signal once, however many programs are proved, and gives up for all of them', async () => {
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++;
    add(...args);
  };
  const never: Solver = { check: () => new Promise(() => {}) };
  const solvers = Array.from({ length: 12 }, () => interruptible(never, signal));
  expect(listeners).toBe(1);
  const answers = solvers.map((one) => one.check([]));
  controller.abort();
  for (const answer of await Promise.all(answers))
    expect(answer).toEqual({ status: 'unknown', reason: 'it was interrupted' });
  expect(await interruptible(never, signal).check([])).toMatchObject({ status: 'unknown' });
});

it('leaves answers as they are, and signals of their own', async () => {
  const solver: Solver = { check: async () => ({ status: 'unsatisfiable' }) };
  const aborted = AbortSignal.abort();
  const open = interruptible(solver, new AbortController().signal);
  expect(await interruptible(solver, aborted).check([])).toMatchObject({ status: 'unknown' });
  expect(await open.check([])).toEqual({ status: 'unsatisfiable' });
});
