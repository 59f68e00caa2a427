/** The report of `verify` on one program, as a person reads it. */
import type { EngineReport, ProgramReport } from '../../verify/report.ts';
import { placeOfUnreached, type Unreached } from '../../verify/unreached.ts';
import type { Mark } from '../../verify/verdict.ts';
import type { NotTested } from '../input/program-source.ts';
import type { Style } from '../output.ts';
import { aidText } from '../prove/aid-text.ts';
import { count, type Terminal } from '../terminal.ts';
import type { Tested } from './tested.ts';

const MARKS: Readonly<Record<Mark, readonly [style: Style, text: string]>> = {
  differs: ['red', '✗ differs'],
  failed: ['red', '✗ failed'],
  incomplete: ['red', '✗ incomplete'],
  agreed: ['green', '✓ agreed'],
  'agreed on what ran': ['yellow', '◐ agreed on what ran'],
  'not compared': ['yellow', '– not compared'],
  'not judged': ['yellow', '– not judged'],
};

const MARK_WIDTH = 20;
/** So many places that packets did not reach are listed without `--verbose`. */
const MAX_PLACES = 4;

/** One line for a program as soon as it is done. */
export function programLine({ report, verdict }: Tested, width: number, terminal: Terminal): string {
  const [style, mark] = MARKS[verdict.mark];
  const packets = `${count(report.packets)} ${report.packets === 1 ? 'packet' : 'packets'}`.padStart(18);
  const line = `${report.name.padEnd(width)} ${packets}   ${reached(report.coverage).padEnd(13)}   ${actions(report)}`;
  return `${terminal.style(style, mark.padEnd(MARK_WIDTH))} ${line}`;
}

/** Programs of the objects that packets cannot be given to. */
export function notTestedLines(left: readonly NotTested[], width: number, terminal: Terminal): string[] {
  return left.map(({ program, section, reason }) => {
    return `${terminal.style('yellow', '– not run'.padEnd(MARK_WIDTH))} ${program.padEnd(width)}   ${section === undefined ? '' : `section ${section}: `}${reason}`;
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

/** What stands below a program's line: what failed, what xdpsim did wrong, why the verdict is no better. */
export function detailLines(tested: Tested, verbose: boolean, terminal: Terminal): string[] {
  const { report, verdict } = tested;
  return [
    ...failureLines(report),
    ...report.defects.map((defect) =>
      terminal.style('yellow', `  ${defect.summary} (${packetCount(defect.packets)})`),
    ),
    ...report.warnings.map(({ severity, summary, packets, source }) => {
      const place = source === undefined ? '' : `${source.file}:${source.line}: `;
      const counted = packets === undefined ? '' : ` (${packetCount(packets)})`;
      return terminal.style('yellow', `  ${severity}: ${place}${summary}${counted}`);
    }),
    ...(tested.aid === undefined ? [] : [`  ${aidText(tested.aid)}`]),
    ...verdict.reasons.map((reason) => `  ${sentence(reason)}`),
    ...(verdict.mark === 'agreed on what ran' || verdict.mark === 'incomplete' || verbose
      ? unreachedLines(tested, verbose)
      : []),
  ];
}

/** Below the divergences: those that were seen and not looked into. */
export function furtherLines({ report: { further = [], divergences } }: Tested): string[] {
  if (further.length === 0) return [];
  const kinds = further.map(({ engines, field }) => `${field} (${engines.join(' and ')})`);
  return [
    `  The same packets also differ in: ${kinds.join(', ')}.`,
    `  --max-divergences ${divergences.length + further.length} shows all of these.`,
  ];
}

/** What failed to run, and why. */
function failureLines({ engines, failure, divergences }: ProgramReport): string[] {
  // With what the machine stopped stands what the kernel said to it.
  const isShownBelow = (engine: EngineReport): boolean =>
    divergences.some(
      ({ finding: { kernel } }) => kernel?.did === 'refused' && kernel.message === engine.reason,
    );
  const ofEngines = engines.flatMap((engine) => {
    if (engine.status !== 'failed') return [];
    return [
      `  ${engine.name} failed: ${engine.reason ?? 'for an unknown reason'}`,
      ...remedyAndLog({ ...(isShownBelow(engine) ? {} : engine.failure), remedy: engine.remedy }),
    ];
  });
  if (failure === undefined) return ofEngines;
  return [...ofEngines, `  ended early: ${failure.message}`, ...remedyAndLog(failure)];
}

function remedyAndLog({
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

function unreachedLines({ unreached }: Tested, verbose: boolean): string[] {
  if (unreached.length === 0) return [];
  const shown = verbose ? unreached : unreached.slice(0, MAX_PLACES);
  const left = unreached.length - shown.length;
  const maps = [...new Set(unreached.flatMap(({ map }) => map ?? []))];
  const programMaps = [...new Set(unreached.flatMap(({ programMap }) => programMap ?? []))];
  return [
    '  Where packets did not go:',
    ...shown.map((one) => `    ${placeText(one)}: ${one.because}`),
    ...(left > 0 ? [`    … and ${left} more (--verbose)`] : []),
    `  To get there: ${[
      ...fillLines([...maps, ...programMaps]),
      'more packets (--runs)',
      'a model with worlds and hints (docs/your-own-program.md)',
    ].join('; ')}.`,
  ];
}

/** How maps get their contents. */
function fillLines(maps: readonly string[]): string[] {
  if (maps.length === 0) return [];
  return [`--world FILE fills ${maps.join(', ')} (\`xdpsim world init\` writes one to start from)`];
}

function placeText(one: Unreached): string {
  const place = placeOfUnreached(one);
  return one.text === undefined ? place : `${place}  ${one.text}`;
}

function packetCount(packets: number): string {
  return packets === 1 ? '1 packet' : `${count(packets)} packets`;
}

function sentence(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}.`;
}
