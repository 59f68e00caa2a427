/** `xdpsim bench`: the speed of each engine, as ratios measured in one run. */
import type { Command } from 'commander';
import { EngineError } from '../../sim/engines/engine.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { interleave, type Measure, type Result } from '../bench/measure.ts';
import { inputFailure } from '../failure.ts';
import { parseCount } from '../input/options.ts';
import { resolvePrograms } from '../input/program-source.ts';
import { printJson } from '../output.ts';
import { createTerminal, table } from '../terminal.ts';

interface Options {
  readonly rounds: number;
  readonly only?: string;
  readonly json?: boolean;
  readonly color: boolean;
}

/** Each makes its measure, or throws an `EngineError` where this machine cannot. */
const MEASURES: Readonly<Record<string, (program: Program) => Promise<Measure>>> = {
  'testrun/c': async (program) => (await import('../bench/kernel.ts')).testRunMeasure(program),
  'pipeline/c': async (program) => (await import('../bench/kernel.ts')).pipelineMeasure(program),
  'veth/c': async (program) => (await import('../bench/kernel.ts')).vethMeasure(program),
  'wasm/kernel': async () => (await import('../bench/machine.ts')).machineMeasure('wasm'),
  'wasm-copied/kernel': async () => (await import('../bench/machine.ts')).machineMeasure('wasm-copied'),
  'vm/kernel': async () => (await import('../bench/machine.ts')).machineMeasure('vm'),
  model: async (program) => (await import('../bench/userspace.ts')).modelMeasure(program),
  generator: async (program) => (await import('../bench/userspace.ts')).generatorMeasure(program),
  checksum: async (program) => (await import('../bench/userspace.ts')).checksumMeasure(program),
};

export function registerBench(program: Command): void {
  program
    .command('bench')
    .description('measure the speed of each engine, as ratios within one run')
    .option('--rounds <n>', 'how many times to measure each figure', parseCount('--rounds'), 5)
    .option('--only <names>', 'measure only these figures, comma-separated')
    .option('--json', 'print one JSON document')
    .option('--no-color', 'no colours')
    .action(run);
}

async function run(options: Options): Promise<void> {
  const names = options.only === undefined ? Object.keys(MEASURES) : figureNames(options.only);
  const terminal = createTerminal(options);
  const [program] = await resolvePrograms(['icmp_echo']);
  const measures: Measure[] = [];
  const skipped: { name: string; reason: string; remedy?: string }[] = [];
  let results: Result[];
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
    results = await interleave(measures, options.rounds, (round, name) =>
      terminal.progress(() =>
        round === 0 ? `warming up: ${name}` : `round ${round} of ${options.rounds}: ${name}`,
      ),
    );
  } finally {
    terminal.clearProgress();
    for (const measure of measures) await measure.close();
  }
  if (options.json === true) {
    printJson({ version: 1, results, skipped }, 2);
    return;
  }
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
