/** How C sources are compiled in this process: set once from the command line or the configuration file. */
import { Option } from 'commander';
import { repeated } from '../input/options.ts';
import { splitWords } from './words.ts';

/** Plain data, so that worker processes can be told the same. */
export interface CompilerSettings {
  /** A name in PATH or a path; default: see `findClang`. */
  readonly clang?: string;
  /** After the default flags, so that these decide. */
  readonly flags: readonly string[];
}

let settings: CompilerSettings = { flags: [] };

export function useCompiler(wanted: CompilerSettings): void {
  settings = wanted;
}

export function compilerSettings(): CompilerSettings {
  return settings;
}

/** `--cflags`, of every command that takes an object. */
export function cflagsOption(): Option {
  return new Option('--cflags <flags>', 'flags for clang, where a C source is named; may be repeated')
    .default([])
    .argParser(repeated);
}

/** `--clang`, of the same commands. */
export function clangOption(): Option {
  return new Option(
    '--clang <command>',
    'the compiler for C sources (default: clang, or the newest clang-N)',
  );
}

/** What these options say. @throws {Failure} for flags with an open quote */
export function settingsOf(options: {
  readonly cflags?: readonly string[];
  /** `diff` takes it more than once, and looks after it by itself. */
  readonly clang?: string | readonly string[];
}): CompilerSettings {
  const flags = (options.cflags ?? []).flatMap((text) => splitWords(text, '--cflags'));
  return { flags, ...(typeof options.clang === 'string' ? { clang: options.clang } : {}) };
}

/** The options that say the same, as words of a command line. */
export function settingsWords({ clang, flags }: CompilerSettings): string[] {
  return [
    ...(clang === undefined ? [] : ['--clang', clang]),
    ...flags.flatMap((flag) => [
      '--cflags',
      /[\s'"\\]/.test(flag) ? `'${flag.replaceAll("'", `'\\''`)}'` : flag,
    ]),
  ];
}
