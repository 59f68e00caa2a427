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
  const programs = object.programs.filter((one) => functions.includes(one.function));
  const isAnyCalled = programs.some((one) => makesTailCalls(object, one));
  return helpersOf(object, isAnyCalled ? object.programs : programs);
}

/** Has the program, or one of its subprograms, a tail call? */
export function makesTailCalls(object: BpfObject, program: BpfProgram): boolean {
  return [...helpersOf(object, [program])].some(({ effects }) => effects.leavesProgram === true);
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
