/** Holds what the simulation says of a scenario against what the kernel did. */
import { toHex } from '../packet/bytes.ts';
import { difference } from '../packet/difference.ts';
import { differingEntries, type MapSnapshot } from '../runtime/map-snapshot.ts';
import { entriesSurelyKept, isLru } from '../runtime/maps.ts';
import type { ProgramMaps } from './attached-programs.ts';
import type { ProgramEvent } from './network.ts';
import { comparePaths, hopKey, type PathDifference } from './path.ts';
import type { ScenarioRun, StepRun } from './run.ts';
import { placeText, type Scenario } from './scenario.ts';

/** How many differing entries of a map are listed. */
const MAX_DETAILS = 32;

/** The first thing in which two runs differ, in words. */
export interface ScenarioDifference {
  /** Index of the step; undefined where the maps differ in the end. */
  readonly step?: number;
  readonly summary: string;
  /** Field by field, or what each side has. */
  readonly details: readonly string[];
}

/** @returns the first difference: in the path of a step, in what a program said, or in a map at the end */
export function compareRuns(
  scenario: Scenario,
  simulated: ScenarioRun,
  real: ScenarioRun,
): ScenarioDifference | undefined {
  for (const step of scenario.steps.keys()) {
    const problem = compareSteps(simulated.steps[step]!, real.steps[step]!);
    if (problem !== undefined) return { step, ...problem };
  }
  return compareMaps(simulated.maps, real.maps);
}

function compareSteps(simulated: StepRun, real: StepRun): ScenarioDifference | undefined {
  const parting = comparePaths(simulated.path, real.path);
  if (parting !== undefined) return describe(parting);
  const expected = verdictsByPlace(simulated.events);
  const found = verdictsByPlace(real.events);
  for (const place of new Set([...expected.keys(), ...found.keys()])) {
    const [sim = 'nothing', kernel = 'nothing'] = [expected.get(place), found.get(place)];
    if (sim === kernel) continue;
    return { summary: `${place} says something else`, details: [`sim: ${sim}`, `kernel: ${kernel}`] };
  }
  return undefined;
}

/** What the programs at each place and hook said, in order. */
function verdictsByPlace(events: StepRun['events']): Map<string, string> {
  const verdicts = new Map<string, string>();
  const programs = events.filter((event): event is ProgramEvent => event.kind === 'program');
  for (const event of programs) {
    const key = `${placeText(event)} ${event.hook} ${event.function}`;
    verdicts.set(key, [verdicts.get(key), event.action].filter((one) => one !== undefined).join(', '));
  }
  return verdicts;
}

function describe({ place, direction, index, reason, simulated, real }: PathDifference): ScenarioDifference {
  const which = `frame ${index + 1} at ${hopKey({ ...place, direction })}`;
  switch (reason) {
    case 'missing':
      return { summary: `${which}: the kernel has none`, details: [`sim: ${toHex(simulated!.bytes)}`] };
    case 'additional':
      return { summary: `${which}: the simulation has none`, details: [`kernel: ${toHex(real!.bytes)}`] };
    case 'mark':
      return {
        summary: `${which}: the mark differs`,
        details: [`sim: ${simulated!.mark}`, `kernel: ${real!.mark}`],
      };
    case 'bytes':
      return {
        summary: `${which}: the bytes differ`,
        details: [
          ...difference(simulated!.bytes, real!.bytes).map(
            ({ path, left, right }) => `${path}: ${left ?? 'absent'} in sim, ${right ?? 'absent'} in kernel`,
          ),
          `sim:    ${toHex(simulated!.bytes)}`,
          `kernel: ${toHex(real!.bytes)}`,
        ],
      };
  }
}

function compareMaps(
  simulated: readonly ProgramMaps[],
  real: readonly ProgramMaps[],
): ScenarioDifference | undefined {
  for (const { namespace, program, maps } of simulated) {
    const other = real.find((one) => one.namespace === namespace && one.program === program);
    for (const map of maps) {
      const counterpart = other?.maps.find((one) => one.definition.name === map.definition.name);
      // A map that only one side can read is not compared.
      if (counterpart === undefined) continue;
      const { type, maxEntries } = map.definition;
      // What a map that fills up forgets is the kernel's choice.
      if (isLru(type) && map.count > entriesSurelyKept(maxEntries, false)) continue;
      const details = compareEntries(map, counterpart);
      if (details.length === 0) continue;
      return { summary: `map ${map.definition.name} of ${program} in ${namespace} differs`, details };
    }
  }
  return undefined;
}

function compareEntries(simulated: MapSnapshot, real: MapSnapshot): string[] {
  const details: string[] = [];
  for (const { key, expected, got } of differingEntries(simulated, real)) {
    const side = (value: Uint8Array | undefined): string => (value === undefined ? 'absent' : toHex(value));
    details.push(`key ${toHex(key)}: ${side(expected)} in sim, ${side(got)} in kernel`);
    if (details.length === MAX_DETAILS) break;
  }
  return details;
}
