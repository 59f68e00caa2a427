/** `xdpsim bench`: the speed of each engine, as ratios measured in one run. */
import type { Command } from 'commander';
import { EngineError } from '../../sim/engines/engine.ts';
import { jsonProblem } from '../../sim/runtime/json-problem.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { parse, ShapeError } from '../../sim/runtime/schema.ts';
import { type Compared, compareResult } from '../bench/compare.ts';
import { interleave, type Measure, type Result } from '../bench/measure.ts';
import { type BenchReportJson, benchReportShape, type Skipped } from '../bench/report-json.ts';
import { otherMachine, thisMachine } from '../bench/this-machine.ts';
import { EXIT, inputFailure } from '../failure.ts';
import { parseCount } from '../input/options.ts';
import { resolvePrograms } from '../input/program-source.ts';
import { readText } from '../input/read-file.ts';
import { printJson } from '../output.ts';
import { createTerminal, type Terminal, table } from '../terminal.ts';
import { compileLess } from '../warm.ts';

interface Options {
  readonly rounds: number;
  readonly only?: string;
  readonly compare?: string;
  readonly json?: boolean;
  readonly color: boolean;
}

/** Each makes its measure, or throws an `EngineError` where this machine cannot. */
const MEASURES: Readonly<Record<string, (program: Program) => Promise<Measure>>> = {
  'testrun/c': async (program) => (await import('../bench/kernel.ts')).testRunMeasure(program),
  'pipeline/c': async (program) => (await import('../bench/kernel.ts')).pipelineMeasure(program),
  'veth/c': async (program) => (await import('../bench/kernel.ts')).vethMeasure(program),
  'wasm/kernel': async () => (await import('../bench/machine.ts')).machineMeasure('wasm'),
  'wasm/kernel net': async () => {
    const [pass] = await resolvePrograms(['xdp_pass']);
    return (await import('../bench/machine.ts')).netMachineMeasure(pass!);
  },
  'wasm-copied/kernel': async () => (await import('../bench/machine.ts')).machineMeasure('wasm-copied'),
  'vm/kernel': async () => (await import('../bench/machine.ts')).machineMeasure('vm'),
  model: async (program) => (await import('../bench/userspace.ts')).modelMeasure(program),
  generator: async (program) => (await import('../bench/userspace.ts')).generatorMeasure(program),
  checksum: async (program) => (await import('../bench/userspace.ts')).checksumMeasure(program),
  'checksum-plain': async () => (await import('../bench/userspace.ts')).plainChecksumMeasure(),
};

export function registerBench(program: Command): void {
  program
    .command('bench')
    .description('measure the speed of each engine, as ratios within one run')
    .option('--rounds <n>', 'how many times to measure each figure', parseCount('--rounds'), 5)
    .option('--only <names>', 'measure only these figures, comma-separated')
    .option(
      '--compare <file>',
      'what --json printed before a change: exit with 1 where a figure is slower now',
    )
    .option('--json', 'print one JSON document')
    .option('--no-color', 'no colours')
    .action(run);
}

async function run(options: Options): Promise<void> {
  const before = options.compare === undefined ? undefined : readBase(options.compare);
  const names = options.only === undefined ? Object.keys(MEASURES) : figureNames(options.only);
  const terminal = createTerminal(options);
  const machine = thisMachine();
  let { results, skipped } = await measure(names, options.rounds, terminal);
  let compared: Compared[] | undefined;
  if (before !== undefined) {
    compared = compareAll(results, before.results);
    const slower = namesOf(compared, 'slower');
    if (slower.length > 0) {
      // Another process may have been in the way: what is slower must be slower twice.
      const again = new Map(
        (await measure(slower, options.rounds, terminal)).results.map((one) => [one.name, one]),
      );
      results = results.map((result) => again.get(result.name) ?? result);
      compared = compareAll(results, before.results);
    }
  }
  const foreign = before === undefined ? undefined : otherMachine(machine, before.machine);
  if (foreign !== undefined) compared = compared?.map((one) => ({ ...one, verdict: 'not judged' }));
  if (options.json === true) {
    printJson(
      {
        version: 1,
        machine,
        results,
        skipped,
        ...(compared === undefined ? {} : { compared }),
      } satisfies BenchReportJson,
      2,
    );
  } else {
    printResults(results, skipped, terminal);
    if (compared !== undefined) printCompared(compared, foreign, terminal);
  }
  if (compared === undefined) return;
  if (namesOf(compared, 'slower').length > 0) process.exitCode = EXIT.found;
  else if (namesOf(compared, 'not judged').length > 0) process.exitCode = EXIT.incomplete;
}

/** Takes the figures, in turn with each other; those that this machine cannot take are named. */
async function measure(
  names: readonly string[],
  rounds: number,
  terminal: Terminal,
): Promise<{ results: Result[]; skipped: Skipped[] }> {
  const [program] = await resolvePrograms(['icmp_echo']);
  const measures: Measure[] = [];
  const skipped: Skipped[] = [];
  try {
    for (const name of names) {
      try {
        measures.push(await MEASURES[name]!(program!));
      } catch (error) {
        if (!(error instanceof EngineError) || error.kind !== 'environment') throw error;
        const { message: reason, remedy } = error;
        skipped.push({ name, reason, ...(remedy === undefined ? {} : { remedy }) });
      }
    }
    const results = await interleave(measures, rounds, (round, name) => {
      // As workers of a long run do.
      if (round === 1) compileLess();
      terminal.progress(() => (round === 0 ? `warming up: ${name}` : `round ${round} of ${rounds}: ${name}`));
    });
    return { results, skipped };
  } finally {
    terminal.clearProgress();
    for (const one of measures) await one.close();
  }
}

/** @throws {Failure} naming file and place */
export function readBase(path: string): BenchReportJson {
  const content = readText(path);
  try {
    return parse(benchReportShape, JSON.parse(content), '');
  } catch (error) {
    if (error instanceof ShapeError) throw inputFailure(`${path}: ${error.message}`, HOW_TO_MAKE);
    throw inputFailure(`${path}: ${jsonProblem(content, error)}`, HOW_TO_MAKE);
  }
}

const HOW_TO_MAKE = 'Make one: xdpsim bench --json > BASE.json';

/** Of the figures that both have. */
function compareAll(results: readonly Result[], before: readonly Result[]): Compared[] {
  return results.flatMap((now) => {
    const base = before.find(({ name }) => name === now.name);
    return base === undefined ? [] : [compareResult(now, base)];
  });
}

function namesOf(compared: readonly Compared[], verdict: Compared['verdict']): string[] {
  return compared.filter((one) => one.verdict === verdict).map(({ name }) => name);
}

function printResults(results: readonly Result[], skipped: readonly Skipped[], terminal: Terminal): void {
  const rows = results.map((result) => [
    result.name,
    figure(result.ratio ?? result.value ?? 0),
    `${figure(result.min)} … ${figure(result.max)}`,
    result.of,
    Object.entries(result.parts ?? {})
      .map(([part, value]) => `${part} ${figure(value)}`)
      .join(', '),
  ]);
  const header = ['figure', 'median', 'min … max', 'of', 'made of'];
  for (const line of table([header, ...rows], new Set([1]))) terminal.print(line);
  for (const { name, reason, remedy } of skipped) {
    terminal.print(
      terminal.style('yellow', `skipped ${name}: ${reason}${remedy === undefined ? '' : ` – ${remedy}`}`),
    );
  }
}

function printCompared(compared: readonly Compared[], foreign: string | undefined, terminal: Terminal): void {
  terminal.print();
  const rows = compared.map(({ name, change, least, most, verdict }) => [
    name,
    `${change.toFixed(2)} ×`,
    `${least.toFixed(2)} … ${most.toFixed(2)}`,
    verdict,
  ]);
  const header = ['figure', 'speed, over before', 'spread', ''];
  for (const line of table([header, ...rows], new Set([1]))) terminal.print(line);
  if (foreign !== undefined) terminal.print(`Not judged: ${foreign}.`);
  if (compared.length === 0) terminal.print('The file has none of these figures.');
}

/** @throws {Failure} for a name that is no figure */
function figureNames(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !Object.hasOwn(MEASURES, name));
  if (unknown === undefined) return [...new Set(names)];
  throw inputFailure(`unknown figure “${unknown}”`, `Figures: ${Object.keys(MEASURES).join(', ')}`);
}

function figure(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(0)} k`;
  return value >= 100 ? value.toFixed(0) : value.toFixed(2);
}
