/** Which two builds `xdpsim diff` is to hold side by side: two files, or one source compiled in several ways. */

import type { GeneratorHints, NamedWorld, Program } from '../../sim/runtime/program.ts';
import { isSource } from '../compile/compile-source.ts';
import { type CompilerSettings, compilerSettings, settingsWords, useCompiler } from '../compile/settings.ts';
import { splitWords } from '../compile/words.ts';
import { inputFailure } from '../failure.ts';
import { ENTERED, parseObjectName, resolvePrograms } from '../input/program-source.ts';

export interface Build {
  /** What tells it from the others: the file's name, or the source with its flags. */
  readonly label: string;
  /** Each with one entry, and without a model: it is the other build that says what is expected. */
  readonly programs: readonly BuildProgram[];
}

export interface BuildProgram {
  readonly program: Program;
  /** Of a built-in program or a user's model. */
  readonly worlds: readonly NamedWorld[];
  readonly hints: GeneratorHints | undefined;
}

export interface BuildOptions {
  /** `--clang`, as often as it was given. */
  readonly clang: readonly string[];
  /** `--flags`, as often as it was given. */
  readonly flags: readonly string[];
}

/**
 * @param names one or two: an object, a C source, or a built-in program
 * @throws {Failure} where they make no two builds
 */
export async function resolveBuilds(
  names: readonly [old: string, next?: string],
  options: BuildOptions,
): Promise<Build[]> {
  const [old, next] = names;
  const { clang, flags } = options;
  const common = compilerSettings();
  if (next !== undefined) {
    if (flags.length > 0 || clang.length > 1) {
      throw inputFailure(
        `${flags.length > 0 ? '--flags' : '--clang'} compares builds of one source: leave ${next} out`,
        'To compile both files with the same flags, use --cflags.',
      );
    }
    const [compiler] = clang;
    const settings = { ...common, ...(compiler === undefined ? {} : { clang: compiler }) };
    const labels = old === next ? [`${old} (old)`, `${next} (new)`] : [old, next];
    return [await build(old, labels[0]!, settings), await build(next, labels[1]!, settings)];
  }
  const variants = variantsOf(common, clang, flags);
  if (variants.length < 2) {
    throw inputFailure(
      `${old}: name the build to compare it with`,
      'Or compile one source in several ways: --flags=-O1 --flags=-O3, or --clang clang-14 --clang clang-16.',
    );
  }
  if (!isSource(parseObjectName(old).path)) {
    throw inputFailure(`${old}: is no C source: --flags and --clang compile one source in several ways`);
  }
  const builds: Build[] = [];
  for (const { label, settings } of variants) builds.push(await build(old, `${old} (${label})`, settings));
  return builds;
}

function variantsOf(
  common: CompilerSettings,
  clang: readonly string[],
  flags: readonly string[],
): { label: string; settings: CompilerSettings }[] {
  const compilers = clang.length === 0 ? [undefined] : [...new Set(clang)];
  const sets = flags.length === 0 ? [''] : [...new Set(flags)];
  return compilers.flatMap((compiler) =>
    sets.map((text) => ({
      label:
        [...(compiler === undefined ? [] : [compiler]), ...(text === '' ? [] : [text])].join(' ') ||
        'no flags',
      settings: {
        flags: [...common.flags, ...splitWords(text, '--flags')],
        ...(compiler === undefined ? {} : { clang: compiler }),
      },
    })),
  );
}

async function build(name: string, label: string, settings: CompilerSettings): Promise<Build> {
  useCompiler(settings);
  const programs = (await resolvePrograms([name], undefined, undefined, ENTERED)).flatMap((program) =>
    single(name, settings, program),
  );
  const withObject = programs.filter(({ program }) => program.object !== undefined);
  if (withObject.length === 0) throw inputFailure(`${name}: has no compiled object to compare`);
  return { label, programs: withObject };
}

/** A program for each function. */
function single(name: string, settings: CompilerSettings, program: Program): BuildProgram[] {
  const { definition, object, objectPath } = program;
  const { path } = parseObjectName(name);
  const words = isSource(path) ? settingsWords(settings) : [];
  return program.entries.map(({ after: _, ...entry }) => ({
    program: {
      name: entry.function,
      entries: [entry],
      commandLine: [definition === undefined ? `${path}:${entry.function}` : name, ...words],
      ...(object === undefined ? {} : { object }),
      ...(objectPath === undefined ? {} : { objectPath }),
    },
    worlds: definition?.worlds ?? [],
    hints: definition?.hints,
  }));
}
