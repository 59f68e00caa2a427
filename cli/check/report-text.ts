/** The report of `check`, as a person reads it. */
import type { Program } from '../../sim/runtime/program.ts';
import type { CheckedProgram, CheckFinding } from '../../verify/check/finding.ts';
import type { RunOptions } from '../../verify/explain/command.ts';
import { explain } from '../../verify/explain/explain.ts';
import { endOfLog } from '../../verify/explain/kernel-text.ts';
import { ruleOf } from '../../verify/invariants/rules.ts';
import { placeOfUnreached } from '../../verify/unreached.ts';
import type { NotTested } from '../input/program-source.ts';
import type { Style } from '../output.ts';
import { aidText } from '../prove/aid-text.ts';
import { count, type Terminal } from '../terminal.ts';
import { alsoText } from './also.ts';
import type { JudgedProgram } from './judged.ts';
import { warningsText } from './verdict.ts';

const VERDICTS: Readonly<Record<CheckedProgram['verdict'], readonly [style: Style, text: string]>> = {
  pass: ['green', 'PASS'],
  fail: ['red', 'FAIL'],
  incomplete: ['yellow', 'INCOMPLETE'],
};

const SEVERITIES: Readonly<Record<CheckFinding['severity'], Style>> = {
  error: 'red',
  warning: 'yellow',
  info: 'cyan',
};

/** Places that were not reached, without `--verbose`. */
const MAX_PLACES = 4;

export interface TextOptions {
  readonly verbose: boolean;
  /** How the run was started, for the commands that repeat a finding. */
  readonly run: RunOptions;
}

export function checkedLines(
  checked: CheckedProgram,
  program: Program,
  { verbose, run }: TextOptions,
  terminal: Terminal,
): string[] {
  const { findings, unreached, sweeps, proof, report, notChecked, seconds } = checked;
  const lines: string[] = [];
  const width = Math.max(0, ...findings.map(({ invariant }) => invariant.length));
  for (const { severity, invariant, source, also = [] } of findings) {
    const more = also.length === 0 ? '' : ` (and ${also.length} more)`;
    const place = source === undefined ? '' : `  ${source.file}:${source.line}${more}`;
    const name = terminal.style(SEVERITIES[severity], severity.padEnd(7));
    lines.push(`${name}  ${invariant.padEnd(width)}  ${ruleOf(invariant).title}${place}`);
  }
  for (const finding of findings) {
    // What is worth knowing is one line each, unless more is asked for.
    if (finding.severity === 'info' && !verbose) continue;
    lines.push('', ...findingLines(finding, program, run, terminal, verbose));
  }
  if (findings.length > 0) lines.push('');
  const engines = report.engines.filter(({ status }) => status === 'ran').map(({ name }) => name);
  const ran = `${count(report.packets)} packets in ${engines.join(' and ') || 'no engine'}`;
  const words = sweeps.words === 1 ? '1 word' : `${sweeps.words} words`;
  const whole = sweeps.words === 0 ? '' : `; ${words} × 65,536 values (${count(sweeps.packets)} packets)`;
  const swept =
    sweeps.wanted === undefined
      ? whole
      : `; sweeps: ${count(sweeps.packets)} of ${count(sweeps.wanted)} packets, for lack of time`;
  lines.push(`  ${ran}${swept}, ${seconds.toFixed(1)} s`);
  if (proof !== undefined) lines.push(`  ${aidText(proof)}`);
  if (checked.asKernels !== undefined) lines.push(`  Also as Linux ${checked.asKernels.join(', ')}`);
  const places = verbose ? unreached : unreached.slice(0, MAX_PLACES);
  for (const one of places) lines.push(`  Not reached: ${placeOfUnreached(one)}: ${one.because}`);
  if (unreached.length > places.length)
    lines.push(`  and ${unreached.length - places.length} more places (--verbose lists them)`);
  for (const line of notChecked) lines.push(terminal.style('yellow', `  Not checked: ${line}`));
  return lines;
}

function findingLines(
  finding: CheckFinding,
  program: Program,
  run: RunOptions,
  terminal: Terminal,
  verbose: boolean,
): string[] {
  const { invariant, divergence, summary, log, details = [], confirmedBy, also = [] } = finding;
  const { why } = ruleOf(invariant);
  const body =
    divergence === undefined
      ? [summary, ...(log === undefined ? [] : logLines(log, verbose)), ...details]
      : explain(program, divergence, { style: terminal.style, run });
  const seen = confirmedBy.length === 0 ? [] : [`Shown by: ${confirmedBy.join(', ')}`];
  const others = alsoText(finding, verbose ? Number.POSITIVE_INFINITY : undefined);
  const cases = verbose
    ? also.flatMap(({ invariant: id, file }) => (file === undefined ? [] : [`${id}: ${file}`]))
    : [];
  return [
    terminal.style('bold', `${invariant}: ${ruleOf(invariant).title}`),
    `  ${why}`,
    '',
    ...body.map((line) => `  ${line}`),
    ...seen.map((line) => `  ${line}`),
    ...(others === undefined ? [] : [`  ${others}`, ...cases.map((line) => `    ${line}`)]),
  ];
}

/** A function of an object that is not checked by itself. @param what has not been done: "Not checked" */
export function leftLine(what: string, { program, section, reason }: NotTested): string {
  return `${what} by itself: ${program}, ${section === undefined ? '' : `section ${section}: `}${reason}`;
}

/** What the baseline accepts. */
export function acceptedLines({ findings }: JudgedProgram): string[] {
  return findings.flatMap(({ finding, path, line, accepted }) =>
    accepted === undefined
      ? []
      : [
          `  Accepted: ${[finding, ...(finding.also ?? [])].map(({ invariant }) => invariant).join(', ')} at ${path}:${line}: ${accepted}`,
        ],
  );
}

/** "PASS icmp_echo: nothing found in 40,000 packets …"; "PASS, 2 warnings my.o: …" */
export function verdictLine(checked: CheckedProgram, terminal: Terminal): string {
  const { name, verdict, reason } = checked;
  const warnings = verdict === 'pass' ? warningsText([checked]) : '';
  const [style, text] = warnings === '' ? VERDICTS[verdict] : (['yellow', `PASS, ${warnings}`] as const);
  return `${terminal.style(style, text)} ${name}: ${reason}`;
}

function logLines(log: string, verbose: boolean): string[] {
  return verbose ? log.trimEnd().split('\n') : endOfLog(log, '--verbose has all');
}
