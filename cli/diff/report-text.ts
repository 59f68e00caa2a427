/** The report of `diff` for a person: one line where nothing differs, else each class with its example. */
import { hexdump } from '../../sim/packet/hexdump.ts';
import { decodeTree } from '../../sim/packet/tree.ts';
import { summarizeCoverage } from '../../verify/coverage-summary.ts';
import type { DecidingPlace } from '../../verify/diff/decide.ts';
import { changesOf } from '../../verify/diff/describe.ts';
import type { DiffClass } from '../../verify/diff/diff.ts';
import { commandText } from '../../verify/explain/command.ts';
import { besideLines } from '../../verify/explain/explain.ts';
import { keptLines } from '../../verify/explain/kept.ts';
import { whyNotEqual } from '../../verify/prove/against/against.ts';
import type { Saved } from '../../verify/report.ts';
import { claimText } from '../prove/claim.ts';
import { count, type Terminal } from '../terminal.ts';
import type { Compared, ComparedProgram } from './compared.ts';

/** A frame of an ordinary Ethernet is shown whole. */
const MAX_DUMP_LINES = 96;
/** A command line of more digits is of no use to anyone. */
const MAX_DIGITS = 400;

/** The one line of builds between which nothing differs. */
export function sameLine({ old, new: next, programs }: Compared, seed: string): string {
  const packets = programs.reduce((sum, { report }) => sum + (report?.packets ?? 0), 0);
  const names = `${old} and ${next}`;
  if (programs.every(({ verdict }) => verdict === 'identical instructions')) {
    return `${names}: identical instructions, nothing to compare`;
  }
  const reached = programs.flatMap(({ report }) => {
    const shares = [report?.coverage.old, report?.coverage.new].map((coverage) => {
      if (coverage === undefined) return undefined;
      const [hit, total] = summarizeCoverage(coverage).branches;
      return total === 0 ? 100 : Math.floor((100 * hit) / total);
    });
    return shares.some((share) => share === undefined) ? [] : [`${shares.join(' and ')} %`];
  });
  const left = new Set(programs.flatMap(({ report }) => report?.notCompared.map(({ what }) => what) ?? []));
  const details = [
    ...(reached.length > 0 ? [`branches reached: ${reached.join(', ')}`] : []),
    ...(left.size > 0 ? [`not compared: ${[...left].join(', ')}`] : []),
    `seed ${seed}`,
  ];
  const proofs = programs.flatMap((one) => provedText(one));
  const proved = proofs.length === 0 ? '' : `; ${proofs.join('; ')}`;
  return `${names}: no difference in ${count(packets)} packets${sweptText(programs)} (${details.join('; ')})${proved}`;
}

/** What was proved where no packet differed. */
function provedText({ name, proof }: ComparedProgram): string[] {
  if (proof === undefined) return [];
  if (proof.isEqual) return [`${name} ${claimText(proof)} (xdpsim prove --against names all assumptions)`];
  return [`${name} not proved equal: ${whyNotEqual(proof) ?? 'it is open'}`];
}

function sweptText(programs: readonly ComparedProgram[]): string {
  const swept = programs.reduce((sum, { report }) => sum + (report?.swept ?? 0), 0);
  return swept === 0 ? '' : ` and ${count(swept)} of sweeps`;
}

export function differingLines(compared: Compared, seed: string, terminal: Terminal): string[] {
  const { old, new: next, programs, unpaired } = compared;
  const several = programs.length > 1;
  return [
    terminal.style('bold', `old: ${old}`),
    terminal.style('bold', `new: ${next}`),
    ...unpaired.map((sentence) => terminal.style('red', `✗ ${sentence}`)),
    ...mapLines(compared, terminal),
    ...programs.flatMap((program) => programLines(program, several, seed, terminal)),
  ];
}

/** Maps that the builds declare differently, whether or not packets show it. */
export function mapLines({ maps }: Compared, terminal: Terminal): string[] {
  return maps.map((sentence) => terminal.style('yellow', `Declared differently: ${sentence}`));
}

function programLines(
  program: ComparedProgram,
  several: boolean,
  seed: string,
  terminal: Terminal,
): string[] {
  const { name, verdict, report } = program;
  if (verdict === 'identical instructions') return several ? [`= ${name}: identical instructions`] : [];
  if (report === undefined) return [];
  if (report.failure !== undefined) return [terminal.style('red', `✗ ${name}: ${report.failure.message}`)];
  const packets = `${count(report.packets)} packets${sweptText([program])}, seed ${seed}`;
  if (verdict === 'same') {
    return [[`= ${name}: no difference in ${packets}`, ...provedText(program)].join('; ')];
  }
  const classes = report.classes.length === 1 ? '1 class' : `${report.classes.length} classes`;
  const more = report.isCut ? ' and more (--max-classes)' : '';
  return [
    terminal.style('red', `✗ ${name}: ${classes} of packets treated differently${more}; ${packets}`),
    ...(program.isProofs === true
      ? ['  None of these packets shows it: the proof that nothing differs failed, and found it.']
      : []),
    ...report.classes.flatMap((one, index) => [
      '',
      ...classLines(program, one, index, terminal, program.isProofs !== true),
    ]),
    ...report.notCompared.map(
      ({ what, packets: left }) => `  Not compared: ${what}${left === undefined ? '' : ` (${count(left)})`}`,
    ),
  ];
}

/** @param counts whether the packets of the class are counted: they say something where they were generated */
export function classLines(
  program: ComparedProgram,
  one: DiffClass,
  index: number,
  terminal: Terminal,
  counts: boolean = true,
): string[] {
  const { finding, case: shown, state, packets } = one;
  const changes = changesOf(program.report!.pair, one);
  const [first, ...others] = changes.map(({ what, old, new: next }) => `${what}: ${old} → ${next}`);
  const stimulus = shown.stimuli[finding.packet]!;
  const { length } = shown.stimuli;
  const after = length > 1 ? `, after ${length - 1} other${length === 2 ? '' : 's'}` : '';
  const smallest = state === 'shrunk' ? 'Smallest example' : 'Example';
  const saved = program.saved[index] ?? {};
  return [
    terminal.style(
      'bold',
      `${index + 1}. ${first}${counts ? ` (${packets === 1 ? '1 packet' : `${count(packets)} packets`})` : ''}`,
    ),
    ...others.map((text) => `   ${text}`),
    ...placeLines('old', finding, terminal),
    ...placeLines('new', finding, terminal),
    `   ${smallest} (${stimulus.packet.length} bytes${after}):`,
    ...decodeTree(stimulus.packet).map(({ label, text }) => `     ${label}${text === '' ? '' : `, ${text}`}`),
    ...indent(hexdump(stimulus.packet, { maxLines: MAX_DUMP_LINES })),
    ...besideLines(program.report!.pair.new, shown.world, stimulus).map((line) => `   ${line}`),
    ...keptLines(saved).map((line) => `   ${line}`),
    ...runLines(program, one, saved),
  ];
}

function placeLines(
  build: 'old' | 'new',
  { part, decision }: DiffClass['finding'],
  terminal: Terminal,
): string[] {
  const place = decision[build];
  const nothing = part === 'map' ? 'writes nothing there' : 'nothing decides it';
  const shown = place === undefined ? nothing : placeText(place);
  const others = decision.changed[build].filter(
    ({ file, line }) => place?.source?.file !== file || place.source.line !== line,
  );
  return [
    `   ${build}  ${terminal.style(build === 'old' ? 'red' : 'green', shown)}`,
    ...others.map((line) => `        came through ${line.file}:${line.line}: ${line.text.trim()}`),
  ];
}

function placeText({ source, program, instruction }: DecidingPlace): string {
  if (source === undefined) return `${program}, instruction ${instruction}`;
  return `${source.file}:${source.line}: ${source.text.trim()}`;
}

/** Both builds on the example. Its world, and what comes with the packet, go with a saved case only. */
function runLines(
  { words, report }: ComparedProgram,
  { case: shown }: DiffClass,
  { file, unsaved }: Saved,
): string[] {
  const [first, ...others] = shown.stimuli;
  const { packet } = first!;
  const isPlain =
    others.length === 0 &&
    Object.keys(shown.world).length === 0 &&
    besideLines(report!.pair.new, {}, first).length === 0;
  const digits = Buffer.from(packet).toString('hex');
  const what = file ?? (isPlain && digits.length <= MAX_DIGITS ? digits : undefined);
  if (what === undefined && unsaved !== undefined) return [];
  if (what === undefined) return ['   --report DIR saves the example, to be run by itself.'];
  return [words.old, words.new].map((own) => `   ${commandText('run', ...own, '--packet', what)}`);
}

function indent(text: string): string[] {
  return text.split('\n').map((line) => `     ${line}`);
}
