/**
 * Which bytes of the frame that left are the packet's own, and stand in the key of an entry that a map has. Who fills in a map
 * says which keys there are: an address that a program takes out of a packet only where a map has it is the map's as much as
 * one that the map's value holds.
 *
 * A run is followed forwards, byte by byte, as far as bytes are moved, and put together of pieces.
 */
import { ARGUMENT_TYPES } from '../../sim/ebpf/helpers/argument-types.ts';
import {
  accessSize,
  BPF_ALU,
  BPF_ALU64,
  BPF_LDX,
  BPF_LSH,
  BPF_MEM,
  BPF_MOV,
  BPF_OR,
  BPF_REG_FP,
  BPF_RSH,
  BPF_STX,
  BPF_X,
  CALL,
  CLASS_MASK,
  MODE_MASK,
  OPERATION_MASK,
  SOURCE_MASK,
} from '../../sim/ebpf/instruction.ts';
import type { RunTrace, TracedCall, TraceStep } from '../../sim/ebpf/interpreter/trace.ts';
import { STACK_BASE, STACK_SIZE } from '../../sim/ebpf/memory.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { BY_NAME, LOADS, STORES } from './frame-helpers.ts';
import { TracedInstructions } from './traced-instructions.ts';

/** A byte that is none of the packet's, or one that nobody followed. */
const UNKNOWN = -1;
/** A byte that is 0 because nothing was put there. */
const EMPTY = -2;

/** Bytes of a register, the lowest first: where in the packet each comes from. */
type Sources = readonly number[];

const NOWHERE: Sources = new Array<number>(8).fill(UNKNOWN);
/** These move the ends of the frame only; bytes stay where they are. */
const EDGES: ReadonlySet<string> = new Set([
  'bpf_xdp_adjust_head',
  'bpf_xdp_adjust_tail',
  'bpf_xdp_adjust_meta',
]);
/** Helpers that write two bytes of the frame, at their second argument. */
const SUMS: ReadonlySet<string> = new Set(['bpf_l3_csum_replace', 'bpf_l4_csum_replace']);
const LPM_TRIE = 'LPM_TRIE';
/** Bytes that say how many bits of the others count. */
const PREFIX = 4;
/** Keys of these are numbers of slots: that there is one says nothing. */
const NUMBERED = /ARRAY|^(DEV|CPU|XSK)MAP$/;

interface Register {
  value: bigint;
  place: string | undefined;
  sources: Sources;
}

export class KeyBytes {
  readonly #instructions: TracedInstructions;
  readonly #world: World;
  readonly #packet: Uint8Array;
  readonly #registers: Register[] = Array.from({ length: BPF_REG_FP }, () => ({
    ...{ value: 0n, place: undefined, sources: NOWHERE },
  }));
  readonly #saved: Sources[][] = [];
  /** By address: where in the packet a byte comes from that was written; the frame's others are their own. */
  readonly #written = new Map<number, number>();
  /** Places in the packet that stand in the key of an entry. */
  readonly #known = new Set<number>();
  /** Where the frame began first, and where it begins now. */
  readonly #first: number | undefined;
  #data = 0;
  /** Has a helper moved bytes of the frame that nobody followed? */
  #isLost = false;

  /** @throws {ObjectError} where the program cannot be read */
  constructor(program: Program, world: World, packet: Uint8Array, { steps }: Pick<RunTrace, 'steps'>) {
    this.#instructions = new TracedInstructions(program);
    this.#world = world;
    this.#packet = packet;
    this.#first = steps.map(beginsAt).find((begin) => begin !== undefined);
    if (this.#first === undefined) return;
    this.#data = this.#first;
    for (const [at, step] of steps.entries()) {
      this.#follow(step);
      this.#change(step);
      this.#enter(step, steps[at + 1] ?? step);
    }
  }

  /** Are all bytes of a range of the frame that left such ones? Offsets as `data` stood in the end. */
  areWritten(from: number, to: number): boolean {
    if (this.#first === undefined || this.#isLost) return false;
    for (let at = from; at < to; at++) if (!this.#known.has(this.#sourceAt(this.#data + at))) return false;
    return to > from;
  }

  #follow(step: TraceStep): void {
    const { code, dst, src, offset, imm } = this.#instructions.at(step);
    const kind = code & CLASS_MASK;
    if (step.call !== undefined) this.#call(step.call);
    if (code === CALL) return;
    if (kind === BPF_ALU || kind === BPF_ALU64) this.#compute(code, dst, src, imm);
    else if (kind === BPF_LDX) this.#load(step, code, dst, src, offset);
    else if (step.memory !== undefined) {
      const isMoved = kind === BPF_STX && (code & MODE_MASK) === BPF_MEM;
      const { address, bytes } = step.memory;
      const sources = isMoved ? this.#registers[src]?.sources : undefined;
      for (let at = 0; at < bytes.length; at++) this.#written.set(address + at, sources?.[at] ?? UNKNOWN);
    } else if (dst < BPF_REG_FP) this.#set(dst, NOWHERE);
  }

  #compute(code: number, dst: number, src: number, imm: number): void {
    const operation = code & OPERATION_MASK;
    const isRegister = (code & SOURCE_MASK) === BPF_X;
    const own = this.#registers[dst]!.sources;
    const other = isRegister ? (this.#registers[src]?.sources ?? NOWHERE) : NOWHERE;
    let made = NOWHERE;
    if (isRegister && operation === BPF_MOV) made = other;
    else if (isRegister && operation === BPF_OR) made = own.map((one, index) => united(one, other[index]!));
    else if (!isRegister && operation === BPF_LSH) made = shifted(own, -imm);
    else if (!isRegister && operation === BPF_RSH) made = shifted(own, imm);
    this.#set(dst, (code & CLASS_MASK) === BPF_ALU ? made.map((one, at) => (at < 4 ? one : EMPTY)) : made);
  }

  #load({ frame }: TraceStep, code: number, dst: number, src: number, offset: number): void {
    const size = accessSize(code) ?? 0;
    const from = this.#address(src, frame) + offset;
    const isPlain = (code & MODE_MASK) === BPF_MEM;
    this.#set(
      dst,
      NOWHERE.map((_, at) => (!isPlain ? UNKNOWN : at < size ? this.#sourceAt(from + at) : EMPTY)),
    );
  }

  #call({ name, arguments: values, result }: TracedCall): void {
    const types = BY_NAME.get(name)?.arguments ?? [];
    if (name === 'bpf_map_lookup_elem' && result !== 0n) this.#found(Number(values[1]));
    if (LOADS.has(name)) this.#copy(Number(values[2]), this.#data + Number(values[1]), Number(values[3]));
    else
      for (const [index, type] of types.entries()) {
        const memory = ARGUMENT_TYPES[type].memory;
        if (memory === undefined || memory.access === 'read' || values[index] === undefined) continue;
        const size = typeof memory.size === 'number' ? memory.size : Number(values[index + 1] ?? STACK_SIZE);
        this.#forget(Number(values[index]), Math.min(size, STACK_SIZE));
      }
    for (let register = 0; register <= 5; register++) this.#set(register, NOWHERE);
    this.#changeFrame(name, values, result);
  }

  #changeFrame(name: string, values: readonly bigint[], result: bigint | undefined): void {
    const packet = BY_NAME.get(name)?.effects.packet ?? 'untouched';
    const at = this.#data + Number(values[1] ?? 0n);
    if (name === 'bpf_xdp_adjust_head' && result === 0n) this.#data += Number(BigInt.asIntN(32, values[1]!));
    if (EDGES.has(name) || (packet !== 'written' && packet !== 'moved')) return;
    if (name === 'bpf_skb_pull_data') return;
    if (STORES.has(name)) this.#copy(at, Number(values[2]), Number(values[3]));
    else if (SUMS.has(name)) this.#forget(at, 2);
    // Wherever its bytes lie now.
    else this.#isLost = true;
  }

  /** An entry was found for a key. */
  #found(key: number): void {
    const { place } = this.#registers[1]!;
    const map = this.#instructions.map(place);
    if (map === undefined || NUMBERED.test(map.type)) return;
    const sources = Array.from({ length: map.keySize }, (_, at) => this.#sourceAt(key + at));
    for (const entry of this.#world.maps?.[map.name] ?? []) {
      const said = sources.slice(0, map.type === LPM_TRIE ? prefixOf(entry.key) : map.keySize);
      if (said.some((from, at) => from >= 0 && this.#packet[from] !== entry.key[at])) continue;
      for (const from of said) if (from >= 0) this.#known.add(from);
    }
  }

  #change({ registers }: TraceStep): void {
    for (const { register, value, place } of registers)
      Object.assign(this.#registers[register]!, { value, place });
  }

  /** Calls of the program's own functions keep r6 to r9. */
  #enter({ frame }: TraceStep, next: TraceStep): void {
    if (next.frame > frame) this.#saved.push(this.#registers.slice(6).map(({ sources }) => sources));
    for (let left = frame; left > next.frame; left--)
      for (const [index, sources] of (this.#saved.pop() ?? []).entries()) this.#set(6 + index, sources);
  }

  #address(register: number, frame: number): number {
    if (register === BPF_REG_FP) return STACK_BASE + STACK_SIZE * (frame + 1);
    return Number(BigInt.asIntN(32, this.#registers[register]!.value));
  }

  #sourceAt(address: number): number {
    const written = this.#written.get(address);
    if (written !== undefined) return written;
    const from = address - this.#first!;
    return from >= 0 && from < this.#packet.length ? from : UNKNOWN;
  }

  #copy(to: number, from: number, size: number): void {
    const sources = Array.from({ length: size }, (_, at) => this.#sourceAt(from + at));
    for (const [at, source] of sources.entries()) this.#written.set(to + at, source);
  }

  #forget(address: number, size: number): void {
    for (let at = address; at < address + size; at++) this.#written.set(at, UNKNOWN);
  }

  #set(register: number, sources: Sources): void {
    this.#registers[register]!.sources = sources;
  }
}

/** A byte of two that are put together. */
function united(one: number, other: number): number {
  if (one === EMPTY) return other;
  return other === EMPTY ? one : UNKNOWN;
}

/** How many bytes of a key decide about an entry of a trie. */
function prefixOf(key: Uint8Array): number {
  const [first = 0, second = 0] = key;
  return PREFIX + ((first | (second << 8)) >> 3);
}

/** Bytes moved down by a number of bits. */
function shifted(sources: Sources, bits: number): Sources {
  if (bits % 8 !== 0) return NOWHERE;
  return sources.map((_, at) => sources[at + bits / 8] ?? EMPTY);
}

/** Where the frame begins, where a step tells it. */
function beginsAt({ registers }: TraceStep): number | undefined {
  for (const { value, kind, place } of registers) {
    const match = place === undefined ? null : /^data([+-]\d+)$/.exec(place);
    if (match !== null && kind === 'pkt') return Number(value) - Number(match[1]);
  }
  return undefined;
}
