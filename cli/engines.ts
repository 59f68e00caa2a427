/** Makes the engines of the register and chooses those of a run. */

import { versionOf } from '../kernel/kernel-version.ts';
import { runningKernel } from '../kernel/libbpf/kernel-facts.ts';
import { createTestRunEngine } from '../kernel/testrun/testrun.ts';
import { createVethEngine } from '../kernel/veth/veth.ts';
import type { KernelVersion } from '../sim/ebpf/kernel-versions.ts';
import type { Engine } from '../sim/engines/engine.ts';
import { createModelEngine } from '../sim/engines/model.ts';
import { ENGINE_NAMES, ENGINES, type EngineName, rankOf } from '../sim/engines/register.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import { createWasmEngine } from '../sim/engines/wasm.ts';
import type { Program } from '../sim/runtime/program.ts';
import { environmentFailure, inputFailure } from './failure.ts';

/** One line for each engine of the register. */
const CREATE = {
  model: (asKernel) => createModelEngine(versionOption(asKernel)),
  // Programs see this kernel's configuration in the machine, too.
  vm: (asKernel) => createVmEngine({ kernel: runningKernel, ...versionOption(asKernel) }),
  wasm: (asKernel) => createWasmEngine({ kernel: runningKernel, ...versionOption(asKernel) }),
  testrun: (asKernel) => onKernel(createTestRunEngine(), asKernel),
  veth: (asKernel) => onKernel(createVethEngine(), asKernel),
} satisfies Record<EngineName, (asKernel: KernelVersion | undefined) => Engine>;

/** `--as-kernel`, as engines take it. */
export function versionOption(asKernel: KernelVersion | undefined): { readonly asKernel?: KernelVersion } {
  return asKernel === undefined ? {} : { asKernel };
}

/**
 * The real kernel is the version that it is: where another one was asked for, it must not be compared with model and
 * machine. What old kernels do otherwise would come out as differences, or, worse, be called a defect of the machine.
 */
function onKernel(engine: Engine, asKernel: KernelVersion | undefined): Engine {
  const running = versionOf();
  if (asKernel === undefined || asKernel === running) return engine;
  return {
    name: engine.name,
    observes: engine.observes,
    availability: () => ({
      available: false,
      reason: `the kernel here is Linux ${running}, and --as-kernel asks for ${asKernel}`,
      remedy: `run it on Linux ${asKernel}, or leave --as-kernel out`,
    }),
    refuses: (program, batch) => engine.refuses(program, batch),
    open: (program, world) => engine.open(program, world),
  };
}

/** What `--live` adds. */
const LIVE: EngineName = 'veth';

export interface ChosenEngines {
  readonly engines: readonly Engine[];
  /** Those that the user asked for: one of them that cannot run is an error, not a skip. */
  readonly named: ReadonlySet<EngineName>;
}

/**
 * @param names what the user gave with `--engines`, comma-separated; undefined: the default ones
 * @param live adds `veth` to the default ones
 * @param asKernel `--as-kernel`
 * @throws {Failure} for a name that is no engine
 */
export function chooseEngines(
  names: string | undefined,
  live: boolean = false,
  asKernel?: KernelVersion,
): ChosenEngines {
  if (names === undefined) {
    const chosen = ENGINES.filter(({ name, byDefault }) => byDefault || (live && name === LIVE));
    return {
      engines: chosen.map(({ name }) => createEngineAs(name, asKernel)),
      named: new Set(live ? [LIVE] : []),
    };
  }
  const unique = [...new Set(engineNames(names.split(',')))];
  if (live && !unique.includes(LIVE)) unique.push(LIVE);
  // In order of rank, so that the reference is the same however the user lists them.
  unique.sort((a, b) => rankOf(a) - rankOf(b));
  return { engines: unique.map((name) => createEngineAs(name, asKernel)), named: new Set(unique) };
}

/** In order of rank. */
export function allEngines(): readonly Engine[] {
  return ENGINE_NAMES.map(createEngine);
}

/** @throws {Failure} for a name that is no engine */
export function engineNames(texts: readonly string[]): EngineName[] {
  return texts.map((text) => {
    const name = text.trim();
    if (!Object.hasOwn(CREATE, name)) {
      throw inputFailure(`unknown engine “${name}”`, `Engines: ${ENGINE_NAMES.join(', ')}`);
    }
    return name as EngineName;
  });
}

export function createEngine(name: EngineName): Engine {
  return createEngineAs(name, undefined);
}

/** @param asKernel the kernel that model and machine are to be; engines of another kernel cannot run then */
export function createEngineAs(name: EngineName, asKernel: KernelVersion | undefined): Engine {
  return CREATE[name](asKernel);
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
