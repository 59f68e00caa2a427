/** The kernel that machines see which nobody gives one of their own. */
import type { KernelFacts } from '../ebpf/loader/kernel-facts.ts';

type AskedKernel = () => KernelFacts | undefined;

let used: AskedKernel | undefined;

/**
 * From now on, such machines see this one. Guidance, proofs and probes open machines, too: an object that the engines load
 * must not be refused there, nor go other ways.
 */
export function useKernel(kernel: AskedKernel | undefined): void {
  used = kernel;
}

/** Undefined: machines are told of none. */
export function kernelOfProcess(): AskedKernel | undefined {
  return used;
}
