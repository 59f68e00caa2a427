/** Which helpers and kernel functions an object's programs call. */

import type { BpfObject } from './bpf-object.ts';
import type { Helper, Influence } from './helpers/helper.ts';
import { helperAt } from './helpers/helper-at.ts';
import { BPF_PSEUDO_CALL, CALL, LDDW } from './instruction.ts';

/** The records of all that linked programs and their subprograms call; what the machine lacks has none. */
export function calledHelpers(object: BpfObject): Set<Helper> {
  const helpers = new Set<Helper>();
  for (const program of object.programs) {
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
