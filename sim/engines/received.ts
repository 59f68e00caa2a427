/** Frames as TC ingress gets them: the kernel takes the first VLAN tag out of the bytes (net/core/dev.c, `__netif_receive_skb_core`). */
import { isTag } from '../packet/numbers.ts';
import { protoOf, type Stimulus } from '../packet/packet-batch.ts';
import type { Program } from '../runtime/program.ts';

/** Both MAC addresses: the tag stands behind them. */
const TAG_AT = 12;
const TAG_BYTES = 4;
/** `skb_vlan_untag` wants the tag and two bytes behind what follows it, and frees the frame otherwise (net/core/skbuff.c). */
export const LEAST_TAGGED = 20;

/**
 * What becomes of a frame on its way to the entry that it is for: one that comes in by TC has its first tag beside its
 * bytes. All others, and frames that say already what lies beside them, stay as they are; so do frames whose tag is cut
 * off, which the kernel frees.
 */
export function asReceived({ entries }: Pick<Program, 'entries'>, stimulus: Stimulus): Stimulus {
  const { packet, skb } = stimulus;
  const entry = entries[stimulus.entry ?? 0];
  if (entry?.hook !== 'tc-ingress' || entry.after !== undefined) return stimulus;
  if (packet.length < LEAST_TAGGED || skb?.vlan !== undefined) return stimulus;
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const proto = view.getUint16(TAG_AT);
  if (!isTag(proto)) return stimulus;
  const untagged = new Uint8Array(packet.length - TAG_BYTES);
  untagged.set(packet.subarray(0, TAG_AT));
  untagged.set(packet.subarray(TAG_AT + TAG_BYTES), TAG_AT);
  const vlan = { proto, tci: view.getUint16(TAG_AT + 2) };
  const linear = skb?.linear === undefined ? {} : { linear: Math.max(skb.linear, LEAST_TAGGED) - TAG_BYTES };
  return { ...stimulus, packet: untagged, skb: { ...skb, vlan, ...linear } };
}

/** The frame as it is on the wire, where the tag that lies beside its bytes stands in them: what captures hold. */
export function onTheWire(stimulus: Stimulus): Stimulus {
  const { packet, skb: { vlan, ...skb } = {}, ...rest } = stimulus;
  if (vlan === undefined || packet.length < TAG_AT) return stimulus;
  const tagged = new Uint8Array(packet.length + TAG_BYTES);
  tagged.set(packet.subarray(0, TAG_AT));
  tagged.set(packet.subarray(TAG_AT), TAG_AT + TAG_BYTES);
  const view = new DataView(tagged.buffer);
  view.setUint16(TAG_AT, protoOf(vlan));
  view.setUint16(TAG_AT + 2, vlan.tci);
  const linear = skb.linear === undefined ? {} : { linear: skb.linear + TAG_BYTES };
  const own = { ...skb, ...linear };
  return { ...rest, packet: tagged, ...(Object.keys(own).length === 0 ? {} : { skb: own }) };
}
