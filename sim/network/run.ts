/** A whole scenario in the simulated network. */
import type { Engine } from '../engines/engine.ts';
import type { Objects, ProgramMaps } from './attached-programs.ts';
import { Network, type NetworkEvent } from './network.ts';
import type { Hop } from './path.ts';
import type { Scenario } from './scenario.ts';

/** What came of a scenario, in the simulation or in the kernel. */
export interface ScenarioRun {
  /** One for each step. */
  readonly steps: readonly StepRun[];
  /** The maps of all programs when everything was over. */
  readonly maps: readonly ProgramMaps[];
}

export interface StepRun {
  readonly path: readonly Hop[];
  /** The path with what happened between the hops; what stacks do and why, only the simulation says. */
  readonly events: readonly NetworkEvent[];
}

/**
 * Runs a scenario in the simulation.
 * @param engine runs the programs: `vm`, or `model` for what they should do
 * @param objects the compiled objects of the scenario's programs, by the names that it calls them
 * @throws {EngineError} where a program cannot be loaded
 */
export async function simulate(scenario: Scenario, engine: Engine, objects: Objects): Promise<ScenarioRun> {
  const network = await Network.open(scenario, engine, objects);
  try {
    const steps: StepRun[] = [];
    for (const step of scenario.steps) {
      const events = await network.send(step.send);
      steps.push({ path: pathOf(events), events });
    }
    return { steps, maps: network.maps() };
  } finally {
    await network.close();
  }
}

/** The hops among events. */
export function pathOf(events: readonly NetworkEvent[]): Hop[] {
  return events.flatMap((event) => {
    if (event.kind !== 'hop') return [];
    const { kind, ...hop } = event;
    return [hop];
  });
}
