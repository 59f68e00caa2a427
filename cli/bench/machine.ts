/** The measures of the embedded machine against the kernel's own time per packet. */
import { icmpEchoToggle, kernelNanoseconds } from '../../kernel/bench/testrun-rates.ts';
import { pingFrame } from '../../kernel/bench/veth.ts';
import { type MachineMode, machineRacer } from '../../sim/engines/machine-speed.ts';
import type { Measure } from './measure.ts';

/** Packets of one figure. */
const KERNEL_PACKETS = 2_000_000;
const PACKETS: Readonly<Record<MachineMode, number>> = {
  wasm: 2_000_000,
  'wasm-copied': 1_000_000,
  vm: 100_000,
};

/**
 * The full path of the echo server on a ping of 98 bytes. The kernel repeats the run on the packet that the one
 * before left, so both run the variant that turns a reply back into a request first.
 */
export async function machineMeasure(mode: MachineMode): Promise<Measure> {
  const program = icmpEchoToggle();
  const packet = pingFrame();
  const machine = await machineRacer(mode, program, packet);
  return {
    name: `${mode}/kernel`,
    of: 'nanoseconds per packet',
    ratio: `engine ${mode} over the kernel’s own time`,
    async take() {
      const parts = {
        kernel: kernelNanoseconds(program, packet, KERNEL_PACKETS),
        [mode]: await machine.nanoseconds(PACKETS[mode]),
      };
      return { value: parts[mode]! / parts.kernel!, parts };
    },
    async close() {},
  };
}
