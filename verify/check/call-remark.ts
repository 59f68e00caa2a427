/** What calls of helpers, step by step, say about a mistake: `helper-calls.ts` asks those who know such mistakes. */
import type { RunTrace, TracedCall, TraceStep } from '../../sim/ebpf/interpreter/trace.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { Severity } from '../severity.ts';
import { type Seen, sourceOf } from './probe.ts';

/** One packet's run. */
export interface TracedRun {
  readonly hook: Hook;
  readonly action: number;
  readonly came: Uint8Array;
  readonly left: Uint8Array;
  readonly trace: RunTrace;
}

/** What one run says of one place. */
export interface CallRemark {
  /** The call, and what of it: remarks of several packets belong together where this is the same. */
  readonly place: string;
  /** Absent where what was passed is right: nothing is held against the place then. */
  readonly fault?: CallFault;
  /** An IPv4 address of the packet that tells nothing, where another one may: then nothing is right or wrong yet. */
  readonly unsure?: Uint8Array;
}

export interface CallFault extends Pick<Seen, 'breach' | 'source'> {
  /** Default: the rule's. */
  readonly severity?: Severity;
  /** So many packets with different values have to show it. */
  readonly evidence?: {
    readonly value: string;
    readonly needed: number;
    /** Where the value is an IPv4 address of the packet: that. */
    readonly address?: Uint8Array;
    /** Are packets of other hosts that are alike else as good as others? */
    readonly isOfRelatives?: true;
  };
}

export interface CallStep extends TraceStep {
  readonly call: TracedCall;
}

/** The calls of one helper, in order. */
export function callsOf({ trace: { steps } }: TracedRun, name: string): CallStep[] {
  return steps.filter((step): step is CallStep => step.call?.name === name);
}

/** Names a call in the program's text. */
export function placeOf({ program, instruction }: Pick<TraceStep, 'program' | 'instruction'>): string {
  return `${program}+${instruction}`;
}

/** The same of a call that asks a map: compilers put those of several maps into one, and what is right for one is not for another. */
export function askingPlaceOf(step: CallStep): string {
  const { key } = step.call;
  return key === undefined ? placeOf(step) : `${placeOf(step)} ${key.map.name}`;
}

/** The line of a call, as a part of a fault. */
export function lineOf({ source }: TraceStep): Pick<Seen, 'source'> {
  return source === undefined || source.line === 0 ? {} : { source: sourceOf(source) };
}
