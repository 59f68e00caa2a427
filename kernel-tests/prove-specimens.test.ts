/**
 * What `prove` says of the specimens that `check` has: the faulty form is refuted by a packet that the machine confirms, or
 * left undecided for the right reason, and never passes; of the right form nothing is refuted.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { reportOf } from '../cli/prove/report.ts';
import type { Solver } from '../sim/ebpf/symbolic/solver.ts';
import type { Hook } from '../sim/runtime/actions.ts';
import { type ProgramProof, proveProgram } from '../verify/prove/prove.ts';
import { createZ3Solver, endZ3 } from '../verify/prove/z3-solver.ts';
import { buildCheckSpecimen, CHECK_SPECIMENS } from './check-specimens/specimens.ts';
import { describeKernel } from './test-support/require-kernel.ts';

/** What the faulty form comes to. */
interface Row {
  readonly name: string;
  readonly hook?: Hook;
  readonly invariant: string;
  readonly status?: 'refuted' | 'undecided';
  /** Part of the reason. */
  readonly reason: string;
}

const ROWS: readonly Row[] = [
  { name: 'null_used', invariant: 'verifier/stopped', reason: 'the machine stops the program' },
  { name: 'unchecked', invariant: 'verifier/stopped', reason: 'the machine stops the program' },
  { name: 'head_unwritten', invariant: 'uninitialized/frame', reason: 'leaves as nobody wrote it' },
  { name: 'redirect_bare', invariant: 'redirect/no-target', reason: 'no helper has stored a target' },
  {
    name: 'redirect_bare',
    hook: 'tc-ingress',
    invariant: 'redirect/no-target',
    reason: 'no helper has stored a target',
  },
  { name: 'redirect_ignored', invariant: 'redirect/no-target', reason: 'no helper has stored a target' },
];

let solver: Solver;

beforeAll(async () => {
  solver = (await createZ3Solver({ timeout: 8_000 }))!;
});
afterAll(endZ3);

async function prove(name: string, hook: Hook, faulty: boolean): Promise<Proved> {
  const specimen = CHECK_SPECIMENS.find((one) => one.name === name)!;
  const program = buildCheckSpecimen(specimen, hook, faulty);
  const proof = await proveProgram(program, { solver, time: 20_000 });
  return { proof, verdict: reportOf(program, proof).verdict };
}

interface Proved {
  readonly proof: ProgramProof;
  readonly verdict: string;
}

describeKernel('prove on the specimens of check', ['compiler'], () => {
  for (const { name, hook = 'xdp', invariant, status = 'refuted', reason } of ROWS) {
    it(`${name}, ${hook}: ${invariant} ${status}`, { timeout: 60_000 }, async () => {
      const { proof, verdict } = await prove(name, hook, true);
      const found = proof.properties.find((one) => one.invariant === invariant);
      expect(found).toMatchObject({ status, reason: expect.stringContaining(reason) });
      expect(found?.confirmedBy).toEqual(status === 'refuted' ? ['vm'] : []);
      expect(verdict).toBe(status === 'refuted' ? 'fail' : 'incomplete');
    });

    it(`${name}, ${hook}, without its fault: nothing is refuted`, { timeout: 60_000 }, async () => {
      const { proof } = await prove(name, hook, false);
      expect(proof.properties.filter((one) => one.status === 'refuted')).toEqual([]);
    });
  }

  it('names the room in front of the frame where a program moves its head', async () => {
    const { proof } = await prove('head_unwritten', 'xdp', false);
    expect(proof.assumptions).toContain('there are 256 bytes of room in front of the frame');
  });
});
