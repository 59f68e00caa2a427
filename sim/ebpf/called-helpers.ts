/** Which helpers and kernel functions an object's programs call. */

import type { BpfObject, BpfProgram } from './bpf-object.ts';
import type { Helper, Influence } from './helpers/helper.ts';
import { helperAt } from './helpers/helper-at.ts';
import { BPF_PSEUDO_CALL, CALL, LDDW } from './instruction.ts';

/**
 * The records of all that linked programs and their subprograms call; what the machine lacks has none.
 * @param functions the programs that are asked about; those that make tail calls may come to any of the object. Default: all
 */
export function calledHelpers(object: BpfObject, functions?: readonly string[]): Set<Helper> {
  if (functions === undefined) return helpersOf(object, object.programs);
  const helpers = helpersOf(
    object,
    object.programs.filter((one) => functions.includes(one.function)),
  );
  return [...helpers].some(({ name }) => name === 'bpf_tail_call') ? calledHelpers(object) : helpers;
}

function helpersOf(object: BpfObject, programs: readonly BpfProgram[]): Set<Helper> {
  const helpers = new Set<Helper>();
  for (const program of programs) {
    const { count, opcode, src } = program.instructions;
    for (let slot = 0; slot < count; slot++) {
      if (opcode[slot] === LDDW) slot++;
      else if (opcode[slot] === CALL && src[slot] !== BPF_PSEUDO_CALL) {
        const helper = helperAt(object, program, slot);
        if (helper !== undefined) helpers.add(helper);
      }
    }
  }
  return helpers;
}

/** Do programs call something whose result depends on one of these? */
export function dependsOn(object: BpfObject, influences: readonly Influence[]): boolean {
  return [...calledHelpers(object)].some(({ effects }) =>
    effects.dependsOn.some((one) => influences.includes(one)),
  );
}
