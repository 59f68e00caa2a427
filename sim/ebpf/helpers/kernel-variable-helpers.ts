/**
 * Pointers to the kernel's per-CPU variables (kernel/bpf/helpers.c, `bpf_per_cpu_ptr`). There are the CPUs up to the
 * world's, and what the variables hold on them is `World.kernelFill`: in the kernel's engines, too, where the variables
 * are replaced (`kernel/pin/`), since no two kernels have the same in them.
 */

import { Forbidden, type Machine } from '../machine.ts';
import { KERNEL_VARIABLE_BASE } from '../memory.ts';
import { type Helper, type HelperEffects, NO_EFFECTS } from './helper.ts';

const EFFECTS: HelperEffects = { ...NO_EFFECTS, dependsOn: ['kernel', 'cpu'] };
const RULES = { hooks: 'both', license: 'any', packetAccess: false } as const;
const NOTE = 'zeros, in the kernel engines too: what the variables hold only a kernel knows';

/** Read-only, as to the verifier. */
function contentsOf(machine: Machine, address: number): number {
  const variable = machine.variables[(address - KERNEL_VARIABLE_BASE) / 8];
  if (variable === undefined) throw new Forbidden('R1 points to no variable of the kernel');
  machine.sliceSize = variable.size;
  machine.sliceWritable = false;
  return variable.contents;
}

export const KERNEL_VARIABLE_HELPERS: readonly Helper[] = [
  {
    number: 153,
    name: 'bpf_per_cpu_ptr',
    arguments: ['kernel_variable', 'anything'],
    returns: 'slice_or_null',
    note: `${NOTE}; null behind the world’s CPU`,
    rules: RULES,
    effects: EFFECTS,
    symbolic: 'any value',
    run: (machine, variable, cpu) => {
      const contents = contentsOf(machine, variable);
      return cpu >>> 0 > machine.cpu ? 0 : contents;
    },
  },
  {
    number: 154,
    name: 'bpf_this_cpu_ptr',
    arguments: ['kernel_variable'],
    returns: 'slice',
    note: NOTE,
    rules: RULES,
    effects: EFFECTS,
    symbolic: 'any value',
    run: contentsOf,
  },
];
