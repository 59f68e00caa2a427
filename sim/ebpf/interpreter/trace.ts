/** Full traces: every instruction that ran, what it changed, and the C line it came from. */

import type { MapDefinition } from '../../runtime/maps.ts';
import type { SourceLine } from '../bpf-object.ts';
import { helperName } from '../helper-names.ts';
import type { ArgumentType } from '../helpers/argument-types.ts';
import { type Helper, registersTaken } from '../helpers/helper.ts';
import { HELPERS } from '../helpers/index.ts';
import { KERNEL_FUNCTIONS } from '../helpers/kernel-functions.ts';
import { protocol } from '../helpers/skb-change-helpers.ts';
import { BPF_PSEUDO_CALL, BPF_PSEUDO_KFUNC_CALL, CALL, storeSize } from '../instruction.ts';
import { ArrayMap } from '../maps/array-map.ts';
import { CONTEXT_BASE, MACHINE_WORD, STACK_BASE, STACK_SIZE } from '../memory.ts';
import { sourceAt } from '../object.ts';
import type { Interpreter, RunResult } from './interpreter.ts';
import { type PassedMemory, passedMemory } from './passed-memory.ts';
import { CONTEXT_REGION, KIND, LAST_STACK_REGION, STACK_REGION } from './provenance.ts';
import type { LoadedProgram, State } from './state.ts';

export interface TraceStep {
  /** The program's function name: a tail call changes it. */
  readonly program: string;
  /** Slot in the program. */
  readonly instruction: number;
  /** Depth of local calls and callbacks. */
  readonly frame: number;
  readonly source: SourceLine | undefined;
  /** Registers that hold something else than before, r0 to r9; those that a call made unreadable are not told. */
  readonly registers: readonly RegisterChange[];
  /** What a store or an atomic operation wrote. */
  readonly memory: MemoryChange | undefined;
  readonly call: TracedCall | undefined;
}

export interface RegisterChange {
  readonly register: number;
  /** 64 bits, unsigned. */
  readonly value: bigint;
  /** What it is to the verifier: `scalar`, `pkt`, `map_value_or_null` … */
  readonly kind: string;
  /** Where a pointer leads, readably: `data+14`, `fp-8`, `ctx`, `rxcnt[1]+0`; undefined for numbers. */
  readonly place: string | undefined;
}

export interface MemoryChange {
  readonly address: number;
  /** As in `RegisterChange`. */
  readonly place: string;
  /** The bytes as they are afterwards. */
  readonly bytes: Uint8Array;
}

export interface TracedCall {
  /** `bpf_map_lookup_elem`. */
  readonly name: string;
  /** r1 to r5 as far as they were set. */
  readonly arguments: readonly bigint[];
  /** What it was given to read, as it was before the call: the first memory whose size is an argument, too. */
  readonly given: Uint8Array | undefined;
  /** Where in `given` bytes of the stack are that the program never wrote: they are whatever was there before. */
  readonly unwritten: readonly number[];
  /** The same memory when the call came back: what the helper has written there, too. */
  readonly handedBack: Uint8Array | undefined;
  /** All that it was given to read, as it was before the call: keys, values, samples too. */
  readonly passed: readonly PassedMemory[];
  /** The map that it was given. */
  readonly map: MapDefinition | undefined;
  /** The key that a map was asked with, as it was before the call. */
  readonly key: TracedKey | undefined;
  /** r0; undefined where the call did not come back. */
  readonly result: bigint | undefined;
}

export interface TracedKey {
  readonly map: MapDefinition;
  readonly bytes: Uint8Array;
}

export interface RunTrace {
  readonly steps: readonly TraceStep[];
  /** Did more steps run than were kept? */
  readonly truncated: boolean;
  /** TC: `skb->protocol` in the end, in host order. */
  readonly protocol: number | undefined;
  readonly result: RunResult;
}

/** Enough for a person; a loop may take millions. */
export const DEFAULT_STEP_LIMIT = 100_000;

/** Runs a program on the packet that the machine holds, and keeps every step. */
export function runTraced(
  interpreter: Interpreter,
  program: number,
  stepLimit: number = DEFAULT_STEP_LIMIT,
): RunTrace {
  const recorder = new Recorder(interpreter, stepLimit);
  interpreter.tracer = recorder;
  try {
    const result = { ...interpreter.run(program) };
    recorder.finish();
    const { machine } = interpreter;
    return {
      steps: recorder.steps,
      truncated: recorder.truncated,
      protocol: machine.hook === 'xdp' ? undefined : protocol(machine),
      result,
    };
  } finally {
    interpreter.tracer = undefined;
  }
}

const REGISTERS = 10;

interface Pending {
  readonly program: LoadedProgram;
  readonly instruction: number;
  readonly frame: number;
  readonly store: { readonly address: number; readonly size: number; readonly place: string } | undefined;
  readonly call: PendingCall | undefined;
}

interface PendingCall extends Omit<TracedCall, 'result' | 'handedBack'> {
  /** Where `given` is. */
  readonly givenAt: number;
}

/** A step is complete when the next one begins: only then is known what it did. */
class Recorder {
  readonly steps: TraceStep[] = [];
  truncated = false;
  readonly #state: State;
  readonly #limit: number;
  readonly #low = new Int32Array(REGISTERS);
  readonly #high = new Int32Array(REGISTERS);
  /** What each register was to the verifier: a comparison can change it without changing the register. */
  readonly #kinds: string[] = new Array<string>(REGISTERS).fill('?');
  #pending: Pending | undefined;

  constructor(state: State, limit: number) {
    this.#state = state;
    this.#limit = limit;
  }

  before(state: State, pc: number): void {
    this.#complete();
    if (this.steps.length >= this.#limit) {
      this.truncated = true;
      return;
    }
    this.#keepRegisters();
    this.#pending = {
      program: state.program,
      instruction: pc,
      frame: state.frame,
      store: storeAt(state, pc),
      call: callAt(state, pc),
    };
  }

  finish(): void {
    this.#complete();
  }

  #keepRegisters(): void {
    const { lo, hi, tag } = this.#state;
    this.#low.set(lo.subarray(0, REGISTERS));
    this.#high.set(hi.subarray(0, REGISTERS));
    for (let register = 0; register < REGISTERS; register++) {
      this.#kinds[register] = kindOf(this.#state, tag[register]!);
    }
  }

  #complete(): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    this.#pending = undefined;
    const state = this.#state;
    const { program, instruction, frame, store, call } = pending;
    const registers: RegisterChange[] = [];
    for (let register = 0; register < REGISTERS; register++) {
      const sameKind = this.#kinds[register] === kindOf(state, state.tag[register]!);
      const sameBits =
        this.#low[register] === state.lo[register] && this.#high[register] === state.hi[register];
      // What a call leaves unreadable is no news.
      if ((sameKind && sameBits) || state.tag[register] === 0) continue;
      registers.push({
        register,
        value: bitsOf(state, register),
        kind: kindOf(state, state.tag[register]!),
        place: placeOf(state, state.tag[register]!, state.lo[register]!),
      });
    }
    this.steps.push({
      program: program.source.function,
      instruction,
      frame,
      source: sourceAt(program.source, instruction),
      registers,
      memory:
        store === undefined
          ? undefined
          : {
              address: store.address,
              place: store.place,
              bytes: state.machine.memory.read(store.address, store.size),
            },
      call: call === undefined ? undefined : completed(call, state),
    });
  }
}

function completed({ givenAt, ...call }: PendingCall, state: State): TracedCall {
  const { given } = call;
  const handedBack = given && state.machine.memory.read(givenAt, given.length);
  return { ...call, handedBack, result: bitsOf(state, 0) };
}

function kindOf(state: State, tag: number): string {
  return tag === 0 ? '?' : state.provenance.nameOf(tag);
}

function bitsOf(state: State, register: number): bigint {
  return BigInt.asUintN(64, (BigInt(state.hi[register]!) << 32n) | BigInt(state.lo[register]! >>> 0));
}

function signed(offset: number): string {
  return offset < 0 ? `${offset}` : `+${offset}`;
}

/** Names an address by what it points into. */
function placeOf(state: State, tag: number, address: number): string | undefined {
  if (tag <= 0) return undefined;
  const { provenance, machine } = state;
  if (tag === CONTEXT_REGION)
    return address === CONTEXT_BASE ? 'ctx' : `ctx${signed(address - CONTEXT_BASE)}`;
  if (tag >= STACK_REGION && tag <= LAST_STACK_REGION) {
    const frame = tag - STACK_REGION;
    const distance = address - (STACK_BASE + STACK_SIZE * (frame + 1));
    return `fp${frame === state.frame ? '' : `[${frame}]`}${distance === 0 ? '' : signed(distance)}`;
  }
  switch (provenance.kind[tag]) {
    case KIND.packet:
    case KIND.packetMeta:
      return `data${signed(address - machine.memory.i32[MACHINE_WORD.data]!)}`;
    case KIND.packetEnd:
      return 'data_end';
    case KIND.map:
      return machine.maps[provenance.detail[tag]!]?.name;
    case KIND.value:
    case KIND.valueOrNull: {
      if (address === 0) return 'null';
      const map = machine.maps[provenance.detail[tag]!]!;
      const lowest = provenance.lowest[tag]!;
      const index = map instanceof ArrayMap ? `[${(lowest - map.storage) / map.stride}]` : '';
      return `${map.name}${index}${signed(address - lowest)}`;
    }
    default:
      return undefined;
  }
}

function storeAt(state: State, pc: number): Pending['store'] {
  const { instructions } = state.program.source;
  const size = storeSize(instructions.opcode[pc]!);
  if (size === undefined) return undefined;
  const register = instructions.dst[pc]!;
  const offset = instructions.offset[pc]!;
  const address = (state.lo[register]! + offset) | 0;
  if (address < 0 || address + size > state.machine.memory.end) return undefined;
  const place = placeOf(state, state.tag[register]!, address) ?? `0x${address.toString(16)}`;
  return { address, size, place };
}

function callAt(state: State, pc: number): Pending['call'] {
  const { instructions } = state.program.source;
  if (instructions.opcode[pc] !== CALL || instructions.src[pc] === BPF_PSEUDO_CALL) return undefined;
  const number = instructions.imm[pc]!;
  const isKernelFunction = instructions.src[pc] === BPF_PSEUDO_KFUNC_CALL;
  const name = isKernelFunction ? state.machine.object.kfuncs[number] : helperName(number);
  const values: bigint[] = [];
  const signature = isKernelFunction ? KERNEL_FUNCTIONS.get(name ?? '') : HELPERS.get(number);
  const taken = signature === undefined ? 5 : registersTaken(signature);
  for (let register = 1; register <= taken && state.tag[register] !== 0; register++) {
    values.push(bitsOf(state, register));
  }
  const given = signature === undefined ? undefined : memoryGiven(state, signature, values);
  return {
    name: name ?? `#${number}`,
    arguments: values,
    given: given?.bytes,
    map: signature === undefined ? undefined : mapGiven(state, signature, values),
    key: signature === undefined ? undefined : keyGiven(state, signature, values),
    unwritten: given === undefined ? [] : unwrittenOf(state, given),
    passed: signature === undefined ? [] : passedMemory(state, signature, values),
    givenAt: given?.address ?? 0,
  };
}

function mapGiven(
  { machine }: State,
  { arguments: types }: Helper,
  values: readonly bigint[],
): MapDefinition | undefined {
  const at = types.indexOf('map');
  const map = at < 0 ? undefined : values[at];
  return map === undefined ? undefined : machine.mapAt(Number(map))?.definition;
}

/** Maps come first in what helpers take, and keys right behind them. */
function keyGiven(state: State, signature: Helper, values: readonly bigint[]): TracedKey | undefined {
  const { machine } = state;
  const key = values[1];
  if (signature.arguments[0] !== 'map' || signature.arguments[1] !== 'key' || key === undefined)
    return undefined;
  const definition = mapGiven(state, signature, values);
  // What the verifier forbids may point anywhere.
  if (definition === undefined || Number(key) + definition.keySize > machine.memory.end) return undefined;
  return { map: definition, bytes: machine.memory.read(Number(key), definition.keySize) };
}

function unwrittenOf({ provenance, tag }: State, { register, address, bytes }: Given): number[] {
  const region = tag[register]!;
  if (region < STACK_REGION || region > LAST_STACK_REGION) return [];
  return [...bytes.keys()].filter((index) => !provenance.isWritten(address - STACK_BASE + index, 1));
}

/** Memory that a call is given, and the register that points to it. */
interface Given {
  readonly register: number;
  readonly address: number;
  readonly bytes: Uint8Array;
}

const READ: ReadonlySet<ArgumentType> = new Set<ArgumentType>(['memory', 'memory_or_null', 'memory_inout']);

function memoryGiven(
  { machine: { memory } }: State,
  { arguments: types }: Helper,
  values: readonly bigint[],
): Given | undefined {
  const at = types.findIndex((type, index) => READ.has(type) && isSize(types[index + 1]));
  if (at < 0 || at + 1 >= values.length) return undefined;
  const [address, size] = [Number(values[at]), Number(values[at + 1])];
  // What the verifier forbids may point anywhere.
  if (address === 0 || address + size > memory.end) return undefined;
  return { register: at + 1, address, bytes: memory.read(address, size) };
}

function isSize(type: ArgumentType | undefined): boolean {
  return type === 'size' || type === 'size_or_zero';
}
