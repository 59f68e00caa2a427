/**
 * Would the tests notice? Each mutant of a program runs against its model, or, where there is none, against the program as
 * it is, on the packets that `verify` would run. Those that pass are looked at once more, mutant against original with
 * guidance on both: what nothing tells apart is set aside, what is told apart has survived.
 */
import type { SavedCase } from '../../corpus/cases/case.ts';
import { reachOf } from '../../sim/ebpf/analysis/reach.ts';
import type { BpfObject } from '../../sim/ebpf/bpf-object.ts';
import type { Engine } from '../../sim/engines/engine.ts';
import { hookOf, openMachine } from '../../sim/engines/machine-program.ts';
import { createModelEngine } from '../../sim/engines/model.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import type { NamedWorld, Program } from '../../sim/runtime/program.ts';
import { worldsOf } from '../batch-plan.ts';
import { type Guidance, guide } from '../guide/guide.ts';
import { verify } from '../run.ts';
import { type Mutation, mutationsOf } from './mutations.ts';

/**
 * `killed`: model and mutant differ. `survived`: they do not, though mutant and original do on other packets. `stopped`:
 * the machine does not run it to its end, as no kernel would load it. `alike`: nothing that was tried tells it apart.
 */
export type MutantVerdict = 'killed' | 'survived' | 'stopped' | 'alike';

export interface MutantResult {
  readonly mutation: Mutation;
  readonly verdict: MutantVerdict;
}

export interface MutantOptions {
  readonly seed: string;
  /** Packets that each mutant is tested on, besides saved cases. */
  readonly runs: number;
  /** Runs first, for each mutant. */
  readonly cases: readonly SavedCase[];
  readonly worlds?: readonly NamedWorld[];
  /** Of packets that the tests are made of; default: none. */
  readonly guidance?: Guidance;
  /** At the most so many, spread evenly over the instructions; default: all. */
  readonly limit?: number;
  readonly signal?: AbortSignal;
}

/** Instructions that one packet may take: an endless loop should not hold up the others. */
const BUDGET = 20_000;
/** What a mutant is looked at with once more. */
const HUNTING_RUNS = 24_000;
const HUNTING_EFFORT = 500_000;

/** The mutants of a program that has an object, in order. */
export function mutantsOf(program: Program, worlds: readonly NamedWorld[] = worldsOf(program)): Mutation[] {
  const entries = program.entries.filter(({ after }) => after === undefined);
  const chained = program.entries.flatMap(({ after }) => (after === undefined ? [] : [after]));
  const functions = [...entries, ...chained.map((name) => ({ function: name, hook: 'xdp' as const }))];
  const opened = openMachine({ ...program, entries: functions }, worlds[0]?.world ?? {}, {});
  const { machine, wanted } = opened;
  const reaches = new Map(
    [...wanted].map((index) => [
      index,
      reachOf(machine, machine.object.programs[index]!, hookOf(opened, index)),
    ]),
  );
  return mutationsOf(machine.object, [...wanted], (index, slot) => reaches.get(index)?.reached[slot] === 1);
}

export async function* judgeMutants(
  program: Program,
  options: MutantOptions,
): AsyncGenerator<MutantResult, void, undefined> {
  const worlds = options.worlds ?? worldsOf(program);
  const all = mutantsOf(program, worlds);
  const { limit = all.length, signal, seed } = options;
  let hunt: Guidance | undefined;
  const hunting = (): Guidance => {
    hunt ??= guide(program, { seed: `${seed} hunt`, effort: HUNTING_EFFORT, worlds });
    return hunt;
  };
  const step = Math.max(1, all.length / limit);
  for (let at = 0; at < all.length; at += step) {
    if (signal?.aborted === true) return;
    const mutation = all[Math.floor(at)]!;
    yield { mutation, verdict: await judge(program, mutation, { ...options, worlds }, hunting) };
  }
}

async function judge(
  program: Program,
  mutation: Mutation,
  options: MutantOptions,
  hunting: () => Guidance,
): Promise<MutantVerdict> {
  const tested = await differs(program, mutation, options, options.guidance, options.runs, 'tests');
  if (tested === 'stopped') return 'stopped';
  if (tested === 'differs') return 'killed';
  const other = { ...options, seed: `${options.seed} hunt` };
  const again = await differs(program, mutation, other, hunting(), HUNTING_RUNS, 'original');
  if (again === 'differs') return 'survived';
  return again === 'stopped' ? 'stopped' : 'alike';
}

type Difference = 'differs' | 'stopped' | 'none';

/** @param against the model, where there is one, or the program as it is */
async function differs(
  program: Program,
  { apply }: Mutation,
  { seed, cases, worlds }: MutantOptions,
  guidance: Guidance | undefined,
  runs: number,
  against: 'tests' | 'original',
): Promise<Difference> {
  const hasModel = against === 'tests' && program.definition !== undefined;
  const mutant = changedEngine(apply);
  const engines = hasModel ? [createModelEngine(), mutant] : [originalEngine(), mutant];
  const report = await verify({
    program: hasModel ? program : withoutModel(program),
    engines,
    seed,
    runs,
    cases,
    shrink: false,
    maxDivergences: 1,
    ...(worlds === undefined ? {} : { worlds }),
    ...(guidance === undefined ? {} : { guidance }),
  });
  // Against the original, checksums that it leaves wrong itself say nothing about the mutant.
  const found = report.divergences.find(
    ({ finding }) => hasModel || finding.engines[0] !== 'oracle' || finding.part === 'status',
  );
  if (report.engines.some(({ status }) => status === 'failed')) return 'stopped';
  if (found === undefined) return 'none';
  return found.finding.part === 'status' ? 'stopped' : 'differs';
}

/** Hints and worlds stay: only what models say is left out, so that everything is compared. */
function withoutModel(program: Program): Program {
  const { definition, ...rest } = program;
  if (definition === undefined) return program;
  return { ...rest, hints: { ...definition.hints, ...program.hints } };
}

function changedEngine(change: (object: BpfObject) => BpfObject): Engine {
  return createWasmEngine({ change, budget: BUDGET });
}

/** The program as it is, in the place of another machine. */
function originalEngine(): Engine {
  return { ...createWasmEngine(), name: 'vm' };
}
