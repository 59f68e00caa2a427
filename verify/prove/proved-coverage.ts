/** Takes what no input reaches out of a program's coverage. */

import { nextSlots } from '../../sim/ebpf/analysis/next-slots.ts';
import type { BpfObject, BpfProgram } from '../../sim/ebpf/bpf-object.ts';
import { isConditionalJump } from '../../sim/ebpf/instruction.ts';
import type { BranchCoverage, Coverage, FunctionCoverage } from '../../sim/runtime/coverage.ts';
import type { ProvedWay } from './aid.ts';

/** The same counts, in which the ways that no input takes, and what lies behind them only, count for nothing. */
export function withoutImpossible(
  coverage: Coverage,
  { programs }: BpfObject,
  impossible: readonly ProvedWay[],
): Coverage {
  if (impossible.length === 0) return coverage;
  const keys = new Set(impossible.map((way) => keyOf(way.function, way.instruction, way.taken)));
  const marked = coverage.functions.map((row) => ({
    ...row,
    branches: row.branches.map((branch) => closed(row.function, branch, keys)),
  }));
  const byName = new Map(marked.map((row) => [row.function, row]));
  const reachable = new Map<string, Set<number>>();
  for (const program of programs) {
    if (!program.subprograms.some(({ name }) => byName.has(name))) continue;
    for (const [name, instructions] of reachableIn(program, byName)) {
      const known = reachable.get(name);
      if (known === undefined) reachable.set(name, instructions);
      else for (const one of instructions) known.add(one);
    }
  }
  return {
    functions: marked.map((row) => {
      const instructions = reachable.get(row.function);
      if (instructions === undefined) return row;
      const unreachable = row.unreachable.map((one, at) => (one === 1 || !instructions.has(at) ? 1 : 0));
      return { ...row, unreachable };
    }),
  };
}

function keyOf(name: string, instruction: number, taken: boolean): string {
  return `${name} ${instruction} ${taken}`;
}

function closed(name: string, branch: BranchCoverage, keys: ReadonlySet<string>): BranchCoverage {
  const takenImpossible = branch.takenImpossible || keys.has(keyOf(name, branch.instruction, true));
  const notTakenImpossible = branch.notTakenImpossible || keys.has(keyOf(name, branch.instruction, false));
  return { ...branch, takenImpossible, notTakenImpossible };
}

/** Instructions of each function that are left once impossible ways are closed. */
function reachableIn(
  { instructions, subprograms }: BpfProgram,
  rows: ReadonlyMap<string, FunctionCoverage>,
): Map<string, Set<number>> {
  const found = new Map<string, Set<number>>();
  const seen = new Set<number>();
  const branches = new Map<number, BranchCoverage>();
  for (const { name, start } of subprograms) {
    for (const branch of rows.get(name)?.branches ?? []) branches.set(start + branch.instruction, branch);
  }
  const waiting = [0];
  while (waiting.length > 0) {
    const slot = waiting.pop()!;
    if (seen.has(slot) || slot >= instructions.count) continue;
    seen.add(slot);
    const own = subprograms.findLast(({ start }) => start <= slot);
    if (own !== undefined) {
      const known = found.get(own.name);
      if (known === undefined) found.set(own.name, new Set([slot - own.start]));
      else known.add(slot - own.start);
    }
    const branch = branches.get(slot);
    const isJump = isConditionalJump(instructions.opcode[slot]!);
    for (const [way, next] of nextSlots(instructions, slot).entries()) {
      const isClosed = isJump && (way === 0 ? branch?.takenImpossible : branch?.notTakenImpossible) === true;
      if (!isClosed) waiting.push(next);
    }
  }
  return found;
}
