/**
 * The engine `wasm`: programs compiled to WebAssembly. The worker among the engines: it checks that no access leaves
 * the memory it may touch, and leaves explaining to `vm`.
 */
import { DEFAULT_BUDGET, MAX_LOOPS } from '../ebpf/limits.ts';
import { ROOM_FOR_BATCHES } from '../ebpf/memory.ts';
import { type BatchObserver, CompiledMachine, type Stop } from '../ebpf/wasm/compiled-machine.ts';
import { WASM_WORD } from '../ebpf/wasm/layout.ts';
import type { PacketBatch } from '../packet/packet-batch.ts';
import type { Coverage } from '../runtime/coverage.ts';
import type { MapSnapshot } from '../runtime/map-snapshot.ts';
import type { Program } from '../runtime/program.ts';
import type { World } from '../runtime/world.ts';
import { openChained } from './chained-session.ts';
import { type Availability, type Engine, type Refusal, refusalText, type Session } from './engine.ts';
import {
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
import { type OutcomeBatch, STATUS } from './outcome-batch.ts';

export interface WasmOptions extends MachineProgramOptions {
  /** Instructions that one packet may take, counted where it jumps backwards or calls. */
  readonly budget?: number;
}

export function createWasmEngine(options: WasmOptions = {}): Engine {
  return {
    name: 'wasm',
    observes: MACHINE_OBSERVES,
    availability: (program?: Program): Availability =>
      program?.copy === undefined
        ? machineAvailability(program)
        : {
            available: false,
            reason: 'compiled programs run to their end',
            remedy: 'The engine vm ends with a copy.',
          },
    refuses: (program: Program, batch: PacketBatch): Refusal | undefined =>
      machineRefuses(program, batch, options.asKernel),
    open: (program: Program, world: World): Promise<Session> =>
      openChained(program, world, async (single) => {
        const opened = openMachine(single, world, { ...options, room: ROOM_FOR_BATCHES });
        return new WasmSession(single, opened, options);
      }),
  };
}

class WasmSession implements Session, BatchObserver {
  readonly #program: Program;
  readonly #opened: MachineProgram;
  readonly #compiled: CompiledMachine;
  #input: PacketBatch | undefined;
  #output: OutcomeBatch | undefined;
  /** Did a packet that is not taken yet end without an outcome of its own? Then the arena has a hole. */
  #holes = false;
  /** The first packet whose bytes are not in `output` yet. */
  #pending = 0;
  /** Packets that were run in place, and lie in the output as they lie in the input: those before this one. */
  #alike = 0;

  constructor(program: Program, opened: MachineProgram, options: WasmOptions) {
    this.#program = program;
    this.#opened = opened;
    this.#compiled = new CompiledMachine({
      ...opened,
      budget: options.budget ?? DEFAULT_BUDGET,
      mayGoto: MAX_LOOPS,
    });
    for (const map of lruMaps(opened.machine)) map.onCrowded = () => this.#noteCrowded();
  }

  async run(input: PacketBatch, output: OutcomeBatch): Promise<void> {
    const { count } = input;
    if (count > output.capacity) {
      throw new RangeError(`${count} packets do not fit into a batch of ${output.capacity} outcomes`);
    }
    const compiled = this.#compiled;
    output.clear();
    if (lruMaps(this.#opened.machine).some((map) => map.crowded)) output.uncertainFrom = 0;
    if (count === 0) return;
    output.status.fill(STATUS.ran, 0, count);
    this.#input = input;
    this.#output = output;
    this.#holes = false;
    this.#pending = 0;
    this.#alike = 0;
    compiled.load(input);
    compiled.run(0, count, this);
    this.#takeArrays(count);
    output.count = count;
  }

  refused(packet: number): void {
    const refusal = refusalReason(this.#program, this.#input!, packet);
    const message = refusal === undefined ? 'the packet does not fit' : refusalText(refusal);
    this.#note(packet, STATUS.fault);
    this.#output!.notes.set(packet, { message });
  }

  stopped(packet: number, stop: Stop): void {
    const { unit, slot, unsupported } = stop;
    this.#note(packet, unsupported === undefined ? STATUS.violation : STATUS.fault);
    const reason =
      unsupported ??
      'the program does what the kernel would not let it do, or runs for too long; the engine vm says what';
    this.#output!.notes.set(packet, noteAt(unit.source, slot, reason));
  }

  printed(packet: number, lines: string[]): void {
    const { trace } = this.#output!;
    const known = trace.get(packet);
    if (known === undefined) trace.set(packet, lines);
    else known.push(...lines);
  }

  /** An LRU map fills up: while a packet runs, or while the world is made. */
  #noteCrowded(): void {
    const output = this.#output;
    if (output === undefined) return;
    const packet = this.#opened.machine.memory.u32(WASM_WORD.packet);
    output.uncertainFrom = Math.min(output.uncertainFrom, packet);
  }

  maps(): MapSnapshot[] {
    return snapshots(this.#opened.machine);
  }

  async reset(): Promise<void> {
    this.#opened.machine.reset();
  }

  coverage(): Coverage {
    return { functions: this.#compiled.coverage() };
  }

  path(): string {
    return this.#compiled.path();
  }

  clearCoverage(): void {
    this.#compiled.clearCoverage();
  }

  async close(): Promise<void> {}

  #note(packet: number, status: typeof STATUS.violation | typeof STATUS.fault): void {
    this.#output!.status[packet] = status;
    this.#output!.trace.delete(packet);
    this.#holes = true;
  }

  take(end: number): void {
    if (!this.#compiled.inPlace) this.#takeOutcomes();
    else if (this.#alike < this.#pending || this.#holes || !this.#takeStretch(end)) this.#takeEach(end);
    this.#pending = end;
    this.#holes = false;
  }

  /** Copies what is in the arena of outcomes. */
  #takeOutcomes(): void {
    const output = this.#output!;
    const { outArena, outUsed } = this.#compiled;
    const at = output.reserve(outUsed);
    output.bytes.set(this.#opened.machine.memory.u8.subarray(outArena, outArena + outUsed), at);
    output.used = at + outUsed;
  }

  /**
   * Copies packets that were run in place as a whole, if they come to lie where they lay in the input: then their offsets and lengths
   * are the input's.
   */
  #takeStretch(end: number): boolean {
    const input = this.#input!;
    const output = this.#output!;
    const { outArena, stretch, hasGaps } = this.#compiled;
    const { from } = stretch;
    const to = input.offset[end - 1]! + input.length[end - 1]!;
    if (hasGaps || from !== output.used) return false;
    output.reserve(to - from);
    output.bytes.set(this.#opened.machine.memory.u8.subarray(outArena, outArena + to - from), from);
    output.used = to;
    this.#alike = end;
    return true;
  }

  /** The same, packet by packet, without those that have no outcome. */
  #takeEach(end: number): void {
    const input = this.#input!;
    const output = this.#output!;
    const { u8 } = this.#opened.machine.memory;
    const { outBase } = this.#compiled;
    for (let packet = this.#pending; packet < end; packet++) {
      const ran = output.status[packet] === STATUS.ran;
      const metaLength = ran ? input.metaLength[packet]! : 0;
      const length = ran ? input.length[packet]! : 0;
      const at = output.reserve(metaLength + length);
      const from = outBase + input.offset[packet]! - metaLength;
      output.bytes.set(u8.subarray(from, from + metaLength + length), at);
      output.offset[packet] = at + metaLength;
      output.length[packet] = length;
      output.metaLength[packet] = metaLength;
      output.used = at + metaLength + length;
    }
  }

  #takeArrays(count: number): void {
    const input = this.#input!;
    const output = this.#output!;
    const { arrays, inPlace, module } = this.#compiled;
    const { u8, i32 } = this.#opened.machine.memory;
    const words = (address: number): Int32Array => i32.subarray(address >> 2, (address >> 2) + count);
    output.action.set(words(arrays.action));
    if (!inPlace) {
      output.offset.set(words(arrays.outOffset));
      output.length.set(words(arrays.outLength));
      output.metaLength.set(u8.subarray(arrays.outMetaLength, arrays.outMetaLength + count));
    } else {
      output.offset.set(input.offset.subarray(0, this.#alike));
      output.length.set(input.length.subarray(0, this.#alike));
      output.metaLength.set(input.metaLength.subarray(0, this.#alike));
    }
    if (module.needs.redirects) output.redirect.set(words(arrays.redirect));
    else output.redirect.fill(0, 0, count);
    if (this.#opened.entries.some((entry) => entry.hook !== 'xdp')) {
      output.mark.set(words(arrays.mark));
      output.priority.set(words(arrays.priority));
      output.cb.set(i32.subarray(arrays.cb >> 2, (arrays.cb >> 2) + 5 * count));
      output.tstamp.set(i32.subarray(arrays.tstamp >> 2, (arrays.tstamp >> 2) + 2 * count));
    } else {
      output.mark.fill(0, 0, count);
      output.priority.fill(0, 0, count);
      output.cb.fill(0, 0, 5 * count);
      output.tstamp.fill(0, 0, 2 * count);
    }
  }
}
