/** `xdpsim verify --mutants`: how many small faults of a program its model and its packets notice. */

import type { SavedCase } from '../../corpus/cases/case.ts';
import type { NamedWorld, Program } from '../../sim/runtime/program.ts';
import {
  judgeMutants,
  type MutantResult,
  type MutantVerdict,
  mutantsOf,
} from '../../verify/mutants/judge-mutants.ts';
import { UnchangedDiffersError } from '../../verify/mutants/mutant-cases.ts';
import type { Mutation } from '../../verify/mutants/mutations.ts';
import { exampleCases, totalPackets } from '../../verify/run.ts';
import { EXIT } from '../failure.ts';
import { guidanceOf } from '../input/guided.ts';
import { resolvePrograms } from '../input/program-source.ts';
import { toldApart } from '../input/told-apart.ts';
import { placePrograms, statesWorld, worldsIn } from '../input/world-options.ts';
import { onInterrupt } from '../interrupt.ts';
import { printJson } from '../output.ts';
import { count, createTerminal, type Terminal, table } from '../terminal.ts';
import { mutantsToJson } from './mutants-json.ts';
import { countOf, type Scored, scoreOf } from './mutants-score.ts';
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

/** Of survivors, where not all are asked for. */
const MAX_SHOWN = 10;
/** Captures of real traffic may be long; for each mutant they would run again. */
const MAX_CASE_PACKETS = 4_096;

/**
 * @returns the exit code: 0; 1 where a program differs from its model as it is; 4 where a program's score is below what was
 *   asked for, or it has none
 */
export async function scoreMutants(plan: VerifyPlan, options: MutantsOptions): Promise<number> {
  const interrupt = onInterrupt(async () => {});
  const resolved = await resolvePrograms(plan.programs, plan.object);
  const terminal = createTerminal(options);
  if (options.json !== true) {
    terminal.print(`seed ${plan.seed}, engines ${MODEL_AND_MACHINE}`);
    terminal.print();
  }
  const scored: Scored[] = [];
  for (const placed of placePrograms(toldApart(resolved), plan.surroundings)) {
    if (interrupt.signal.aborted) break;
    const worlds = statesWorld(plan.surroundings) ? worldsIn(placed) : undefined;
    const one = await score(placed.program, worlds, plan, options, interrupt.signal, terminal);
    scored.push(one);
    if (options.json !== true)
      for (const line of textOf(one, options.verbose === true, terminal)) terminal.print(line);
  }
  // No signal gets its usual meaning back: it would cut off the report, which may wait for whoever reads it.
  if (options.json === true) printJson(mutantsToJson(plan.seed, interrupt.signal.aborted, scored));
  if (interrupt.cause !== undefined) return EXIT.interrupted;
  if (scored.some(({ status }) => status === 'differs from its model')) return EXIT.found;
  const { minScore } = options;
  if (minScore === undefined) return EXIT.agreed;
  return scored.some((one) => (scoreOf(one) ?? 0) < minScore) ? EXIT.incomplete : EXIT.agreed;
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
  if (program.object === undefined)
    return { program, status: 'no object', reason: 'there is no object to change', ...NOTHING };
  const guidance = plan.guided ? await guidanceOf(program, { seed: plan.seed, worlds, signal }) : undefined;
  const of = mutantsOf(program, worlds).length;
  const tried = mutants === true ? of : Math.min(of, mutants);
  let packets = 0;
  const results: MutantResult[] = [];
  const judged = judgeMutants(program, {
    seed: plan.seed,
    runs: totalPackets(plan),
    cases: await shortCases(program, plan.directory),
    signal,
    onProgress: (progress) => {
      packets = progress.packets;
      terminal.progress(() => {
        const done = `${count(progress.decided)} of ${count(tried)} mutants decided`;
        return `${program.name}: ${done}, ${count(packets)} packets`;
      });
    },
    ...(plan.seconds === undefined ? {} : { seconds: plan.seconds }),
    ...(worlds === undefined ? {} : { worlds }),
    ...(guidance === undefined ? {} : { guidance }),
    ...(mutants === true ? {} : { limit: mutants }),
  });
  try {
    for await (const result of judged) results.push(result);
  } catch (error) {
    if (!(error instanceof UnchangedDiffersError)) throw error;
    return { program, status: 'differs from its model', reason: error.message, ...NOTHING, of };
  } finally {
    terminal.clearProgress();
  }
  results.sort((a, b) => placeOf(a.mutation) - placeOf(b.mutation));
  return { program, status: 'judged', results, of, packets };

  function placeOf({ program: index, slot }: Mutation): number {
    return index * 0x10_0000 + slot;
  }
}

const NOTHING = { results: [], of: 0, packets: 0 } as const;

async function shortCases(program: Program, directory: string): Promise<SavedCase[]> {
  const cases: SavedCase[] = exampleCases(program);
  for await (const one of casesOf(program, [directory])) {
    if (cases.length >= MAX_CASE_PACKETS) break;
    if (one.case.stimuli.length <= MAX_CASE_PACKETS) cases.push(one);
  }
  return cases;
}

function textOf(one: Scored, verbose: boolean, terminal: Terminal): string[] {
  const { program, results, of } = one;
  if (one.status === 'no object') return [`– ${program.name}: not judged: ${one.reason}`];
  if (one.status !== 'judged') {
    return [
      `${terminal.style('red', '✗')} ${program.name}: differs from its model as it is, so that mutants say nothing`,
      `  \`xdpsim verify ${program.name}\` shows where`,
    ];
  }
  const survivors = countOf(one, 'survived');
  const total = countOf(one, 'killed') + survivors;
  const percent = scoreOf(one);
  const tried = results.length < of ? `, ${count(results.length)} of ${count(of)} tried` : '';
  const aside = [
    `${count(countOf(one, 'stopped'))} that no kernel would load`,
    `${count(countOf(one, 'alike'))} that nothing told apart`,
    ...(countOf(one, 'not run') === 0 ? [] : [`${count(countOf(one, 'not run'))} that no packet reached`]),
  ];
  const sign = survivors === 0 ? terminal.style('green', '✓') : terminal.style('yellow', '◐');
  const first =
    percent === undefined
      ? `– ${program.name}: no mutant could be told apart${tried}`
      : `${sign} ${program.name}: ${percent.toFixed(1)} % of ${count(total)} mutants killed${tried}`;
  return [
    first,
    `  set aside: ${aside.join(', ')}`,
    ...listed('survived', one, 'survived', verbose ? Number.POSITIVE_INFINITY : MAX_SHOWN),
    ...(verbose ? listed('not told apart', one, 'alike', Number.POSITIVE_INFINITY) : []),
    ...(verbose ? listed('not reached', one, 'not run', Number.POSITIVE_INFINITY) : []),
  ];
}

function listed(title: string, { results }: Scored, verdict: MutantVerdict, most: number): string[] {
  const all = results.filter((one) => one.verdict === verdict);
  if (all.length === 0) return [];
  const shown = all.slice(0, most);
  return [
    `  ${title}:`,
    ...table(shown.map(({ mutation }) => rowOf(mutation))).map((line) => `    ${line}`),
    ...(shown.length < all.length ? [`    … and ${all.length - shown.length} more (--verbose)`] : []),
  ];
}

function rowOf({ slot, kind, before, after, file, line, text }: Mutation): string[] {
  const place = file === undefined ? `instruction ${slot}` : `${file.split('/').at(-1)}:${line}`;
  return [place, kind, `${before}  →  ${after}`, text ?? ''];
}
