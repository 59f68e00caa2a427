/** The engine `vm`: the interpreter with every check. Slow and strict: the judge of the others. */
import { reachOf } from '../ebpf/analysis/reach.ts';
import { BatchBudget } from '../ebpf/batch-budget.ts';
import { coverageOf } from '../ebpf/interpreter/coverage.ts';
import { Interpreter, type RunResult } from '../ebpf/interpreter/interpreter.ts';
import { type Contents, OutsideActs } from '../ebpf/interpreter/outside.ts';
import { PacketWrites } from '../ebpf/interpreter/packet-writes.ts';
import { RunPath } from '../ebpf/interpreter/run-path.ts';
import type { Warning } from '../ebpf/interpreter/state.ts';
import { type RunTrace, runTraced } from '../ebpf/interpreter/trace.ts';
import type { PacketBatch } from '../packet/packet-batch.ts';
import type { Coverage } from '../runtime/coverage.ts';
import type { MapSnapshot } from '../runtime/map-snapshot.ts';
import type { Program } from '../runtime/program.ts';
import type { World } from '../runtime/world.ts';
import { openChained } from './chained-session.ts';
import { type Availability, type Engine, type Refusal, refusalText, type Session } from './engine.ts';
import {
  commitNote,
  commitOutcome,
  hookOf,
  lruMaps,
  MACHINE_OBSERVES,
  type MachineProgram,
  type MachineProgramOptions,
  machineAvailability,
  machineRefuses,
  noteAt,
  openMachine,
  refusalReason,
  snapshots,
} from './machine-program.ts';
import { type OutcomeBatch, type OutcomeNote, STATUS } from './outcome-batch.ts';

export interface VmOptions extends MachineProgramOptions {
  /** Instructions that one packet may take. */
  readonly budget?: number;
  /** Is given every step of a packet's run, before its outcome is written; slow. */
  readonly onTrace?: (trace: RunTrace) => void;
  /** Is told who wrote the packet in each run, before its outcome is written; slow. */
  readonly onWrites?: (writes: PacketWrites) => void;
  /** Is told which way each run went, who wrote the packet, and what else was done, before its outcome is written; slow. */
  readonly onPath?: (path: RunPath, writes: PacketWrites, outside: OutsideActs) => void;
}

export function createVmEngine(options: VmOptions = {}): Engine {
  return {
    name: 'vm',
    observes: MACHINE_OBSERVES,
    availability: (program?: Program): Availability => machineAvailability(program),
    refuses: (program: Program, batch: PacketBatch): Refusal | undefined =>
      machineRefuses(program, batch, options.asKernel),
    open: (program: Program, world: World): Promise<Session> =>
      openChained(
        program,
        world,
        async (single) => new VmSession(single, openMachine(single, world, options), options),
      ),
  };
}

function warningNote({ kind, program, instruction, message }: Warning): OutcomeNote {
  return { ...noteAt(program.source, instruction, message), warning: kind };
}

class VmSession implements Session {
  readonly #program: Program;
  readonly #opened: MachineProgram;
  readonly #interpreter: Interpreter;
  readonly #budget: BatchBudget;
  readonly #onTrace: VmOptions['onTrace'];
  readonly #onWrites: VmOptions['onWrites'];
  readonly #onPath: VmOptions['onPath'];
  /** What maps without keys hold after the last run of the batch, for who follows runs. */
  #contents: Contents | undefined;

  constructor(program: Program, opened: MachineProgram, options: VmOptions) {
    this.#program = program;
    this.#opened = opened;
    this.#interpreter = new Interpreter(opened.machine, opened.wanted, options.budget);
    this.#budget = new BatchBudget(this.#interpreter.fullBudget);
    this.#onTrace = options.onTrace;
    this.#onWrites = options.onWrites;
    this.#onPath = options.onPath;
  }

  async run(input: PacketBatch, output: OutcomeBatch): Promise<void> {
    const { machine, entries } = this.#opened;
    if (input.count > output.capacity) {
      throw new RangeError(`${input.count} packets do not fit into a batch of ${output.capacity} outcomes`);
    }
    output.clear();
    this.#contents = undefined;
    this.#budget.begin();
    const lru = lruMaps(machine);
    const isCrowded = (): boolean => lru.some((map) => map.crowded);
    if (isCrowded()) output.uncertainFrom = 0;
    for (let index = 0; index < input.count; index++) {
      const refusal = refusalReason(this.#program, input, index);
      if (refusal !== undefined) {
        commitNote(output, STATUS.fault, { message: refusalText(refusal) });
        continue;
      }
      const entry = entries[input.entry[index]!]!;
      machine.begin(
        entry.hook,
        input.bytes,
        input.offset[index]!,
        input.length[index]!,
        input.metaLength[index]!,
        input.ingressIfindex[index]!,
        input.rxQueueIndex[index]!,
        input.skb.size === 0 ? undefined : input.skb.get(index),
      );
      this.#interpreter.fullBudget = this.#budget.next;
      const { action, violation, warning, furtherWarning } = this.#run(entry.program);
      if (this.#interpreter.budget < 0) this.#budget.note();
      if (output.uncertainFrom > index && isCrowded()) output.uncertainFrom = index;
      if (violation !== undefined) {
        const note = noteAt(violation.program.source, violation.instruction, violation.reason);
        commitNote(output, violation.unsupported ? STATUS.fault : STATUS.violation, note);
        continue;
      }
      commitOutcome(machine, output, action);
      if (warning !== undefined) {
        const note = warningNote(warning);
        output.notes.set(
          index,
          furtherWarning === undefined ? note : { ...note, further: warningNote(furtherWarning) },
        );
      }
    }
  }

  #run(program: number): RunResult {
    if (this.#onWrites !== undefined) return this.#watched(program, this.#onWrites);
    if (this.#onPath !== undefined) return this.#followed(program, this.#onPath);
    if (this.#onTrace === undefined) return this.#interpreter.run(program);
    const trace = runTraced(this.#interpreter, program);
    this.#onTrace(trace);
    return trace.result;
  }

  #watched(program: number, onWrites: (writes: PacketWrites) => void): RunResult {
    const writes = new PacketWrites();
    this.#interpreter.tracer = writes;
    try {
      const result = { ...this.#interpreter.run(program) };
      writes.finish();
      onWrites(writes);
      return result;
    } finally {
      this.#interpreter.tracer = undefined;
    }
  }

  #followed(program: number, onPath: NonNullable<VmOptions['onPath']>): RunResult {
    const path = new RunPath();
    const writes = new PacketWrites();
    const outside = new OutsideActs();
    this.#interpreter.tracer = {
      before: (state, pc) => {
        path.before(state, pc);
        writes.before(state, pc);
        outside.before(state, pc);
      },
    };
    try {
      const result = { ...this.#interpreter.run(program) };
      writes.finish();
      outside.finish(this.#opened.machine, this.#contents);
      this.#contents = outside.contents;
      onPath(path, writes, outside);
      return result;
    } finally {
      this.#interpreter.tracer = undefined;
    }
  }

  maps(): MapSnapshot[] {
    return snapshots(this.#opened.machine);
  }

  async reset(): Promise<void> {
    this.#opened.machine.reset();
  }

  coverage(): Coverage {
    const functions = this.#interpreter.programs
      .filter((program) => this.#opened.wanted.has(program.index))
      .flatMap((program) => {
        const { machine } = this.#opened;
        return coverageOf(program, reachOf(machine, program.source, hookOf(this.#opened, program.index)));
      });
    return { functions };
  }

  async close(): Promise<void> {}
}
