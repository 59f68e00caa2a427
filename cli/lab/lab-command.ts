/** What all commands of `xdpsim lab` share: which lab they mean, and how it is opened. */
import type { Command } from 'commander';
import { requireRights } from '../../kernel/lab/foundation.ts';
import { Lab } from '../../kernel/lab/lab.ts';
import { lockedLater } from '../../kernel/lab/lock.ts';
import { checkLabName, DEFAULT_LAB, HOST_LAB } from '../../kernel/lab/names.ts';
import { inputFailure } from '../failure.ts';
import { printJson as printDocument, reportLine } from '../output.ts';

export interface LabOptions {
  readonly lab?: string;
  readonly host?: boolean;
  readonly json?: boolean;
  readonly color: boolean;
}

/** Adds the options that say which lab is meant. */
export function labCommand(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .option('--lab <name>', `the lab (default: “${DEFAULT_LAB}”)`)
    .option('--host', 'the lab in the host’s own network namespace');
}

export function withOutput(command: Command): Command {
  return command.option('--json', 'print JSON').option('--no-color', 'no colours');
}

export function labName({ host, lab }: LabOptions): string {
  if (host === true && lab !== undefined)
    throw inputFailure('--host and --lab name different labs: give one of them');
  if (host === true) return HOST_LAB;
  if (lab !== undefined) checkLabName(lab);
  return lab ?? DEFAULT_LAB;
}

/** Opens the lab for `use` and lets go of it afterwards. */
export async function withLab<T>(options: LabOptions, use: (lab: Lab) => T | Promise<T>): Promise<T> {
  const lab = new Lab(labName(options));
  try {
    return await use(lab);
  } finally {
    lab.close();
  }
}

/**
 * Calls `change` with the lab's name while no other command changes a lab. A name that cannot be one is refused before.
 * Ctrl-C is obeyed while it waits, and once a second has passed, the user is told.
 */
export async function exclusively<T>(options: LabOptions, change: (lab: string) => T): Promise<T> {
  const lab = labName(options);
  requireRights();
  return lockedLater(
    () => change(lab),
    () => reportLine('waiting for another xdpsim lab command to end'),
  );
}

export function printJson(document: object): void {
  printDocument({ version: 1, ...document });
}
