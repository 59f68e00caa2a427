/**
 * Measures how many small faults the tests of sim/ and verify/ notice: `npm run mutation -- --help`.
 * See docs/testing.md.
 */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { Command } from 'commander';
import { type Equivalent, equivalentsIn, isEquivalent } from './equivalents.ts';
import { type Mutant, mutantsOf } from './mutants.ts';
import { folderOf, type Result, report } from './report.ts';
import { ResultsLog } from './results-log.ts';
import { sample, samplePerFolder } from './sample.ts';
import type { Numbered } from './schemata.ts';
import { Sweep } from './sweep.ts';
import { ordered } from './test-order.ts';
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
    'Changes one small thing after another in sim/ and verify/ and counts how many changes the tests notice.',
  )
  .option('--sample <N>', 'how many mutants, chosen by the seed', '100')
  .option('--seed <S>', 'another seed tries other mutants', '1')
  .option('--all', 'all mutants')
  .option('--only <PATH>', 'files and folders (repeatable)', list, [])
  .option('--mutants <FILE:LINE[:COLUMN[:CHANGE]]>', 'these mutants, as reported (repeatable)', list, [])
  .option('--tests <PATH>', 'with these test files and folders alone (repeatable)', list, [])
  .option('--allowance <SECONDS>', 'processor time that the tests of one mutant may take', '20')
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
/** Of kernel-tests/, what compares the machine with test runs in the kernel, or runs commands in its own process. */
const SUITES: ReadonlySet<string> = new Set(
  `accesses aim check check-groups check-zeros checksum-specimens connections default-world diff elf-reader fib-lookup field
   foreign-objects frames guessed-slots helper-arguments helper-flags helper-register helpers idioms kernel-facts kernel-variables large-maps
   loader-sizes lru-maps map-restore map-sizes map-words model-chance old-kernels one-bad packet-loop per-cpu-scan programs
   prove-against prove-field prove-specimens random-programs register scenarios sections skb-input specimens stack-accesses state
   styles-faulty styles-right tags testrun timers tshark tshark-checksums tshark-generated unwritten-stack verdicts
   world-file world-sockets`
    .split(/\s+/)
    .map((name) => `kernel-tests/${name}.test.ts`),
);
/** Tests of commands and their reports that run in their own process. */
const COMMANDS: ReadonlySet<string> = new Set(
  `check/report-github check/report-sarif checksum/against checksum/checksum corpus/corpora corpus/minimize lab/globals lab/maps-text verify/countable-branches
   verify/coverage-file verify/mutants verify/own-cases verify/report-junit verify/report-text`
    .split(/\s+/)
    .map((name) => `cli/${name}.test.ts`),
);
/** Tests that start no processes of their own but the compiler, and leave the machine's network alone. */
const isUnitTest = (file: string): boolean =>
  (/^(sim|corpus|verify)\/.*\.test\.ts$/.test(file) || SUITES.has(file) || COMMANDS.has(file)) &&
  (options.tests.length === 0 || options.tests.some((path) => file === path || file.startsWith(`${path}/`)));

const directory = options.list ? '.' : copyTree();
const mutantsFile = join(directory, '.mutants.json');
const tester = new Tester(directory, mutantsFile);
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

/** Processor seconds of each test file as measured last. */
function knownSeconds(path: string): Map<string, number> {
  return new Map(existsSync(path) ? Object.entries(JSON.parse(readFileSync(path, 'utf8'))) : []);
}

async function measure(): Promise<void> {
  const numbered = chosen.map((mutant, id): Numbered => ({ id, mutant }));
  writeFileSync(mutantsFile, JSON.stringify(numbered));
  const equivalents = equivalentsIn(readFileSync(join(directory, 'docs', 'testing.md'), 'utf8'));
  const text = (file: string): string =>
    existsSync(join(directory, file)) ? readFileSync(join(directory, file), 'utf8') : '';
  const log = new ResultsLog(options.log, text);
  const cache = join('node_modules', '.cache', 'mutation');
  mkdirSync(cache, { recursive: true });
  const seconds = knownSeconds(join(cache, 'seconds.json'));
  const sweep = new Sweep(tester, directory, chosen, log, 1000 * Number(options.allowance), text);
  const last = performance.now() + 1000 * Number(options.seconds ?? Number.POSITIVE_INFINITY);
  for (const testFile of ordered(files.filter(isUnitTest), seconds)) {
    if (performance.now() > last) {
      process.stderr.write('The time is up: later tests were not tried.\n');
      break;
    }
    const before = performance.now();
    const run = await sweep.run(testFile);
    if (run === undefined) continue;
    seconds.set(testFile, run.milliseconds / 1000);
    writeFileSync(join(cache, 'seconds.json'), JSON.stringify(Object.fromEntries(seconds)));
    const took = ((performance.now() - before) / 1000).toFixed(0);
    const { reached, killed, alive } = run;
    process.stderr.write(`${testFile}: reaches ${reached}, kills ${killed}, leaves ${alive} (${took} s)\n`);
  }
  const results = sweep.finish().map((result) => judged(result, equivalents));
  console.log(
    `${chosen.length} of ${all.length} mutants${options.all || options.mutants.length > 0 ? '' : `, seed ${options.seed}`}`,
  );
  console.log(report(results));
}

if (options.list) show();
else await measure();
end();
