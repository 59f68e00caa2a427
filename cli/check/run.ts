/** Runs a `CheckPlan`: each program by itself, in the machine and in the kernel. */
import type { Program } from '../../sim/runtime/program.ts';
import { type CheckProgress, check } from '../../verify/check/check.ts';
import type { CheckedProgram } from '../../verify/check/finding.ts';
import { testedApart } from '../../verify/guessed-slots.ts';
import type { ProofAid } from '../../verify/prove/aid.ts';
import { exampleCases } from '../../verify/run.ts';
import { createEngine, createEngineAs } from '../engines.ts';
import { inputFailure } from '../failure.ts';
import { ENTERED, resolvePrograms } from '../input/program-source.ts';
import { type PlacedProgram, placePrograms, statesWorld, worldsIn } from '../input/world-options.ts';
import type { Proofs } from '../prove/aid.ts';
import { saveBelow, tidy } from '../verify/saved-cases.ts';
import type { CheckPlan } from './plans.ts';
import { SavedOnce } from './saved-once.ts';
import { isOn } from './scope.ts';

/**
 * How long a program's paths are followed at the most, where nobody has said how long a check may take: of work, as the verdict may hang on
 * whether all were, and a machine that does something else meanwhile is to come to the same one.
 */
const PROOF_SECONDS = 10;

export interface CheckWatch {
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: CheckProgress) => void;
  /** Called with each program as soon as it is done. */
  readonly onChecked?: (checked: CheckedProgram, program: Program) => void;
}

/**
 * The programs that the plan names.
 * @throws {Failure} for a name that is none, and for options that do not fit them
 */
export async function programsOf(plan: CheckPlan): Promise<PlacedProgram[]> {
  if (plan.programs.length === 0)
    throw inputFailure(
      'no program given: name an object, OBJECT[:FUNCTION], or a built-in program',
      'xdpsim init writes a configuration file that names them.',
    );
  // What is wrong with a world is said before anything runs.
  return placePrograms(
    await resolvePrograms(plan.programs, undefined, undefined, ENTERED),
    plan.surroundings,
  );
}

/** Those that were checked when the signal came. */
export async function checkAll(
  plan: CheckPlan,
  programs: readonly PlacedProgram[],
  watch: CheckWatch,
): Promise<CheckedProgram[]> {
  const all: CheckedProgram[] = [];
  let proofs: Promise<Proofs | undefined> | undefined;
  // Loaded where a program needs it only, which most do not.
  const prove = async (program: Program, seconds = PROOF_SECONDS): Promise<ProofAid | undefined> => {
    proofs ??= import('../prove/aid.ts').then(({ proofsIfPossible }) =>
      proofsIfPossible(PROOF_SECONDS, watch.signal),
    );
    return (await proofs)?.aid(program, { seconds, ofWork: plan.seconds === undefined });
  };
  try {
    for (const placed of programs) {
      if (watch.signal.aborted) break;
      const apart = testedApart(
        placed.program,
        programs.map(({ program }) => program),
      );
      const checked = await checkOne(plan, placed, apart, watch, prove);
      all.push(checked);
      watch.onChecked?.(checked, placed.program);
    }
  } finally {
    await (await proofs)?.end();
  }
  return all;
}

async function checkOne(
  plan: CheckPlan,
  placed: PlacedProgram,
  apart: ReadonlySet<string>,
  watch: CheckWatch,
  prove: NonNullable<Parameters<typeof check>[0]['prove']>,
): Promise<CheckedProgram> {
  const { seed, runs, seconds, sweeps, shrinkSeconds, thresholds, directory } = plan;
  const { program } = placed;
  await tidy(directory, program);
  const cases = new SavedOnce(saveBelow(directory));
  const checked = await check({
    program,
    machine: createEngine('wasm'),
    witness: createEngine('vm'),
    kernel: createEngine('testrun'),
    seed,
    sweeps,
    shrinkSeconds,
    isOn: (id) => isOn(plan, id),
    versions: plan.asKernels.map((version) => ({ version, machine: createEngineAs('wasm', version) })),
    cases: exampleCases(program),
    save: cases.save,
    signal: watch.signal,
    ...thresholds,
    testedApart: apart,
    // A quick look is to be quick.
    ...(plan.effort === undefined ? { prove } : {}),
    // Who gives it time gets every branch decided, if that is possible.
    ...(seconds === undefined ? {} : { proveFrom: 100 }),
    ...(statesWorld(plan.surroundings) ? { worlds: worldsIn(placed) } : {}),
    ...(runs === undefined ? {} : { runs }),
    ...(plan.effort === undefined ? {} : { effort: plan.effort }),
    ...(seconds === undefined ? {} : { seconds }),
    ...(watch.onProgress === undefined ? {} : { onProgress: watch.onProgress }),
  });
  if (!watch.signal.aborted) await cases.keepOnly(checked.findings);
  return checked;
}
