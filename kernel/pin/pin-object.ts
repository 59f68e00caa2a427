/** Pins clock and chance of an object that libbpf has loaded: see `pins.ts`. */
import type { BpfObject } from '../../sim/ebpf/bpf-object.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import type { Pinning } from '../../sim/engines/engine.ts';
import { BPF_INSN } from '../libbpf/layouts.ts';
import { bytesAt, type LoadedLibbpf, type Pointer } from '../libbpf/libbpf.ts';
import {
  functionTypes,
  type LoadedProgram,
  PinFailure,
  type PinnedWorld,
  Pins,
  type ProgramSlots,
  type ProgramTypes,
} from './pins.ts';
import { substitutesIn } from './rewrite.ts';

export interface PinResult {
  readonly pins: Pins | undefined;
  readonly pinning: Pinning;
}

const BPF_MAP_TYPE_PROG_ARRAY = 3;

/** What a function and its subprograms are, as the kernel was given them. */
export function instructionsOf({ bpf }: LoadedLibbpf, program: Pointer): Uint8Array {
  const count = bpf.bpf_program__insn_cnt(program);
  return bytesAt(bpf.bpf_program__insns(program), count * BPF_INSN.size);
}

/** @returns undefined where the object has no types, or our loader links it in another way than libbpf */
export function typesOf(
  libbpf: LoadedLibbpf,
  handle: Pointer,
  program: Pointer,
  elf: Uint8Array,
): ProgramTypes | undefined {
  const btf = btfOf(libbpf, handle);
  if (btf === undefined) return undefined;
  try {
    const name = libbpf.bpf.bpf_program__name(program);
    const one = linked(elf).programs.find((each) => each.function === name);
    const functions = functionTypes(one, libbpf.bpf.bpf_program__insn_cnt(program));
    return functions === undefined ? undefined : { btf: btf.bytes, types: btf.types, functions };
  } catch (error) {
    if (error instanceof PinFailure) return undefined;
    throw error;
  }
}

/**
 * @param handle the object, loaded
 * @param programs those of it that are loaded
 * @param entries of these, the ones that packets are given to
 * @param elf the object's file
 * @param world undefined: the programs keep the kernel's clock and random numbers
 */
export function pinPrograms(
  libbpf: LoadedLibbpf,
  handle: Pointer,
  programs: readonly Pointer[],
  entries: ReadonlySet<Pointer>,
  elf: Uint8Array,
  world: PinnedWorld | undefined,
): PinResult {
  const used = programs.flatMap((one) => [...substitutesIn(instructionsOf(libbpf, one))]);
  const names = [...new Set(used.map(({ name }) => name))].sort();
  if (names.length === 0 || world === undefined)
    return { pins: undefined, pinning: { pinned: [], live: names } };
  try {
    const object = linked(elf);
    const input = {
      programs: programs.map((one) => describe(libbpf, one, entries.has(one), object)),
      programMaps: programMapsOf(libbpf, handle),
      btf: btfOf(libbpf, handle),
      license: object.license,
      world,
    };
    const pins = new Pins(libbpf, input);
    const { helpers, unsteady } = pins;
    return { pins, pinning: { pinned: helpers.filter((name) => !unsteady.includes(name)), live: unsteady } };
  } catch (error) {
    if (!(error instanceof PinFailure)) throw error;
    return { pins: undefined, pinning: { pinned: [], live: names, reason: error.message } };
  }
}

function linked(elf: Uint8Array): BpfObject {
  try {
    return linkedObject(elf);
  } catch (error) {
    throw new PinFailure(error instanceof Error ? error.message : String(error));
  }
}

function describe(
  { bpf, ...others }: LoadedLibbpf,
  program: Pointer,
  isEntry: boolean,
  object: BpfObject,
): LoadedProgram {
  const name = bpf.bpf_program__name(program);
  return {
    name,
    fd: bpf.bpf_program__fd(program),
    instructions: instructionsOf({ bpf, ...others }, program),
    type: bpf.bpf_program__type(program),
    attachType: bpf.bpf_program__expected_attach_type(program),
    hasFrags: /^\??xdp\.frags/.test(bpf.bpf_program__section_name(program)),
    isEntry,
    linked: object.programs.find((one) => one.function === name),
  };
}

function programMapsOf({ bpf }: LoadedLibbpf, handle: Pointer): ProgramSlots[] {
  const slots: ProgramSlots[] = [];
  for (
    let map = bpf.bpf_object__next_map(handle, 0);
    map !== 0;
    map = bpf.bpf_object__next_map(handle, map)
  ) {
    if (bpf.bpf_map__type(map) !== BPF_MAP_TYPE_PROG_ARRAY || bpf.bpf_map__fd(map) < 0) continue;
    slots.push({ fd: bpf.bpf_map__fd(map), maxEntries: bpf.bpf_map__max_entries(map) });
  }
  return slots;
}

function btfOf({ bpf }: LoadedLibbpf, handle: Pointer): { bytes: Uint8Array; types: number } | undefined {
  const btf = bpf.bpf_object__btf(handle);
  if (btf === 0) return undefined;
  const size = new Uint32Array(1);
  const data = bpf.btf__raw_data(btf, size);
  return data === 0 ? undefined : { bytes: bytesAt(data, size[0]!), types: bpf.btf__type_cnt(btf) };
}
