/** Coverage of many sessions, of several engines, as the few figures of a report. */
import type { Coverage } from '../sim/engines/engine.ts';

/** Pairs of reached and total. */
export interface CoverageSummary {
  readonly instructions: readonly [hit: number, total: number];
  /** Each conditional jump counts twice: taken and not taken; ways that no input can take do not count. */
  readonly branches: readonly [hit: number, total: number];
  readonly lines: readonly [hit: number, total: number];
}

/** Of a program, what was reached least of. */
export interface Reached {
  readonly what: 'branch' | 'instruction';
  readonly hit: number;
  readonly total: number;
  /** Rounded down. */
  readonly percent: number;
}

/**
 * How much was reached of branches, or of instructions where that is less: a single branch may lead to half of a program, and a jump that
 * goes both ways says nothing of how much lies behind it. Where every branch went both ways, what is left stands behind calls that do not
 * return, tail calls, and nothing is missing.
 */
export function leastReached({ branches, instructions }: CoverageSummary): Reached {
  const ofBranches = reachedOf('branch', branches);
  const ofInstructions = reachedOf('instruction', instructions);
  const isLess = ofInstructions.hit * ofBranches.total < ofBranches.hit * ofInstructions.total;
  return isLess && ofBranches.hit < ofBranches.total ? ofInstructions : ofBranches;
}

function reachedOf(what: Reached['what'], [hit, total]: readonly [number, number]): Reached {
  return { what, hit, total, percent: total === 0 ? 100 : Math.floor((100 * hit) / total) };
}

/** Adds coverages of the same object up, function by function. */
export function mergeCoverage(coverages: readonly Coverage[]): Coverage | undefined {
  if (coverages.length === 0) return undefined;
  const functions = new Map<string, Coverage['functions'][number]>();
  for (const row of coverages.flatMap((coverage) => coverage.functions)) {
    const sum = functions.get(row.function);
    functions.set(row.function, sum === undefined ? row : addFunction(sum, row));
  }
  return { functions: [...functions.values()] };
}

/** The coverage of the other functions. */
export function withoutFunctions({ functions }: Coverage, names: ReadonlySet<string>): Coverage {
  return { functions: functions.filter(({ function: name }) => !names.has(name)) };
}

/** What came since: `before` is an earlier state of the same counters; functions may have joined. */
export function subtractCoverage(now: Coverage, before: Coverage): Coverage {
  const rows = new Map(before.functions.map((row) => [row.function, row]));
  return {
    functions: now.functions.map((row) => {
      const old = rows.get(row.function);
      if (old === undefined) return row;
      return {
        function: row.function,
        instructions: row.instructions.map((count, index) => count - (old.instructions[index] ?? 0)),
        unreachable: row.unreachable,
        branches: row.branches.map((branch, index) => {
          const before = old.branches[index];
          return {
            ...branch,
            taken: branch.taken - (before?.taken ?? 0),
            notTaken: branch.notTaken - (before?.notTaken ?? 0),
          };
        }),
        lines: row.lines,
      };
    }),
  };
}

type FunctionCoverage = Coverage['functions'][number];

function addFunction(a: FunctionCoverage, b: FunctionCoverage): FunctionCoverage {
  const branches = new Map(b.branches.map((branch) => [branch.instruction, branch]));
  return {
    function: a.function,
    instructions: a.instructions.map((count, index) => count + (b.instructions[index] ?? 0)),
    // What is impossible in one world may be possible in another, whose variables have other values.
    unreachable: a.unreachable.map((one, index) => one & (b.unreachable[index] ?? 1)),
    branches: a.branches.map((branch) => {
      const other = branches.get(branch.instruction);
      if (other === undefined) return branch;
      return {
        instruction: branch.instruction,
        taken: branch.taken + other.taken,
        notTaken: branch.notTaken + other.notTaken,
        takenImpossible: branch.takenImpossible && other.takenImpossible,
        notTakenImpossible: branch.notTakenImpossible && other.notTakenImpossible,
      };
    }),
    lines: a.lines,
  };
}

export function summarizeCoverage(coverage: Coverage): CoverageSummary {
  let instructions = 0;
  let reached = 0;
  let branches = 0;
  let taken = 0;
  const lines = new Map<string, boolean>();
  for (const row of coverage.functions) {
    // By number: an iterator makes an object for each, and reports ask for this with every segment.
    for (let index = 0; index < row.instructions.length; index++) {
      const count = row.instructions[index]!;
      // The second half of a 16-byte instruction is none of its own.
      if (Number.isNaN(count)) continue;
      if (row.unreachable[index] === 1 && count === 0) continue;
      instructions++;
      if (count > 0) reached++;
    }
    for (const branch of row.branches) {
      if (branch.taken > 0 || !branch.takenImpossible) branches++;
      if (branch.notTaken > 0 || !branch.notTakenImpossible) branches++;
      taken += (branch.taken > 0 ? 1 : 0) + (branch.notTaken > 0 ? 1 : 0);
    }
    for (const { instruction, file, line } of row.lines) {
      const place = `${file}:${line}`;
      if (row.unreachable[instruction] === 1 && row.instructions[instruction] === 0) continue;
      lines.set(place, lines.get(place) === true || (row.instructions[instruction] ?? 0) > 0);
    }
  }
  return {
    instructions: [reached, instructions],
    branches: [taken, branches],
    lines: [[...lines.values()].filter((hit) => hit).length, lines.size],
  };
}
