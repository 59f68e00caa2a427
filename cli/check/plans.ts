/** What is to be checked: the command line, and behind it the configuration file. */
import { resolve } from 'node:path';
import type { KernelVersion } from '../../sim/ebpf/kernel-versions.ts';
import type { Thresholds } from '../../verify/check/verdict.ts';
import { type CompilerSettings, compilerSettings, useCompiler } from '../compile/settings.ts';
import { type FunctionsOf, withEntries } from '../config/entries.ts';
import { besideConfig, compilerOf, type LoadedConfig, programOf } from '../config/load.ts';
import type { CheckSettings, ConfigProgram } from '../config/shape.ts';
import { inputFailure } from '../failure.ts';
import { parseKernelVersion } from '../input/kernel-version.ts';
import { freshSeed, parseDuration } from '../input/options.ts';
import { programsOfObject } from '../input/program-source.ts';
import { surroundingsOf, type WorldOptions } from '../input/world-options.ts';
import { notJudged, requireRules, requireSomething, type Scope } from './scope.ts';

/** Plain data: what the command line says, or a configuration file. */
export interface CheckPlan extends Scope {
  /** Objects `FILE.o[:FUNCTION]`, built-in programs, or modules. */
  readonly programs: readonly string[];
  /** `--world`, `--map`, `--max-entries` and `--aim`, as given. */
  readonly surroundings: WorldOptions;
  readonly seed: string;
  readonly runs?: number;
  /** Per program, for generated packets. */
  readonly seconds?: number;
  /** Kernels as which the machine is to do the same. */
  readonly asKernels: readonly KernelVersion[];
  readonly sweeps: boolean;
  /** Instructions that may be spent on finding packets for every branch; default: see `check`. */
  readonly effort?: number;
  readonly shrinkSeconds: number;
  readonly thresholds: Thresholds;
  /** Where cases are saved. */
  readonly directory: string;
}

/** What the command line says. */
export interface CheckOptions extends WorldOptions, Scope {
  readonly runs?: number;
  readonly time?: number;
  readonly seed?: string;
  readonly asKernel: readonly KernelVersion[];
  readonly sweeps: boolean;
  readonly effort?: number;
  readonly shrinkTime: number;
  readonly minCoverage?: number;
  readonly strict?: boolean;
  readonly report?: string;
}

/** A plan, how its sources are compiled, and what it leaves unjudged. */
export interface CompiledPlan {
  readonly plan: CheckPlan;
  readonly compiler: CompilerSettings;
  /** A sentence each. */
  readonly notJudged: readonly string[];
  /** The programs as they were named; those of an object that was taken apart are named once. */
  readonly asked: readonly string[];
}

/**
 * @param names of the command line; none: all programs of the configuration
 * @throws {Failure} where there is nothing to check
 */
export function plansOf(
  names: readonly string[],
  options: CheckOptions,
  loaded: LoadedConfig | undefined,
): CompiledPlan[] {
  requireRules('--off ', options.off);
  requireRules('--only ', options.only);
  if (loaded !== undefined) requireRulesOf(loaded);
  const seed = options.seed ?? loaded?.config.seed ?? freshSeed();
  if (loaded === undefined) return [planOf(names, seed, options, undefined, undefined)];
  const configured = (loaded.config.programs ?? []).map((one) =>
    typeof one === 'string' ? { object: one } : one,
  );
  if (names.length === 0) {
    if (configured.length === 0)
      throw inputFailure(`${loaded.path}: names no programs`, 'Name an object: xdpsim check OBJECT');
    return configured.map((one) => planOf([programOf(loaded, one.object)], seed, options, loaded, one));
  }
  return names
    .flatMap((name) => withEntries(name, loaded, configured, functionsWith(loaded)))
    .map(({ names: programs, own, asked }) => ({
      ...planOf(programs, seed, options, loaded, own),
      asked,
    }));
}

function functionsWith(loaded: LoadedConfig): FunctionsOf {
  return (path, own) => {
    const settings = compilerSettings();
    useCompiler(compilerOf(loaded, own.cflags ?? [], settings));
    try {
      return programsOfObject({ path, function: undefined }).flatMap(({ entries }) =>
        entries.map((entry) => entry.function),
      );
    } finally {
      useCompiler(settings);
    }
  };
}

/** Of every program, checked or not: what is wrong with a file is said whoever reads it. */
function requireRulesOf({ path, config }: LoadedConfig): void {
  requireRules(`${path}: off.`, Object.keys(config.off ?? {}));
  for (const [at, one] of (config.programs ?? []).entries()) {
    if (typeof one !== 'string') requireRules(`${path}: programs[${at}].off.`, Object.keys(one.off ?? {}));
  }
}

function planOf(
  programs: readonly string[],
  seed: string,
  options: CheckOptions,
  loaded: LoadedConfig | undefined,
  own: ConfigProgram | undefined,
): CompiledPlan {
  const config = loaded?.config ?? {};
  const runs = options.runs ?? (options.time === undefined ? (own?.runs ?? config.runs) : undefined);
  const time = own?.time ?? config.time;
  const seconds =
    options.time ??
    (options.runs === undefined && time !== undefined
      ? parseDuration(`${loaded?.path}: time`)(time)
      : undefined);
  const minCoverage = options.minCoverage ?? own?.minCoverage ?? config.minCoverage;
  const strict = options.strict ?? own?.strict ?? config.strict ?? false;
  const offReasons = new Map([...Object.entries(config.off ?? {}), ...Object.entries(own?.off ?? {})]);
  const scope = { off: [...new Set([...options.off, ...offReasons.keys()])], only: options.only };
  requireSomething(scope);
  const report =
    options.report ??
    (loaded !== undefined && config.report !== undefined ? besideConfig(loaded, config.report) : undefined);
  return {
    notJudged: notJudged(scope, offReasons),
    asked: programs,
    compiler:
      loaded === undefined ? compilerSettings() : compilerOf(loaded, own?.cflags ?? [], compilerSettings()),
    plan: {
      programs,
      surroundings: surroundings(options, loaded, own),
      seed,
      asKernels: options.asKernel.length > 0 ? options.asKernel : (kernelsOf(own) ?? kernelsOf(config) ?? []),
      ...scope,
      sweeps: options.sweeps && (own?.sweeps ?? config.sweeps ?? true),
      shrinkSeconds: options.shrinkTime,
      directory: resolve(report ?? 'corpus/regressions'),
      ...(options.effort === undefined ? {} : { effort: options.effort }),
      ...(runs === undefined ? {} : { runs }),
      ...(seconds === undefined ? {} : { seconds }),
      thresholds: { strict, ...(minCoverage === undefined ? {} : { minCoverage }) },
    },
  };
}

function kernelsOf({ asKernel }: CheckSettings = {}): KernelVersion[] | undefined {
  return asKernel?.map((text) => parseKernelVersion(text));
}

/** What the command line says of a map counts more. */
function surroundings(
  options: CheckOptions,
  loaded: LoadedConfig | undefined,
  own: ConfigProgram | undefined,
): WorldOptions {
  const given = surroundingsOf(options);
  if (loaded === undefined || own === undefined) return given;
  const stated = new Set(given.map.map((text) => text.split('=', 1)[0]));
  const maps = Object.entries(own.maps ?? {}).filter(([name]) => !stated.has(name));
  const world = given.world ?? (own.world === undefined ? undefined : besideConfig(loaded, own.world));
  return {
    ...(world === undefined ? {} : { world }),
    map: [...maps.map(([name, file]) => `${name}=${besideConfig(loaded, file)}`), ...given.map],
    maxEntries: [
      ...Object.entries(own.maxEntries ?? {}).map(([name, size]) => `${name}=${size}`),
      ...given.maxEntries,
    ],
    aim: [...(own.aim ?? []), ...given.aim],
  };
}

/** The file of accepted findings. */
export function baselinePath(named: string | undefined, loaded: LoadedConfig | undefined): string {
  if (named !== undefined) return named;
  if (loaded?.config.baseline !== undefined) return besideConfig(loaded, loaded.config.baseline);
  return loaded === undefined ? BASELINE : besideConfig(loaded, BASELINE);
}

const BASELINE = 'xdpsim.baseline.json';
