/** `xdpsim verify --mutants`: how many small faults of a program its model and its packets notice. */

import type { SavedCase } from '../../corpus/cases/case.ts';
import type { NamedWorld, Program } from '../../sim/runtime/program.ts';
import { judgeMutants, type MutantResult, mutantsOf } from '../../verify/mutants/judge-mutants.ts';
import type { Mutation } from '../../verify/mutants/mutations.ts';
import { exampleCases } from '../../verify/run.ts';
import { EXIT } from '../failure.ts';
import { guidanceOf } from '../input/guided.ts';
import { resolvePrograms } from '../input/program-source.ts';
import { placePrograms, statesWorld, worldsIn } from '../input/world-options.ts';
import { onInterrupt } from '../interrupt.ts';
import { printJson } from '../output.ts';
import { count, createTerminal, type Terminal, table } from '../terminal.ts';
import type { VerifyPlan } from './plan.ts';
import { casesOf } from './saved-cases.ts';

export interface MutantsOptions {
  /** At the most so many of each program; true: all. */
  readonly mutants: number | true;
  readonly minScore?: number;
  readonly json?: boolean;
  readonly verbose?: boolean;
  readonly color: boolean;
}

/** Packets for each mutant, besides saved cases. */
const DEFAULT_RUNS = 20_000;
/** Of survivors, where not all are asked for. */
const MAX_SHOWN = 10;
/** Captures of real traffic may be long; for each mutant they would run again. */
const MAX_CASE_PACKETS = 4_096;

interface Scored {
  readonly program: Program;
  readonly results: readonly MutantResult[];
  readonly of: number;
}

/** @returns the exit code: 0, or 4 where a program's score is below what was asked for */
export async function scoreMutants(plan: VerifyPlan, options: MutantsOptions): Promise<number> {
  const interrupt = onInterrupt(async () => {});
  const resolved = await resolvePrograms(plan.programs, plan.object);
  const terminal = createTerminal(options);
  if (options.json !== true) {
    terminal.print(`seed ${plan.seed}, engines ${MODEL_AND_MACHINE}`);
    terminal.print();
  }
  const scored: Scored[] = [];
  for (const placed of placePrograms(resolved, plan.surroundings)) {
    if (interrupt.signal.aborted) break;
    if (placed.program.object === undefined) continue;
    const worlds = statesWorld(plan.surroundings) ? worldsIn(placed) : undefined;
    const one = await score(placed.program, worlds, plan, options, interrupt.signal, terminal);
    scored.push(one);
    if (options.json !== true)
      for (const line of textOf(one, options.verbose === true, terminal)) terminal.print(line);
  }
  interrupt.release();
  if (options.json === true) printJson({ version: 1, seed: plan.seed, programs: scored.map(jsonOf) });
  if (interrupt.cause !== undefined) return EXIT.interrupted;
  const { minScore = 0 } = options;
  return scored.some((one) => scoreOf(one) < minScore) ? EXIT.incomplete : EXIT.agreed;
}

const MODEL_AND_MACHINE = 'model and wasm; programs without a model are compared with themselves, unchanged';

async function score(
  program: Program,
  worlds: readonly NamedWorld[] | undefined,
  plan: VerifyPlan,
  { mutants }: MutantsOptions,
  signal: AbortSignal,
  terminal: Terminal,
): Promise<Scored> {
  const given = worlds === undefined ? {} : { worlds };
  const runs = plan.runs ?? DEFAULT_RUNS;
  const guidance = plan.guided ? guidanceOf(program, { seed: plan.seed, worlds }) : undefined;
  const of = mutantsOf(program, worlds).length;
  const results: MutantResult[] = [];
  const judged = judgeMutants(program, {
    seed: plan.seed,
    runs,
    cases: await shortCases(program, plan.directory),
    signal,
    ...given,
    ...(guidance === undefined ? {} : { guidance }),
    ...(mutants === true ? {} : { limit: mutants }),
  });
  for await (const result of judged) {
    results.push(result);
    const total = mutants === true ? of : Math.min(of, mutants);
    terminal.progress(() => `${program.name}: ${count(results.length)} of ${count(total)} mutants`);
  }
  terminal.clearProgress();
  return { program, results, of };
}

async function shortCases(program: Program, directory: string): Promise<SavedCase[]> {
  const cases: SavedCase[] = exampleCases(program);
  for await (const one of casesOf(program, [directory])) {
    if (cases.length >= MAX_CASE_PACKETS) break;
    if (one.case.stimuli.length <= MAX_CASE_PACKETS) cases.push(one);
  }
  return cases;
}

function ofVerdict({ results }: Scored, verdict: MutantResult['verdict']): Mutation[] {
  return results.flatMap((result) => (result.verdict === verdict ? [result.mutation] : []));
}

/** In percent of those that can be told apart; 100 where there are none. */
function scoreOf(one: Scored): number {
  const killed = ofVerdict(one, 'killed').length;
  const all = killed + ofVerdict(one, 'survived').length;
  return all === 0 ? 100 : (100 * killed) / all;
}

function textOf(one: Scored, verbose: boolean, terminal: Terminal): string[] {
  const { program, results, of } = one;
  const killed = ofVerdict(one, 'killed').length;
  const survivors = ofVerdict(one, 'survived');
  const aside = ofVerdict(one, 'stopped').length;
  const alike = ofVerdict(one, 'alike');
  const sign = survivors.length === 0 ? terminal.style('green', '✓') : terminal.style('yellow', '◐');
  const tried = results.length < of ? `, ${count(results.length)} of ${count(of)} tried` : '';
  const lines = [
    `${sign} ${program.name}: ${scoreOf(one).toFixed(1)} % of ${count(killed + survivors.length)} mutants killed${tried}`,
    `  set aside: ${count(aside)} that no kernel would load, ${count(alike.length)} that nothing told apart`,
  ];
  const shown = verbose ? survivors : survivors.slice(0, MAX_SHOWN);
  if (shown.length > 0) {
    lines.push('  survived:');
    lines.push(...table(shown.map(rowOf)).map((line) => `    ${line}`));
    if (shown.length < survivors.length)
      lines.push(`    … and ${survivors.length - shown.length} more (--verbose)`);
  }
  if (verbose && alike.length > 0) {
    lines.push('  not told apart:');
    lines.push(...table(alike.map(rowOf)).map((line) => `    ${line}`));
  }
  return lines;
}

function rowOf({ slot, kind, before, after, file, line, text }: Mutation): string[] {
  const place = file === undefined ? `instruction ${slot}` : `${file.split('/').at(-1)}:${line}`;
  return [place, kind, `${before}  →  ${after}`, text ?? ''];
}

function jsonOf(one: Scored): object {
  const row = ({ apply: _, program: __, slot, ...rest }: Mutation): object => ({
    instruction: slot,
    ...rest,
  });
  return {
    name: one.program.name,
    score: Math.round(scoreOf(one) * 100) / 100,
    mutants: one.of,
    tried: one.results.length,
    killed: ofVerdict(one, 'killed').length,
    survived: ofVerdict(one, 'survived').map(row),
    stopped: ofVerdict(one, 'stopped').length,
    alike: ofVerdict(one, 'alike').map(row),
  };
}
