/** Coverage of many sessions, of several engines, as the few figures of a report. */
import type { Coverage } from '../sim/engines/engine.ts';

/** Pairs of reached and total. */
export interface CoverageSummary {
  readonly instructions: readonly [hit: number, total: number];
  /** Each conditional jump counts twice: taken and not taken. */
  readonly branches: readonly [hit: number, total: number];
  readonly lines: readonly [hit: number, total: number];
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
        branches: row.branches.map(({ instruction, taken, notTaken }, index) => {
          const branch = old.branches[index];
          return {
            instruction,
            taken: taken - (branch?.taken ?? 0),
            notTaken: notTaken - (branch?.notTaken ?? 0),
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
    branches: a.branches.map((branch) => {
      const other = branches.get(branch.instruction);
      return {
        instruction: branch.instruction,
        taken: branch.taken + (other?.taken ?? 0),
        notTaken: branch.notTaken + (other?.notTaken ?? 0),
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
    for (const count of row.instructions) {
      // The second half of a 16-byte instruction is none of its own.
      if (Number.isNaN(count)) continue;
      instructions++;
      if (count > 0) reached++;
    }
    for (const branch of row.branches) {
      branches += 2;
      taken += (branch.taken > 0 ? 1 : 0) + (branch.notTaken > 0 ? 1 : 0);
    }
    for (const { instruction, file, line } of row.lines) {
      const place = `${file}:${line}`;
      lines.set(place, lines.get(place) === true || (row.instructions[instruction] ?? 0) > 0);
    }
  }
  return {
    instructions: [reached, instructions],
    branches: [taken, branches],
    lines: [[...lines.values()].filter((hit) => hit).length, lines.size],
  };
}
