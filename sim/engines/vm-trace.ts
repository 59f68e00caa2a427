/** One packet of a case, step by step: what `run --trace` and the explanation of a divergence show. */
import { Interpreter } from '../ebpf/interpreter/interpreter.ts';
import { type RunTrace, runTraced } from '../ebpf/interpreter/trace.ts';
import type { PacketBatch } from '../packet/packet-batch.ts';
import type { Program } from '../runtime/program.ts';
import type { World } from '../runtime/world.ts';
import { type MachineEntry, openMachine } from './machine-program.ts';
import type { VmOptions } from './vm.ts';

/**
 * Runs the packets before it untraced, since programs have state, then this one.
 * @param packet index in the batch
 * @throws {EngineError} as `Engine.open` does
 * @throws {RangeError} when the batch has no such packet
 */
export function tracePacket(
  program: Program,
  world: World,
  batch: PacketBatch,
  packet: number,
  options: VmOptions & { readonly stepLimit?: number } = {},
): RunTrace {
  if (packet < 0 || packet >= batch.count) throw new RangeError(`the batch has no packet ${packet}`);
  const { machine, entries, wanted } = openMachine(program, world, options);
  const interpreter = new Interpreter(machine, wanted, options.budget);
  const begin = (index: number): MachineEntry => {
    const entry = entries[batch.entry[index]!];
    if (entry === undefined) throw new RangeError(`the program has no entry ${batch.entry[index]}`);
    machine.begin(
      entry.hook,
      batch.bytes,
      batch.offset[index]!,
      batch.length[index]!,
      batch.metaLength[index]!,
      batch.ingressIfindex[index]!,
      batch.rxQueueIndex[index]!,
    );
    return entry;
  };
  for (let index = 0; index < packet; index++) interpreter.run(begin(index).program);
  return runTraced(interpreter, begin(packet).program, options.stepLimit);
}
