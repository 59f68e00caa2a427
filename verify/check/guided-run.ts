/** What the guidance adds to the packets of a check. */
import type { SavedCase } from '../../corpus/cases/case.ts';
import { PacketGenerator } from '../../corpus/generate/generator.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { ObjectError } from '../../sim/ebpf/object.ts';
import { hintsOf, type NamedWorld } from '../../sim/runtime/program.ts';
import { worldsOf } from '../batch-plan.ts';
import type { PacketSource } from '../batch-runner.ts';
import { guideInTurns } from '../guide/guide.ts';
import { GuidedSource, guidedWorlds } from '../guide/guided-source.ts';
import { type RefusedValue, withPossibleWorlds } from '../guide/possible-worlds.ts';
import type { CheckOptions } from './check-options.ts';
import { withSoundPackets } from './sound-cases.ts';
import { SoundRoutes } from './sound-routes.ts';

/** Instructions that the search for packets may run: about half a second. */
const GUIDE_EFFORT = 2_000_000;
/** As many again where a program is larger than that, with much left to reach. */
const GUIDE_RESERVE = 2_000_000;

export interface GuidedRun {
  readonly source?: PacketSource;
  readonly worlds?: readonly NamedWorld[];
  readonly cases?: readonly SavedCase[];
  /** Values of constants with which the kernel refuses the program. */
  readonly refused?: readonly RefusedValue[];
}

/** Packets and worlds that lead where random ones do not. */
export async function guidedRun(options: CheckOptions): Promise<GuidedRun> {
  const { program, seed, signal, worlds = worldsOf(program), source, machine, kernel } = options;
  if (source !== undefined || program.object === undefined || !machine.availability(program).available)
    return {};
  try {
    linkedObject(program.object);
  } catch (error) {
    // The run says what is wrong with the object.
    if (error instanceof ObjectError) return {};
    throw error;
  }
  const found = await guideInTurns(program, {
    seed,
    worlds,
    ...(options.effort === undefined
      ? { effort: GUIDE_EFFORT, reserve: GUIDE_RESERVE }
      : { effort: options.effort }),
    combinations: true,
    ...(signal === undefined ? {} : { signal }),
  });
  const refused: RefusedValue[] = [];
  const onRefused = (value: RefusedValue): void => void refused.push(value);
  const guidance = await withPossibleWorlds(found, { programs: [program], worlds, kernel, onRefused });
  const base = new PacketGenerator(
    hintsOf(program),
    program.entries.map(({ hook }) => hook),
  );
  const routes = new SoundRoutes(program);
  return {
    source: new GuidedSource(base, program, guidance),
    worlds: guidedWorlds(worlds, guidance),
    refused,
    cases: guidance.cases.flatMap(({ world, stimuli }, index) => {
      const found = { program: program.name, world, stimuli };
      // No other packet may go that way: one that is judged, which unsound ones are not, has to.
      const [, ...sound] = withSoundPackets(found);
      return [found, ...sound, ...routes.casesFor(found, sound)].map((one) => ({
        path: `guided case ${index + 1}`,
        case: one,
      }));
    }),
  };
}
