/**
 * Coverage from what the interpreter counts: entries of functions, jumps taken, and places where execution ended.
 * How often an instruction ran follows: whoever ran the one before and did not leave there, and whoever jumped here.
 */
import type { BranchCoverage, FunctionCoverage } from '../../runtime/coverage.ts';
import { type Reach, WAY } from '../analysis/reach.ts';
import type { BpfProgram, Subprogram } from '../bpf-object.ts';
import { HELPERS } from '../helpers/index.ts';
import { CALL, EXIT, isConditionalJump, JA, JA32, jumpTarget, LDDW } from '../instruction.ts';
import { sourceAt } from '../object.ts';
import type { LoadedProgram } from './state.ts';

/** What a program's runs have left behind; indexed by slot. */
export type ExecutionCounts = Pick<LoadedProgram, 'source' | 'taken' | 'entered' | 'left'>;

/**
 * One row per function of the program; instructions are numbered from the function's begin.
 * @param reach where inputs may lead at all
 */
export function coverageOf(program: ExecutionCounts, reach: Reach): FunctionCoverage[] {
  const counts = instructionCounts(program);
  const lines = linesOf(program.source);
  return program.source.subprograms.map((subprogram, index) =>
    functionCounts(program, subprogram, counts, reach, lines[index]!),
  );
}

function instructionCounts(program: ExecutionCounts): Float64Array {
  const { instructions } = program.source;
  const { count, opcode } = instructions;
  const arriving = program.entered.slice();
  for (let slot = 0; slot < count; slot++) {
    if (program.taken[slot]! > 0) arriving[jumpTarget(instructions, slot)]! += program.taken[slot]!;
  }
  const counts = new Float64Array(count);
  let flow = 0;
  for (let slot = 0; slot < count; slot++) {
    flow += arriving[slot]!;
    counts[slot] = flow;
    const code = opcode[slot]!;
    flow =
      code === EXIT || code === JA || code === JA32 ? 0 : flow - program.taken[slot]! - program.left[slot]!;
    if (code === LDDW) counts[++slot] = Number.NaN;
  }
  return counts;
}

function functionCounts(
  program: ExecutionCounts,
  subprogram: Subprogram,
  counts: Float64Array,
  { reached, ways }: Reach,
  lines: Lines,
): FunctionCoverage {
  const { start, count, name } = subprogram;
  const { opcode, src, imm } = program.source.instructions;
  const branches: BranchCoverage[] = [];
  for (let slot = start; slot < start + count; slot++) {
    const instruction = slot - start;
    if (isConditionalJump(opcode[slot]!)) {
      const taken = program.taken[slot]!;
      const notTaken = counts[slot]! - taken - program.left[slot]!;
      const takenImpossible = (ways[slot]! & WAY.taken) === 0;
      const notTakenImpossible = (ways[slot]! & WAY.notTaken) === 0;
      branches.push({ instruction, taken, notTaken, takenImpossible, notTakenImpossible });
    }
    const calls = opcode[slot] === CALL && src[slot] === 0;
    if (calls && HELPERS.get(imm[slot]!)?.effects.leavesProgram === true) {
      // Taken is the way into the other program. That a call fails counts where it happened, and is not asked for.
      const taken = program.left[slot]!;
      const takenImpossible = reached[slot] === 0;
      const notTaken = counts[slot]! - taken;
      branches.push({ instruction, taken, notTaken, takenImpossible, notTakenImpossible: notTaken === 0 });
    }
    if (opcode[slot] === LDDW) slot++;
  }
  const unreachable = reached.slice(start, start + count).map((one) => 1 - one);
  return { function: name, instructions: counts.slice(start, start + count), unreachable, branches, lines };
}

type Lines = FunctionCoverage['lines'];

const knownLines = new WeakMap<BpfProgram, readonly Lines[]>();

/** Where each function's instructions came from: the same however often somebody asks. */
function linesOf(program: BpfProgram): readonly Lines[] {
  let lines = knownLines.get(program);
  if (lines === undefined) {
    lines = program.subprograms.map((subprogram) => [...sourceLines(program, subprogram)]);
    knownLines.set(program, lines);
  }
  return lines;
}

function* sourceLines(
  program: BpfProgram,
  { start, count }: Subprogram,
): Generator<Lines[number], void, undefined> {
  const { opcode } = program.instructions;
  for (let slot = start; slot < start + count; slot++) {
    const source = sourceAt(program, slot);
    if (source !== undefined) yield { instruction: slot - start, file: source.file, line: source.line };
    if (opcode[slot] === LDDW) slot++;
  }
}
