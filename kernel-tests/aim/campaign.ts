/**
 * The long form of what guidance reaches, behind `npm run aim`: the guarded line of each program of this folder, and every
 * branch of the built-in programs. It exits with 1 where a guarded line is not reached.
 *
 *     npm run aim -- --seconds 30 --seed monday
 */
import { Command } from 'commander';
import { freshSeed, parseCount } from '../../cli/input/options.ts';
import { builtInPrograms } from '../../cli/input/program-source.ts';
import { count, table } from '../../cli/terminal.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { type Guidance, guide } from '../../verify/guide/guide.ts';
import { buildGuarded, firstThatReaches, GUARDED_PROGRAMS } from './programs.ts';
import { guidedRate, median } from './rate.ts';

/** More than any of these needs: what ends a search is that it has found everything, or finds nothing any more. */
const EFFORT = 20_000_000;

/** Whose rates are compared, and how many packets each round has. */
const RATED = ['icmp_echo', 'router'];
const RATE_PACKETS = 100_000;

interface Options {
  readonly seed: string;
  readonly seconds: number;
}

function timed(program: Program, seed: string): { readonly guidance: Guidance; readonly seconds: number } {
  const start = performance.now();
  const guidance = guide(program, { seed, effort: EFFORT });
  // When the last of it was found; what follows is a search for what may not be there.
  return { guidance, seconds: (guidance.share * (performance.now() - start)) / 1000 };
}

function missingText({ missing }: Guidance): string {
  return missing
    .map(({ file, line, function: name, instruction, taken }) => {
      const place = file === undefined ? `${name} ${instruction}` : `${file.split('/').at(-1)}:${line}`;
      return `${place} ${taken === true ? 'taken' : 'not taken'}`;
    })
    .join(', ');
}

async function campaign({ seed, seconds: limit }: Options): Promise<void> {
  console.log(`seed ${seed}\n`);
  const guarded: string[][] = [];
  let failed = 0;
  for (const one of GUARDED_PROGRAMS) {
    const program = buildGuarded(one);
    const { guidance, seconds } = timed(program, seed);
    const found = await firstThatReaches(program, one, guidance.cases);
    if (found === undefined || seconds > limit) failed++;
    const shown = found === undefined ? 'NOT REACHED' : `by ${count(found.stimuli.length)} packets`;
    guarded.push([one.name, shown, `${seconds.toFixed(1)} s`, `${count(guidance.runs)} runs`]);
  }
  for (const line of table(guarded)) console.log(line);
  console.log();
  const builtIn: string[][] = [];
  for (const program of builtInPrograms()) {
    const { guidance, seconds } = timed(program, seed);
    const { reached, total } = guidance.branches;
    builtIn.push([program.name, `${reached} of ${total}`, `${seconds.toFixed(1)} s`, missingText(guidance)]);
  }
  for (const line of table(builtIn)) console.log(line);
  console.log();
  for (const name of RATED) {
    const program = builtInPrograms().find((one) => one.name === name)!;
    const { plain, guided, search } = await guidedRate(program, seed, RATE_PACKETS);
    const ratio = median(guided.map((rate, index) => rate / plain[index]!));
    const of = `${count(Math.round(median(guided)))} of ${count(Math.round(median(plain)))} packets/s`;
    console.log(`guided/unguided ${name}: ${ratio.toFixed(2)} (${of}; search ${search.toFixed(1)} s)`);
  }
  if (failed > 0) process.exitCode = 1;
}

await new Command('aim')
  .option('--seed <seed>', 'any text', freshSeed())
  .option('--seconds <n>', 'what a guarded line may take at the most', parseCount('--seconds'), 30)
  .action(campaign)
  .parseAsync();
