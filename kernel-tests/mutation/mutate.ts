/**
 * Measures how many small faults the unit tests of sim/ and verify/ notice: `npm run mutation -- --help`.
 * See docs/testing.md.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { Command } from 'commander';
import { type Choice, chooseTests } from './choose-tests.ts';
import { type Equivalent, equivalentsIn, isEquivalent } from './equivalents.ts';
import { type Mutant, mutantsOf } from './mutants.ts';
import { record } from './record.ts';
import type { Recording } from './recording.ts';
import { regionAt, regionsOf } from './regions.ts';
import { folderOf, type Result, report } from './report.ts';
import { ResultsLog } from './results-log.ts';
import { sample, samplePerFolder } from './sample.ts';
import { Tester } from './tester.ts';

interface Options {
  readonly sample: string;
  readonly seed: string;
  readonly all?: true;
  readonly only: readonly string[];
  readonly mutants: readonly string[];
  readonly tests: readonly string[];
  readonly allowance: string;
  readonly perFolder?: string;
  readonly seconds?: string;
  readonly log?: string;
  readonly list?: true;
}

const list = (value: string, before: readonly string[]): string[] => [...before, value];

const command = new Command('npm run mutation --')
  .description(
    'Changes one small thing after another in sim/ and verify/ and counts how many changes the unit tests notice.',
  )
  .option('--sample <N>', 'how many mutants, chosen by the seed', '100')
  .option('--seed <S>', 'another seed tries other mutants', '1')
  .option('--all', 'all mutants')
  .option('--only <PATH>', 'files and folders (repeatable)', list, [])
  .option('--mutants <FILE:LINE[:COLUMN[:CHANGE]]>', 'these mutants, as reported (repeatable)', list, [])
  .option('--tests <PATH>', 'with these test files and folders alone (repeatable)', list, [])
  .option('--allowance <SECONDS>', 'time that the tests of one mutant may take', '60')
  .option('--per-folder <N>', 'so many of each folder, not --sample of all')
  .option('--seconds <S>', 'end after so long; with --log the next run goes on from there')
  .option('--log <FILE>', 'keep results as lines of JSON, and try only what has changed since')
  .option('--list', 'list the mutants without trying them')
  .parse();
const options = command.opts<Options>();

/** The tree as it is now, without what git ignores: it may be edited meanwhile. */
function copyTree(): string {
  const directory = mkdtempSync(join(tmpdir(), 'xdpsim-mutation-'));
  const files = execFileSync('git', ['ls-files', '-z', '-co', '--exclude-standard', '--deduplicate'], {
    encoding: 'utf8',
  });
  for (const file of files.split('\0')) {
    if (file === '' || file === 'node_modules') continue;
    try {
      mkdirSync(join(directory, dirname(file)), { recursive: true });
      cpSync(file, join(directory, file));
    } catch (error) {
      // Deleted, and not committed yet.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  symlinkSync(resolve('node_modules'), join(directory, 'node_modules'));
  return directory;
}

const isSource = (file: string): boolean =>
  /^(sim|verify)\/.*\.ts$/.test(file) && !/\.test\.ts$|\.d\.ts$|-examples\.ts$|\/test-support\//.test(file);
/** Suites of `check`, `diff` and `prove`, on programs that they compile. */
const SUITES: ReadonlySet<string> = new Set(
  ['aim', 'check', 'checksum-specimens', 'diff', 'old-kernels', 'prove-specimens', 'specimens'].map(
    (name) => `kernel-tests/${name}.test.ts`,
  ),
);
/** Tests that need no kernel, and no processes of their own but the compiler's. */
const isUnitTest = (file: string): boolean =>
  (/^(sim|corpus|verify)\/.*\.test\.ts$/.test(file) || SUITES.has(file)) &&
  (options.tests.length === 0 || options.tests.some((path) => file === path || file.startsWith(`${path}/`)));

const directory = options.list ? '.' : copyTree();
const tester = new Tester(directory);
const end = (): void => {
  tester.stop();
  if (directory !== '.') rmSync(directory, { recursive: true, force: true });
};
process.on('exit', end);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '--deduplicate'], {
  encoding: 'utf8',
})
  .split('\n')
  .sort();
const sources = new Map(
  files.filter(isSource).map((file) => [file, readFileSync(join(directory, file), 'utf8')] as const),
);

const all = [...sources].flatMap(([file, text]) => mutantsOf(file, text));
let chosen: readonly Mutant[] = all;
if (options.only.length > 0)
  chosen = chosen.filter(({ file }) =>
    options.only.some((path) => file === path || file.startsWith(`${path.replace(/\/$/, '')}/`)),
  );
if (options.mutants.length > 0)
  chosen = chosen.filter(({ file, line, column, change }) =>
    options.mutants.some((wanted) => `${file}:${line}:${column}:${change}:`.startsWith(`${wanted}:`)),
  );
else if (options.perFolder !== undefined)
  chosen = samplePerFolder(chosen, folderOf, Number(options.perFolder), options.seed);
else if (!options.all) chosen = sample(chosen, Number(options.sample), options.seed);

function choicesFor(mutant: Mutant, recordings: readonly Recording[]): Choice[] {
  const region = regionAt(regionsOf(mutant.file, sources.get(mutant.file)!), mutant.start);
  return chooseTests(recordings, mutant.file, region, Number(options.allowance) * 1000);
}

async function attempt(mutant: Mutant, choices: readonly Choice[]): Promise<Result> {
  if (choices.length === 0) return { mutant, status: 'unreached' };
  const selected = Object.fromEntries(choices.map(({ testFile, names }) => [testFile, names]));
  const seconds = choices.reduce((sum, { ms }) => sum + (3 * ms) / 1000, 20);
  const reply = await tester.ask(
    { mutant, task: { mode: 'run', selected }, testFiles: choices.map(({ testFile }) => testFile) },
    seconds,
  );
  if (reply === undefined) return { mutant, status: 'endless' };
  const [by] = reply.failures;
  return by === undefined ? { mutant, status: 'survived' } : { mutant, status: 'killed', by };
}

/** A survivor that docs/testing.md explains. */
function judged(result: Result, equivalents: readonly Equivalent[]): Result {
  const isOpen = result.status === 'survived' || result.status === 'unreached';
  return isOpen && isEquivalent(result.mutant, equivalents) ? { ...result, status: 'equivalent' } : result;
}

function show(): void {
  for (const { file, line, column, mutator, change } of chosen)
    console.log(`${file}:${line}:${column} ${mutator}: ${change}`);
  console.log(`${chosen.length} of ${all.length} mutants`);
}

async function measure(): Promise<void> {
  const recordings = await record(tester, directory, sources, files.filter(isUnitTest));
  // The sources that it has loaded are marked.
  tester.stop();
  const equivalents = equivalentsIn(readFileSync(join(directory, 'docs', 'testing.md'), 'utf8'));
  const results: Result[] = [];
  const [first] = chosen;
  if (first !== undefined) {
    const unchanged = { ...first, replacement: sources.get(first.file)!.slice(first.start, first.end) };
    const { status, by } = await attempt(unchanged, choicesFor(first, recordings));
    if (status === 'killed' || status === 'endless')
      throw new Error(`tests fail without a mutant, so that no result would mean anything: ${by}`);
  }
  const text = (file: string): string =>
    existsSync(join(directory, file)) ? readFileSync(join(directory, file), 'utf8') : '';
  const log = options.log === undefined ? undefined : new ResultsLog(options.log, text);
  const last = performance.now() + 1000 * Number(options.seconds ?? Number.POSITIVE_INFINITY);
  for (const [index, mutant] of chosen.entries()) {
    const choices = choicesFor(mutant, recordings);
    const before = log?.find(mutant, choices);
    if (before !== undefined) {
      results.push(judged(before, equivalents));
      continue;
    }
    const begun = performance.now();
    if (begun > last) break;
    const result = await attempt(mutant, choices);
    log?.add(result, choices);
    results.push(judged(result, equivalents));
    const { file, line, column, mutator, change } = mutant;
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    process.stderr.write(
      `${index + 1}/${chosen.length} ${result.status} ${file}:${line}:${column} ${mutator}: ${change} (${seconds} s)\n`,
    );
  }
  console.log(
    `${results.length} of ${chosen.length} chosen of ${all.length} mutants${options.all ? '' : `, seed ${options.seed}`}`,
  );
  console.log(report(results));
}

if (options.list) show();
else await measure();
end();
