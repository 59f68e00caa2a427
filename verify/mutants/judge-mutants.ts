/**
 * Would the tests notice? Each mutant of a program is compared with its model, or, where there is none, with the program as
 * it is, on the packets that `verify` would run. The packets and what should come of them are made once; a mutant is out at
 * the first difference. Those that are left are looked at once more, mutant against original on other packets: what nothing
 * tells apart is set aside, what is told apart has survived.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SavedCase } from '../../corpus/cases/case.ts';
import { reachOf } from '../../sim/ebpf/analysis/reach.ts';
import { singleFunctions } from '../../sim/engines/chained-session.ts';
import { type Engine, EngineError } from '../../sim/engines/engine.ts';
import { hookOf, openMachine } from '../../sim/engines/machine-program.ts';
import { createModelEngine } from '../../sim/engines/model.ts';
import { OutcomeBatch, STATUS } from '../../sim/engines/outcome-batch.ts';
import { mayReadUnwritten } from '../../sim/engines/unwritten-stack.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import type { NamedWorld, Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { worldsOf } from '../batch-plan.ts';
import { type Guidance, guideInTurns } from '../guide/guide.ts';
import { differs, type MutantCase, MutantCases, type MutantTests, Sessions } from './mutant-cases.ts';
import { type Mutation, mutationsOf } from './mutations.ts';

/**
 * `killed`: model and mutant differ. `survived`: they do not, though mutant and original do on other packets. `stopped`:
 * the machine does not run it to its end, as no kernel would load it. `alike`: nothing that was tried tells it apart.
 * `not run`: no packet reached the instruction.
 */
export type MutantVerdict = 'killed' | 'survived' | 'stopped' | 'alike' | 'not run';

export interface MutantResult {
  readonly mutation: Mutation;
  readonly verdict: MutantVerdict;
}

export interface MutantOptions {
  readonly seed: string;
  /** Generated packets that a mutant is tested on at the most, besides saved cases; may be infinite. */
  readonly runs: number;
  /**
   * For how long a mutant is tested: what a run of `verify` takes for it, making packets and running the model included,
   * which all mutants share. Default: until `runs`.
   */
  readonly seconds?: number;
  /** Run for each mutant, too. */
  readonly cases: readonly SavedCase[];
  readonly worlds?: readonly NamedWorld[];
  /** Of packets that the tests are made of; default: none. */
  readonly guidance?: Guidance;
  /** At the most so many, spread evenly over the instructions; default: all. */
  readonly limit?: number;
  readonly signal?: AbortSignal;
  /** Called a few times a second with what is being done. */
  readonly onProgress?: (progress: MutantProgress) => void;
}

export interface MutantProgress {
  /** Mutants that are decided, of all. */
  readonly decided: number;
  readonly mutants: number;
  /** Packets that those which are left have run. */
  readonly packets: number;
}

/** Instructions that one packet may take: an endless loop should not hold up the others. */
const BUDGET = 20_000;
/** What stack bytes hold that a mutant reads and did not write: in the kernel, anything. */
const GARBAGE = 0xa5;
/** What a mutant is looked at with once more. */
const HUNTING_RUNS = 100_000;
const HUNTING_EFFORT = 2_000_000;

/** The mutants of a program that has an object, in order. */
export function mutantsOf(program: Program, worlds: readonly NamedWorld[] = worldsOf(program)): Mutation[] {
  const entries = singleFunctions(program.entries);
  const opened = openMachine({ ...program, entries }, worlds[0]?.world ?? {}, {});
  const { machine, wanted } = opened;
  const reaches = new Map(
    [...wanted].map((index) => [
      index,
      reachOf(machine, machine.object.programs[index]!, hookOf(opened, index)),
    ]),
  );
  return mutationsOf(machine.object, [...wanted], (index, slot) => reaches.get(index)?.reached[slot] === 1);
}

/**
 * Yields each mutant as soon as it is decided.
 * @throws {UnchangedDiffersError} where the program as it is differs from its model
 */
export async function* judgeMutants(
  program: Program,
  options: MutantOptions,
): AsyncGenerator<MutantResult, void, undefined> {
  const worlds = options.worlds ?? worldsOf(program);
  const { limit = Number.POSITIVE_INFINITY, seed, runs, cases, guidance, signal } = options;
  const isAborted = (): boolean => signal?.aborted === true;
  const machine = createWasmEngine();
  const hasModel = program.definition !== undefined;
  const reference = hasModel ? createModelEngine() : machine;
  // What a program itself reads without having written it is as it is for the reference.
  const fills = !mayReadUnwritten(program);
  const all = sampled(mutantsOf(program, worlds), limit);
  let left = all.map((mutation) => new Mutant(mutation, fills));
  const progress = { mutants: left.length, decided: 0, packets: 0 };
  const count = (packets: number): void => {
    progress.packets = packets;
    options.onProgress?.(progress);
  };
  const decide = (mutant: Mutant, verdict: MutantVerdict): MutantResult => {
    progress.decided++;
    options.onProgress?.(progress);
    return { mutation: mutant.mutation, verdict };
  };

  const tests = { seed, runs, saved: cases, worlds, guidance };
  const trial = { program, reference, machine, tests, count, ...options };
  for await (const { mutant, fate } of tryMutants(left, trial)) {
    yield decide(mutant, fate === 'differs' ? 'killed' : fate);
    left = left.filter((one) => one !== mutant);
  }
  if (left.length === 0 || isAborted()) return;

  const alone = withoutModel(program);
  const hunt = await guideInTurns(alone, {
    ...{ seed: `${seed} hunt`, effort: HUNTING_EFFORT, worlds },
    ...(signal === undefined ? {} : { signal }),
  });
  if (isAborted()) return;
  const more = { seed: `${seed} hunt`, runs: HUNTING_RUNS, saved: [], worlds, guidance: hunt };
  const hunting = { program: alone, reference: machine, machine, tests: more, count, signal };
  for await (const { mutant, fate } of tryMutants(left, hunting)) {
    yield decide(mutant, fate === 'differs' ? 'survived' : fate);
    left = left.filter((one) => one !== mutant);
  }
  if (isAborted()) return;
  for (const mutant of left) yield decide(mutant, mutant.hasRun ? 'alike' : 'not run');
}

interface Trial {
  readonly program: Program;
  readonly reference: Engine;
  readonly machine: Engine;
  readonly tests: MutantTests;
  readonly seconds?: number;
  readonly signal?: AbortSignal | undefined;
  readonly count: (packets: number) => void;
}

interface Fate {
  readonly mutant: Mutant;
  readonly fate: 'differs' | 'stopped';
}

/** Runs mutants over the cases until they differ or are stopped; those that are not yielded have done neither. */
async function* tryMutants(
  mutants: readonly Mutant[],
  { program, reference, machine, tests, seconds = Number.POSITIVE_INFINITY, signal, count }: Trial,
): AsyncGenerator<Fate, void, undefined> {
  const cases = new MutantCases(program, reference, machine);
  let left = [...mutants];
  let packets = 0;
  let spent = 0;
  let before = performance.now();
  const lap = (): number => {
    const since = performance.now() - before;
    before += since;
    return since / 1000;
  };
  for await (const chunk of cases.chunks(tests)) {
    spent += lap();
    for (const mutant of left) {
      if (signal?.aborted === true) break;
      const fate = await mutant.run(program, reference, chunk);
      if (fate !== undefined) {
        left = left.filter((one) => one !== mutant);
        await mutant.close();
        yield { mutant, fate };
      }
      // Many mutants' sessions would take much memory; a few are worth keeping.
      if (left.length > MAX_KEPT) await mutant.close();
      await nextTurn();
    }
    spent += lap() / Math.max(1, left.length);
    for (const { input } of chunk) packets += input.count;
    count(packets);
    if (left.length === 0 || spent >= seconds || signal?.aborted === true) break;
  }
  for (const mutant of left) await mutant.close();
  await cases.close();
}

/** Of so many mutants sessions stay open from chunk to chunk. */
const MAX_KEPT = 32;

class Mutant {
  readonly mutation: Mutation;
  hasRun = false;
  readonly #engine: Engine;
  #sessions: Sessions | undefined;

  readonly #fills: boolean;

  /** @param fills does the stack hold garbage? */
  constructor(mutation: Mutation, fills: boolean) {
    this.mutation = mutation;
    this.#fills = fills;
    this.#engine = createWasmEngine({ change: mutation.apply, budget: BUDGET });
  }

  /** @returns undefined where it does on all cases what is expected */
  async run(
    program: Program,
    reference: Engine,
    cases: readonly MutantCase[],
  ): Promise<'differs' | 'stopped' | undefined> {
    for (const one of cases) {
      const { ran, world, input } = one;
      const times = ran.get(this.mutation.function)?.[this.mutation.slot];
      if (times === 0) continue;
      this.hasRun = true;
      this.#sessions ??= new Sessions(this.#engine, program);
      const got = new OutcomeBatch(input.count);
      try {
        const session = await this.#sessions.of(this.#fills ? filled(world) : world);
        await session.run(input, got);
        if (hasStopped(got)) return 'stopped';
        if (differs(program, reference, this.#engine, one, got, session.maps())) return 'differs';
      } catch (error) {
        // What is refused before it runs: no kernel would load it either.
        if (!(error instanceof EngineError)) throw error;
        return 'stopped';
      }
    }
    return undefined;
  }

  async close(): Promise<void> {
    await this.#sessions?.close();
    this.#sessions = undefined;
  }
}

const filledWorlds = new WeakMap<World, World>();

/** The world with garbage on the stack; the same one for the same. */
function filled(world: World): World {
  const known = filledWorlds.get(world);
  if (known !== undefined) return known;
  const other = { ...world, stackFill: GARBAGE };
  filledWorlds.set(world, other);
  return other;
}

function hasStopped({ status, count }: OutcomeBatch): boolean {
  for (let packet = 0; packet < count; packet++) if (status[packet] !== STATUS.ran) return true;
  return false;
}

/** Evenly spread, the first among them. */
function sampled<T>(all: readonly T[], most: number): readonly T[] {
  if (all.length <= most) return all;
  return Array.from({ length: most }, (_, index) => all[Math.floor((index * all.length) / most)]!);
}

/** Hints and worlds stay: only what models say is left out, so that everything is compared. */
function withoutModel(program: Program): Program {
  const { definition, ...rest } = program;
  if (definition === undefined) return program;
  return { ...rest, hints: { ...definition.hints, ...program.hints } };
}
