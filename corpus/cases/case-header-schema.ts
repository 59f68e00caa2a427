/** The schemas of what case files hold in their comments: the head of a section, and what a packet says beside its frame. */
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import {
  exactly,
  list,
  matching,
  object,
  optional,
  type Schema,
  text,
  transformed,
  uint8,
  uint32,
} from '../../sim/runtime/schema.ts';
import { skbInputOf } from '../../sim/runtime/skb-schema.ts';
import type { World } from '../../sim/runtime/world.ts';
import { bytesFromHex, jsonInteger, jsonWorld } from '../../sim/runtime/world-schema.ts';

/** Where a case came from; nothing in it changes what the case does. */
export interface CaseNote {
  /** The seed of the run that found it. */
  readonly seed?: string;
  /** The engines that disagreed on it. */
  readonly engines?: readonly string[];
  /** What they disagreed about: `icmp.checksum`. */
  readonly field?: string;
  /** One line for people. */
  readonly summary?: string;
  /** Why a minimised corpus has the case: what no other case of it reaches. */
  readonly kept?: readonly string[];
}

/** The head as it stands in the file. */
export interface HeaderShape {
  /** The version of the form. */
  readonly xdpsim: number;
  readonly program: string;
  readonly world: World;
  readonly note?: CaseNote;
}

/** The version of the form that is written and read. */
export const CASE_VERSION = 1;

export const caseVersion: Schema<number> = exactly(
  CASE_VERSION,
  `written in another version of the form; this xdpsim reads version ${CASE_VERSION}`,
);

export const caseHeaderShape: Schema<HeaderShape> = object<HeaderShape>({
  xdpsim: caseVersion,
  program: text,
  world: jsonWorld,
  note: optional(
    object<CaseNote>({
      seed: optional(text),
      engines: optional(list(text)),
      field: optional(text),
      summary: optional(text),
      kept: optional(list(text)),
    }),
  ),
});

/** What a packet's comment says; the frame is the packet itself. */
export const stimulusShape: Schema<Omit<Stimulus, 'packet'>> = object<Omit<Stimulus, 'packet'>>({
  metadata: optional(
    transformed(matching(/^([0-9a-fA-F]{2})*$/, 'an even number of hexadecimal digits'), (hex) =>
      bytesFromHex(hex),
    ),
  ),
  ingressIfindex: optional(uint32),
  rxQueueIndex: optional(uint32),
  entry: optional(uint8),
  skb: optional(skbInputOf(jsonInteger)),
});
