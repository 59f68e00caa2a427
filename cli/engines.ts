/** The register of engines: one line each, the reference first. */

import { runningKernel } from '../kernel/libbpf/kernel-facts.ts';
import { createTestRunEngine } from '../kernel/testrun/testrun.ts';
import { createVethEngine } from '../kernel/veth/veth.ts';
import type { Engine, EngineName } from '../sim/engines/engine.ts';
import { createModelEngine } from '../sim/engines/model.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import { createWasmEngine } from '../sim/engines/wasm.ts';
import type { Program } from '../sim/runtime/program.ts';
import { environmentFailure, inputFailure } from './failure.ts';

const CREATE: Readonly<Partial<Record<EngineName, () => Engine>>> = {
  model: createModelEngine,
  // Programs see this kernel's configuration in the machine, too.
  vm: () => createVmEngine({ kernel: runningKernel }),
  wasm: () => createWasmEngine({ kernel: runningKernel }),
  testrun: createTestRunEngine,
  veth: createVethEngine,
};

/**
 * All that can run without touching the network: `veth` joins only when named. The interpreter joins only when
 * named, too: what compiled programs find, it is asked about anyway.
 */
const DEFAULT: readonly EngineName[] = ['model', 'wasm', 'testrun'];

export interface ChosenEngines {
  readonly engines: readonly Engine[];
  /** Those that the user asked for: one of them that cannot run is an error, not a skip. */
  readonly named: ReadonlySet<EngineName>;
}

/**
 * @param names what the user gave with `--engines`, comma-separated; undefined: the default ones
 * @param live adds `veth` to the default ones
 * @throws {Failure} for a name that is no engine
 */
export function chooseEngines(names: string | undefined, live: boolean = false): ChosenEngines {
  if (names === undefined) {
    const chosen = live ? [...DEFAULT, 'veth' as const] : DEFAULT;
    return { engines: chosen.map(createEngine), named: new Set(live ? ['veth'] : []) };
  }
  const unique = [...new Set(engineNames(names.split(',')))];
  if (live && !unique.includes('veth')) unique.push('veth');
  // In the register's order, so that the reference is the same however the user lists them.
  const order = Object.keys(CREATE);
  unique.sort((a, b) => order.indexOf(a) - order.indexOf(b));
  return { engines: unique.map(createEngine), named: new Set(unique) };
}

/** In the register's order. */
export function allEngines(): readonly Engine[] {
  return (Object.keys(CREATE) as EngineName[]).map(createEngine);
}

/** @throws {Failure} for a name that is no engine */
export function engineNames(texts: readonly string[]): EngineName[] {
  return texts.map((text) => {
    const name = text.trim();
    if (!Object.hasOwn(CREATE, name)) {
      throw inputFailure(`unknown engine “${name}”`, `Engines: ${Object.keys(CREATE).join(', ')}`);
    }
    return name as EngineName;
  });
}

export function createEngine(name: EngineName): Engine {
  return CREATE[name]!();
}

/**
 * An engine that runs some of the programs and not others is reported with each that it skips; one that runs none
 * of them is not what the user asked for.
 * @throws {Failure} naming the first engine that the user asked for and that cannot run here
 */
export function requireAvailable(chosen: ChosenEngines, programs: readonly Program[]): void {
  for (const engine of chosen.engines) {
    if (!chosen.named.has(engine.name)) continue;
    const answers = programs.map((program) => engine.availability(program));
    if (answers.some((answer) => answer.available)) continue;
    const first = answers.find((answer) => !answer.available);
    if (first === undefined || first.available) continue;
    const what = programs.length === 1 ? ` ${programs[0]!.name}` : '';
    throw environmentFailure(`engine ${engine.name} cannot run${what} here: ${first.reason}`, first.remedy);
  }
}
