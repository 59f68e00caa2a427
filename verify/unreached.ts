/** Where packets did not go in a program, in lines of C, and what would lead there. */

import type { BpfObject, BpfProgram, Subprogram } from '../sim/ebpf/bpf-object.ts';
import {
  BPF_ALU64,
  BPF_JEQ,
  BPF_JMP,
  BPF_JNE,
  BPF_K,
  BPF_MOV,
  BPF_PSEUDO_FUNC,
  BPF_PSEUDO_MAP_FD,
  BPF_X,
  CALL,
  callTarget,
  LDDW,
} from '../sim/ebpf/instruction.ts';
import { sourceAt } from '../sim/ebpf/object.ts';
import type { BranchCoverage, Coverage, FunctionCoverage } from '../sim/runtime/coverage.ts';

/** A condition that packets reached and that went one way only, or a function that nothing entered. */
export interface Unreached {
  readonly function: string;
  /** Absent in objects without line information. */
  readonly file?: string;
  readonly line?: number;
  /** Of the C source, where the object carries it. */
  readonly text?: string;
  readonly because: string;
  /** The map whose entries would lead on. */
  readonly map?: string;
  /** The PROG_ARRAY whose programs would lead on. */
  readonly programMap?: string;
}

/** Numbers of helpers (linux/bpf.h). */
const MAP_LOOKUP_ELEM = 1;
const FIB_LOOKUP = 69;
const FOR_EACH_MAP_ELEM = 164;
const TIMER_SET_CALLBACK = 170;

/** How far before a comparison the call is looked for whose result it compares. */
const MAX_DISTANCE = 24;

/** In order of file and line; what lies behind one of these places is not listed by itself. */
export function unreachedOf(object: BpfObject, coverage: Coverage): Unreached[] {
  const places: Unreached[] = [];
  for (const row of coverage.functions) {
    const found = locate(object, row.function);
    if (found === undefined) continue;
    const { program, subprogram } = found;
    if (row.instructions[0] === 0) {
      // A subprogram's call is behind a condition; a program of its own is entered by tail calls only.
      if (subprogram.start === 0) places.push(place(program, subprogram, 0, tailCalled(object)));
      else {
        const reason = uncalled(object, program, subprogram);
        if (reason !== undefined) places.push(place(program, subprogram, 0, reason));
      }
      continue;
    }
    for (const branch of row.branches) {
      const way = missingWay(row, branch);
      if (way === undefined) continue;
      const slot = subprogram.start + branch.instruction;
      places.push(
        place(program, subprogram, branch.instruction, reasonOf(object, program, subprogram, slot, way)),
      );
    }
  }
  return distinct(places).sort(
    (a, b) => (a.file ?? '').localeCompare(b.file ?? '') || (a.line ?? 0) - (b.line ?? 0),
  );
}

type Reason = Pick<Unreached, 'because' | 'map' | 'programMap'>;

const ONE_WAY: Reason = { because: 'the condition went one way only' };

const EXPIRES: Reason = {
  because: 'the callback of a timer runs when time has passed, and in a test none does',
};

/** Why a callback never ran; undefined where nothing takes the subprogram's address. */
function uncalled(
  object: BpfObject,
  { instructions }: BpfProgram,
  { start }: Subprogram,
): Reason | undefined {
  for (let slot = 0; slot < instructions.count; slot++) {
    const loads = instructions.opcode[slot] === LDDW && instructions.src[slot] === BPF_PSEUDO_FUNC;
    if (!loads || callTarget(instructions, slot) !== start) continue;
    const end = Math.min(instructions.count, slot + MAX_DISTANCE);
    for (let next = slot + 2; next < end; next++) {
      if (instructions.opcode[next] !== CALL || instructions.src[next] !== 0) continue;
      const reason = uncalledBy(object, instructions, next);
      if (reason !== undefined) return reason;
      break;
    }
  }
  return undefined;
}

function uncalledBy(object: BpfObject, instructions: Instructions, call: number): Reason | undefined {
  switch (instructions.imm[call]) {
    case TIMER_SET_CALLBACK:
      return EXPIRES;
    case FOR_EACH_MAP_ELEM: {
      const map = mapAt(instructions, 0, call);
      const name = map === undefined ? undefined : object.maps[map]?.name;
      return {
        because: `bpf_for_each_map_elem found no entry in ${name === undefined ? 'the map' : `map ${name}`}`,
      };
    }
    default:
      return undefined;
  }
}

function locate(
  object: BpfObject,
  name: string,
): { readonly program: BpfProgram; readonly subprogram: Subprogram } | undefined {
  for (const program of object.programs) {
    const subprogram = program.subprograms.find((one) => one.name === name);
    if (subprogram !== undefined) return { program, subprogram };
  }
  return undefined;
}

/** The one way of a branch that packets came to and did not go; undefined where they went both, or never came. */
function missingWay(row: FunctionCoverage, branch: BranchCoverage): 'taken' | 'notTaken' | undefined {
  if (row.unreachable[branch.instruction] === 1) return undefined;
  const { taken, notTaken, takenImpossible, notTakenImpossible } = branch;
  if (taken > 0 && notTaken === 0 && !notTakenImpossible) return 'notTaken';
  if (notTaken > 0 && taken === 0 && !takenImpossible) return 'taken';
  return undefined;
}

function place(program: BpfProgram, subprogram: Subprogram, instruction: number, reason: Reason): Unreached {
  const source = sourceAt(program, subprogram.start + instruction);
  return {
    function: subprogram.name,
    ...(source === undefined ? {} : { file: source.file, line: source.line }),
    ...(source === undefined || source.text === '' ? {} : { text: source.text }),
    ...reason,
  };
}

function tailCalled({ maps }: BpfObject): Reason {
  const arrays = maps.filter((map) => map.type === 'PROG_ARRAY').map((map) => map.name);
  const [map] = arrays;
  if (map === undefined || arrays.length > 1) return { because: 'no tail call entered the program' };
  return { because: `no tail call entered the program: no slot of map ${map} led here` };
}

function tailCallFailed({ maps }: BpfObject, map: number | undefined): Reason {
  const name = map === undefined ? undefined : maps[map]?.name;
  if (name === undefined) return { because: 'the tail call found no program in the slot that was called' };
  return { because: `the tail call found no program in that slot of map ${name}`, programMap: name };
}

function reasonOf(
  object: BpfObject,
  { instructions }: BpfProgram,
  { start }: Subprogram,
  slot: number,
  way: 'taken' | 'notTaken',
): Reason {
  const { opcode, imm } = instructions;
  if (opcode[slot] === CALL) return tailCallFailed(object, mapAt(instructions, start, slot, 2));
  const call = callComparedAt(instructions, start, slot);
  const helper = call === undefined ? undefined : imm[call];
  if (helper === FIB_LOOKUP)
    return {
      because:
        'bpf_fib_lookup returned nothing that leads there: no world that was tried has such a route, and nothing behind it was judged',
    };
  const operation = opcode[slot]! & ~BPF_X;
  const isNullTest = imm[slot] === 0 && (opcode[slot]! & BPF_X) === BPF_K;
  const wantsEntry =
    isNullTest &&
    ((operation === (BPF_JMP | BPF_JEQ) && way === 'notTaken') ||
      (operation === (BPF_JMP | BPF_JNE) && way === 'taken'));
  if (helper !== MAP_LOOKUP_ELEM || !wantsEntry) return ONE_WAY;
  const map = mapAt(instructions, start, call!);
  const name = map === undefined ? undefined : object.maps[map]?.name;
  if (name === undefined) return { because: 'the lookup found no entry' };
  return { because: `map ${name} never had the entry that was looked up`, map: name };
}

type Instructions = BpfProgram['instructions'];

/** The call whose result the comparison at `slot` looks at, followed through copies between registers. */
function callComparedAt({ opcode, dst, src }: Instructions, start: number, slot: number): number | undefined {
  let register = dst[slot]!;
  for (let at = slot - 1; at >= Math.max(start, slot - MAX_DISTANCE); at--) {
    if (opcode[at] === CALL) return register === 0 ? at : undefined;
    if (opcode[at] === (BPF_ALU64 | BPF_MOV | BPF_X) && dst[at] === register) register = src[at]!;
  }
  return undefined;
}

/** Index of the map that a call gets in a register: most get it as their first argument. */
function mapAt(
  { opcode, dst, src, imm }: Instructions,
  start: number,
  call: number,
  argument = 1,
): number | undefined {
  let register = argument;
  for (let at = call - 1; at >= Math.max(start, call - MAX_DISTANCE); at--) {
    if (opcode[at] === LDDW && dst[at] === register)
      return src[at] === BPF_PSEUDO_MAP_FD ? imm[at] : undefined;
    if (opcode[at] === (BPF_ALU64 | BPF_MOV | BPF_X) && dst[at] === register) register = src[at]!;
  }
  return undefined;
}

/** One line of C compiles to several jumps. */
function distinct(places: readonly Unreached[]): Unreached[] {
  const seen = new Map<string, Unreached>();
  for (const one of places) {
    const key = `${one.function} ${one.file} ${one.line} ${one.line === undefined ? one.because : ''}`;
    const known = seen.get(key);
    const tellsMore = known?.because === ONE_WAY.because && one.because !== ONE_WAY.because;
    if (known === undefined || tellsMore) seen.set(key, one);
  }
  return [...seen.values()];
}
