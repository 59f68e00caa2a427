/**
 * The variables of the kernel that an object refers to by type, as programs see them: a per-CPU address, of which nothing
 * can be read, and behind it, by way of `bpf_per_cpu_ptr`, the bytes of one CPU. What those are only the kernel knows; here
 * all of them are the world's `kernelFill`.
 */
import type { KernelVariable } from './bpf-object.ts';
import { KERNEL_VARIABLE_BASE, type LinearMemory } from './memory.ts';

export interface PlacedVariable {
  readonly name: string;
  /** What an instruction loads. */
  readonly address: number;
  /** Where the bytes lie, and how many there are. */
  readonly contents: number;
  readonly size: number;
}

/** @param fill what each of their bytes is */
export function placeKernelVariables(
  memory: LinearMemory,
  variables: readonly KernelVariable[],
  fill: number,
): PlacedVariable[] {
  return variables.map(({ name, size }, index) => {
    const contents = memory.allocate(size);
    memory.u8.fill(fill, contents, contents + size);
    return { name, address: KERNEL_VARIABLE_BASE + 8 * index, contents, size };
  });
}
