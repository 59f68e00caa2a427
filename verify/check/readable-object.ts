/** The object of a program that is looked at beside its runs. */
import type { BpfObject } from '../../sim/ebpf/bpf-object.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { ObjectError } from '../../sim/ebpf/object.ts';
import type { Program } from '../../sim/runtime/program.ts';

/** @returns undefined where there is none, or it cannot be read: whoever loads it says so */
export function readableObject({ object }: Program): BpfObject | undefined {
  if (object === undefined) return undefined;
  try {
    return linkedObject(object);
  } catch (error) {
    if (error instanceof ObjectError) return undefined;
    throw error;
  }
}
