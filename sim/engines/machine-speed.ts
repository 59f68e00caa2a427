/** How fast the machine runs one packet over and over: the figures `bench` puts beside the kernel's own. */
import { DEFAULT_BUDGET, MAX_LOOPS } from '../ebpf/limits.ts';
import { CompiledMachine } from '../ebpf/wasm/compiled-machine.ts';
import { PacketBatch } from '../packet/packet-batch.ts';
import type { Program } from '../runtime/program.ts';
import type { Engine } from './engine.ts';
import { openMachine } from './machine-program.ts';
import { OutcomeBatch } from './outcome-batch.ts';
import { createVmEngine } from './vm.ts';
import { createWasmEngine } from './wasm.ts';

/**
 * - `vm`: the interpreter, with all its checks
 * - `wasm`: a batch inside: into linear memory, run, outcomes back
 * - `wasm-copied`: each packet copied in from JavaScript and run by a call of its own
 */
export type MachineMode = 'vm' | 'wasm' | 'wasm-copied';

/** Something that runs the same packet again and again; what it leaves behind is not looked at. */
export interface MachineRacer {
  /**
   * Nanoseconds per packet over `packets` runs.
   * @param clock in milliseconds; default: wall time
   */
  nanoseconds(packets: number, clock?: () => number): Promise<number>;
}

const wallTime = (): number => performance.now();

/** Packets of a batch: as many as the engines are handed at a time. */
const BATCH = 4096;

/**
 * Loads the program's first entry. Every repetition gets the packet as it was, so it takes the same path each time.
 * @throws {EngineError} `input`, where the machine cannot run the program
 */
export async function machineRacer(
  mode: MachineMode,
  program: Program,
  packet: Uint8Array,
): Promise<MachineRacer> {
  if (mode === 'wasm-copied') return copiedRacer(program, packet);
  return batchRacer(mode === 'vm' ? createVmEngine() : createWasmEngine(), program, packet);
}

async function batchRacer(engine: Engine, program: Program, packet: Uint8Array): Promise<MachineRacer> {
  const session = await engine.open(program, {});
  const batch = new PacketBatch(BATCH, BATCH * packet.length);
  for (let index = 0; index < BATCH; index++) batch.push({ packet });
  const outcomes = new OutcomeBatch(BATCH, BATCH * packet.length);
  return {
    async nanoseconds(packets, clock = wallTime) {
      const rounds = Math.max(1, Math.ceil(packets / BATCH));
      const start = clock();
      for (let round = 0; round < rounds; round++) await session.run(batch, outcomes);
      return ((clock() - start) * 1e6) / (rounds * BATCH);
    },
  };
}

function copiedRacer(program: Program, packet: Uint8Array): MachineRacer {
  const compiled = new CompiledMachine({
    ...openMachine(program, {}, {}),
    budget: DEFAULT_BUDGET,
    mayGoto: MAX_LOOPS,
    runs: 'packet',
  });
  return {
    async nanoseconds(packets, clock = wallTime) {
      const start = clock();
      for (let index = 0; index < packets; index++) compiled.runOne(0, packet, 0, packet.length, 0, 1, 0);
      return ((clock() - start) * 1e6) / packets;
    },
  };
}
