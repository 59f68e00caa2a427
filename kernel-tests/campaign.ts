/**
 * A long run behind `npm run campaign`: every built-in program, and every specimen, on many packets with a seed of
 * their own. Right programs must stay silent in every engine; each specimen must be found by each engine alone.
 *
 *     npm run campaign -- --packets 10M --engines model,testrun icmp_echo
 */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { chooseEngines, createEngine, requireAvailable } from '../cli/engines.ts';
import { EXIT, toFailure } from '../cli/failure.ts';
import { freshSeed, parseCount } from '../cli/input/options.ts';
import { builtInPrograms, resolvePrograms } from '../cli/input/program-source.ts';
import { onInterrupt } from '../cli/interrupt.ts';
import { count, createTerminal, table } from '../cli/terminal.ts';
import { closingLines } from '../cli/verify/report-closing.ts';
import { detailLines, programLine } from '../cli/verify/report-text.ts';
import { casesOf, saveBelow } from '../cli/verify/saved-cases.ts';
import { type Tested, tested } from '../cli/verify/tested.ts';
import type { EngineName } from '../sim/engines/register.ts';
import type { Program } from '../sim/runtime/program.ts';
import { explain } from '../verify/explain/explain.ts';
import type { ProgramReport } from '../verify/report.ts';
import { verify } from '../verify/run.ts';
import { buildSpecimen, icmpEchoSpecimens, type Specimen } from './test-support/specimens.ts';

const ENGINES = 'model,vm,wasm,testrun';
const MEGABYTE = 1024;

interface Options {
  readonly packets: number;
  readonly seed: string;
  readonly engines?: string;
  readonly report: string;
  readonly specimens: boolean;
}

/** What one engine made of one specimen. */
interface Verdict {
  readonly engine: EngineName;
  /** The packet that showed it; `undefined` where none did, which is the campaign's failure. */
  readonly packet: number | undefined;
  /** Why it was not asked. */
  readonly skipped?: string;
}

const terminal = createTerminal();
const interrupt = onInterrupt();

await new Command('campaign')
  .description('every program and every specimen, a million packets each, in all engines')
  .argument('[program...]', 'only these; then no specimens but theirs')
  .option('--packets <n>', 'for each program and specimen', parseCount('--packets'), 1_000_000)
  .option('--seed <seed>', 'any text; the same seed gives the same packets', freshSeed())
  .option('--engines <list>', `default: ${ENGINES}, as far as they run here`)
  .option('--report <dir>', 'where divergences are saved', 'corpus/regressions')
  .option('--no-specimens', 'right programs only')
  .action(campaign)
  .parseAsync()
  .catch((error: unknown) => {
    const failure = toFailure(error);
    if (failure === undefined) throw error;
    console.error(failure.remedy === undefined ? failure.message : `${failure.message}\n${failure.remedy}`);
    process.exitCode = failure.exitCode;
  });

async function campaign(names: readonly string[], options: Options): Promise<void> {
  const programs = names.length === 0 ? builtInPrograms() : await resolvePrograms(names);
  const specimens = options.specimens ? specimensOf(programs) : [];
  const chosen = chooseEngines(options.engines ?? ENGINES);
  // Engines that the user named must run; of the default ones, those that can.
  if (options.engines !== undefined) for (const program of programs) requireAvailable(chosen, [program]);
  const engines = chosen.engines.map((engine) => engine.name);
  terminal.print(
    `seed ${options.seed}, ${count(options.packets)} packets each, engines ${engines.join(', ')}`,
  );
  terminal.print();
  const start = performance.now();
  const reports: ProgramReport[] = [];
  const all: Tested[] = [];
  const width = Math.max(...programs.map((program) => program.name.length));
  for (const program of programs) {
    if (interrupt.signal.aborted) break;
    const report = await silent(program, engines, options);
    reports.push(report);
    const one = tested(program, report, {});
    all.push(one);
    terminal.print(`${programLine(one, width, terminal)}   ${report.seconds.toFixed(1)} s`);
    for (const line of detailLines(one, false, terminal)) terminal.print(line);
    for (const divergence of report.divergences) {
      for (const line of explain(program, divergence, { style: terminal.style })) terminal.print(`  ${line}`);
    }
  }
  terminal.print();
  const closing = { seed: options.seed, seconds: (performance.now() - start) / 1000, verbose: true };
  for (const line of closingLines(all, closing, terminal)) terminal.print(line);
  terminal.print();
  const missed = await findAll(specimens, engines, options);
  terminal.print(`peak memory ${count(process.resourceUsage().maxRSS / MEGABYTE)} MB`);
  interrupt.release();
  process.exitCode = exitCodeOf(reports, missed);
}

/** A right program: nothing may be found. */
function silent(program: Program, engines: readonly EngineName[], options: Options): Promise<ProgramReport> {
  return verify({
    program,
    engines: engines.map(createEngine),
    seed: options.seed,
    runs: options.packets,
    cases: casesOf(program, [resolve(options.report)]),
    save: saveBelow(resolve(options.report)),
    signal: interrupt.signal,
    onProgress: ({ packets, total }) =>
      terminal.progress(() => `${program.name}: ${count(packets)} of ${count(total)}`),
  });
}

function specimensOf(programs: readonly Program[]): readonly Specimen[] {
  return icmpEchoSpecimens.filter(({ program }) => programs.some((one) => one.name === program));
}

/** Wrong programs: each has to be found by each engine that is held against the model. @returns how many were not */
async function findAll(
  specimens: readonly Specimen[],
  engines: readonly EngineName[],
  options: Options,
): Promise<number> {
  const judged = engines.filter((name) => name !== 'model');
  const rows: string[][] = [];
  let missed = 0;
  for (const specimen of specimens) {
    if (interrupt.signal.aborted) break;
    const program = programOf(specimen);
    const verdicts: Verdict[] = [];
    for (const engine of judged) verdicts.push(await find(program, engine, options));
    const overlooked = verdicts.filter(
      ({ packet, skipped }) => packet === undefined && skipped === undefined,
    );
    missed += overlooked.length;
    rows.push([
      overlooked.length === 0 ? '✓ found ' : '✗ missed',
      specimen.name,
      ...verdicts.map(verdictText),
    ]);
  }
  for (const line of table(rows)) terminal.print(line);
  if (rows.length > 0) terminal.print();
  return missed;
}

function programOf(specimen: Specimen): Program {
  const right = builtInPrograms().find((program) => program.name === specimen.program)!;
  return { ...right, object: buildSpecimen(specimen), objectPath: `${specimen.name}.o` };
}

async function find(program: Program, engine: EngineName, options: Options): Promise<Verdict> {
  const report = await verify({
    program,
    engines: [createEngine('model'), createEngine(engine)],
    seed: options.seed,
    runs: options.packets,
    shrink: false,
    signal: interrupt.signal,
  });
  const skipped = report.engines.find((one) => one.status !== 'ran')?.reason;
  const [divergence] = report.divergences;
  if (divergence === undefined)
    return { engine, packet: undefined, ...(skipped === undefined ? {} : { skipped }) };
  return { engine, packet: 'packet' in divergence.seen ? divergence.seen.packet : 0 };
}

function verdictText({ engine, packet, skipped }: Verdict): string {
  if (packet !== undefined) return `${engine} at packet ${count(packet)}`;
  return skipped === undefined ? `${engine} never` : `${engine} skipped: ${skipped}`;
}

function exitCodeOf(reports: readonly ProgramReport[], missed: number): number {
  if (interrupt.signal.aborted) return EXIT.interrupted;
  if (missed > 0 || reports.some((report) => report.divergences.length > 0)) return EXIT.found;
  const failed = reports.some((report) => report.engines.some((engine) => engine.status === 'failed'));
  return failed ? EXIT.environment : EXIT.agreed;
}
