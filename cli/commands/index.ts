/** The register of commands: one line each. */
import type { Command } from 'commander';
import { registerBench } from './bench.ts';
import { registerCheck } from './check.ts';
import { registerChecksum } from './checksum.ts';
import { registerCorpus } from './corpus.ts';
import { registerDisasm } from './disasm.ts';
import { registerDoctor } from './doctor.ts';
import { registerLab } from './lab.ts';
import { registerPrograms } from './programs.ts';
import { registerRun } from './run.ts';
import { registerVerify } from './verify.ts';

export type RegisterCommand = (program: Command) => void;

/** In the order in which `xdpsim --help` lists them. */
export const commands: readonly RegisterCommand[] = [
  registerVerify,
  registerCheck,
  registerRun,
  registerDisasm,
  registerChecksum,
  registerCorpus,
  registerLab,
  registerPrograms,
  registerDoctor,
  registerBench,
];
