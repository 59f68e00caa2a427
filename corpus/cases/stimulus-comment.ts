/**
 * What a stimulus says beside its frame, as a comment of the packet in a pcapng file: one JSON object with only
 * the fields that differ from their defaults, `{"metadata":"00000001","ingressIfindex":3}`.
 */

import { DEFAULT_INGRESS_IFINDEX, type PacketBatch, type Stimulus } from '../../sim/packet/packet-batch.ts';
import { InputError } from '../../sim/runtime/input-error.ts';
import { jsonProblem } from '../../sim/runtime/json-problem.ts';
import { parse } from '../../sim/runtime/schema.ts';
import { stimulusShape } from './case-header-schema.ts';

/** How our comments begin, in a packet or a section; any other comment is for people. */
export const JSON_OBJECT_START = '{';

/** The comments of one packet of a batch; undefined where all is default. */
export function stimulusComment(batch: PacketBatch, index: number): string[] | undefined {
  if (
    batch.metaLength[index] === 0 &&
    batch.ingressIfindex[index] === DEFAULT_INGRESS_IFINDEX &&
    batch.rxQueueIndex[index] === 0 &&
    batch.entry[index] === 0 &&
    !batch.skb.has(index)
  ) {
    return undefined;
  }
  return stimulusComments(batch.stimulus(index));
}

/** The comments of one stimulus; undefined where all is default. */
export function stimulusComments(stimulus: Stimulus): string[] | undefined {
  const { metadata, ingressIfindex, rxQueueIndex, entry, skb } = stimulus;
  const fields: Record<string, unknown> = {};
  if (metadata !== undefined && metadata.length > 0) fields.metadata = Buffer.from(metadata).toString('hex');
  if (ingressIfindex !== undefined && ingressIfindex !== DEFAULT_INGRESS_IFINDEX) {
    fields.ingressIfindex = ingressIfindex;
  }
  if (rxQueueIndex !== undefined && rxQueueIndex !== 0) fields.rxQueueIndex = rxQueueIndex;
  if (entry !== undefined && entry !== 0) fields.entry = entry;
  if (skb !== undefined) fields.skb = skb;
  return Object.keys(fields).length === 0 ? undefined : [JSON.stringify(fields, integers)];
}

/** Wide integers as worlds have them in JSON: `{"int":"…"}`. */
function integers(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? { int: String(value) } : value;
}

/**
 * The stimulus that a packet and its comments describe. Comments that do not begin with `{` are passed over: they
 * are for people. Fields with default values are absent.
 * @throws {InputError} naming the first place that is wrong in a comment that does
 */
export function stimulusFromComments(packet: Uint8Array, comments: readonly string[]): Stimulus {
  const comment = comments.find((text) => text.startsWith(JSON_OBJECT_START));
  if (comment === undefined) return { packet };
  return { packet, ...parse(stimulusShape, parseJson(comment)) };
}

/** @throws {InputError} with the parser's words */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InputError(jsonProblem(text, error));
  }
}
