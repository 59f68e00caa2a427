/**
 * Follows runs of the interpreter: for each value, how it was computed from packets, maps, context and clock. Conditional
 * jumps and lookups are noted with the expressions of their operands, so that somebody may solve them for another outcome.
 *
 * What it says is a hint, not a proof: addresses are taken as they were in this run, and what a helper computes counts as
 * a number by itself unless `flow-calls.ts` knows better. Whoever uses it runs what follows from it.
 */
import type { Hook } from '../../runtime/actions.ts';
import type { ContextLayout } from '../context/context-access.ts';
import { SK_BUFF } from '../context/sk-buff.ts';
import { XDP_MD } from '../context/xdp-md.ts';
import {
  accessSize,
  BPF_ABS,
  BPF_ADD,
  BPF_ALU,
  BPF_ALU64,
  BPF_AND,
  BPF_ATOMIC,
  BPF_FETCH,
  BPF_IMM,
  BPF_JCOND,
  BPF_JMP32,
  BPF_LD,
  BPF_LDX,
  BPF_MEMSX,
  BPF_MOV,
  BPF_OR,
  BPF_PSEUDO_CALL,
  BPF_ST,
  BPF_STX,
  BPF_X,
  BPF_XCHG,
  BPF_XOR,
  CALL,
  CLASS_MASK,
  EXIT,
  type Instructions,
  isConditionalJump,
  LDDW,
  MODE_MASK,
  OPERATION_MASK,
  SOURCE_MASK,
} from '../instruction.ts';
import type { LoadedProgram, State } from '../interpreter/state.ts';
import type { Tracer } from '../interpreter/tracer.ts';
import { CONTEXT_BASE, CONTEXT_LIMIT, HEAP_BASE, STACK_BASE, STACK_FRAMES, STACK_LIMIT } from '../memory.ts';
import { packetLoadAddress } from '../packet-load-offsets.ts';
import { arithmeticOf, COMPARISONS } from './arithmetic.ts';
import { type BinaryOperation, binary, cut, input, type Operand } from './expression.ts';
import { type CallView, followCall, type Resume } from './flow-calls.ts';
import type { FlowMemory } from './flow-memory.ts';
import {
  type Comparison,
  effectValue,
  type FlowBranch,
  type FlowCall,
  type FlowEffect,
  type FlowTrace,
  holds,
} from './flow-trace.ts';
import type { PacketContext } from './inputs.ts';

const REGISTERS = 11;

/** Longer runs are followed up to here: what a loop does for the ten-thousandth time is nothing new. */
const MAX_STEPS = 60_000;
/** Of what is noted. */
const MAX_NOTES = 3_000;

/** What a jump compares that depends on no input, to whoever wants to know how far it is from going the other way. */
export interface PlainComparison {
  readonly program: number;
  readonly slot: number;
  readonly taken: boolean;
  readonly comparison: Comparison;
  readonly bits: 32 | 64;
  /** Both sides. */
  readonly numbers: () => readonly [bigint, bigint];
}

export interface FlowTracerOptions {
  /** Are bytes of the stack that the program never wrote inputs, too? Default: no. */
  readonly followsStack?: boolean | undefined;
  /** Is told of each conditional jump that compares nothing but numbers that depend on no input: how often a loop ran, say. */
  readonly onPlain?: (compared: PlainComparison) => void;
}

export class FlowTracer implements Tracer, FlowTrace {
  readonly branches: FlowBranch[] = [];
  readonly calls: FlowCall[] = [];
  readonly effects: FlowEffect[] = [];
  /** As in `FlowTrace`. */
  readsProtocol = false;
  readonly memory: FlowMemory;
  /** Is told of every conditional jump and tail call: which way it went. */
  readonly #onEdge: (program: number, slot: number, taken: boolean) => void;
  readonly #followsStack: boolean;
  readonly #onPlain: FlowTracerOptions['onPlain'];
  /** Of r0 to r10 of each frame; undefined: a number that depends on no input. */
  readonly #registers: (Operand | undefined)[] = new Array(REGISTERS * STACK_FRAMES).fill(undefined);
  readonly #resume: (Resume | 'local' | undefined)[] = new Array(STACK_FRAMES).fill(undefined);
  #returned: Operand | undefined;
  #frame = 0;
  #hasExited = false;
  /** Of the packet at hand. */
  #steps = 0;
  /** Instructions that were followed in all. */
  steps = 0;
  #packet = 0;
  #program: LoadedProgram | undefined;
  /** The slot of the last instruction that ran in the outermost frame. */
  exitSlot = 0;
  readonly #effectPlaces = new Set<string>();

  constructor(
    memory: FlowMemory,
    onEdge: (program: number, slot: number, taken: boolean) => void,
    { followsStack = false, onPlain }: FlowTracerOptions = {},
  ) {
    this.memory = memory;
    this.#onEdge = onEdge;
    this.#followsStack = followsStack;
    this.#onPlain = onPlain;
  }

  /** To be called when a packet is in place and before it runs. */
  enterPacket(packet: number): void {
    this.memory.enterPacket(packet);
    this.#packet = packet;
    this.#registers.fill(undefined);
    this.#resume.fill(undefined);
    this.#frame = 0;
    this.#steps = 0;
    this.#hasExited = false;
    this.#program = undefined;
  }

  before(state: State, pc: number): void {
    this.steps++;
    if (this.#steps++ > MAX_STEPS) return;
    const { frame, program } = state;
    if (frame > this.#frame) this.#enter(frame);
    else if (frame < this.#frame) this.#returned = this.#registers[REGISTERS * this.#frame];
    else if (this.#hasExited) this.#clear(frame);
    this.#frame = frame;
    this.#hasExited = false;
    if (frame === 0) this.exitSlot = pc;
    const resume = this.#resume[frame];
    if (resume !== undefined) {
      this.#resume[frame] = undefined;
      this.#finish(state, resume, frame, pc);
    }
    this.#program = program;
    this.#step(state, program, pc, REGISTERS * frame);
  }

  #enter(frame: number): void {
    const from = REGISTERS * (frame - 1);
    const to = REGISTERS * frame;
    const isLocal = this.#resume[frame - 1] === 'local';
    this.#registers.fill(undefined, to, to + REGISTERS);
    if (!isLocal) return;
    for (let register = 1; register <= 5; register++)
      this.#registers[to + register] = this.#registers[from + register];
  }

  #clear(frame: number): void {
    this.#registers.fill(undefined, REGISTERS * frame, REGISTERS * (frame + 1));
  }

  #finish(state: State, resume: Resume | 'local', frame: number, pc: number): void {
    const base = REGISTERS * frame;
    if (resume === 'local') {
      this.#registers[base] = this.#returned;
      this.#registers.fill(undefined, base + 1, base + 6);
      return;
    }
    this.#registers.fill(undefined, base, base + 6);
    const hasLeft = state.program !== this.#program || pc !== resume.slot + 1;
    if (resume.isTailCall) this.#onEdge(this.#program!.index, resume.slot, hasLeft);
    if (hasLeft) {
      this.#clear(frame);
      if (!resume.isTailCall) return;
    }
    this.#registers[base] = resume.finish(state, hasLeft);
  }

  #step(state: State, program: LoadedProgram, pc: number, base: number): void {
    const { instructions } = program.source;
    const opcode = instructions.opcode[pc]!;
    switch (opcode & CLASS_MASK) {
      case BPF_ALU:
      case BPF_ALU64:
        this.#arithmetic(state, instructions, pc, base);
        return;
      case BPF_LDX:
        this.#load(state, instructions, pc, base);
        return;
      case BPF_ST:
      case BPF_STX:
        this.#store(state, instructions, pc, base);
        return;
      case BPF_LD:
        if (opcode === LDDW || (opcode & MODE_MASK) === BPF_IMM)
          this.#registers[base + instructions.dst[pc]!] = undefined;
        else this.#loadPacket(state, instructions, pc, base);
        return;
      default:
        if (opcode === EXIT) this.#hasExited = true;
        else if (opcode === CALL) this.#call(state, program, pc, base);
        else if (isConditionalJump(opcode)) this.#branch(state, program, pc, base);
    }
  }

  #operand(state: State, base: number, register: number): Operand {
    return this.#registers[base + register] ?? concrete(state, register);
  }

  #arithmetic(state: State, instructions: Instructions, pc: number, base: number): void {
    const { opcode, dst, src } = instructions;
    const d = base + dst[pc]!;
    const isRegister = (opcode[pc]! & SOURCE_MASK) === BPF_X;
    const registers = this.#registers;
    const from = isRegister ? registers[base + src[pc]!] : undefined;
    const isMove = (opcode[pc]! & OPERATION_MASK) === BPF_MOV;
    if (from === undefined && (isMove || registers[d] === undefined)) {
      registers[d] = undefined;
      return;
    }
    const a = registers[d] ?? concrete(state, dst[pc]!);
    const result = arithmeticOf(instructions, pc, a, from ?? concrete(state, src[pc]!));
    registers[d] = result === undefined ? undefined : symbolic(result);
  }

  #load(state: State, { opcode, dst, src, offset }: Instructions, pc: number, base: number): void {
    const address = (state.lo[src[pc]!]! + offset[pc]!) | 0;
    const size = accessSize(opcode[pc]!);
    const isContext = address >= CONTEXT_BASE && address < CONTEXT_LIMIT;
    this.#noteUnwritten(state, address, size);
    let loaded: Operand | undefined;
    if (isContext && !this.memory.isStored(address))
      loaded = this.#context(state, address - CONTEXT_BASE, size);
    else loaded = symbolic(this.memory.load(address, size));
    if (loaded !== undefined && (opcode[pc]! & MODE_MASK) === BPF_MEMSX)
      loaded = symbolic(cut(loaded, 8 * size, 64));
    this.#registers[base + dst[pc]!] = loaded;
  }

  #noteUnwritten({ provenance }: State, address: number, size: number): void {
    if (!this.#followsStack || address < STACK_BASE || address >= STACK_LIMIT) return;
    for (let at = address; at < address + size; at++)
      if (!provenance.isWritten(at - STACK_BASE, 1)) this.memory.readUnwritten(at);
  }

  #loadPacket(state: State, { opcode, src, imm }: Instructions, pc: number, base: number): void {
    const index = (opcode[pc]! & MODE_MASK) === BPF_ABS ? 0 : state.lo[src[pc]!]!;
    const address = packetLoadAddress(state.machine, (index + imm[pc]!) | 0);
    this.#registers[base] =
      address === undefined
        ? undefined
        : symbolic(this.memory.loadBigEndian(address, accessSize(opcode[pc]!)));
  }

  /** A field of the context that nobody has written. */
  #context(state: State, offset: number, size: number): Operand | undefined {
    const { machine } = state;
    const { layout, packet } = machine;
    // Where pages follow, what is linear ends where it does, however long the frame is.
    if (offset === layout.dataEnd && packet.dataEnd < packet.frameEnd) return undefined;
    if (offset === layout.dataEnd) return symbolic(this.lengthPlus(packet.dataEnd));
    const value = (): bigint => BigInt(machine.memory.u32(CONTEXT_BASE + offset));
    if (offset === layout.dataMeta) return symbolic(this.#beforeMetadata(value()));
    if (machine.hook !== 'xdp' && offset === SK_BUFF.len) return symbolic(this.lengthPlus(Number(value())));
    if (machine.hook !== 'xdp' && offset === SK_BUFF.protocol && size >= 2) {
      this.readsProtocol = true;
      return symbolic(this.memory.load(packet.data + 12, 2));
    }
    const number = this.#packet;
    if (machine.hook === 'xdp' && offset === XDP_MD.egressIfindex)
      return symbolic(
        input(
          this.memory.field('egress', () => ({ kind: 'egress', packet: number })),
          value(),
        ),
      );
    const name = fieldName(layout, machine.hook, offset);
    if (name === undefined) return undefined;
    const field = this.memory.field(
      `context ${number} ${name}`,
      () => ({ kind: 'context', packet: number, name }) as const,
    );
    return symbolic(cut(input(field, value()), 8 * size));
  }

  /** A number that moves with the length of the frame as it came. */
  lengthPlus(value: number): Operand {
    const { initialLength } = this.memory;
    const packet = this.#packet;
    const field = this.memory.field(`length ${packet}`, () => ({ kind: 'length', packet }) as const);
    return binary(
      'add',
      64,
      input(field, BigInt(initialLength)),
      BigInt.asUintN(64, BigInt(value - initialLength)),
    );
  }

  /** An address that moves with the metadata that the frame came with. */
  #beforeMetadata(address: bigint): Operand {
    const packet = this.#packet;
    const length = BigInt(this.memory.initialMetadata);
    const field = this.memory.field(`metadata ${packet}`, () => ({ kind: 'metadata', packet }) as const);
    return binary('sub', 64, address + length, input(field, length));
  }

  #store(state: State, instructions: Instructions, pc: number, base: number): void {
    const { opcode, dst, offset } = instructions;
    const address = (state.lo[dst[pc]!]! + offset[pc]!) | 0;
    const size = accessSize(opcode[pc]!);
    this.#write(state, instructions, pc, base, address, size);
    if (address >= HEAP_BASE) this.#noteWrite(state, pc, address, size);
  }

  #write(
    state: State,
    { opcode, src, imm }: Instructions,
    pc: number,
    base: number,
    address: number,
    size: number,
  ): void {
    if ((opcode[pc]! & CLASS_MASK) === BPF_ST) {
      this.memory.store(address, size, BigInt.asUintN(64, BigInt(imm[pc]!)));
      return;
    }
    const value = this.#operand(state, base, src[pc]!);
    if ((opcode[pc]! & MODE_MASK) !== BPF_ATOMIC) {
      this.memory.store(address, size, value);
      return;
    }
    const code = imm[pc]!;
    this.#noteUnwritten(state, address, size);
    const before = this.memory.load(address, size);
    const name = ATOMICS.get(code & ~BPF_FETCH);
    if (code === BPF_XCHG) this.memory.store(address, size, value);
    else if (name !== undefined)
      this.memory.store(address, size, binary(name, size === 8 ? 64 : 32, before, value));
    // Compare and exchange: what is there afterwards depends on more than an expression says.
    if ((code & BPF_FETCH) === 0) return;
    if (code === BPF_XCHG || name !== undefined) this.#registers[base + src[pc]!] = symbolic(before);
    else this.#registers[base] = symbolic(before);
  }

  #noteWrite(state: State, pc: number, address: number, size: number): void {
    const map = this.memory.mapAt(address);
    if (map < 0) return;
    this.noteEffect(state.program.index, pc, map, 'write', effectValue(this.memory.parts(address, size)));
  }

  noteEffect(
    program: number,
    slot: number,
    map: number,
    kind: FlowEffect['kind'],
    value: string,
    adds: boolean = false,
  ): void {
    const place = `${this.#packet} ${program} ${slot} ${value}`;
    if (this.#effectPlaces.has(place) || this.effects.length >= MAX_NOTES) return;
    this.#effectPlaces.add(place);
    this.effects.push({ packet: this.#packet, program, slot, map, kind, value, ...(adds ? { adds } : {}) });
  }

  #call(state: State, program: LoadedProgram, pc: number, base: number): void {
    const { instructions } = program.source;
    const frame = base / REGISTERS;
    if (instructions.src[pc] === BPF_PSEUDO_CALL) {
      this.#resume[frame] = 'local';
      return;
    }
    const view: CallView = {
      tracer: this,
      memory: this.memory,
      packet: this.#packet,
      program: program.index,
      slot: pc,
      operand: (register) => this.#operand(state, base, register),
    };
    this.#resume[frame] = followCall(state, view, instructions);
  }

  #branch(state: State, program: LoadedProgram, pc: number, base: number): void {
    const { opcode, dst, src, imm } = program.source.instructions;
    const code = opcode[pc]!;
    if ((code & OPERATION_MASK) === BPF_JCOND) return;
    const comparison = COMPARISONS.get(code & OPERATION_MASK)!;
    const bits = (code & CLASS_MASK) === BPF_JMP32 ? 32 : 64;
    const isRegister = (code & SOURCE_MASK) === BPF_X;
    const a = this.#registers[base + dst[pc]!];
    const b = isRegister ? this.#registers[base + src[pc]!] : undefined;
    const { lo, hi } = state;
    const d = dst[pc]!;
    const taken = isRegister
      ? compareWords(comparison, bits, lo[d]!, hi[d]!, lo[src[pc]!]!, hi[src[pc]!]!)
      : compareWords(comparison, bits, lo[d]!, hi[d]!, imm[pc]!, imm[pc]! >> 31);
    this.#onEdge(program.index, pc, taken);
    const right = (): bigint =>
      isRegister ? concrete(state, src[pc]!) : BigInt.asUintN(64, BigInt(imm[pc]!));
    if (a === undefined && b === undefined) {
      const numbers = (): readonly [bigint, bigint] => [concrete(state, d), right()];
      this.#onPlain?.({ program: program.index, slot: pc, taken, comparison, bits, numbers });
      return;
    }
    if (this.branches.length >= MAX_NOTES) return;
    this.branches.push({
      packet: this.#packet,
      program: program.index,
      slot: pc,
      taken,
      comparison,
      bits,
      a: a ?? concrete(state, d),
      b: b ?? right(),
    });
  }
}

/** An operand that depends on inputs, or undefined. */
function symbolic(operand: Operand): Operand | undefined {
  return typeof operand === 'bigint' ? undefined : operand;
}

/** What is in a register: 64 bits, unsigned. */
function concrete(state: State, register: number): bigint {
  return (BigInt(state.hi[register]! >>> 0) << 32n) | BigInt(state.lo[register]! >>> 0);
}

function compareWords(
  comparison: Comparison,
  bits: 32 | 64,
  aLow: number,
  aHigh: number,
  bLow: number,
  bHigh: number,
): boolean {
  const sameHigh = bits === 32 || aHigh === bHigh;
  switch (comparison) {
    case 'eq':
      return aLow === bLow && sameHigh;
    case 'ne':
      return aLow !== bLow || !sameHigh;
    case 'set':
      return (aLow & bLow) !== 0 || (bits === 64 && (aHigh & bHigh) !== 0);
    default: {
      const join = (low: number, high: number): bigint => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
      return holds(comparison, bits, join(aLow, aHigh), join(bLow, bHigh));
    }
  }
}

function fieldName(layout: ContextLayout, hook: Hook, offset: number): PacketContext['name'] | undefined {
  if (hook === 'tc-egress' && offset === SK_BUFF.ingressIfindex) return 'cameBy';
  if (hook === 'xdp') {
    if (offset === XDP_MD.ingressIfindex) return 'ingressIfindex';
    return offset === XDP_MD.rxQueueIndex && layout.size > 0 ? 'rxQueueIndex' : undefined;
  }
  const word = (offset - SK_BUFF.cb) / 4;
  return word === 0 || word === 1 || word === 2 || word === 3 || word === 4
    ? `cb${word}`
    : SKB_FIELDS.get(offset);
}

/** Fields of `__sk_buff` that a frame comes with, by their offsets. */
const SKB_FIELDS: ReadonlyMap<number, PacketContext['name']> = new Map([
  [SK_BUFF.mark, 'mark'],
  [SK_BUFF.priority, 'priority'],
  [SK_BUFF.ifindex, 'ingressIfindex'],
  [SK_BUFF.ingressIfindex, 'ingressIfindex'],
  [SK_BUFF.gsoSegs, 'gsoSegs'],
  [SK_BUFF.gsoSize, 'gsoSize'],
  [SK_BUFF.queueMapping, 'queueMapping'],
  [SK_BUFF.tcIndex, 'tcIndex'],
  [SK_BUFF.tcClassid, 'tcClassid'],
  [SK_BUFF.hash, 'hash'],
  [SK_BUFF.vlanPresent, 'vlanPresent'],
  [SK_BUFF.vlanTci, 'vlanTci'],
  [SK_BUFF.vlanProto, 'vlanProto'],
]);

const ATOMICS: ReadonlyMap<number, BinaryOperation> = new Map([
  [BPF_ADD, 'add'],
  [BPF_AND, 'and'],
  [BPF_OR, 'or'],
  [BPF_XOR, 'xor'],
]);
