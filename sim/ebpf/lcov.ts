/** Coverage of C lines, functions and branches in the format of lcov, which genhtml and editors read (geninfo(1)). */
import type { Coverage, FunctionCoverage } from '../runtime/coverage.ts';
import { visibleLine } from '../runtime/visible-text.ts';

export interface LcovOptions {
  /** The name of the test, `TN:`; letters, digits and underscores. Default empty. */
  readonly testName?: string;
  /** From the path that the compiler wrote into the object to where the file is. Default: as written. */
  readonly path?: (file: string) => string;
}

interface FileRecord {
  /** How often each line ran. */
  readonly lines: Map<number, number>;
  readonly functions: Map<string, { line: number; count: number }>;
  /** By line, then by the jump. */
  readonly branches: Map<number, Map<string, Ways>>;
}

/** How often a jump was taken, and was not; undefined: no input can lead that way. */
interface Ways {
  readonly taken: number | undefined;
  readonly notTaken: number | undefined;
}

/**
 * The tracefile.
 *
 * A line has run as often as the most executed of its instructions in one function; what was inlined or linked in
 * several places adds up. Branches are those of the compiled code: one condition in C may be several, or none.
 */
export function lcov(coverage: Coverage, options: LcovOptions = {}): string {
  const files = new Map<string, FileRecord>();
  for (const each of coverage.functions) addFunction(files, each, options.path ?? ((file) => file));
  const names = [...files.keys()].sort();
  return names.map((name) => fileText(name, files.get(name)!, options.testName ?? '')).join('');
}

function addFunction(
  files: Map<string, FileRecord>,
  each: FunctionCoverage,
  path: (file: string) => string,
): void {
  const rows = [...each.lines].sort((a, b) => a.instruction - b.instruction);
  const first = rows[0];
  if (first === undefined) return;
  const count = (instruction: number): number => each.instructions[instruction] || 0;

  const own = fileOf(files, path(first.file));
  const known = own.functions.get(each.function);
  own.functions.set(each.function, {
    line: Math.min(first.line, known?.line ?? first.line),
    count: count(first.instruction) + (known?.count ?? 0),
  });

  const most = new Map<FileRecord, Map<number, number>>();
  for (const row of rows) {
    if (each.unreachable[row.instruction] === 1 && count(row.instruction) === 0) continue;
    const file = fileOf(files, path(row.file));
    const lines = most.get(file) ?? new Map<number, number>();
    most.set(file, lines.set(row.line, Math.max(lines.get(row.line) ?? 0, count(row.instruction))));
  }
  for (const [file, lines] of most) {
    for (const [line, times] of lines) file.lines.set(line, times + (file.lines.get(line) ?? 0));
  }

  for (const [ordinal, branch] of each.branches.entries()) {
    const row = rows.findLast((candidate) => candidate.instruction <= branch.instruction);
    if (row === undefined) continue;
    const { branches } = fileOf(files, path(row.file));
    const onLine = branches.get(row.line) ?? new Map<string, Ways>();
    // The same function linked into two programs has the same jumps in the same order.
    const key = `${each.function} ${ordinal}`;
    const { taken, notTaken } = onLine.get(key) ?? { taken: undefined, notTaken: undefined };
    onLine.set(key, {
      taken: added(taken, branch.taken, branch.takenImpossible),
      notTaken: added(notTaken, branch.notTaken, branch.notTakenImpossible),
    });
    branches.set(row.line, onLine);
  }
}

/** Ways that no input can take are not listed. */
function added(before: number | undefined, count: number, impossible: boolean): number | undefined {
  return impossible && count === 0 ? before : count + (before ?? 0);
}

function fileOf(files: Map<string, FileRecord>, name: string): FileRecord {
  let file = files.get(name);
  if (file === undefined) {
    file = { lines: new Map(), functions: new Map(), branches: new Map() };
    files.set(name, file);
  }
  return file;
}

function fileText(name: string, file: FileRecord, testName: string): string {
  const functions = [...file.functions].sort(([, a], [, b]) => a.line - b.line);
  const lines = [...file.lines].sort(([a], [b]) => a - b);
  const branches = [...file.branches]
    .sort(([a], [b]) => a - b)
    .flatMap(([line, jumps]) => branchRows(line, jumps));
  return [
    `TN:${testName}`,
    // A record is a line, whatever an object calls its files and functions.
    `SF:${visibleLine(name)}`,
    ...functions.map(([each, { line }]) => `FN:${line},${visibleLine(each)}`),
    ...functions.map(([each, { count }]) => `FNDA:${count},${visibleLine(each)}`),
    `FNF:${functions.length}`,
    `FNH:${functions.filter(([, { count }]) => count > 0).length}`,
    ...branches.map(({ text }) => text),
    `BRF:${branches.length}`,
    `BRH:${branches.filter(({ taken }) => taken > 0).length}`,
    ...lines.map(([line, count]) => `DA:${line},${count}`),
    `LF:${lines.length}`,
    `LH:${lines.filter(([, count]) => count > 0).length}`,
    'end_of_record\n',
  ].join('\n');
}

/** A row for each way of a jump that an input can take: taken, and not. A jump that was never reached shows `-`. */
function branchRows(line: number, jumps: ReadonlyMap<string, Ways>): { text: string; taken: number }[] {
  return [...jumps.values()].flatMap(({ taken, notTaken }, block) => {
    const unreached = (taken ?? 0) + (notTaken ?? 0) === 0;
    return [taken, notTaken].flatMap((times, branch) =>
      times === undefined
        ? []
        : [{ text: `BRDA:${line},${block},${branch},${unreached ? '-' : times}`, taken: times }],
    );
  });
}
