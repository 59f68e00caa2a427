/** A machine whose programs run as WebAssembly: packets in, outcomes out, whole batches at a time. */
import type { PacketBatch, SkbTunnel } from '../../packet/packet-batch.ts';
import type { Hook } from '../../runtime/actions.ts';
import type { FunctionCoverage } from '../../runtime/coverage.ts';
import { reachOf } from '../analysis/reach.ts';
import { BatchBudget } from '../batch-budget.ts';
import { ACCESS } from '../context/context-access.ts';
import {
  SK_BUFF_SIZE,
  writeCameBy,
  writeLinear,
  writeNoSocket,
  writeSkbInput,
  writeTunnel,
} from '../context/sk-buff.ts';
import { isKernelForm, isSocketFormReadable, NO_KERNEL_STRUCTS } from '../context/socket.ts';
import { readDynptr } from '../helpers/dynptr.ts';
import type { Helper } from '../helpers/helper.ts';
import { isMayGoto } from '../instruction.ts';
import { coverageOf } from '../interpreter/coverage.ts';
import { Forbidden, type Machine, Unsupported } from '../machine.ts';
import { RingBufferMap } from '../maps/ring-buffer-map.ts';
import { ENDS_BY_CLOCK } from '../may-goto.ts';
import {
  CONTEXT_BASE,
  type LinearMemory,
  SKB_DATA,
  SOCKET_BASE,
  SOCKET_LIMIT,
  STACK_BASE,
  STACK_SIZE,
  XDP_DATA,
} from '../memory.ts';
import { TUNNEL } from '../tunnel-info.ts';
import { LARGEST_OUTCOME } from './batch-loop.ts';
import {
  BUDGET_LEFT,
  CALL_BACK,
  type CompiledModule,
  compileModule,
  JUDGE,
  type ModuleInput,
  RUN_BATCH,
  RUN_ONE,
  RUN_RAW,
  type Unit,
} from './compile-module.ts';
import { forwardJumps } from './jump-counts.ts';
import { BATCH_WORD, callSiteAddress, WASM_WORD } from './layout.ts';

/** Where a program was stopped. */
export interface Stop {
  readonly unit: Unit;
  readonly slot: number;
  /** What a helper said that could not do what it was asked; undefined: a violation. */
  readonly unsupported: string | undefined;
}

/** Who takes down what a batch run comes across beside its arrays. */
export interface BatchObserver {
  /** The loop came to a packet that no hook is given. */
  refused(packet: number): void;
  stopped(packet: number, stop: Stop): void;
  /** The run printed lines. */
  printed(packet: number, lines: string[]): void;
  /** Those packets before `end` whose outcomes have not been taken have them in the arena now, and will lose them. */
  take(end: number): void;
}

type RunBatch = (first: number, end: number, distance: number, from: number, to: number) => number;
type RunOne = (entry: number, length: number, metaLength: number, ifindex: number, queue: number) => number;
type RunRaw = (r1: number, r2: number) => bigint;
type CallBack = (position: number, frame: number, a: number, b: number, c: number, d: number) => number;

/** Thrown through WebAssembly to end a run that did what it may not, where only JavaScript sees it. */
class CallStop {}

/** Arrays of one element for each packet, in linear memory: what comes in and what goes out. */
const ARRAYS = [
  ['offset', 4],
  ['length', 4],
  ['metaLength', 1],
  ['ingressIfindex', 4],
  ['rxQueueIndex', 4],
  ['entry', 1],
  ['action', 4],
  ['redirect', 4],
  ['outOffset', 4],
  ['outLength', 4],
  ['outMetaLength', 1],
  ['mark', 4],
  ['priority', 4],
  ['cb', 20],
  ['tstamp', 8],
] as const;

/**
 * Packets that are copied in, run and copied out at a time: few enough for the processor's first caches, and enough that calls do not
 * count. As many bytes, unless one packet has more.
 */
const STRETCH_PACKETS = 512;
const STRETCH_BYTES = 0x1_0000;
/** Where outcomes are put together before they are taken: what fits into the second cache, and room for the largest one behind it. */
const OUT_BYTES = 0x4_0000 + LARGEST_OUTCOME;

/** Packets that follow each other in a batch, whose bytes are in linear memory: those from `from` to `to` of the batch's arena. */
interface Stretch {
  first: number;
  end: number;
  from: number;
  to: number;
}

export class CompiledMachine {
  readonly machine: Machine;
  readonly module: CompiledModule;
  /** Addresses of the arrays. */
  readonly arrays: Record<(typeof ARRAYS)[number][0], number>;
  readonly #memory: LinearMemory;
  readonly #hooks: readonly Hook[];
  /** Where packets of each entry lie that come one at a time. */
  readonly #places: readonly number[];
  /** Do the entries differ in their hooks? */
  readonly #mixed: boolean;
  // As `ModuleInput.runs` says, there is one of these.
  readonly #runBatch: RunBatch | undefined;
  readonly #runOne: RunOne | undefined;
  readonly #callBack: CallBack;
  readonly #runRaw: RunRaw | undefined;
  readonly #budget: BatchBudget;
  readonly #budgetLeft: WebAssembly.Global;
  #capacity = 0;
  #arena = 0;
  #arenaBytes = 0;
  #outArena = 0;
  /** Bytes of the batch's outcomes that have been taken out of their arena. */
  #taken = 0;
  /** Room for the batch's `__sk_buff` inputs. */
  #skb = 0;
  #skbBytes = 0;
  #observer: BatchObserver | undefined;
  #batch: PacketBatch | undefined;
  readonly #stretch: Stretch = { first: 0, end: 0, from: 0, to: 0 };
  /** What an imported helper could not do. */
  #unsupported: string | undefined;

  constructor(input: ModuleInput) {
    const { machine, entries } = input;
    this.machine = machine;
    this.module = compileModule(input);
    this.#memory = machine.memory;
    this.#hooks = entries.map((entry) => entry.hook);
    this.#places = this.#hooks.map((hook) => (hook === 'xdp' ? XDP_DATA : SKB_DATA));
    this.#mixed = new Set(this.#hooks).size > 1;
    const helper: Record<string, (...args: never[]) => unknown> = {};
    for (const [name, one] of this.module.imports) helper[name] = this.#imported(one);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(this.module.bytes), {
      machine: {
        memory: machine.memory.memory,
        [JUDGE]: (address: number, size: number, writes: number) => this.#judge(address, size, writes !== 0),
      },
      helper,
    });
    this.#runBatch = instance.exports[RUN_BATCH] as RunBatch | undefined;
    this.#runOne = instance.exports[RUN_ONE] as RunOne | undefined;
    this.#runRaw = instance.exports[RUN_RAW] as RunRaw | undefined;
    this.#callBack = instance.exports[CALL_BACK] as CallBack;
    this.#budgetLeft = instance.exports[BUDGET_LEFT] as WebAssembly.Global;
    this.#budget = new BatchBudget(input.budget);
    this.#allowBudget();
    this.arrays = Object.fromEntries(ARRAYS.map(([name]) => [name, 0])) as typeof this.arrays;
    this.#placeDevices();
    machine.useHook(this.#hooks[0] ?? 'xdp');
  }

  /** Are packets run where they lie, so that their offsets and lengths are their outcomes'? */
  get inPlace(): boolean {
    return this.module.needs.inPlace;
  }

  /** Brings a batch into linear memory, but for the packets' bytes. */
  load(batch: PacketBatch): void {
    this.#batch = batch;
    this.#reserve(batch.count);
    const { u8, i32 } = this.machine.memory;
    const { arrays } = this;
    const { count } = batch;
    i32.set(batch.offset.subarray(0, count), arrays.offset >> 2);
    i32.set(batch.length.subarray(0, count), arrays.length >> 2);
    i32.set(batch.ingressIfindex.subarray(0, count), arrays.ingressIfindex >> 2);
    i32.set(batch.rxQueueIndex.subarray(0, count), arrays.rxQueueIndex >> 2);
    u8.set(batch.metaLength.subarray(0, count), arrays.metaLength);
    u8.set(batch.entry.subarray(0, count), arrays.entry);
    // XDP leaves these alone, whatever the last batch had there.
    if (this.#mixed) u8.fill(0, arrays.mark, arrays.tstamp + 8 * this.#capacity);
    this.#loadSkb(batch);
  }

  /** Images of what TC frames come with, where they come with anything. */
  #loadSkb({ skb, length, count }: PacketBatch): void {
    const { memory } = this.machine;
    memory.setU32(BATCH_WORD.skb, 0);
    if (skb.size === 0) return;
    const size = 4 * count + skb.size * SK_BUFF_SIZE;
    if (size > this.#skbBytes) {
      this.#skbBytes = 2 * size;
      this.#skb = memory.allocate(this.#skbBytes);
    }
    const table = this.#skb;
    memory.u8.fill(0, table, table + 4 * count);
    let image = table + 4 * count;
    const tunnels: SkbTunnel[] = [];
    for (const [packet, input] of skb) {
      writeSkbInput(memory.view, image, length[packet]!, input);
      writeCameBy(memory.view, image, input);
      writeLinear(memory.view, image, input);
      writeNoSocket(memory.view, image, input);
      writeTunnel(memory.view, image, input.tunnel === undefined ? 0 : TUNNEL.given + tunnels.length);
      if (input.tunnel !== undefined) tunnels.push(input.tunnel);
      memory.setU32(table + 4 * packet, image);
      image += SK_BUFF_SIZE;
    }
    this.machine.tunnels = tunnels;
    memory.setU32(BATCH_WORD.skb, table);
  }

  /** Runs the loaded batch's packets from `first` on, up to `end`. */
  run(first: number, end: number, observer: BatchObserver): void {
    this.#observer = observer;
    this.#taken = 0;
    this.#budget.begin();
    this.#allowBudget();
    this.#emptyOut();
    for (let next = first; next < end; ) {
      this.#bring(next, end);
      next = this.#runStretch(observer);
      if (this.inPlace) observer.take(next);
    }
    if (!this.inPlace) observer.take(end);
  }

  /** @returns the packet behind the last one that ran */
  #runStretch(observer: BatchObserver): number {
    const stretch = this.#stretch;
    const { first, end, to } = stretch;
    const { offset, length } = this.#batch!;
    const distance = this.#arena - stretch.from;
    let next = first;
    while (next < end) {
      const from = next === first ? stretch.from : offset[next - 1]! + length[next - 1]!;
      try {
        next = this.#runBatch!(next, end, distance, from, to);
        if (next === end) break;
        if (!this.inPlace && this.outUsed > 0 && this.#isFull()) {
          observer.take(next);
          this.#taken += this.outUsed;
          this.#emptyOut();
          continue;
        }
        // It may lie elsewhere: then a stretch that begins with it gets further.
        if (next > first) return next;
        this.#empty(next);
        observer.refused(next);
      } catch (error) {
        next = this.machine.memory.i32[WASM_WORD.packet >> 2]!;
        this.#empty(next);
        observer.stopped(next, this.#stopOf(error));
        this.#noteBudget();
      }
      next++;
    }
    return end;
  }

  /** Is that a run which used up all that it might? */
  #noteBudget(): void {
    if ((this.#budgetLeft.value as number) >= 0) return;
    this.#budget.note();
    this.#allowBudget();
  }

  #allowBudget(): void {
    this.machine.memory.setU32(BATCH_WORD.budget, this.#budget.next);
  }

  /** Copies the bytes of the next packets into linear memory. */
  #bring(first: number, most: number): void {
    const { memory } = this.machine;
    const stretch = this.#stretch;
    const { offset, length, metaLength, bytes } = this.#batch!;
    const from = offset[first]! - metaLength[first]!;
    const least = offset[first]! + length[first]!;
    let end = Math.min(first + STRETCH_PACKETS, most);
    let to = Math.max(least, offset[end - 1]! + length[end - 1]!);
    while (to - from > STRETCH_BYTES && end > first + 1) {
      end = (first + end) >> 1;
      to = Math.max(least, offset[end - 1]! + length[end - 1]!);
    }
    this.#makeRoom(to - from);
    memory.u8.set(bytes.subarray(from, to), this.#arena);
    memory.i32[BATCH_WORD.gaps >> 2] = 0;
    stretch.first = first;
    stretch.end = end;
    stretch.from = from;
    stretch.to = to;
  }

  /** Where packets are run in place: the bytes of the batch's arena that are in linear memory now, and begin at `outArena`. */
  get stretch(): { readonly from: number; readonly to: number } {
    return this.#stretch;
  }

  /** Are there bytes in the stretch that belong to none of its packets? */
  get hasGaps(): boolean {
    return this.machine.memory.i32[BATCH_WORD.gaps >> 2] !== 0;
  }

  /** Bytes of the arena of outcomes that are filled. */
  get outUsed(): number {
    return this.machine.memory.i32[BATCH_WORD.outUsed >> 2]! - this.#outArena;
  }

  /** What outcomes' offsets are counted from, as an address. Where packets are run in place, their offsets are the batch's. */
  get outBase(): number {
    return this.inPlace ? this.#arena - this.#stretch.from : this.#outArena - this.#taken;
  }

  /** Address of the arena that outcomes' bytes are in. */
  get outArena(): number {
    return this.inPlace ? this.#arena : this.#outArena;
  }

  /**
   * Runs one packet, copied in from JavaScript, with a module whose `runs` is `packet`.
   * @returns the action
   * @throws {WebAssembly.RuntimeError} where the program is stopped
   */
  runOne(
    entry: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    metaLength: number,
    ifindex: number,
    queue: number,
  ): number {
    const to = this.#places[entry]!;
    const { u8 } = this.#memory;
    // A subarray is an object, which costs more than the copy.
    const whole = metaLength + length === bytes.length;
    u8.set(whole ? bytes : bytes.subarray(offset - metaLength, offset + length), to - metaLength);
    return this.#runOne!(entry, length, metaLength, ifindex, queue);
  }

  /**
   * Runs the first entry with numbers of one's own in r1 and r2, on whatever the machine holds, with a module whose
   * `runs` is `numbers`.
   * @returns r0 as 64 bits, unsigned, or where the program was stopped
   */
  runRaw(r1: number, r2: number): bigint | Stop {
    try {
      return BigInt.asUintN(64, this.#runRaw!(r1, r2));
    } catch (error) {
      return this.#stopOf(error);
    }
  }

  coverage(): FunctionCoverage[] {
    return this.module.units.flatMap((unit) => {
      const { count } = unit.source.instructions;
      const counts = {
        source: unit.source,
        taken: this.#counters(unit.taken, count),
        entered: this.#counters(unit.entered, count),
        left: this.#counters(unit.left, count),
      };
      forwardJumps(counts);
      return coverageOf(counts, reachOf(this.machine, unit.source, unit.hook));
    });
  }

  /** What all counters hold, hashed: 64 bits in two halves (FNV-1a), over the counters that are not 0. */
  path(): string {
    let low = 0x811c_9dc5;
    let high = 0x9747_b28c;
    let index = 0;
    for (const words of this.#allCounters()) {
      for (let at = 0; at < words.length; at++, index++) {
        const value = words[at]!;
        if (value === 0) continue;
        low = Math.imul(Math.imul(low ^ index, 0x0100_0193) ^ value, 0x0100_0193);
        high = Math.imul(Math.imul(high ^ value, 0x0100_0193) ^ index, 0x85eb_ca6b);
      }
    }
    return `${(high >>> 0).toString(16)}${(low >>> 0).toString(16).padStart(8, '0')}`;
  }

  clearCoverage(): void {
    for (const words of this.#allCounters()) words.fill(0);
  }

  *#allCounters(): Generator<Uint32Array, void, undefined> {
    const { buffer } = this.machine.memory.memory;
    for (const { source, taken, entered, left } of this.module.units) {
      const words = 2 * source.instructions.count;
      for (const address of [taken, entered, left]) yield new Uint32Array(buffer, address, words);
    }
  }

  #counters(address: number, count: number): Float64Array {
    const words = new Uint32Array(this.machine.memory.memory.buffer, address, 2 * count);
    const counters = new Float64Array(count);
    for (let slot = 0; slot < count; slot++)
      counters[slot] = words[2 * slot]! + words[2 * slot + 1]! * 2 ** 32;
    return counters;
  }

  /** Makes room for a batch; memory that was handed out once stays so, hence the doubling. */
  #reserve(count: number): void {
    const { memory } = this.machine;
    if (count > this.#capacity) {
      this.#capacity = Math.max(count, 2 * this.#capacity);
      for (const [name, size] of ARRAYS) this.arrays[name] = memory.allocate(this.#capacity * size);
      for (const [name] of ARRAYS) memory.setU32(BATCH_WORD[name], this.arrays[name]);
    }
    if (!this.inPlace && this.#outArena === 0) {
      this.#outArena = memory.allocate(OUT_BYTES);
      memory.setU32(BATCH_WORD.outEnd, this.#outArena + OUT_BYTES);
    }
  }

  /** For a stretch of so many bytes. */
  #makeRoom(bytes: number): void {
    if (bytes <= this.#arenaBytes) return;
    this.#arenaBytes = Math.max(bytes, 2 * this.#arenaBytes, STRETCH_BYTES);
    this.#arena = this.machine.memory.allocate(this.#arenaBytes);
  }

  #emptyOut(): void {
    const { memory } = this.machine;
    memory.setU32(BATCH_WORD.outUsed, this.#outArena);
    memory.setU32(BATCH_WORD.outBase, this.#outArena - this.#taken);
  }

  #isFull(): boolean {
    return this.outUsed + LARGEST_OUTCOME > OUT_BYTES;
  }

  /** An outcome without a frame. */
  #empty(packet: number): void {
    const { memory } = this.machine;
    const { arrays } = this;
    memory.i32[(arrays.action >> 2) + packet] = 0;
    memory.i32[(arrays.redirect >> 2) + packet] = 0;
    memory.i32[(arrays.outOffset >> 2) + packet] = this.#taken + this.outUsed;
    memory.i32[(arrays.outLength >> 2) + packet] = 0;
    memory.u8[arrays.outMetaLength + packet] = 0;
    memory.i32[(arrays.mark >> 2) + packet] = 0;
    memory.i32[(arrays.priority >> 2) + packet] = 0;
    for (let word = 0; word < 5; word++) memory.i32[(arrays.cb >> 2) + 5 * packet + word] = 0;
    memory.setU64(arrays.tstamp + 8 * packet, 0n);
  }

  /** Where and why a run was stopped; counts it for the coverage. */
  #stopOf(error: unknown): Stop {
    const known =
      error instanceof WebAssembly.RuntimeError || error instanceof Unsupported || error instanceof CallStop;
    if (!known) throw error;
    const { memory } = this.machine;
    const unsupported = this.#unsupported;
    this.#unsupported = undefined;
    const frame = memory.u32(WASM_WORD.violationFrame);
    const depth = (frame - STACK_BASE) / STACK_SIZE - 1;
    for (let below = 0; below < depth; below++) {
      const site = callSiteAddress(below);
      this.#left(this.module.units[memory.u32(site)]!, memory.u32(site + 4));
    }
    const unit = this.module.units[memory.u32(WASM_WORD.violationProgram)]!;
    const slot = memory.u32(WASM_WORD.violationSlot);
    this.#left(unit, slot);
    if (isMayGoto(unit.source.instructions.opcode[slot]!)) return { unit, slot, unsupported: ENDS_BY_CLOCK };
    return { unit, slot, unsupported };
  }

  /** The run ends at the call that the frame is making. */
  #stopAtCall(frame: number): void {
    const { memory } = this.machine;
    const site = callSiteAddress((frame - STACK_BASE) / STACK_SIZE - 1);
    memory.setU32(WASM_WORD.violationProgram, memory.u32(site));
    memory.setU32(WASM_WORD.violationSlot, memory.u32(site + 4));
    memory.setU32(WASM_WORD.violationFrame, frame);
  }

  #left(unit: Unit, slot: number): void {
    const { memory } = this.machine;
    memory.setU64(unit.left + 8 * slot, memory.u64(unit.left + 8 * slot) + 1n);
  }

  /** A helper as compiled programs import it. */
  #imported(helper: Helper): (a: number, b: number, c: number, d: number, e: number) => number {
    const { machine } = this;
    const callsBack = helper.arguments.includes('function');
    const dynptrs = helper.arguments.flatMap((type, index) => (type === 'dynptr' ? [index] : []));
    return (a, b, c, d, e) => {
      if (this.#mixed) machine.useHook(this.#hooks[this.#entryOfPacket()] ?? 'xdp');
      if (dynptrs.length > 0) this.#requireDynptrs(dynptrs, [a, b, c, d, e]);
      try {
        const result = callsBack
          ? this.#withCallbacks(helper, a, b, c, d, e)
          : helper.run(machine, a, b, c, d, e);
        if (machine.lines.length > 0) this.#print();
        return result;
      } catch (error) {
        if (!(error instanceof Unsupported) && !(error instanceof Forbidden)) throw error;
        if (error instanceof Unsupported) this.#unsupported = error.message;
        this.#stopAtCall(machine.memory.u32(WASM_WORD.helperFrame));
        throw new CallStop();
      }
    };
  }

  /** Stops the run where a helper is passed a dynptr that no helper has made. */
  #requireDynptrs(indices: readonly number[], values: readonly number[]): void {
    const { machine } = this;
    if (indices.every((index) => readDynptr(machine, values[index]!) !== undefined)) return;
    this.#stopAtCall(machine.memory.u32(WASM_WORD.helperFrame));
    throw new CallStop();
  }

  #entryOfPacket(): number {
    const { memory } = this.machine;
    return memory.u8[this.arrays.entry + memory.u32(WASM_WORD.packet)]!;
  }

  #print(): void {
    const { machine } = this;
    this.#observer?.printed(machine.memory.u32(WASM_WORD.packet), machine.lines);
    machine.lines = [];
  }

  #withCallbacks(helper: Helper, a: number, b: number, c: number, d: number, e: number): number {
    const { machine } = this;
    const unit = this.module.units[machine.memory.u32(WASM_WORD.helperUnit)]!;
    const frame = machine.memory.u32(WASM_WORD.helperFrame);
    const outer = machine.invoke;
    machine.invoke = (target, _kind, w, x, y, z) => {
      const position = unit.table.get(target);
      const result = position === undefined ? 2 : this.#callBack(position, frame + STACK_SIZE, w, x, y, z);
      if (result !== 2) return result;
      this.#stopAtCall(frame);
      throw new CallStop();
    };
    try {
      return helper.run(machine, a, b, c, d, e);
    } finally {
      machine.invoke = outer;
    }
  }

  /** Accesses that take more than comparing bounds: the context's fields, samples in ring buffers. */
  #judge(address: number, size: number, writes: boolean): number {
    const { machine } = this;
    if (address >= CONTEXT_BASE && address < CONTEXT_BASE + machine.layout.size) {
      const offset = address - CONTEXT_BASE;
      // What a field keeps of it, the store sees to (`compile-memory.ts`).
      if (writes) return machine.layout.write(offset, size) ? 1 : 0;
      return machine.layout.read(offset, size, false) === ACCESS.refused ? 0 : 1;
    }
    if (address >= SOCKET_BASE && address < SOCKET_LIMIT) {
      if (isKernelForm(address)) this.#unsupported = NO_KERNEL_STRUCTS;
      return isSocketFormReadable(address, size) ? 1 : 0;
    }
    for (const map of machine.maps) {
      if (map instanceof RingBufferMap && map.holds(address, size)) return 1;
    }
    return 0;
  }

  #placeDevices(): void {
    const { memory, world } = this.machine;
    // First, since nearly every frame comes in by it.
    const loopback = { ifindex: 1, mac: new Uint8Array(6) };
    const devices = [loopback, ...(world.devices ?? [])];
    const rows = memory.allocate(16 * (devices.length + 1));
    for (const [index, device] of devices.entries()) {
      memory.setU32(rows + 16 * index, device.ifindex);
      memory.u8.set(device.mac, rows + 16 * index + 4);
    }
    memory.setU32(BATCH_WORD.devices, rows);
    memory.setU32(BATCH_WORD.deviceCount, devices.length);
  }
}
