import { describe, expect, it } from 'vitest';
import type { Coverage } from '../sim/engines/engine.ts';
import {
  leastReached,
  mergeCoverage,
  subtractCoverage,
  summarizeCoverage,
  withoutFunctions,
} from './coverage-summary.ts';

type Row = Coverage['functions'][number];

const branch = (instruction: number, taken: number, notTaken: number, impossible: '' | 't' | 'n' = '') => ({
  instruction,
  taken,
  notTaken,
  takenImpossible: impossible === 't',
  notTakenImpossible: impossible === 'n',
});

function row(name: string, instructions: number[], parts: Partial<Row> = {}): Row {
  return {
    function: name,
    instructions: Float64Array.from(instructions) as unknown as Row['instructions'],
    unreachable: new Uint8Array(instructions.length) as unknown as Row['unreachable'],
    branches: [],
    lines: [],
    ...parts,
  };
}

const line = (instruction: number, number: number, file = 'a.c') =>
  ({ instruction, file, line: number, text: '' }) as unknown as Row['lines'][number];
const unreachable = (...flags: number[]): Row['unreachable'] =>
  Uint8Array.from(flags) as unknown as Row['unreachable'];

describe('a summary of coverage', () => {
  const summary = (...functions: Row[]) => summarizeCoverage({ functions });

  it('counts instructions, without second halves and what no input reaches', () => {
    expect(summary(row('f', [3, 0, Number.NaN, 1])).instructions).toEqual([2, 3]);
    expect(summary(row('f', [1, 0, 0], { unreachable: unreachable(0, 1, 0) })).instructions).toEqual([1, 2]);
    // What was reached was possible, whatever an analysis says.
    expect(summary(row('f', [1, 5, 0], { unreachable: unreachable(0, 1, 0) })).instructions).toEqual([2, 3]);
    expect(summary(row('f', [1]), row('g', [0, 1])).instructions).toEqual([2, 3]);
  });

  it('counts each way of a branch, without those that no input takes', () => {
    const ways = (...branches: ReturnType<typeof branch>[]) => summary(row('f', [1], { branches })).branches;
    expect(ways(branch(0, 0, 0))).toEqual([0, 2]);
    expect(ways(branch(0, 1, 0))).toEqual([1, 2]);
    expect(ways(branch(0, 0, 4))).toEqual([1, 2]);
    expect(ways(branch(0, 2, 4))).toEqual([2, 2]);
    expect(ways(branch(0, 0, 1, 't'))).toEqual([1, 1]);
    expect(ways(branch(0, 1, 0, 'n'))).toEqual([1, 1]);
    expect(ways(branch(0, 1, 1, 't'))).toEqual([2, 2]);
    expect(ways(branch(0, 1, 1, 'n'))).toEqual([2, 2]);
    expect(ways(branch(0, 1, 0), branch(1, 0, 1))).toEqual([2, 4]);
  });

  it('counts a line once, reached where one of its instructions was', () => {
    const lines = [line(0, 7), line(1, 7), line(2, 8), line(3, 7, 'b.c')];
    expect(summary(row('f', [0, 1, 0, 0], { lines })).lines).toEqual([1, 3]);
    expect(summary(row('f', [1, 0, 0, 0], { lines })).lines).toEqual([1, 3]);
    expect(summary(row('f', [0, 0, 1, 1], { lines })).lines).toEqual([2, 3]);
    const none = { lines, unreachable: unreachable(0, 0, 1, 1) };
    expect(summary(row('f', [0, 1, 0, 5], none)).lines).toEqual([2, 2]);
    expect(summary(row('f', [], { lines: [line(9, 1)] })).lines).toEqual([0, 1]);
  });
});

describe('coverage of several sessions', () => {
  it('adds up function by function', () => {
    const a = row('f', [1, 2], { branches: [branch(0, 1, 2)], unreachable: unreachable(1, 1) });
    const b = row('f', [10, 20], { branches: [branch(0, 5, 6)], unreachable: unreachable(0, 1) });
    const sum = mergeCoverage([
      { functions: [a, row('g', [7])] },
      { functions: [b] },
      { functions: [row('h', [8])] },
    ])!;
    expect(sum.functions.map((one) => one.function)).toEqual(['f', 'g', 'h']);
    expect([...sum.functions[0]!.instructions]).toEqual([11, 22]);
    expect([...sum.functions[0]!.unreachable]).toEqual([0, 1]);
    expect(sum.functions[0]!.branches).toEqual([branch(0, 6, 8)]);
    expect(mergeCoverage([])).toBeUndefined();
  });

  it('takes for impossible only what is so in each', () => {
    const merged = (x: '' | 't' | 'n', y: '' | 't' | 'n') =>
      mergeCoverage([
        { functions: [row('f', [1], { branches: [branch(0, 0, 0, x)] })] },
        { functions: [row('f', [1], { branches: [branch(0, 0, 0, y)] })] },
      ])!.functions[0]!.branches[0]!;
    expect(merged('t', 't')).toEqual(branch(0, 0, 0, 't'));
    expect(merged('n', 'n')).toEqual(branch(0, 0, 0, 'n'));
    for (const [x, y] of [
      ['t', ''],
      ['', 't'],
      ['n', ''],
      ['', 'n'],
      ['t', 'n'],
    ] as const)
      expect(merged(x, y)).toEqual(branch(0, 0, 0));
  });

  it('keeps branches that only one of them has', () => {
    const merged = mergeCoverage([
      { functions: [row('f', [1], { branches: [branch(3, 1, 1)] })] },
      { functions: [row('f', [1], { branches: [branch(4, 1, 1)] })] },
    ])!;
    expect(merged.functions[0]!.branches).toEqual([branch(3, 1, 1)]);
  });

  it('takes an earlier state away', () => {
    const before = { functions: [row('f', [1, 2], { branches: [branch(0, 1, 2, 't')] })] };
    const now = { functions: [row('f', [5, 7], { branches: [branch(0, 4, 8, 't')] }), row('g', [3])] };
    const since = subtractCoverage(now, before);
    expect([...since.functions[0]!.instructions]).toEqual([4, 5]);
    expect(since.functions[0]!.branches).toEqual([branch(0, 3, 6, 't')]);
    expect([...since.functions[1]!.instructions]).toEqual([3]);
    const more = subtractCoverage(
      { functions: [row('f', [5, 7], { branches: [branch(0, 4, 8)] })] },
      { functions: [row('f', [])] },
    );
    expect([...more.functions[0]!.instructions]).toEqual([5, 7]);
    expect(more.functions[0]!.branches).toEqual([branch(0, 4, 8)]);
  });

  it('leaves functions out by name', () => {
    const all = { functions: [row('f', [1]), row('g', [1])] };
    expect(withoutFunctions(all, new Set(['f'])).functions.map((one) => one.function)).toEqual(['g']);
  });
});

describe('what was reached least of', () => {
  it.each([
    [[80, 100], [9, 10], 'branch', 80],
    [[80, 100], [7, 10], 'instruction', 70],
    [[2, 3], [200, 300], 'branch', 66],
    [[0, 0], [3, 3], 'branch', 100],
    [[4, 4], [3, 9], 'branch', 100],
    [[0, 4], [0, 9], 'branch', 0],
  ] as const)('of branches %j and instructions %j', (branches, instructions, what, percent) => {
    const [hit, total] = what === 'branch' ? branches : instructions;
    expect(leastReached({ branches, instructions, lines: [1, 1] })).toEqual({ what, hit, total, percent });
  });
});
