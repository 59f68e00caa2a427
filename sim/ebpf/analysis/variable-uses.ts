/**
 * What the instructions of an object tell of its variables where no type information does (`clang` without `-g`). A compiler that
 * optimises puts the number of a plain constant in the place of a load that knows where it is. So what is loaded from a fixed
 * place of read-only data is volatile: left to the loader. A table that is loaded from by an index may be either, unless it holds
 * nothing but zeros: those a compiler knows whatever the index.
 */

import type { BpfMap, BpfObject, BpfProgram, GlobalVariable } from '../bpf-object.ts';
import { areWellFormed } from '../check-instructions.ts';
import {
  accessSize,
  BPF_ADD,
  BPF_ALU64,
  BPF_LDX,
  BPF_MEM,
  BPF_MOV,
  BPF_PSEUDO_MAP_VALUE,
  BPF_STX,
  BPF_X,
  CLASS_MASK,
  EXIT,
  type Instructions,
  JA,
  JA32,
  LDDW,
  MODE_MASK,
  OPERATION_MASK,
  REGISTER_COUNT,
  registersRead,
  registersWritten,
  SOURCE_MASK,
} from '../instruction.ts';
import { meetingPoints } from './control-flow.ts';
import { variableAt } from './variable-at.ts';

/** How programs load from a variable. */
export interface VariableUse {
  /** From a place that is always the same. */
  readonly fixed: boolean;
  /** From such a place, for more than to store elsewhere what was loaded: some compilers copy plain constants so, too. */
  readonly regarded: boolean;
  /** All of its bytes at once: it is one number. */
  readonly whole: boolean;
  /** From a place that depends on an index. */
  readonly indexed: boolean;
}

const UNUSED: VariableUse = { fixed: false, regarded: false, whole: false, indexed: false };

type Uses = Map<string, VariableUse>;

/** By the programs: the same object is looked at with other contents of its maps, too. */
const known = new WeakMap<BpfObject['programs'], Uses>();

/** How the programs of an object load from the variable of a data section. */
export function useOf(object: BpfObject, map: BpfMap, { offset }: GlobalVariable): VariableUse {
  let uses = known.get(object.programs);
  if (uses === undefined) {
    uses = usesIn(object);
    known.set(object.programs, uses);
  }
  return uses.get(nameOf(map, offset)) ?? UNUSED;
}

function usesIn(object: BpfObject): Uses {
  const uses: Uses = new Map();
  for (const program of object.programs) {
    if (!areWellFormed(program.instructions)) continue;
    eachLoad(program, ({ slot, place, size }) => {
      const map = object.maps[place.map];
      const found = map === undefined ? undefined : variableAt(map, place.offset);
      if (map === undefined || found === undefined) return;
      const whole = !place.varies && place.offset === found.offset && size === found.size;
      const name = nameOf(map, found.offset);
      const before = uses.get(name) ?? UNUSED;
      uses.set(name, {
        fixed: before.fixed || !place.varies,
        regarded: before.regarded || whole || (!place.varies && !isCopied(program.instructions, slot)),
        whole: before.whole || whole,
        indexed: before.indexed || place.varies,
      });
    });
  }
  return uses;
}

function nameOf({ name }: BpfMap, offset: number): string {
  return `${name}+${offset}`;
}

/** Where a register points in a data section. */
interface Place {
  /** Index of the map. */
  readonly map: number;
  readonly offset: number;
  /** Was something added that is no constant of the instructions? */
  readonly varies: boolean;
}

interface Load {
  readonly slot: number;
  readonly place: Place;
  readonly size: number;
}

/**
 * Goes through a program once, in order, and forgets everything where paths may meet: what is the same on one path only, as
 * in the first round of a loop, is no fixed place.
 */
function eachLoad({ instructions, subprograms }: BpfProgram, take: (load: Load) => void): void {
  const meeting = meetingPoints(instructions, subprograms);
  const places: (Place | undefined)[] = Array.from({ length: REGISTER_COUNT });
  for (let slot = 0; slot < instructions.count; slot++) {
    if (meeting.has(slot)) places.fill(undefined);
    const code = instructions.opcode[slot]!;
    if (isEnd(code)) places.fill(undefined);
    if ((code & CLASS_MASK) === BPF_LDX) {
      const place = shifted(places[instructions.src[slot]!], instructions.offset[slot]!);
      if (place !== undefined) take({ slot, place, size: accessSize(code) });
    }
    const made = placeMade(instructions, slot, places);
    for (const register of registersWritten(instructions, slot)) places[register] = undefined;
    if (made !== undefined) places[instructions.dst[slot]!] = made;
    if (code === LDDW) slot++;
  }
}

function shifted(place: Place | undefined, by: number): Place | undefined {
  return place === undefined ? undefined : { ...place, offset: place.offset + by };
}

/** Where the register that an instruction writes points afterwards. */
function placeMade(
  { opcode, dst, src, imm, offset }: Instructions,
  slot: number,
  places: readonly (Place | undefined)[],
): Place | undefined {
  const code = opcode[slot]!;
  if (code === LDDW) {
    if (src[slot] !== BPF_PSEUDO_MAP_VALUE) return undefined;
    return { map: imm[slot]!, offset: imm[slot + 1]!, varies: false };
  }
  if ((code & CLASS_MASK) !== BPF_ALU64 || offset[slot] !== 0) return undefined;
  const operation = code & OPERATION_MASK;
  const own = places[dst[slot]!];
  if ((code & SOURCE_MASK) !== BPF_X) return operation === BPF_ADD ? shifted(own, imm[slot]!) : undefined;
  const other = places[src[slot]!];
  if (operation === BPF_MOV) return other;
  const base = own ?? other;
  return operation === BPF_ADD && base !== undefined ? { ...base, varies: true } : undefined;
}

/** Is what an instruction loads stored elsewhere as it is, and not looked at before? */
function isCopied(instructions: Instructions, load: number): boolean {
  const register = instructions.dst[load]!;
  for (let slot = load + 1; slot < instructions.count; slot++) {
    const code = instructions.opcode[slot]!;
    if (registersRead(instructions, slot).includes(register)) {
      const isStore = (code & CLASS_MASK) === BPF_STX && (code & MODE_MASK) === BPF_MEM;
      return isStore && instructions.dst[slot] !== register;
    }
    if (isEnd(code) || registersWritten(instructions, slot).includes(register)) return false;
    if (code === LDDW) slot++;
  }
  return false;
}

function isEnd(code: number): boolean {
  return code === EXIT || code === JA || code === JA32;
}
