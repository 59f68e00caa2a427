/** Where figures were measured. */
import { cpus, release } from 'node:os';

/** Figures of different machines say nothing about the code, ratios included. */
export interface MachineJson {
  readonly processor: string;
  readonly cores: number;
  readonly kernel: string;
  readonly node: string;
}

export function thisMachine(): MachineJson {
  const all = cpus();
  return {
    processor: all[0]?.model.trim() || process.arch,
    cores: all.length,
    kernel: release(),
    node: process.versions.node,
  };
}

const WORDS = { processor: 'processor', cores: 'number of cores', kernel: 'kernel' } as const;

/** In what this machine is another one; undefined where it is the same. The version of Node is part of what is compared. */
export function otherMachine(now: MachineJson, before: MachineJson | undefined): string | undefined {
  if (before === undefined) return 'the file does not say on which machine it was measured';
  const differing = (['processor', 'cores', 'kernel'] as const).find((part) => now[part] !== before[part]);
  if (differing === undefined) return undefined;
  return `the ${WORDS[differing]} was ${before[differing]}, here it is ${now[differing]}`;
}
