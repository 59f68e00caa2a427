/** The register of commands: one line each. */
import type { Command } from 'commander';

export type RegisterCommand = (program: Command) => void;

/**
 * In the order in which `xdpsim --help` lists them. Only the command that is run is loaded: the others are where somebody
 * asks which there are.
 */
export const COMMANDS = {
  verify: async () => (await import('./verify.ts')).registerVerify,
  check: async () => (await import('./check.ts')).registerCheck,
  prove: async () => (await import('./prove.ts')).registerProve,
  run: async () => (await import('./run.ts')).registerRun,
  diff: async () => (await import('./diff.ts')).registerDiff,
  disasm: async () => (await import('./disasm.ts')).registerDisasm,
  checksum: async () => (await import('./checksum.ts')).registerChecksum,
  corpus: async () => (await import('./corpus.ts')).registerCorpus,
  world: async () => (await import('./world.ts')).registerWorld,
  lab: async () => (await import('./lab.ts')).registerLab,
  init: async () => (await import('./init.ts')).registerInit,
  programs: async () => (await import('./programs.ts')).registerPrograms,
  doctor: async () => (await import('./doctor.ts')).registerDoctor,
  bench: async () => (await import('./bench.ts')).registerBench,
} satisfies Readonly<Record<string, () => Promise<RegisterCommand>>>;

/** @param first of the command line: the name of a command, or anything else */
export function commandsFor(first: string | undefined): Promise<readonly RegisterCommand[]> {
  const isOne = first !== undefined && Object.hasOwn(COMMANDS, first);
  const needed = isOne ? [COMMANDS[first as keyof typeof COMMANDS]] : Object.values(COMMANDS);
  return Promise.all(needed.map((load) => load()));
}
