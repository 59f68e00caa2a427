/**
 * The sums of which the interpreter asks whether the kernel's verifier may know the number that is added: it follows
 * bounds, bits and halves of every number, the interpreter only whether it was computed from constants.
 */

import type { BpfObject, BpfProgram } from '../bpf-object.ts';
import type { ContextLayout } from '../context/context-access.ts';
import { helperAt } from '../helpers/helper-at.ts';
import { analyse } from './analysis.ts';

const known = new WeakMap<BpfProgram, Map<string, Uint8Array>>();

/** @returns 1 at each slot whose number the verifier may know; the same array every time */
export function doubtfulSums(object: BpfObject, program: BpfProgram, layout: ContextLayout): Uint8Array {
  let byLayout = known.get(program);
  if (byLayout === undefined) {
    byLayout = new Map();
    known.set(program, byLayout);
  }
  let doubtful = byLayout.get(layout.name);
  if (doubtful === undefined) {
    doubtful = analyse({
      program,
      maps: object.maps,
      layout,
      helperAt: (slot) => helperAt(object, program, slot),
      enteredWith: 'context',
    }).doubtful;
    byLayout.set(layout.name, doubtful);
  }
  return doubtful;
}
