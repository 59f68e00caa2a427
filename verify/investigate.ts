/** What is done about a finding: its case is made small, and the witness is asked about it. */
import type { Case } from '../corpus/cases/case.ts';
import type { Engine } from '../sim/engines/engine.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { Finding } from './finding.ts';
import type { Judging, Oracle } from './judging.ts';
import { isAccepted } from './kernel-verdict.ts';
import { KernelWitness } from './kernel-witness.ts';
import { withNeighbours } from './neighbours.ts';
import { originOf } from './origin.ts';
import type { Outcome } from './outcome.ts';
import type { Divergence } from './report.ts';
import type { Found } from './segment.ts';
import { type ShrinkOptions, type ShrinkStop, shrink } from './shrink.ts';
import { testify } from './witness.ts';

export interface Investigation {
  readonly finding: Finding;
  readonly case: Case;
  readonly state: Divergence['state'];
  /** Why shrinking was cut short. */
  readonly stopped?: ShrinkStop;
  /** Absent where nobody was asked, or could not answer. */
  readonly witness?: Outcome;
}

export interface InvestigateOptions {
  readonly program: Program;
  /** Those of the run; the finding says which of them take part. */
  readonly engines: readonly Engine[];
  /** Asked about every divergence that it has no part in. */
  readonly witness?: Engine;
  /** Runs programs in the kernel. */
  readonly kernel?: Engine;
  /** What is judged of frames; default: all. */
  readonly oracle?: Oracle | Judging;
  /** How to shrink, or false: not at all. */
  readonly shrink?: Omit<ShrinkOptions, 'onSmaller'> | false;
  readonly onSmaller?: (smaller: Case, finding: Finding) => Promise<void> | void;
}

export async function investigate(found: Found, options: InvestigateOptions): Promise<Investigation> {
  const small = await withOrigin(await smallest(found, options), options.program);
  const { witness } = options;
  if (witness === undefined || small.finding.engines.includes(witness.name)) return small;
  const outcome = await testify(witness, options.program, small.case, small.finding.packet);
  if (outcome === undefined) return small;
  const { finding } = small;
  const isTold = finding.part === 'status' && finding.got !== undefined && outcome.status === 'violation';
  // Compiled code knows where it stops; the interpreter also knows why.
  if (isTold)
    return {
      ...small,
      finding: { ...finding, got: { ...finding.got!, note: outcome.note } },
      witness: outcome,
    };
  return { ...small, witness: outcome };
}

async function withOrigin(small: Investigation, program: Program): Promise<Investigation> {
  const source = await originOf(program, small.case, small.finding);
  return source === undefined ? small : { ...small, finding: { ...small.finding, source } };
}

async function smallest(found: Found, options: InvestigateOptions): Promise<Investigation> {
  // What the author said, he said of this packet: it is as small as it gets.
  if (found.finding.example !== undefined)
    return { finding: found.finding, case: found.case, state: 'shrunk' };
  if (found.savedIn !== undefined) return { finding: found.finding, case: found.case, state: 'saved' };
  // Before it is made small: a smaller packet has to show the same cause, and no coincidence.
  const { finding, case: shown } = await withNeighbours(found, options);
  if (options.shrink === false) return { finding, case: shown, state: 'found' };
  const { program, oracle, onSmaller } = options;
  const engines = options.engines.filter((engine) => finding.engines.includes(engine.name));
  const shrunk = await shrink(
    { program, engines, case: shown, finding, ...(oracle === undefined ? {} : { oracle }) },
    { ...options.shrink, ...(onSmaller === undefined ? {} : { onSmaller }) },
  );
  const { stopped } = shrunk;
  const small = {
    finding: shrunk.finding,
    case: shrunk.case,
    state: shrunk.state,
    ...(stopped === undefined ? {} : { stopped }),
  };
  if (finding.kernel === undefined) return small;
  // The small case is another packet in another world: the kernel is asked again.
  const kernel = await new KernelWitness(program, options.kernel).ask(small.case, small.finding.packet);
  if (isAccepted(kernel)) return { finding, case: shown, state: 'cut short' };
  return { ...small, finding: { ...small.finding, kernel } };
}
