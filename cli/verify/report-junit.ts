/**
 * The report of `verify` as JUnit XML, for build servers: a test suite per program, a test case per engine, and one for
 * what the program's verdict is worth.
 */
import { visibleLines } from '../../sim/runtime/visible-text.ts';
import { keptLines } from '../../verify/explain/kept.ts';
import type { EngineReport, ProgramReport } from '../../verify/report.ts';
import type { Verdict } from '../../verify/verdict.ts';
import type { Tested } from './tested.ts';

/** What a test case holds decides how build servers count it. */
type Result = 'failure' | 'error' | 'skipped' | 'note';

interface TestCase {
  readonly name: string;
  readonly seconds?: number;
  readonly parts: readonly { readonly result: Result; readonly xml: string }[];
}

export function toJunit(all: readonly Tested[], seed: string): string {
  const suites = all.flatMap(({ report, verdict }) => suite(report, verdict, seed));
  const head = ['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites name="xdpsim verify">'];
  return [...head, ...suites, '</testsuites>', ''].join('\n');
}

function suite(report: ProgramReport, verdict: Verdict, seed: string): string[] {
  const cases: TestCase[] = [
    ...(report.failure === undefined
      ? []
      : [{ name: 'run', parts: [part('error', undefined, report.failure.message)] }]),
    ...report.engines.map((engine) => engineCase(report, engine)),
    { name: 'verdict', parts: verdictParts(verdict) },
  ];
  const number = (result: Result): number =>
    cases.flatMap(({ parts }) => parts).filter((one) => one.result === result).length;
  return [
    `  <testsuite name="${xmlText(report.name)}" tests="${cases.length}" failures="${number('failure')}"` +
      ` errors="${number('error')}" skipped="${number('skipped')}" time="${report.seconds.toFixed(3)}">`,
    `    <properties><property name="seed" value="${xmlText(seed)}"/><property name="packets" value="${report.packets}"/></properties>`,
    ...cases.flatMap((one) => caseLines(report.name, one)),
    '  </testsuite>',
  ];
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

function part(
  result: Exclude<Result, 'note'>,
  type: string | undefined,
  message: string,
  text: string = '',
): TestCase['parts'][number] {
  const open = `<${result}${type === undefined ? '' : ` type="${xmlText(type)}"`} message="${xmlText(message)}"`;
  return { result, xml: text === '' ? `${open}/>` : `${open}>${xmlText(text)}</${result}>` };
}

function note(text: string): TestCase['parts'][number] {
  return { result: 'note', xml: `<system-out>${xmlText(text)}</system-out>` };
}

function caseLines(program: string, { name, seconds, parts }: TestCase): string[] {
  const time = seconds === undefined ? '' : ` time="${seconds.toFixed(3)}"`;
  const open = `    <testcase classname="${xmlText(program)}" name="${name}"${time}`;
  if (parts.length === 0) return [`${open}/>`];
  return [`${open}>`, ...parts.map(({ xml }) => `      ${xml}`), '    </testcase>'];
}

/** Control characters, which XML 1.0 mostly cannot hold at all, are shown as they are on a terminal. */
function xmlText(text: string): string {
  return (
    visibleLines(text)
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      // No characters in XML 1.0 (§2.2).
      .replaceAll(/[\ufffe\uffff]/g, '\ufffd')
  );
}
