/** Calls of kernel functions (kfuncs), which instructions name by their place in the object's list. */
import { KERNEL_FUNCTIONS } from '../helpers/kernel-functions.ts';
import { runHelper } from './calls.ts';
import { type State, violate } from './state.ts';

/** @returns the tag of r0, as `callHelper` does */
export function callKernelFunction(state: State, index: number): number {
  const name = state.machine.object.kfuncs[index] ?? `#${index}`;
  const found = KERNEL_FUNCTIONS.get(name);
  if (found === undefined) return violate(`calling kernel function ${name} is not allowed`);
  return runHelper(state, found);
}
