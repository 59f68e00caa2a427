/** One packet of a case, step by step: what `run --trace` and the explanation of a divergence show. */
import { Interpreter, type RunResult } from '../ebpf/interpreter/interpreter.ts';
import { type RunTrace, runTraced } from '../ebpf/interpreter/trace.ts';
import type { PacketBatch } from '../packet/packet-batch.ts';
import { type Hook, XDP_PASS } from '../runtime/actions.ts';
import type { Program } from '../runtime/program.ts';
import type { World } from '../runtime/world.ts';
import { singleFunctions } from './chained-session.ts';
import { type MachineEntry, openMachine } from './machine-program.ts';
import type { VmOptions } from './vm.ts';

/**
 * Runs the packets before it untraced, since programs have state, then this one; of a chained entry, the last
 * function that the packet came to is shown.
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
  const functions = singleFunctions(program.entries);
  const { machine, entries, wanted } = openMachine({ ...program, entries: functions }, world, options);
  const interpreter = new Interpreter(machine, wanted, options.budget);
  const entryOf = (name: string): MachineEntry =>
    entries[functions.findIndex((one) => one.function === name)]!;
  let trace: RunTrace | undefined;
  const run = (entry: MachineEntry, index: number): number | undefined => {
    if (index < packet) return actionOf(interpreter.run(entry.program));
    trace = runTraced(interpreter, entry.program, options.stepLimit);
    return actionOf(trace.result);
  };
  for (let index = 0; index <= packet; index++) {
    const entry = program.entries[batch.entry[index]!];
    if (entry === undefined) throw new RangeError(`the program has no entry ${batch.entry[index]}`);
    const ifindex = batch.ingressIfindex[index]!;
    const queue = batch.rxQueueIndex[index]!;
    const place = (hook: Hook, bytes: Uint8Array, at: number, length: number, metaLength: number): void =>
      machine.begin(hook, bytes, at, length, metaLength, ifindex, queue, batch.skb.get(index));
    const first = entry.after === undefined ? entry : { function: entry.after, hook: 'xdp' as const };
    place(first.hook, batch.bytes, batch.offset[index]!, batch.length[index]!, batch.metaLength[index]!);
    const action = run(entryOf(first.function), index);
    if (first === entry || action !== XDP_PASS) continue;
    // Through XDP, and on to TC with what that left: the trace is TC's.
    const { dataMeta, data, frameEnd } = machine.packet;
    const left = machine.memory.u8.slice(dataMeta, frameEnd);
    place(entry.hook, left, data - dataMeta, frameEnd - data, data - dataMeta);
    run(entryOf(entry.function), index);
  }
  return trace!;
}

/** Undefined where the program did not come to its end. */
function actionOf({ action, violation }: RunResult): number | undefined {
  return violation === undefined ? action : undefined;
}
