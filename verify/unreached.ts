/** Where packets did not go in a program, in lines of C, and what would lead there. */

import { nextSlots } from '../sim/ebpf/analysis/next-slots.ts';
import type { BpfObject, BpfProgram, Subprogram } from '../sim/ebpf/bpf-object.ts';
import { NEVER_GIVEN, SK_BUFF_LAYOUT } from '../sim/ebpf/context/sk-buff.ts';
import type { Helper } from '../sim/ebpf/helpers/helper.ts';
import { helperAt } from '../sim/ebpf/helpers/helper-at.ts';
import {
  BPF_ALU,
  BPF_ALU64,
  BPF_ARSH,
  BPF_JEQ,
  BPF_JMP,
  BPF_JNE,
  BPF_JSGE,
  BPF_JSLT,
  BPF_K,
  BPF_LDX,
  BPF_LSH,
  BPF_MEM,
  BPF_MOV,
  BPF_PSEUDO_CALL,
  BPF_PSEUDO_FUNC,
  BPF_PSEUDO_MAP_FD,
  BPF_RSH,
  BPF_X,
  CALL,
  CLASS_MASK,
  callTarget,
  LDDW,
  OPERATION_MASK,
  registersWritten,
  SOURCE_MASK,
} from '../sim/ebpf/instruction.ts';
import { sourceAt } from '../sim/ebpf/object.ts';
import type { BranchCoverage, Coverage, FunctionCoverage } from '../sim/runtime/coverage.ts';
import { takingCondition } from './taken-elements.ts';

/** A condition that packets reached and that went one way only, or a function that nothing entered. */
export interface Unreached {
  readonly function: string;
  /** Absent in objects without line information. */
  readonly file?: string;
  readonly line?: number;
  /** Of a condition, where there is no line: its slot, counted from the program's begin. */
  readonly instruction?: number;
  /** Of the C source, where the object carries it. */
  readonly text?: string;
  readonly because: string;
  /** The map whose entries would lead on. */
  readonly map?: string;
  /** The PROG_ARRAY whose programs would lead on. */
  readonly programMap?: string;
  /** Instructions behind it that did not run, and that this way leads to without passing one that did; absent: none. */
  readonly behind?: number;
}

/** `file:line`, or what of the program it is where no line is known. */
export function placeOfUnreached({ function: name, file, line, instruction }: Unreached): string {
  if (file !== undefined) return `${file}:${line}`;
  return instruction === undefined ? name : `${name}, instruction ${instruction}`;
}

/** Numbers of helpers (linux/bpf.h). */
const MAP_LOOKUP_ELEM = 1;
const FIB_LOOKUP = 69;
const FOR_EACH_MAP_ELEM = 164;
const TIMER_SET_CALLBACK = 170;

/** How far before a comparison the call is looked for whose result it compares. */
const MAX_DISTANCE = 24;

/**
 * In order of file and line; what lies behind one of these places is not listed by itself.
 * @param entries the programs that were run: a function that others call as well is looked for in these, since each calls it
 *   with maps of its own
 */
export function unreachedOf(
  object: BpfObject,
  coverage: Coverage,
  entries: readonly { readonly function: string }[],
): Unreached[] {
  const isEntry = (program: BpfProgram): boolean =>
    entries.some((entry) => entry.function === program.function);
  const programs = object.programs.toSorted((a, b) => Number(isEntry(b)) - Number(isEntry(a)));
  const places: Unreached[] = [];
  const notRun = notRunIn(coverage);
  for (const row of coverage.functions) {
    const found = locateFunction(programs, row.function);
    if (found === undefined) continue;
    const { program, subprogram } = found;
    const add = (one: Unreached, first: number): void => {
      const behind = countBehind(program, first, notRun);
      places.push(behind === 0 ? one : { ...one, behind });
    };
    if (row.instructions[0] === 0) {
      // A subprogram's call is behind a condition; a program of its own is entered by tail calls only.
      const isEntered = subprogram.start === 0;
      const reason = isEntered ? tailCalled(object) : uncalled(object, program, subprogram);
      if (reason !== undefined) add(place(program, subprogram, 0, reason), subprogram.start);
      continue;
    }
    for (const branch of row.branches) {
      const way = missingWay(row, branch);
      if (way === undefined) continue;
      const slot = subprogram.start + branch.instruction;
      const reason = reasonOf(object, program, subprogram, slot, way);
      const shown = place(program, subprogram, branch.instruction, reason);
      add(shown.file === undefined ? { ...shown, instruction: slot } : shown, firstOn(program, slot, way));
    }
  }
  return distinct(places).sort(
    (a, b) =>
      (a.file ?? '').localeCompare(b.file ?? '') ||
      (a.line ?? 0) - (b.line ?? 0) ||
      (a.instruction ?? 0) - (b.instruction ?? 0),
  );
}

/** Says of an instruction of a function, counted from the function's begin, whether packets could have run it and did not. */
type NotRun = (name: string, instruction: number) => boolean;

function notRunIn({ functions }: Coverage): NotRun {
  const rows = new Map(functions.map((row) => [row.function, row]));
  return (name, instruction) => {
    const row = rows.get(name);
    return row?.instructions[instruction] === 0 && row.unreachable[instruction] !== 1;
  };
}

/** The first instruction on one way of a jump; where a tail call leads is another program's. */
function firstOn({ instructions }: BpfProgram, slot: number, way: 'taken' | 'notTaken'): number {
  if (instructions.opcode[slot] === CALL) return instructions.count;
  return nextSlots(instructions, slot)[way === 'taken' ? 0 : 1]!;
}

/** How many instructions come from one on that did not run either. */
function countBehind({ instructions, subprograms }: BpfProgram, first: number, notRun: NotRun): number {
  const seen = new Set<number>();
  const waiting = [first];
  while (waiting.length > 0) {
    const slot = waiting.pop()!;
    const own = subprograms.findLast(({ start }) => start <= slot);
    if (seen.has(slot) || slot >= instructions.count || own === undefined) continue;
    if (!notRun(own.name, slot - own.start)) continue;
    seen.add(slot);
    waiting.push(...nextSlots(instructions, slot));
  }
  return seen.size;
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
      const map = mapPassed(instructions, 0, call);
      const name = map === undefined ? undefined : object.maps[map]?.name;
      return {
        because: `bpf_for_each_map_elem found no entry in ${name === undefined ? 'the map' : `map ${name}`}`,
      };
    }
    default:
      return undefined;
  }
}

/** The program that a function is of, and the function. */
export function locateFunction(
  programs: readonly BpfProgram[],
  name: string,
): { readonly program: BpfProgram; readonly subprogram: Subprogram } | undefined {
  for (const program of programs) {
    const subprogram = program.subprograms.find((one) => one.name === name);
    if (subprogram !== undefined) return { program, subprogram };
  }
  return undefined;
}

/** The one way of a branch that packets came to and did not go; undefined where they went both, or never came. */
export function missingWay(row: FunctionCoverage, branch: BranchCoverage): 'taken' | 'notTaken' | undefined {
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
  program: BpfProgram,
  { start }: Subprogram,
  slot: number,
  way: 'taken' | 'notTaken',
): Reason {
  const { instructions } = program;
  const { opcode, imm } = instructions;
  if (opcode[slot] === CALL) return tailCallFailed(object, mapPassed(instructions, start, slot, 2));
  const taking = takingReason(object, instructions, start, slot, way);
  if (taking !== undefined) return taking;
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
  if (helper !== MAP_LOOKUP_ELEM || !wantsEntry)
    return (
      resultOf(object, program, start, slot, way) ??
      otherResultOf(object, program, slot, call) ??
      fieldOf(program, start, slot) ??
      ONE_WAY
    );
  const map = mapPassed(instructions, start, call!);
  const name = map === undefined ? undefined : object.maps[map]?.name;
  if (name === undefined) return { because: 'the lookup found no entry' };
  return { because: `map ${name} never had the entry that was looked up`, map: name };
}

/** What a queue, a stack or a Bloom filter would have to hold; undefined: the condition asks for nothing of that kind. */
function takingReason(
  object: BpfObject,
  instructions: Instructions,
  start: number,
  slot: number,
  way: 'taken' | 'notTaken',
): Reason | undefined {
  const condition = takingCondition(instructions, start, slot);
  const index = condition === undefined ? undefined : mapPassed(instructions, start, condition.call);
  const map = index === undefined ? undefined : object.maps[index];
  if (condition === undefined || map === undefined) return undefined;
  const { name, type } = map;
  const isMissed = condition.takenIfFound === (way === 'taken');
  if (type === 'BLOOM_FILTER')
    return isMissed
      ? { because: `Bloom filter ${name} never had the value that was asked for`, map: name }
      : { because: `Bloom filter ${name} always had the value that was asked for` };
  const what = `${type === 'STACK' ? 'stack' : 'queue'} ${name}`;
  return isMissed ? { because: `${what} is always empty`, map: name } : { because: `${what} is never empty` };
}

/** What a comparison with 0, taken, says of a number that a call returned, and not taken. */
const SAID_OF_ZERO: ReadonlyMap<number, readonly [taken: Said, notTaken: Said]> = new Map([
  [BPF_JEQ, ['zero', 'other']],
  [BPF_JNE, ['other', 'zero']],
  [BPF_JSLT, ['negative', 'enough']],
  [BPF_JSGE, ['enough', 'negative']],
]);

type Said = 'zero' | 'other' | 'negative' | 'enough';

/** A call whose result a comparison with 0 looks at. */
export interface ComparedResult {
  readonly called: Helper;
  /** Its slot. */
  readonly call: number;
  /** What the result is on one way. */
  readonly said: Said;
}

/** What a helper, or a function of the kernel, returned on one way of a comparison with 0; undefined elsewhere. */
export function comparedResult(
  object: BpfObject,
  program: BpfProgram,
  start: number,
  slot: number,
  way: 'taken' | 'notTaken',
): ComparedResult | undefined {
  const { instructions } = program;
  const { opcode, dst, imm } = instructions;
  const code = opcode[slot]!;
  const said = SAID_OF_ZERO.get(code & OPERATION_MASK);
  if (said === undefined || (code & BPF_X) !== BPF_K || imm[slot] !== 0) return undefined;
  const call = writerOf(instructions, start, slot, dst[slot]!, isCut);
  if (call === undefined || opcode[call] !== CALL) return undefined;
  const called = instructions.src[call] === BPF_PSEUDO_CALL ? undefined : helperAt(object, program, call);
  return called === undefined ? undefined : { called, call, said: said[way === 'taken' ? 0 : 1] };
}

/** What was never returned, where a comparison with 0 asks for it; undefined elsewhere. */
function resultOf(...at: Parameters<typeof comparedResult>): Reason | undefined {
  const compared = comparedResult(...at);
  if (compared === undefined) return undefined;
  const { called, said: missing } = compared;
  const isPointer = called.returns.endsWith('_or_null');
  if (missing === 'zero') return { because: `${called.name} never returned ${isPointer ? 'NULL' : '0'}` };
  if (missing === 'other')
    return { because: `${called.name} returned ${isPointer ? 'NULL' : '0'} each time` };
  return { because: `${called.name} ${missing === 'negative' ? 'never failed' : 'failed each time'}` };
}

/** A number that a call returned is compared with another one than 0, or after something was computed of it. */
function otherResultOf(
  object: BpfObject,
  program: BpfProgram,
  slot: number,
  call: number | undefined,
): Reason | undefined {
  if (call === undefined || (program.instructions.opcode[slot]! & BPF_X) !== BPF_K) return undefined;
  const called = helperAt(object, program, call);
  if (called === undefined || called.returns.endsWith('_or_null')) return undefined;
  return { because: `${called.name} returned nothing that leads there` };
}

/** A field of the context that is compared, and that no test can set; undefined elsewhere. */
function fieldOf({ instructions, hook }: BpfProgram, start: number, slot: number): Reason | undefined {
  const { opcode, dst, src, offset } = instructions;
  if (hook === 'xdp' || start !== 0) return undefined;
  const load = writerOf(instructions, start, slot, dst[slot]!, isComputed);
  if (load === undefined || opcode[load] !== (BPF_LDX | BPF_MEM)) return undefined;
  if (!NEVER_GIVEN.includes(offset[load]!) || !isContext(instructions, load, src[load]!)) return undefined;
  const name = SK_BUFF_LAYOUT.field(offset[load]!);
  return { because: `skb->${name} is what only a device sets: it is 0 in every test run` };
}

/** Does a register hold what the program was entered with? */
function isContext(instructions: Instructions, slot: number, inRegister: number): boolean {
  let register = inRegister;
  for (let at = slot - 1; at >= 0; at--) {
    if (!registersWritten(instructions, at).includes(register)) continue;
    if (!isCopy(instructions.opcode[at]!)) return false;
    register = instructions.src[at]!;
  }
  return register === 1;
}

/** Does it leave a zero zero, and a sign as it is? So compilers cut an int that a call returned to its 32 bits. */
function isCut(opcode: number): boolean {
  if ((opcode & SOURCE_MASK) !== BPF_K || !isComputed(opcode)) return false;
  const operation = opcode & OPERATION_MASK;
  return operation === BPF_LSH || operation === BPF_RSH || operation === BPF_ARSH;
}

type Instructions = BpfProgram['instructions'];

/** The call of a helper whose result the comparison at `slot` looks at, or what is computed of it with constants alone. */
function callComparedAt(instructions: Instructions, start: number, slot: number): number | undefined {
  const { opcode, dst, src } = instructions;
  const at = writerOf(instructions, start, slot, dst[slot]!, isComputed);
  return at !== undefined && opcode[at] === CALL && src[at] === 0 ? at : undefined;
}

/** Index of the map that a call gets in a register: most get it as their first argument. */
export function mapPassed(
  instructions: Instructions,
  start: number,
  call: number,
  argument: number = 1,
): number | undefined {
  const { opcode, src, imm } = instructions;
  const at = writerOf(instructions, start, call, argument);
  return at !== undefined && opcode[at] === LDDW && src[at] === BPF_PSEUDO_MAP_FD ? imm[at] : undefined;
}

/**
 * Where the value was made that a register holds before `slot`, followed back through copies between registers. Control flow
 * is not looked at: the nearest writer in the text is taken for it.
 * @param isPassed instructions that change the register and are passed over all the same
 */
function writerOf(
  instructions: Instructions,
  start: number,
  slot: number,
  inRegister: number,
  isPassed: (opcode: number) => boolean = () => false,
): number | undefined {
  const { opcode, src } = instructions;
  let register = inRegister;
  for (let at = slot - 1; at >= Math.max(start, slot - MAX_DISTANCE); at--) {
    const code = opcode[at]!;
    if (!registersWritten(instructions, at).includes(register)) continue;
    if (isCopy(code)) register = src[at]!;
    else if (code === CALL) return register === 0 ? at : undefined;
    else if (!isPassed(code)) return at;
  }
  return undefined;
}

function isCopy(opcode: number): boolean {
  return opcode === (BPF_ALU64 | BPF_MOV | BPF_X) || opcode === (BPF_ALU | BPF_MOV | BPF_X);
}

/** Does it change a register by a constant? So compilers cut an int that a call returned to its 32 bits. */
function isComputed(opcode: number): boolean {
  const kind = opcode & CLASS_MASK;
  if (kind !== BPF_ALU && kind !== BPF_ALU64) return false;
  return (opcode & SOURCE_MASK) === BPF_K && (opcode & OPERATION_MASK) !== BPF_MOV;
}

/** One line of C compiles to several jumps. */
function distinct(places: readonly Unreached[]): Unreached[] {
  const seen = new Map<string, Unreached>();
  for (const one of places) {
    const key = `${one.function} ${one.file} ${one.line} ${one.instruction}`;
    const known = seen.get(key);
    const tellsMore = known?.because === ONE_WAY.because && one.because !== ONE_WAY.because;
    const behind = Math.max(known?.behind ?? 0, one.behind ?? 0);
    const shown = known === undefined || tellsMore ? one : known;
    seen.set(key, behind === 0 ? shown : { ...shown, behind });
  }
  return [...seen.values()];
}
