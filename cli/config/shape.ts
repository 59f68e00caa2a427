/** The configuration file of a project: what `xdpsim check` checks without being told, and how. */
import {
  choice,
  dictionary,
  flag,
  integer,
  list,
  matching,
  object,
  optional,
  type Schema,
  text,
} from '../../sim/runtime/schema.ts';

/** What holds for one program, or for all of them. */
export interface CheckSettings {
  /** Packets to generate for each program. */
  readonly runs?: number;
  /** How long to generate for each program: "60s". */
  readonly time?: string;
  /** Per cent of the branches. */
  readonly minCoverage?: number;
  /** Whether warnings fail, too. */
  readonly strict?: boolean;
  /** Kernels as which the machine is to do the same. */
  readonly asKernel?: readonly string[];
  /** Invariants, or groups of them, that are not judged, each with the reason. */
  readonly off?: Readonly<Record<string, string>>;
  readonly sweeps?: boolean;
}

export interface ConfigProgram extends CheckSettings {
  /** An object or C source `FILE[:FUNCTION]`, relative to the configuration file, or a built-in program. */
  readonly object: string;
  readonly world?: string;
  /** Files of entries by the name of the map. */
  readonly maps?: Readonly<Record<string, string>>;
  readonly maxEntries?: Readonly<Record<string, number>>;
  /** As `--aim` takes it. */
  readonly aim?: readonly string[];
  /** After those of `compiler`. */
  readonly cflags?: readonly string[];
}

export interface Config extends CheckSettings {
  readonly $schema?: string;
  readonly compiler?: { readonly clang?: string; readonly cflags?: readonly string[] };
  readonly programs?: readonly (string | ConfigProgram)[];
  readonly seed?: string;
  /** The file of accepted findings; default: xdpsim.baseline.json. */
  readonly baseline?: string;
  /** Where cases are saved. */
  readonly report?: string;
}

const reason: Schema<string> = matching(/\S/, 'the reason why it is switched off');
const positive: Schema<number> = integer(1, Number.MAX_SAFE_INTEGER);

const settings = {
  runs: optional(positive),
  time: optional(text),
  minCoverage: optional(integer(0, 100)),
  strict: optional(flag),
  asKernel: optional(list(text)),
  off: optional(dictionary(reason)),
  sweeps: optional(flag),
};

const program: Schema<ConfigProgram> = object<ConfigProgram>({
  object: text,
  world: optional(text),
  maps: optional(dictionary(text)),
  maxEntries: optional(dictionary(positive)),
  aim: optional(list(text)),
  cflags: optional(list(text)),
  ...settings,
});

/** Published as docs/schema/config.json. */
export const configShape: Schema<Config> = object<Config>({
  $schema: optional(text),
  compiler: optional(
    object<NonNullable<Config['compiler']>>({ clang: optional(text), cflags: optional(list(text)) }),
  ),
  programs: optional(
    list(
      choice<string | ConfigProgram>('a file’s name or an object', [text, program], (value) =>
        typeof value === 'string' ? text : program,
      ),
    ),
  ),
  seed: optional(text),
  baseline: optional(text),
  report: optional(text),
  ...settings,
});
