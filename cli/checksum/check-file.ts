/** Checks one capture to its end, or to where it cannot be read: what was found up to there is kept. */
import { readCapture } from '../../corpus/formats/capture-file.ts';
import type { ReadProgress } from '../../corpus/formats/capture-source.ts';
import { CaptureChecker, type CheckOptions } from '../../verify/captures/checker.ts';
import { FastScan } from '../../verify/captures/fast-scan.ts';
import { EXIT, type Failure, toFailure } from '../failure.ts';
import { count, rate, type Terminal } from '../terminal.ts';

export interface FileReport {
  readonly file: string;
  readonly checker: CaptureChecker;
  readonly seconds: number;
  /** Why the file could not be read to its end. */
  readonly error: Failure | undefined;
}

/** One for all files: they are checked one after the other. */
let fast: FastScan | undefined;

/** Seconds between two progress lines. */
const PROGRESS_INTERVAL = 0.1;

export async function checkFile(
  file: string,
  options: CheckOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<FileReport> {
  fast ??= new FastScan();
  fast.release();
  const checker = new CaptureChecker({ ...options, fast });
  const progress: ReadProgress = { read: 0, size: 0 };
  // Node loads a module for `performance`, and none for this.
  const start = process.uptime();
  let shown = start;
  let error: Failure | undefined;
  try {
    for await (const batch of readCapture(file, { progress, memory: fast, signal })) {
      checker.check(batch);
      if (signal.aborted) break;
      const now = process.uptime();
      if (now - shown < PROGRESS_INTERVAL) continue;
      shown = now;
      terminal.progress(() => progressText(file, checker, progress, now - start));
    }
  } catch (thrown) {
    // Then what was read until the signal came is what there is.
    error = signal.aborted ? undefined : toFailure(thrown);
    if (error === undefined && !signal.aborted) throw thrown;
  } finally {
    terminal.clearProgress();
  }
  checker.end();
  return { file, checker, seconds: process.uptime() - start, error };
}

function progressText(
  file: string,
  { packets, faultCount }: CaptureChecker,
  { read, size }: ReadProgress,
  seconds: number,
): string {
  const share = size === 0 ? '' : `${Math.floor((read / size) * 100)} %, `;
  const left = size === 0 || read === 0 ? '' : `, ${Math.ceil((seconds * (size - read)) / read)} s left`;
  return `${file}: ${share}${count(packets)} packets (${rate(packets, seconds)}), ${count(faultCount)} faults${left}`;
}

/** Several reports in one exit code: what could not be read, then what was found, then what could not be looked into; no packet at all is no agreement. */
export function exitCodeOf(reports: readonly FileReport[]): number {
  const errors = reports.flatMap(({ error }) => (error === undefined ? [] : [error.exitCode]));
  if (errors.includes(EXIT.input)) return EXIT.input;
  if (errors.length > 0) return errors[0]!;
  if (reports.some(({ checker }) => checker.faultCount > 0)) return EXIT.found;
  if (reports.some(({ checker }) => checker.skipped.size > 0)) return EXIT.environment;
  const isEmpty = ({ checker }: FileReport): boolean => checker.packets === checker.filteredOut;
  return reports.every(isEmpty) ? EXIT.incomplete : EXIT.agreed;
}
