/** Runs the inputs that a proof suspects in both builds: what they do treat differently, made small, as `diff` shows it. */
import type { Engine } from '../../../sim/engines/engine.ts';
import type { EngineName } from '../../../sim/engines/register.ts';
import type { VmOptions } from '../../../sim/engines/vm.ts';
import { PacketBatch } from '../../../sim/packet/packet-batch.ts';
import { bothObserve, firstDifference } from '../../compare.ts';
import { type DiffClass, type DiffReport, diff } from '../../diff/diff.ts';
import { pairMapDifference } from '../../diff/map-pairs.ts';
import type { BuildPair } from '../../diff/pair.ts';
import { EngineSide } from '../../engine-side.ts';
import type { Suspect } from './against.ts';

export interface ConfirmOptions {
  /** Runs both builds. */
  readonly engine: Engine;
  /** Of the interpreter, which says what decides a difference. */
  readonly vm?: VmOptions;
  /** Is asked about what the machine stops. */
  readonly kernel?: Engine;
  readonly shrinkSeconds: number;
  readonly signal?: AbortSignal;
}

const MOST_CLASSES = 20;

export function confirmSuspects(
  pair: BuildPair,
  suspects: readonly Suspect[],
  options: ConfirmOptions,
): Promise<DiffReport> {
  return diff({
    ...options,
    pair,
    seed: 'prove',
    runs: 0,
    worlds: [{ name: 'prove', world: {} }],
    cases: casesOf(suspects),
    sweeps: false,
    guided: false,
    maxClasses: MOST_CLASSES,
  });
}

async function* casesOf(
  suspects: readonly Suspect[],
): AsyncGenerator<{ readonly world: Suspect['world']; readonly stimuli: readonly Suspect['stimulus'][] }> {
  for (const { world, stimulus } of suspects) yield { world, stimuli: [stimulus] };
}

/** Who saw the builds differ on a class's example: the machine, and a kernel that was asked. */
export async function witnessesOf(
  pair: BuildPair,
  { case: { world, stimuli } }: DiffClass,
  kernel: Engine | undefined,
): Promise<EngineName[]> {
  if (kernel?.availability(pair.old).available !== true) return ['vm'];
  const sides = [new EngineSide(kernel, pair.old, 16), new EngineSide(kernel, pair.new, 16)] as const;
  const input = new PacketBatch(Math.max(1, stimuli.length));
  for (const stimulus of stimuli) input.push(stimulus);
  try {
    for (const side of sides) if (!side.takes(input) || !(await side.run(world, input))) return ['vm'];
    const [a, b] = sides;
    const hooks = pair.old.entries.map(({ hook }) => hook);
    const observed = bothObserve(kernel.observes, kernel.observes, false);
    const isSeen =
      firstDifference(a.output, b.output, observed, hooks, input.entry, 0) !== undefined ||
      pairMapDifference(pair, { now: a.maps ?? [], start: [] }, { now: b.maps ?? [], start: [] }) !==
        undefined;
    return isSeen ? ['vm', kernel.name] : ['vm'];
  } finally {
    for (const side of sides) await side.close();
  }
}
