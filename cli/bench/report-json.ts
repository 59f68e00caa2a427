/** What `bench --json` prints, and `bench --compare` reads. */
import {
  dictionary,
  exactly,
  integer,
  list,
  nonNegative,
  number,
  object,
  oneOf,
  optional,
  type Schema,
  text,
} from '../../sim/runtime/schema.ts';
import type { Compared } from './compare.ts';
import type { Result } from './measure.ts';
import type { MachineJson } from './this-machine.ts';

export interface BenchReportJson {
  readonly version: 1;
  readonly machine?: MachineJson;
  readonly results: readonly Result[];
  readonly skipped: readonly Skipped[];
  /** With `--compare`. */
  readonly compared?: readonly Compared[];
}

/** A figure that this machine cannot take. */
export interface Skipped {
  readonly name: string;
  readonly reason: string;
  readonly remedy?: string;
}

const machine: Schema<MachineJson> = object<MachineJson>({
  processor: text,
  cores: integer(0, 65_536),
  kernel: text,
  node: text,
});

const result: Schema<Result> = object<Result>({
  name: text,
  of: text,
  runs: integer(1, 1_000_000),
  ratio: optional(nonNegative),
  value: optional(nonNegative),
  min: nonNegative,
  max: nonNegative,
  // A difference of two figures may be below 0.
  parts: optional(dictionary(number)),
});

export const benchReportShape: Schema<BenchReportJson> = object<BenchReportJson>({
  version: exactly(1, 'expected the version 1'),
  machine: optional(machine),
  results: list(result),
  skipped: list(object<Skipped>({ name: text, reason: text, remedy: optional(text) })),
  compared: optional(
    list(
      object<Compared>({
        name: text,
        change: nonNegative,
        least: nonNegative,
        most: nonNegative,
        verdict: oneOf('same', 'faster', 'slower', 'not judged'),
      }),
    ),
  ),
});
