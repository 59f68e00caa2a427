/**
 * The report of `verify` as JUnit XML, for build servers: a test suite per program, a test case per engine, and one for
 * what the program's verdict is worth.
 */
import { keptLines } from '../../verify/explain/kept.ts';
import type { EngineReport, ProgramReport } from '../../verify/report.ts';
import type { Verdict } from '../../verify/verdict.ts';
import { part, type TestCase, testSuite, testSuites } from '../junit.ts';
import type { Tested } from './tested.ts';

export function toJunit(all: readonly Tested[], seed: string): string {
  return testSuites(
    'xdpsim verify',
    all.flatMap(({ report, verdict }) => suite(report, verdict, seed)),
  );
}

function suite(report: ProgramReport, verdict: Verdict, seed: string): string[] {
  const cases: TestCase[] = [
    ...(report.failure === undefined
      ? []
      : [{ name: 'run', parts: [part('error', undefined, report.failure.message)] }]),
    ...report.engines.map((engine) => engineCase(report, engine)),
    { name: 'verdict', parts: verdictParts(verdict) },
  ];
  return testSuite(report.name, cases, report.seconds, { seed, packets: String(report.packets) });
}

/** Each divergence belongs to the second of its engines: the first is the reference. */
function engineCase(report: ProgramReport, { name, status, seconds, reason = '' }: EngineReport): TestCase {
  return {
    name,
    seconds,
    parts: [
      ...report.divergences
        .filter((divergence) => divergence.engines[1] === name)
        .map((one) => part('failure', one.field, one.summary, keptLines(one).join('\n'))),
      ...(status === 'failed' ? [part('error', undefined, reason)] : []),
      ...(status === 'skipped' ? [part('skipped', undefined, reason)] : []),
      ...report.defects
        .filter((defect) => defect.engine === name)
        .map(({ summary, packets }) => note(`${summary} (packets: ${packets})`)),
    ],
  };
}

function verdictParts({ mark, reasons }: Verdict): TestCase['parts'] {
  const message = reasons.join('; ');
  switch (mark) {
    case 'incomplete':
      return [part('failure', mark, message)];
    case 'not judged':
      return [part('error', mark, message)];
    case 'not compared':
      return [part('skipped', undefined, message)];
    default:
      return [note([mark, ...reasons].join(': '))];
  }
}

function note(text: string): TestCase['parts'][number] {
  return { result: 'note', text };
}
