/** The register of commands: one line each. */
import type { Command } from 'commander';
import { registerDoctor } from './doctor.ts';
import { registerPrograms } from './programs.ts';

export type RegisterCommand = (program: Command) => void;

export const commands: readonly RegisterCommand[] = [registerPrograms, registerDoctor];
