/**
 * What a finding is known by from one run to the next: the program, the invariant, and the C line as it reads. It stays the
 * same when lines move, when the seed is another, and when the packet that shows it is.
 */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { loadObject } from '../../sim/ebpf/object.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { CheckFinding } from '../../verify/check/finding.ts';

/**
 * The fingerprints of a program's findings, in their order. Those that nothing tells apart are numbered.
 * @returns 32 hexadecimal digits each
 */
export function fingerprintsOf(program: Program, findings: readonly CheckFinding[]): string[] {
  const met = new Map<string, number>();
  return findings.map((finding) => {
    const parts = [
      'xdpsim/1',
      program.entries.map((entry) => entry.function).join(),
      finding.invariant,
      ...placeOf(program, finding),
    ];
    const key = JSON.stringify(parts);
    const number = (met.get(key) ?? 0) + 1;
    met.set(key, number);
    return createHash('sha256')
      .update(number === 1 ? key : `${key} ${number}`)
      .digest('hex')
      .slice(0, 32);
  });
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
    const rows = loadObject(object).programs.flatMap((one) => one.lineInfo);
    const found = rows.find((row) => row.file === file && row.line === line);
    return found === undefined || found.text === '' ? undefined : found.text;
  } catch {
    // What is wrong with the object is what was found.
    return undefined;
  }
}
