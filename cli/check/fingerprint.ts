/**
 * What a finding is known by from one run to the next: the program, the invariant, and the C line as it reads. It stays the
 * same when lines move, when the seed is another, and when the packet that shows it is.
 */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { CheckFinding } from '../../verify/check/finding.ts';

/**
 * The fingerprints of a program's findings, in their order. Those that nothing tells apart are numbered.
 * @returns 32 hexadecimal digits each
 */
export function fingerprintsOf(program: Program, findings: readonly CheckFinding[]): string[] {
  const met = new Map<string, number>();
  return findings.map((finding) => {
    const key = JSON.stringify([...headOf(program), finding.invariant, ...placeOf(program, finding)]);
    const number = (met.get(key) ?? 0) + 1;
    met.set(key, number);
    return digest(number === 1 ? key : `${key} ${number}`);
  });
}

/**
 * What stands for all that a line breaks: which invariants of many a run meets changes with the seed.
 * @returns undefined without a line
 */
export function lineFingerprint(program: Program, finding: CheckFinding): string | undefined {
  if (finding.source === undefined) return undefined;
  return digest(JSON.stringify([...headOf(program), 'line', ...placeOf(program, finding)]));
}

function headOf(program: Program): string[] {
  return ['xdpsim/1', program.entries.map((entry) => entry.function).join()];
}

/** 32 hexadecimal digits. */
function digest(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 32);
}

/** The file's name without folders, and the line's text; without a line, what differs. */
function placeOf(program: Program, { source, divergence }: CheckFinding): string[] {
  if (source === undefined) return [divergence?.field ?? ''];
  const text = divergence?.finding.source?.text ?? textOf(program, source.file, source.line);
  return [
    basename(source.file),
    text === undefined ? `line ${source.line}` : text.trim().replaceAll(/\s+/g, ' '),
  ];
}

function textOf({ object }: Program, file: string, line: number): string | undefined {
  if (object === undefined) return undefined;
  try {
    const rows = linkedObject(object).programs.flatMap((one) => one.lineInfo);
    const found = rows.find((row) => row.file === file && row.line === line);
    return found === undefined || found.text === '' ? undefined : found.text;
  } catch {
    // What is wrong with the object is what was found.
    return undefined;
  }
}
