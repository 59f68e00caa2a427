/** The report of `verify` as a person reads it. */
import { sumNotCompared } from '../verify/not-compared.ts';
import type { ProgramReport } from '../verify/report.ts';
import type { NotTested } from './program-source.ts';
import { count, rate, type Terminal } from './terminal.ts';

/** One line for a program as soon as it is done. */
export function programLine(report: ProgramReport, width: number, terminal: Terminal): string {
  const name = report.name.padEnd(width);
  const packets = `${count(report.packets)} packets`.padStart(18);
  return `${verdict(report, terminal)} ${name} ${packets}   ${reached(report.coverage).padEnd(13)}   ${actions(report)}`;
}

/** Programs of the objects that packets cannot be given to. */
export function notTestedLines(left: readonly NotTested[], width: number, terminal: Terminal): string[] {
  return left.map(({ program, section, reason }) => {
    return `${terminal.style('yellow', '– not run')} ${program.padEnd(width)}   section ${section}: ${reason}`;
  });
}

/** "100/92/99 %": instructions, branches, lines. Rounded down, so that 100 means all. */
function reached(coverage: ProgramReport['coverage']): string {
  if (coverage === undefined) return '';
  const { instructions, branches, lines } = coverage;
  const percents = [instructions, branches, lines].map(([hit, total]) =>
    total === 0 ? '–' : `${Math.floor((100 * hit) / total)}`,
  );
  return `${percents.join('/')} %`;
}

function verdict(report: ProgramReport, terminal: Terminal): string {
  if (report.divergences.length > 0) return terminal.style('red', '✗ differs');
  if (hasFailed(report)) return terminal.style('red', '✗ failed ');
  if (ran(report) < 2) return terminal.style('yellow', '– no pair');
  return terminal.style('green', '✓ agreed ');
}

function ran(report: ProgramReport): number {
  return report.engines.filter((engine) => engine.status === 'ran').length;
}

function actions(report: ProgramReport): string {
  const total = Object.values(report.actions).reduce((sum, packets) => sum + packets, 0);
  return Object.entries(report.actions)
    .map(([action, packets]) => `${action} ${share(packets, total)}`)
    .join('  ');
}

function share(part: number, whole: number): string {
  const percent = (100 * part) / whole;
  return percent > 0 && percent < 1 ? '<1 %' : `${Math.round(percent)} %`;
}

/** What failed to run, and why. */
export function failureLines(report: ProgramReport): string[] {
  const ofEngines = report.engines.flatMap((engine) => {
    if (engine.status !== 'failed') return [];
    return [
      `  ${engine.name} failed: ${engine.reason ?? 'for an unknown reason'}`,
      ...detailsOf({ ...engine.failure, remedy: engine.remedy }),
    ];
  });
  const { failure } = report;
  if (failure === undefined) return ofEngines;
  return [...ofEngines, `  ended early: ${failure.message}`, ...detailsOf(failure)];
}

function detailsOf({
  remedy,
  log,
}: {
  readonly remedy?: string | undefined;
  readonly log?: string;
}): string[] {
  return [...(remedy === undefined ? [] : [remedy]), ...(log?.trimEnd().split('\n') ?? [])].map(
    (line) => `    ${line}`,
  );
}

/** Could a program not be tested as it was to be? */
function hasFailed(report: ProgramReport): boolean {
  return report.failure !== undefined || report.engines.some((engine) => engine.status === 'failed');
}

/** The end of the report: speeds, what was skipped, what was not compared, and the verdict. */
export function closingLines(
  reports: readonly ProgramReport[],
  seed: string,
  seconds: number,
  terminal: Terminal,
): string[] {
  const lines: string[] = [];
  const packets = reports.reduce((sum, report) => sum + report.packets, 0);
  for (const [name, speed] of speeds(reports)) lines.push(`  ${name.padEnd(8)} ${speed}`);
  if (reports.some((report) => report.coverage !== undefined)) {
    lines.push('  percentages behind the packets: instructions/branches/lines of the object that ran');
  }
  for (const [text, programs] of skipped(reports)) {
    lines.push(terminal.style('yellow', `  skipped  ${text}${ofPrograms(programs, reports)}`));
  }
  for (const [text, programs] of notCompared(reports)) {
    lines.push(`  not compared: ${text}${ofPrograms(programs, reports)}`);
  }
  const divergences = reports.reduce((sum, report) => sum + report.divergences.length, 0);
  const failed = reports.filter(hasFailed).length;
  const interrupted = reports.some((report) => report.interrupted);
  const programs = reports.length === 1 ? '1 program' : `${reports.length} programs`;
  const done = `${programs}, ${count(packets)} packets in ${seconds.toFixed(1)} s, seed ${seed}`;
  lines.push('');
  if (interrupted) lines.push(terminal.style('yellow', 'Interrupted: this is what was done until then.'));
  if (divergences > 0) {
    lines.push(
      terminal.style('red', `${done}: ${divergences} divergence${divergences === 1 ? '' : 's'} found.`),
    );
  } else if (failed > 0) {
    lines.push(terminal.style('red', `${done}: ${failed} could not be verified.`));
  } else if (reports.every((report) => ran(report) < 2)) {
    lines.push(terminal.style('yellow', `${done}: fewer than two engines ran, so nothing was compared.`));
  } else {
    lines.push(terminal.style('green', `${done}: all agreed.`));
  }
  return lines;
}

function speeds(reports: readonly ProgramReport[]): Map<string, string> {
  const totals = new Map<string, { packets: number; seconds: number }>();
  for (const engine of reports.flatMap((report) => report.engines)) {
    if (engine.packets === 0) continue;
    const total = totals.get(engine.name) ?? { packets: 0, seconds: 0 };
    total.packets += engine.packets;
    total.seconds += engine.seconds;
    totals.set(engine.name, total);
  }
  return new Map(
    [...totals].map(([name, total]) => [
      name,
      `${count(total.packets).padStart(12)} packets at ${rate(total.packets, total.seconds)}`,
    ]),
  );
}

function skipped(reports: readonly ProgramReport[]): Map<string, string[]> {
  return grouped(reports, (report) =>
    report.engines
      .filter((engine) => engine.status === 'skipped')
      .map(
        (engine) =>
          `${engine.name}: ${engine.reason}${engine.remedy === undefined ? '' : ` – ${engine.remedy}`}`,
      ),
  );
}

/** The same gap in several programs is one line; packets that an engine did not get are added up. */
function notCompared(reports: readonly ProgramReport[]): Map<string, string[]> {
  const lines = new Map<string, string[]>();
  for (const { what, engine, packets } of sumNotCompared(reports.flatMap((report) => report.notCompared))) {
    const counted = packets === undefined ? '' : `${count(packets)} packet${packets === 1 ? '' : 's'}: `;
    const programs = reports.filter((report) =>
      report.notCompared.some((gap) => gap.what === what && gap.engine === engine),
    );
    lines.set(
      `${counted}${what} (${engine})`,
      programs.map((report) => report.name),
    );
  }
  return lines;
}

function grouped(
  reports: readonly ProgramReport[],
  texts: (report: ProgramReport) => readonly string[],
): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const report of reports) {
    for (const text of texts(report)) {
      const group = groups.get(text);
      if (group === undefined) groups.set(text, [report.name]);
      else group.push(report.name);
    }
  }
  return groups;
}

function ofPrograms(programs: readonly string[], reports: readonly ProgramReport[]): string {
  if (programs.length === reports.length) return '';
  const named = programs.slice(0, 3).join(', ');
  return programs.length > 3 ? ` [${named} and ${programs.length - 3} more]` : ` [${named}]`;
}
