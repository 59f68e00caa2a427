/** The end of the report of `verify`: speeds, what was left out, and the result of the run in one line. */
import { isModel } from '../../sim/engines/register.ts';
import { type NotCompared, sumNotCompared } from '../../verify/not-compared.ts';
import type { EngineReport, ProgramReport } from '../../verify/report.ts';
import type { Mark } from '../../verify/verdict.ts';
import type { Style } from '../output.ts';
import { count, rate, type Terminal } from '../terminal.ts';
import { SWITCHED_OFF, type Tested, uncheckedByMachines } from './tested.ts';

export interface ClosingOptions {
  readonly seed: string;
  /** How long the run took. */
  readonly seconds: number;
  /** Lists everything that was not compared. */
  readonly verbose: boolean;
  /** Did a signal end the run before all that was asked for? */
  readonly interrupted?: boolean;
}

export function closingLines(
  all: readonly Tested[],
  { seed, seconds, verbose, interrupted = false }: ClosingOptions,
  terminal: Terminal,
): string[] {
  const reports = all.map(({ report }) => report);
  const packets = reports.reduce((sum, report) => sum + report.packets, 0);
  const programs = all.length === 1 ? '1 program' : `${all.length} programs`;
  const done = `${programs}, ${packetCount(packets)} in ${seconds.toFixed(1)} s, seed ${seed}`;
  const isPartial = interrupted || reports.some((report) => report.interrupted);
  const [style, result] = resultOf(all, isPartial);
  return [
    ...speeds(reports),
    ...(reports.some((report) => report.coverage !== undefined)
      ? ['  Coverage: instructions/branches/lines']
      : []),
    ...withoutModel(reports),
    ...skipped(reports).map((line) => terminal.style('yellow', line)),
    ...notes(reports),
    ...pinned(reports),
    ...notCompared(reports, verbose),
    ...withoutKernel(all, verbose),
    ...notJudged(all).map((line) => terminal.style('yellow', line)),
    '',
    ...(isPartial ? [terminal.style('yellow', 'Interrupted: this is what was done until then.')] : []),
    terminal.style(style, `${done}: ${result}.`),
  ];
}

/** The worst of the programs' verdicts decides. */
function resultOf(all: readonly Tested[], isPartial: boolean): readonly [Style, string] {
  const having = (mark: Mark): number => all.filter(({ verdict }) => verdict.mark === mark).length;
  const of = (mark: Mark): string => (all.length === 1 ? '' : `${having(mark)} of ${all.length} `);
  const divergences = all.reduce((sum, { report }) => sum + report.divergences.length, 0);
  if (divergences > 0) return ['red', `${divergences} divergence${divergences === 1 ? '' : 's'} found`];
  if (having('failed') > 0) return ['red', `${having('failed')} could not be verified`];
  if (having('incomplete') > 0) return ['red', `${of('incomplete')}incomplete`];
  if (having('not judged') > 0) return ['yellow', `${of('not judged')}not judged by anything`];
  if (having('not compared') > 0) {
    const which = all.length === 1 ? 'the program' : `${having('not compared')} of ${all.length}`;
    return ['yellow', `nothing wrong was found, but ${which} had nothing to be compared with`];
  }
  if (isPartial) return ['yellow', 'no difference until then'];
  if (having('agreed on what ran') > 0) {
    return all.length === 1
      ? ['yellow', 'agreed on what ran']
      : ['yellow', `all agreed, ${having('agreed on what ran')} of ${all.length} only on what ran (◐)`];
  }
  return ['green', 'all agreed'];
}

function speeds(reports: readonly ProgramReport[]): string[] {
  const totals = new Map<string, { packets: number; seconds: number }>();
  for (const engine of reports.flatMap((report) => report.engines)) {
    if (engine.packets === 0) continue;
    const total = totals.get(engine.name) ?? { packets: 0, seconds: 0 };
    total.packets += engine.packets;
    total.seconds += engine.seconds;
    totals.set(engine.name, total);
  }
  return [...totals].map(
    ([name, total]) =>
      `  ${name.padEnd(8)} ${count(total.packets).padStart(12)} packets at ${rate(total.packets, total.seconds)}`,
  );
}

function skipped(reports: readonly ProgramReport[]): string[] {
  return ofEngines(reports, ({ name, status, reason, remedy }) =>
    status === 'skipped' && !isModel(name)
      ? `Skipped ${name}: ${reason}${remedy === undefined ? '' : ` – ${remedy}`}`
      : undefined,
  );
}

/** One line, however many programs have none: most people’s programs have none, and are none the worse for it. */
function withoutModel(reports: readonly ProgramReport[]): string[] {
  const without = reports.flatMap(({ engines }) =>
    engines.filter(({ name, status }) => isModel(name) && status === 'skipped'),
  );
  const [first] = without;
  if (first === undefined) return [];
  if (without.length === 1)
    return [`  ${sentenceOf(first.reason ?? 'no model')}: ${first.remedy ?? 'write one'}`];
  return [
    `  No model for ${without.length} of ${reports.length} programs: docs/your-own-program.md shows how to write one`,
  ];
}

function sentenceOf(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}`;
}

/** What engines report of themselves. */
function notes(reports: readonly ProgramReport[]): string[] {
  return ofEngines(reports, ({ name, note }) =>
    note === undefined ? undefined : `Note on ${name}: ${note}`,
  );
}

/** Where the kernel's clock and chance were the machine's: one line for each engine. */
function pinned(reports: readonly ProgramReport[]): string[] {
  const helpersOf = new Map<string, Set<string>>();
  for (const { name, pinned: helpers } of reports.flatMap(({ engines }) => engines)) {
    for (const helper of helpers ?? []) helpersOf.set(name, (helpersOf.get(name) ?? new Set()).add(helper));
  }
  return [...helpersOf].map(
    ([name, helpers]) => `  Pinned: ${[...helpers].join(', ')} returned the machine’s values in ${name}`,
  );
}

/** One line for what is the same in several programs. */
function ofEngines(
  reports: readonly ProgramReport[],
  textOf: (engine: EngineReport) => string | undefined,
): string[] {
  const groups = new Map<string, string[]>();
  for (const { name, engines } of reports) {
    for (const engine of engines) {
      const text = textOf(engine);
      if (text !== undefined) groups.set(text, [...(groups.get(text) ?? []), name]);
    }
  }
  return [...groups].map(([text, names]) => `  ${text}${ofPrograms(names, reports)}`);
}

/** One line; with `verbose`, one for each gap, in how many programs it is. */
function notCompared(reports: readonly ProgramReport[], verbose: boolean): string[] {
  const gaps = sumNotCompared(reports.flatMap((report) => report.notCompared));
  if (gaps.length === 0) return [];
  const [only, ...others] = gaps;
  const isAll = others.length === 0 && only!.packets === undefined;
  if (!verbose) return [`  Not compared: ${summaryOf(gaps)}${isAll ? '' : ' (--verbose lists them)'}`];
  return gaps.map(({ what, engine, packets }) => {
    const counted = packets === undefined ? '' : `${packetCount(packets)}: `;
    const names = reports
      .filter((report) => report.notCompared.some((gap) => gap.what === what && gap.engine === engine))
      .map((report) => report.name);
    return `  Not compared: ${counted}${what} (${engine})${ofPrograms(names, reports)}`;
  });
}

/** "redirect target (testrun) and 2 more; 40 packets for 3 reasons" */
function summaryOf(gaps: readonly NotCompared[]): string {
  const parts = gaps.filter(({ packets }) => packets === undefined);
  const counted = gaps.filter(({ packets }) => packets !== undefined);
  const texts: string[] = [];
  const [first] = parts;
  if (first !== undefined) {
    const more = parts.length === 1 ? '' : ` and ${parts.length - 1} more`;
    texts.push(`${first.what} (${first.engine})${more}`);
  }
  if (counted.length > 0) {
    const total = counted.reduce((sum, { packets = 0 }) => sum + packets, 0);
    const reasons = counted.length === 1 ? '1 reason' : `${counted.length} reasons`;
    texts.push(`parts of ${packetCount(total)} for ${reasons}`);
  }
  return texts.join('; ');
}

/** What the user has switched off: it is said, however good the rest looks. */
function notJudged(all: readonly Tested[]): string[] {
  const [{ oracle = 'all' } = {}] = all;
  return SWITCHED_OFF[oracle].map((what) => `  Not checked: ${what}`);
}

/** A pass in the machine is no verifier acceptance. */
function withoutKernel(all: readonly Tested[], verbose: boolean): string[] {
  const good = all.filter(({ verdict }) => verdict.mark !== 'differs' && verdict.mark !== 'failed');
  const gaps = new Map(
    good
      .flatMap(({ report }) => uncheckedByMachines(report))
      .map((gap) => [`${gap.engine} ${gap.what}`, gap]),
  );
  if (gaps.size === 0) return [];
  const engines = [...new Set([...gaps.values()].map(({ engine }) => engine))].join(' and ');
  if (verbose) return [...gaps.values()].map(({ what, engine }) => `  Not checked by ${engine}: ${what}`);
  return [
    `  No kernel ran the programs; ${engines} does not check all that its verifier does (--verbose lists what)`,
  ];
}

function packetCount(packets: number): string {
  return packets === 1 ? '1 packet' : `${count(packets)} packets`;
}

function ofPrograms(programs: readonly string[], reports: readonly ProgramReport[]): string {
  if (programs.length === reports.length) return '';
  const named = programs.slice(0, 3).join(', ');
  return programs.length > 3 ? ` [${named} and ${programs.length - 3} more]` : ` [${named}]`;
}
