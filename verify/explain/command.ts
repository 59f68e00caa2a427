/** The commands that repeat a divergence. */
import type { EngineName } from '../../sim/engines/register.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { BATCH_SIZE } from '../batch-plan.ts';
import { GUIDED_CASE } from '../guide/guided-run.ts';
import { PROVED_CASE } from '../prove/proved-case.ts';
import type { Divergence } from '../report.ts';

/** How many packets `verify` generates when it is not told. */
const DEFAULT_RUNS = 20_000;

/** How the run that found it was started. */
export interface RunOptions {
  /** Default: `verify`. */
  readonly command?: 'verify' | 'check' | 'prove';
  /** Those that ran. */
  readonly engines: readonly EngineName[];
  /** The other options that decide what is found, as words of a command line: `--map`, `--oracle`. */
  readonly words?: readonly string[];
  /** Absent: nothing is found by chance, as in a proof. */
  readonly seed?: string;
  /** `--as-kernel`: the kernel that model and machine were. */
  readonly asKernel?: string;
  /** As given. */
  readonly runs?: number;
  /** Did time decide how many packets there were? */
  readonly timed?: boolean;
}

export interface Commands {
  /** Finds it again: same engines, same exit code. */
  readonly repeat: string;
  /** Runs the saved case alone through one engine. */
  readonly alone?: string;
}

/** What the commands take of a divergence. */
export type Repeated = Pick<Divergence, 'seen' | 'file' | 'asKernel'>;

/** Each ready for a shell. */
export function commandsOf(program: Program, divergence: Repeated, run: RunOptions): Commands {
  const { seen, file } = divergence;
  const named = program.commandLine ?? [program.name];
  const version = divergence.asKernel ?? run.asKernel;
  const asKernel = version === undefined ? [] : ['--as-kernel', version];
  const repeat = commandText(
    run.command ?? 'verify',
    ...named,
    ...(run.words ?? []),
    ...asKernel,
    ...searchWords(divergence, run),
  );
  const capture = file ?? ('file' in seen && isFile(seen.file) ? seen.file : undefined);
  if (capture === undefined || program.object === undefined) return { repeat };
  return { repeat, alone: commandText('run', ...named, ...asKernel, '--packet', capture) };
}

/** The same packets in the same engines. */
function searchWords(divergence: Repeated, run: RunOptions): string[] {
  if (run.seed === undefined) return [];
  const isCheck = run.command === 'check';
  const engines = run.engines.join(',');
  return [
    ...(isCheck || engines === '' ? [] : ['--engines', engines]),
    ...['--seed', run.seed],
    ...(isCheck && run.runs === undefined ? [] : runsOf(divergence, run)),
  ];
}

/** Examples, guided cases and those of proofs are named in the place of a file. */
function isFile(path: string): boolean {
  return !['example: ', GUIDED_CASE, PROVED_CASE].some((start) => path.startsWith(start));
}

/** The same batches up to the one that shows it: what is found first depends on the whole batch. */
function runsOf({ seen }: Repeated, { runs, timed = false }: RunOptions): string[] {
  if (runs !== undefined) return ['--runs', String(runs)];
  if (!('packet' in seen) || (!timed && seen.packet < DEFAULT_RUNS)) return [];
  return ['--runs', String((Math.floor(seen.packet / BATCH_SIZE) + 1) * BATCH_SIZE)];
}

/** Words of a command line of ours, ready for a shell. */
export function commandText(...words: readonly string[]): string {
  return ['npx xdpsim', ...words.map(quoted)].join(' ');
}

/** As bash and zsh take it. Control characters would be shown as something else, so they are written as their numbers. */
function quoted(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  const controls = /[\x00-\x1f\x7f]/g;
  if (controls.test(text)) {
    const escaped = text.replaceAll(/['\\]/g, '\\$&').replaceAll(controls, (one) => `\\x${hexOf(one)}`);
    return `$'${escaped}'`;
  }
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function hexOf(character: string): string {
  return character.charCodeAt(0).toString(16).padStart(2, '0');
}
