/** The measures of the embedded machine against the kernel's own time per packet. */
import { icmpEchoToggle, kernelNanoseconds } from '../../kernel/bench/testrun-rates.ts';
import { pingFrame } from '../../kernel/bench/veth.ts';
import { type MachineMode, machineRacer } from '../../sim/engines/machine-speed.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { type Measure, processorTime } from './measure.ts';

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
  // What a copy costs is the difference to the same without: taken in the same rounds, since machines drift.
  const uncopied = mode === 'wasm-copied' ? await machineRacer('wasm', program, packet) : undefined;
  return {
    name: `${mode}/kernel`,
    of: 'nanoseconds per packet',
    ratio: `engine ${mode} over the kernel’s own time`,
    async take() {
      const kernel = kernelNanoseconds(program, packet, KERNEL_PACKETS);
      const wasm = await uncopied?.nanoseconds(PACKETS.wasm, processorTime);
      const own = await machine.nanoseconds(PACKETS[mode], processorTime);
      const parts = { kernel, ...(wasm === undefined ? {} : { wasm }), [mode]: own };
      return { value: own / kernel, parts };
    },
    async close() {},
  };
}

/**
 * The same with what either side takes for a program that does nothing taken off: the kernel's test loop is most of its
 * time, and no part of the program. What is left is what the echo server itself takes.
 */
export async function netMachineMeasure(pass: Program): Promise<Measure> {
  const program = icmpEchoToggle();
  const packet = pingFrame();
  const [machine, idle] = [
    await machineRacer('wasm', program, packet),
    await machineRacer('wasm', pass, packet),
  ];
  return {
    name: 'wasm/kernel net',
    of: 'nanoseconds per packet',
    ratio: 'engine wasm over the kernel, each less its own time for xdp_pass',
    async take() {
      const parts = {
        kernel:
          kernelNanoseconds(program, packet, KERNEL_PACKETS) -
          kernelNanoseconds(pass, packet, KERNEL_PACKETS),
        wasm:
          (await machine.nanoseconds(PACKETS.wasm, processorTime)) -
          (await idle.nanoseconds(PACKETS.wasm, processorTime)),
      };
      // On a busy machine noise may be larger than the difference.
      return { value: Math.max(0, parts.wasm) / Math.max(1, parts.kernel), parts };
    },
    async close() {},
  };
}
