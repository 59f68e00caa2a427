/** Puts programs together: a function, and behind it each subprogram that it reaches (libbpf, `bpf_object__reloc_code`). */

import type { SourceLine, Subprogram } from '../bpf-object.ts';
import { refersToFunction } from '../check-instructions.ts';
import { allocateInstructions, type Instructions, LDDW, MAX_INSTRUCTIONS } from '../instruction.ts';
import { ObjectError } from '../object-error.ts';
import { type CodeFunction, type CodeSection, functionAt } from './code.ts';

/** Functions of one program that the kernel takes, the main one included. */
const BPF_MAX_SUBPROGS = 256;

export interface LinkedProgram {
  readonly instructions: Instructions;
  readonly subprograms: readonly Subprogram[];
  readonly lineInfo: readonly SourceLine[];
  readonly poisoned: ReadonlyMap<number, string>;
  readonly missing: readonly string[];
}

/**
 * Links one program.
 * @param text the section of subprograms
 * @throws {ObjectError} when a call leads to no function
 */
export function linkProgram(main: CodeFunction, text: CodeSection | undefined): LinkedProgram {
  const starts = placeFunctions(main, text);
  const count = [...starts.keys()].reduce((sum, each) => sum + each.count, 0);
  if (count > MAX_INSTRUCTIONS) {
    throw new ObjectError(`program ${main.name}`, `at most ${MAX_INSTRUCTIONS} instructions`, `${count}`);
  }
  const instructions = allocateInstructions(count);
  const subprograms: Subprogram[] = [];
  const lineInfo: SourceLine[] = [];
  const poisoned = new Map<number, string>();
  const missing = new Set<string>();
  for (const [each, start] of starts) {
    copy(each, instructions, start);
    fixCalls(each, instructions, start, starts, text);
    subprograms.push({ name: each.name, start, count: each.count, typeId: each.typeId });
    appendLines(lineInfo, each, start);
    for (let index = 0; each.section.poisoned.size > 0 && index < each.count; index++) {
      const reason = each.section.poisoned.get(each.start + index);
      if (reason !== undefined) poisoned.set(start + index, reason);
    }
    for (const [slot, what] of each.section.missing) {
      if (slot >= each.start && slot < each.start + each.count) missing.add(what);
    }
  }
  return { instructions, subprograms, lineInfo, poisoned, missing: [...missing] };
}

/** The functions of a program in their order, with the slot where each begins: depth first, as libbpf appends them. */
function placeFunctions(main: CodeFunction, text: CodeSection | undefined): Map<CodeFunction, number> {
  const starts = new Map<CodeFunction, number>();
  let end = 0;
  const place = (each: CodeFunction): void => {
    starts.set(each, end);
    end += each.count;
    if (starts.size > BPF_MAX_SUBPROGS) {
      throw new ObjectError(`program ${main.name}`, `at most ${BPF_MAX_SUBPROGS} functions`, 'more');
    }
    for (const target of callees(each, text)) if (!starts.has(target)) place(target);
  };
  place(main);
  return starts;
}

function* callees(each: CodeFunction, text: CodeSection | undefined): Generator<CodeFunction> {
  const { instructions } = each.section;
  for (let index = each.start; index < each.start + each.count; index++) {
    if (refersToFunction(instructions, index)) yield calleeOf(each, index, text);
    if (instructions.opcode[index] === LDDW) index++;
  }
}

function calleeOf(caller: CodeFunction, index: number, text: CodeSection | undefined): CodeFunction {
  const { section } = caller;
  const relocated = section.targets[index]!;
  // Calls of static functions in the same section come without a relocation.
  const slot = relocated >= 0 || section !== text ? relocated : index + 1 + section.instructions.imm[index]!;
  const callee = text === undefined ? undefined : functionAt(text, slot);
  if (callee !== undefined) return callee;
  const where = `${section.section.data.where} +0x${(index * 8).toString(16)} (${caller.name})`;
  throw new ObjectError(where, 'a call of a function in .text', `slot ${slot}, where none begins`);
}

function copy(from: CodeFunction, to: Instructions, start: number): void {
  const { instructions } = from.section;
  const end = from.start + from.count;
  to.opcode.set(instructions.opcode.subarray(from.start, end), start);
  to.dst.set(instructions.dst.subarray(from.start, end), start);
  to.src.set(instructions.src.subarray(from.start, end), start);
  to.offset.set(instructions.offset.subarray(from.start, end), start);
  to.imm.set(instructions.imm.subarray(from.start, end), start);
}

function fixCalls(
  each: CodeFunction,
  instructions: Instructions,
  start: number,
  starts: ReadonlyMap<CodeFunction, number>,
  text: CodeSection | undefined,
): void {
  for (let index = start; index < start + each.count; index++) {
    if (refersToFunction(instructions, index)) {
      const callee = calleeOf(each, index - start + each.start, text);
      instructions.imm[index] = starts.get(callee)! - index - 1;
    }
    if (instructions.opcode[index] === LDDW) index++;
  }
}

function appendLines(lineInfo: SourceLine[], each: CodeFunction, start: number): void {
  const { lines } = each.section;
  let low = 0;
  let high = lines.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (lines[middle]!.instruction < each.start) low = middle + 1;
    else high = middle;
  }
  for (let index = low; index < lines.length; index++) {
    const row = lines[index]!;
    if (row.instruction >= each.start + each.count) break;
    lineInfo.push({ ...row, instruction: row.instruction - each.start + start });
  }
}
