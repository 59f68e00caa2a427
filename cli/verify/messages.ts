/** What `verify` and its worker processes say to each other. Plain data: it goes through structured cloning. */
import type { Case, SavedCase } from '../../corpus/cases/case.ts';
import type { EngineName } from '../../sim/engines/register.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { BatchRange } from '../../verify/batch-plan.ts';
import type { EngineFailure } from '../../verify/engine-side.ts';
import type { Finding } from '../../verify/finding.ts';
import type { Investigation } from '../../verify/investigate.ts';
import type { Found, Segment } from '../../verify/segment.ts';
import type { NotTested } from '../input/program-source.ts';
import type { VerifyPlan } from './plan.ts';

export type Request =
  /** The first one: resolves the programs, user modules included. Answered by `programs`. */
  | { readonly do: 'open'; readonly plan: VerifyPlan }
  /** Turns to one of the programs, with cases that run before all others. Answered by an empty `segment`, which says which engines run. */
  | { readonly do: 'begin'; readonly program: number; readonly cases: readonly SavedCase[] }
  /** Answered by segments, then `done`. After a segment that says so the worker waits for `go on`. */
  | { readonly do: 'replay' }
  | { readonly do: 'run'; readonly range: BatchRange }
  | { readonly do: 'go on' }
  /** Ends what is being done, with its answers. */
  | { readonly do: 'stop'; readonly shrinkingToo: boolean }
  /** Fresh sessions, without these engines. Answered by `done`. */
  | { readonly do: 'restart'; readonly failed: ReadonlyMap<EngineName, EngineFailure> }
  /** Answered by `smaller` any number of times, then `investigated`. */
  | { readonly do: 'investigate'; readonly found: Found }
  /** Closes the sessions. Answered by a `segment` with what failed meanwhile. */
  | { readonly do: 'finish' }
  | { readonly do: 'exit' };

export interface Opened {
  /** Without their models. */
  readonly programs: readonly Program[];
  /** What of the named objects is not tested. */
  readonly left: readonly NotTested[];
  /** What compilers said about sources that compile. */
  readonly warnings: readonly string[];
}

export type Answer =
  | ({ readonly is: 'programs' } & Opened)
  | { readonly is: 'segment'; readonly segment: Segment }
  | { readonly is: 'done' }
  | { readonly is: 'smaller'; readonly case: Case; readonly finding: Finding }
  | { readonly is: 'investigated'; readonly investigation: Investigation }
  /** What follows is code of the user's, who is told should the process end in it. */
  | { readonly is: 'importing'; readonly module: string }
  | { readonly is: 'failed'; readonly failure: SentFailure };

/** A `Failure`, or the stack trace of a defect. */
export type SentFailure =
  | {
      readonly exitCode: number;
      readonly message: string;
      readonly remedy?: string | undefined;
      readonly log?: string | undefined;
    }
  | { readonly defect: string };

/**
 * The program as the main process needs it: without the models, which run in workers only, and which could not be
 * sent there anyway, and without examples, which take some milliseconds to make and are replayed by workers.
 */
export function withoutFunctions({ definition, ...program }: Program): Program {
  if (definition === undefined) return strip(program);
  return { ...strip(program), definition: { ...strip(definition, 'examples'), examples: [] } };
}

function strip<T extends object>(value: T, left?: keyof T): T {
  const entries: [string, unknown][] = [];
  for (const key of Object.keys(value)) {
    // Not even asked for: built-in definitions make theirs then.
    if (key === left) continue;
    const one = value[key as keyof T];
    if (typeof one !== 'function') entries.push([key, stripped(one)]);
  }
  return Object.fromEntries(entries) as T;
}

function stripped(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(stripped);
  if (value === null || typeof value !== 'object') return typeof value === 'function' ? undefined : value;
  const prototype = Object.getPrototypeOf(value);
  return prototype !== Object.prototype && prototype !== null ? value : strip(value);
}
