/**
 * Whose findings are in worlds in which guidance has put programs into empty slots of tail-call maps. That opens branches, but
 * only a loader knows what belongs there: what shows without these programs is the caller's; what the program in the slot does
 * by itself, too, is its own; what is left takes both, and where another program or slot is as likely, it may be the guess's fault.
 */
import type { Case } from '../corpus/cases/case.ts';
import type { Engine } from '../sim/engines/engine.ts';
import { isKernel } from '../sim/engines/register.ts';
import { createWasmEngine } from '../sim/engines/wasm.ts';
import type { Hook } from '../sim/runtime/actions.ts';
import type { Program } from '../sim/runtime/program.ts';
import { type Finding, familyOf } from './finding.ts';
import { guessedSlots, withoutGuesses } from './guessed-slots.ts';
import type { Judging, Oracle } from './judging.ts';
import { isOnlyChoice } from './only-choice.ts';
import { Replay } from './replay.ts';

export interface SlotOptions {
  /** Functions of the object that are tested by themselves in the same run. */
  readonly testedApart: ReadonlySet<string>;
  readonly oracle?: Oracle | Judging;
}

/** Whose a finding is. */
export type Ownership =
  /** It shows without guesses: with the case, and what was found in it. */
  | { readonly is: 'caller'; readonly case: Case; readonly finding: Finding }
  /** Of a program in a slot: reported where that one is tested, or nobody's fault. */
  | { readonly is: 'other' }
  /** It takes both, or is of a program in a slot that is tested nowhere else. */
  | { readonly is: 'both' }
  /** It takes both, and a loader may put something else there. */
  | { readonly is: 'guess' };

/**
 * Finds out whose a finding is, in the machine. Differences between the machine and the kernel are what they are whoever put
 * the program there.
 */
export async function ownerOf(
  program: Program,
  engines: readonly Engine[],
  finding: Finding,
  shown: Case,
  { testedApart, oracle }: SlotOptions,
): Promise<Ownership> {
  if (finding.engines[0] !== 'oracle' && finding.engines.some(isKernel)) return { is: 'both' };
  const named = engines.filter(({ name }) => finding.engines.includes(name) && !isKernel(name));
  // What the oracle saw in the kernel it also sees in the machine.
  const judged = named.length > 0 ? named : [createWasmEngine()];
  const plain = { ...shown, world: withoutGuesses(shown.world) };
  const found = await findingLike(program, judged, plain, finding, oracle);
  if (found !== undefined)
    return { is: 'caller', case: plain, finding: { ...found, engines: finding.engines } };
  const entries = new Set(program.entries.map((entry) => entry.function));
  const guesses = guessedSlots(shown.world);
  const others = guesses.map((guess) => guess.program).filter((name) => !entries.has(name));
  for (const name of others)
    if (testedApart.has(name) && (await isDoneBy(name, program, finding, shown, oracle)))
      return { is: 'other' };
  // Where the machine stops a program in a slot, no loader could have put it there.
  if (finding.part === 'status') return { is: 'other' };
  if (finding.engines[0] !== 'oracle' || isOnlyChoice(program, guesses)) return { is: 'both' };
  // What is reported nowhere else counts without other guesses only.
  for (const name of others)
    if (!testedApart.has(name) && (await isDoneBy(name, program, finding, plain, oracle)))
      return { is: 'both' };
  return { is: 'guess' };
}

/** Does a program of the object show it by itself? */
async function isDoneBy(
  name: string,
  program: Program,
  finding: Finding,
  shown: Case,
  oracle: Oracle | Judging | undefined,
): Promise<boolean> {
  const hook = program.entries[shown.stimuli[finding.packet]?.entry ?? 0]?.hook ?? 'xdp';
  const alone = byItself(program, name, hook);
  const stimuli = shown.stimuli.map((stimulus) => ({ ...stimulus, entry: 0 }));
  const found = await findingLike(alone, [createWasmEngine()], { ...shown, stimuli }, finding, oracle);
  return found !== undefined;
}

/** Another program of the object, as one that packets are given to. */
export function byItself(program: Program, name: string, hook: Hook): Program {
  const { definition: _, ...rest } = program;
  return { ...rest, name, entries: [{ function: name, hook }] };
}

async function findingLike(
  program: Program,
  engines: readonly Engine[],
  shown: Case,
  finding: Finding,
  oracle: Oracle | Judging | undefined,
): Promise<Finding | undefined> {
  const replay = new Replay(program, engines, oracle);
  try {
    const like = (one: Finding): string => familyOf({ ...one, engines: finding.engines, place: '' });
    const found = await replay.findings(shown);
    return found.find((one) => like(one) === like(finding));
  } finally {
    await replay.close();
  }
}
