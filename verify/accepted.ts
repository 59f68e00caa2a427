/** The part of a batch that an engine with limits takes. */
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import type { EngineSide } from './engine-side.ts';

/** Some packets of a batch, in order, and where each stood in it. */
export interface AcceptedPackets {
  readonly batch: PacketBatch;
  readonly origin: Uint32Array;
}

/** The packets that the engine does not refuse; each refusal is counted in its account. */
export function acceptedPackets(input: PacketBatch, side: EngineSide): AcceptedPackets {
  const batch = new PacketBatch(input.count, input.used);
  const origin = new Uint32Array(input.count);
  const single = new PacketBatch(1, 4096);
  for (let index = 0; index < input.count; index++) {
    single.clear();
    copyPacket(input, index, single);
    if (side.refusal(single) !== undefined) continue;
    origin[batch.count] = index;
    copyPacket(input, index, batch);
  }
  return { batch, origin };
}

/** Appends a packet with all that belongs to it. */
export function copyPacket(from: PacketBatch, index: number, to: PacketBatch): void {
  const position = to.pushFrom(from, index);
  to.ingressIfindex[position] = from.ingressIfindex[index]!;
  to.rxQueueIndex[position] = from.rxQueueIndex[index]!;
  to.entry[position] = from.entry[index]!;
  const skb = from.skb.get(index);
  if (skb !== undefined) to.skb.set(position, skb);
}
