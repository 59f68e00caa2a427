/** What live frames cannot be, so that it can be said before it is tried. */
import { liveLimits } from '../../corpus/generate/packet-limits.ts';
import type { Refusal, RefusalReason } from '../../sim/engines/engine.ts';
import { LEAST_TAGGED } from '../../sim/engines/received.ts';
import {
  longMetadata,
  noSuchEntry,
  noSuchQueue,
  oddMetadata,
  taggedAtIngress,
  tooLong,
  tooShort,
} from '../../sim/engines/refusal-rules.ts';
import { isTag } from '../../sim/packet/numbers.ts';
import type { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { Program, ProgramEntry } from '../../sim/runtime/program.ts';
import { MAX_LIVE_METADATA } from './dispatcher.ts';
import { needsDispatcher } from './frame-path.ts';

/** `veth_xmit`: an Ethernet header has to be there (drivers/net/veth.c). */
const ETH_HLEN = 14;

/** @returns undefined, or the first packet that no wire can bring, and why */
export function firstLiveRefusal(program: Program, batch: PacketBatch): Refusal | undefined {
  const longest = liveLimits(program).xdp.maxLength;
  const dispatcher = needsDispatcher(program);
  for (let packet = 0; packet < batch.count; packet++) {
    const entry = program.entries[batch.entry[packet]!];
    const reason =
      entry === undefined
        ? noSuchEntry(batch.entry[packet]!)
        : liveRefusal(entry, batch, packet, longest, dispatcher);
    if (reason !== undefined) return { packet, ...reason };
  }
  return undefined;
}

function liveRefusal(
  { hook }: ProgramEntry,
  batch: PacketBatch,
  packet: number,
  longest: number,
  dispatcher: boolean,
): RefusalReason | undefined {
  const length = batch.length[packet]!;
  if (length < ETH_HLEN) return tooShort(ETH_HLEN, length);
  if (length > longest) return tooLong(longest, length);
  if (batch.rxQueueIndex[packet] !== 0) return noSuchQueue(batch.rxQueueIndex[packet]!);
  if (batch.skb.size > 0 && batch.skb.has(packet))
    return { rule: 'frames come from the wire without fields of __sk_buff' };
  return taggedAtIngress(hook, batch, packet) ?? metadataRefusal(batch.metaLength[packet]!, hook, dispatcher);
}

/** The wire brings none; but a dispatcher can put some in front of the frame before anybody else sees it. */
function metadataRefusal(length: number, hook: Hook, dispatcher: boolean): RefusalReason | undefined {
  if (length === 0) return undefined;
  if (!dispatcher) return { rule: 'frames come from the wire without metadata' };
  if (hook === 'tc-egress') return { rule: 'frames have no metadata at TC egress' };
  if (length % 4 !== 0) return oddMetadata(length);
  if (length > MAX_LIVE_METADATA) return longMetadata(MAX_LIVE_METADATA, length);
  return undefined;
}

/** A frame that runs through XDP like any other, but that no packet socket ever sees, wherever it comes out. */
export function hasCutOffTag(batch: PacketBatch, packet: number): boolean {
  const at = batch.offset[packet]! + 12;
  return batch.length[packet]! < LEAST_TAGGED && isTag((batch.bytes[at]! << 8) | batch.bytes[at + 1]!);
}
