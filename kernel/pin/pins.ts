/**
 * Clock and chance of loaded programs, pinned: copies of them are loaded in which helpers that depend on either are
 * calls of substitutes, so that the kernel sees the values that the machine sees.
 *
 * The programs are loaded as they are first: the verifier judges them, not the copies. Where it refuses a copy (the
 * stack or the depth of calls does not suffice for one more function, say), the originals run.
 */
import type { BpfProgram as LinkedProgram } from '../../sim/ebpf/bpf-object.ts';
import { errnoName, type LoadedLibbpf } from '../libbpf/libbpf.ts';
import { type FunctionType, loadProgram } from '../libbpf/load-program.ts';
import { syscalls } from '../testrun/syscalls.ts';
import { btfWithFunction } from './btf-with-function.ts';
import { INSN_SIZE } from './encode.ts';
import { PIN_STATE } from './pin-state.ts';
import { kernelVariablesIn, type PinnedVariables, rewrite, substitutesIn } from './rewrite.ts';
import type { Substitute } from './substitutes.ts';

/** What clock and random numbers start from. */
export interface PinnedWorld {
  /** Nanoseconds that the clock shows to the first packet. */
  readonly time: bigint;
  /** By how many it moves on from packet to packet. */
  readonly tick: bigint;
  readonly randomSeed: number;
  readonly hashSeed: number;
  /** What the bytes of the kernel's variables are. */
  readonly kernelFill: number;
  /** The CPU that programs see themselves on. */
  readonly cpu: number;
}

/** A program as libbpf has loaded it. */
export interface LoadedProgram {
  readonly name: string;
  readonly fd: number;
  /** Linked and relocated: what the kernel was given. */
  readonly instructions: Uint8Array;
  readonly type: number;
  readonly attachType: number;
  readonly hasFrags: boolean;
  /** Is it given packets? Others are reached by tail calls only, and do not move the clock on. */
  readonly isEntry: boolean;
  /** The same program as our loader links it, which knows the types of its functions. */
  readonly linked: LinkedProgram | undefined;
}

/** What the kernel can be told of a program's functions. */
export interface ProgramTypes {
  /** Raw BTF. */
  readonly btf: Uint8Array;
  /** How many types are in it, the void type 0 included. */
  readonly types: number;
  readonly functions: readonly FunctionType[];
}

/** What the kernel was given of a copy. */
export interface CopySource {
  readonly instructions: Uint8Array;
  /** Undefined where it was given none. */
  readonly types: ProgramTypes | undefined;
}

interface LoadedBtf {
  readonly fd: number;
  /** The type of added functions. */
  readonly functionId: number;
  readonly types: Omit<ProgramTypes, 'functions'>;
}

/** Slots of a map of programs that tail calls go through. */
export interface ProgramSlots {
  readonly fd: number;
  readonly maxEntries: number;
}

export interface PinInput {
  readonly programs: readonly LoadedProgram[];
  readonly programMaps: readonly ProgramSlots[];
  /** Raw BTF of the object and its number of types; undefined where it has none. */
  readonly btf: { readonly bytes: Uint8Array; readonly types: number } | undefined;
  readonly license: string;
  readonly world: PinnedWorld;
}

const BPF_MAP_TYPE_ARRAY = 2;
/** Bytes for each of the kernel's variables: that no program reaches beyond its own the verifier has seen. */
const VARIABLE_SPACE = 0x1_0000;
const PROG_INFO_SIZE = 256;
/** `struct bpf_prog_info`: type, id, … */
const PROG_INFO_ID = 4;

export class Pins {
  /** Names of the helpers whose answers are pinned. */
  readonly helpers: readonly string[];
  /** Those of them whose answers chance may still decide. */
  readonly unsteady: readonly string[];
  readonly #libbpf: LoadedLibbpf;
  readonly #world: PinnedWorld;
  readonly #mapFd: number;
  /** By the descriptor of the original: entries first ask here. */
  readonly #copies = new Map<number, number>();
  /** By the descriptor of the copy: what the kernel was given of it. */
  readonly #sources = new Map<number, CopySource>();
  readonly #opened: number[] = [];

  /**
   * @throws {PinFailure} where the kernel does not take a copy; nothing is left open then, but slots of program maps
   *   may have changed
   */
  constructor(libbpf: LoadedLibbpf, input: PinInput) {
    this.#libbpf = libbpf;
    this.#world = input.world;
    const used = input.programs.flatMap(({ instructions }) => [...substitutesIn(instructions)]);
    this.helpers = namesOf(used);
    this.unsteady = namesOf(used.filter((one) => one.unsteady));
    const ticks = input.world.tick !== 0n && used.some(({ clock }) => clock);
    try {
      this.#mapFd = this.#open('the map of the state', () =>
        libbpf.bpf.bpf_map_create(BPF_MAP_TYPE_ARRAY, 'xdpsim_pins', 4, PIN_STATE.size, 1, null),
      );
      const btf = this.#loadBtf(input);
      const variables = this.#pinVariables(input);
      const targets = new Map<number, number>();
      for (const program of input.programs) {
        targets.set(program.fd, this.#loadCopy(program, input.license, btf, variables, false));
        // As a target of tail calls, a program does not move the clock on.
        const copy =
          program.isEntry && ticks ? this.#loadCopy(program, input.license, btf, variables, true) : undefined;
        this.#copies.set(program.fd, copy ?? targets.get(program.fd)!);
      }
      for (const slots of input.programMaps) this.#replaceTargets(slots, targets);
      this.reset();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The copy that runs in the place of a program; the program itself where there is none. */
  copyOf(fd: number): number {
    return this.#copies.get(fd) ?? fd;
  }

  /** What the kernel was given of the copy that runs in the place of a program. */
  sourceOf(fd: number): CopySource | undefined {
    return this.#sources.get(this.copyOf(fd));
  }

  /** Brings clock and random numbers back to the world's. */
  reset(): void {
    const { time, tick, randomSeed, hashSeed } = this.#world;
    const state = new Uint8Array(PIN_STATE.size);
    const view = new DataView(state.buffer);
    // The first packet moves the clock on to the time of the world.
    view.setBigUint64(PIN_STATE.now, BigInt.asUintN(64, time - tick), true);
    view.setBigUint64(PIN_STATE.tick, BigInt.asUintN(64, tick), true);
    view.setUint32(PIN_STATE.random, randomSeed >>> 0, true);
    view.setUint32(PIN_STATE.hash, hashSeed >>> 0, true);
    const result = this.#libbpf.bpf.bpf_map_update_elem(this.#mapFd, new Uint8Array(4), state, 0);
    if (result < 0) throw new PinFailure(`the state cannot be written (${errnoName(result)})`);
  }

  close(): void {
    for (const fd of this.#opened.splice(0)) syscalls().close(fd);
    this.#copies.clear();
  }

  #open(what: string, open: () => number): number {
    const fd = open();
    if (fd < 0) throw new PinFailure(`the kernel does not take ${what} (${errnoName(fd)})`);
    this.#opened.push(fd);
    return fd;
  }

  #loadBtf({ btf }: PinInput): LoadedBtf | undefined {
    const extended = btf === undefined ? undefined : btfWithFunction(btf.bytes, btf.types, 'xdpsim_pin');
    if (extended === undefined) return undefined;
    const { bytes, functionId } = extended;
    const fd = this.#libbpf.bpf.bpf_btf_load(bytes, bytes.length, null);
    // Without types, programs load that have no use for them.
    if (fd < 0) return undefined;
    this.#opened.push(fd);
    return { fd, functionId, types: { btf: bytes, types: functionId + 1 } };
  }

  /** A map with bytes of the world's in the place of the kernel's variables, for all programs. */
  #pinVariables({ programs, world }: PinInput): PinnedVariables | undefined {
    const ids = new Set(
      programs.flatMap(({ instructions }) => [...kernelVariablesIn(instructions).values()]),
    );
    if (ids.size === 0) return undefined;
    const { bpf } = this.#libbpf;
    const bytes = new Uint8Array(ids.size * VARIABLE_SPACE).fill(world.kernelFill);
    const mapFd = this.#open("a map for the kernel's variables", () =>
      bpf.bpf_map_create(BPF_MAP_TYPE_ARRAY, 'xdpsim_ksyms', 4, bytes.length, 1, null),
    );
    const result = bpf.bpf_map_update_elem(mapFd, new Uint8Array(4), bytes, 0);
    if (result < 0) throw new PinFailure(`the kernel's variables cannot be replaced (${errnoName(result)})`);
    return { mapFd, offsets: new Map([...ids].map((id, index) => [id, index * VARIABLE_SPACE])) };
  }

  #loadCopy(
    program: LoadedProgram,
    license: string,
    btf: LoadedBtf | undefined,
    variables: PinnedVariables | undefined,
    advances: boolean,
  ): number {
    const copy = rewrite(program.instructions, this.#mapFd, variables, this.#world.cpu, advances);
    const functions = btf && typesOfCopy(program, copy.shift, copy.added, btf.functionId);
    const types = btf && functions && { ...btf.types, functions };
    const fd = this.#open(`a copy of ${program.name} with one more function`, () =>
      loadProgram(this.#libbpf, {
        ...program,
        license,
        instructions: copy.instructions,
        types: types && { btf: btf.fd, functions: types.functions },
      }),
    );
    this.#sources.set(fd, { instructions: copy.instructions, types });
    return fd;
  }

  /** Puts copies where tail calls find the originals. */
  #replaceTargets({ fd, maxEntries }: ProgramSlots, targets: ReadonlyMap<number, number>): void {
    const { bpf } = this.#libbpf;
    const byId = new Map([...targets].map(([original, copy]) => [this.#idOf(original), copy]));
    const key = new Uint32Array(1);
    const id = new Uint32Array(1);
    const bytes = (words: Uint32Array): Uint8Array => new Uint8Array(words.buffer);
    for (let slot = 0; slot < maxEntries; slot++) {
      key[0] = slot;
      if (bpf.bpf_map_lookup_elem(fd, bytes(key), bytes(id)) < 0) continue;
      const copy = byId.get(id[0]!);
      if (copy === undefined) continue;
      const result = bpf.bpf_map_update_elem(fd, bytes(key), bytes(Uint32Array.of(copy)), 0);
      if (result < 0) throw new PinFailure(`a tail call cannot be led to a copy (${errnoName(result)})`);
    }
  }

  #idOf(fd: number): number {
    const info = new Uint8Array(PROG_INFO_SIZE);
    const result = this.#libbpf.bpf.bpf_obj_get_info_by_fd(fd, info, Uint32Array.of(info.length));
    if (result < 0) throw new PinFailure(`a program's number cannot be read (${errnoName(result)})`);
    return new DataView(info.buffer).getUint32(PROG_INFO_ID, true);
  }
}

function namesOf(substitutes: readonly Substitute[]): string[] {
  return [...new Set(substitutes.map(({ name }) => name))].sort();
}

/** Why clock and chance of an object cannot be pinned. */
export class PinFailure extends Error {}

/**
 * First slot and type of every function of a program; undefined where the types are not known, or it was linked in
 * another way than by us.
 */
export function functionTypes(
  linked: LinkedProgram | undefined,
  slots: number,
): readonly FunctionType[] | undefined {
  if (linked === undefined || linked.instructions.count !== slots) return undefined;
  const functions: FunctionType[] = [];
  for (const { start, typeId } of linked.subprograms) {
    if (typeId === undefined) return undefined;
    functions.push([start, typeId]);
  }
  return functions;
}

/** The same of a copy, the added functions included. */
function typesOfCopy(
  { linked, instructions }: LoadedProgram,
  shift: number,
  added: readonly number[],
  addedType: number,
): readonly FunctionType[] | undefined {
  const functions = functionTypes(linked, instructions.length / INSN_SIZE);
  if (functions === undefined) return undefined;
  const moved = functions.map(([start, type]): FunctionType => [start === 0 ? 0 : start + shift, type]);
  return [...moved, ...added.map((start): FunctionType => [start, addedType])];
}
