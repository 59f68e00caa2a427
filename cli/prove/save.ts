/** Saves the packets that refute something, as cases that every engine runs. */
import { join } from 'node:path';
import type { Program } from '../../sim/runtime/program.ts';
import type { ProgramProof } from '../../verify/prove/prove.ts';
import type { Saved } from '../../verify/report.ts';
import { keepCase } from '../verify/keep-case.ts';

/** @returns what became of each case, by invariant */
export async function saveRefutations(
  directory: string,
  program: Program,
  proof: ProgramProof,
): Promise<ReadonlyMap<string, Saved>> {
  const saved = new Map<string, Saved>();
  const name = program.name.replaceAll(/[^\w.-]/g, '_');
  for (const { invariant, status, witness, divergence } of proof.properties) {
    if (status !== 'refuted' || witness === undefined) continue;
    const path = join(directory, name, `prove-${invariant.replaceAll('/', '-')}.pcapng`);
    const { world, stimulus } = witness;
    const shown = divergence?.case ?? { program: program.name, world, stimuli: [stimulus] };
    saved.set(invariant, await keepCase(path, shown));
  }
  return saved;
}
