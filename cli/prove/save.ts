/** Saves the packets that refute something, as cases that every engine runs. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { saveCase } from '../../corpus/cases/case.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { ProgramProof } from '../../verify/prove/prove.ts';

/** @returns files by invariant */
export async function saveRefutations(
  directory: string,
  program: Program,
  proof: ProgramProof,
): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  const name = program.name.replaceAll(/[^\w.-]/g, '_');
  for (const { invariant, status, witness, divergence } of proof.properties) {
    if (status !== 'refuted' || witness === undefined) continue;
    const folder = join(directory, name);
    await mkdir(folder, { recursive: true });
    const path = join(folder, `prove-${invariant.replaceAll('/', '-')}.pcapng`);
    const { world, stimulus } = witness;
    await saveCase(path, divergence?.case ?? { program: program.name, world, stimuli: [stimulus] });
    files.set(invariant, path);
  }
  return files;
}
