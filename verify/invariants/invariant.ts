/**
 * What must hold of every frame that a program changed, without a model: one file for each invariant, one line in
 * `index.ts`. An invariant compares the frame as it left with the frame as it came (`FramePair`), so that a program
 * is never blamed for what a packet brought along.
 */

import type { Hook } from '../../sim/runtime/actions.ts';
import type { Delivery } from '../../sim/runtime/delivery.ts';
import { HEADER_NAMES, type HeaderName } from '../oracle/found.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import type { Severity } from '../severity.ts';

/** One invariant broken by one packet. */
export interface Breach {
  /** `lengths/total`: the invariant, and which part of it. */
  readonly invariant: string;
  /** `error`: receivers drop or misread the packet; `warning`: it may be intended; `info`: worth knowing. */
  readonly severity: Severity;
  /** Absent where no header is to blame. */
  readonly layer?: HeaderName;
  /** In the packet that left: 0 for the outermost of its kind. */
  readonly depth?: number;
  /** The bytes in question in the packet that left: a field, or what should not be there. */
  readonly at: number;
  readonly size: number;
  /** Where another length lies that the field was to agree with. */
  readonly against?: { readonly at: number; readonly size: number };
  /** The two values in text: "46 bytes", "no fragment". */
  readonly expected: string;
  readonly got: string;
  /** What is wrong with this packet, in a sentence without a full stop. */
  readonly sentence: string;
  /** The same without the packet's own figures, for counts. */
  readonly summary: string;
  /** Is what stands behind taken for something else? Then no other invariant, and no checksum, is judged in this frame. */
  readonly isMisread?: true;
}

/** How a packet left the program. Reused from packet to packet. */
export interface Passage {
  hook: Hook;
  /** What the program returned. */
  action: number;
  /** Where that sends the frame, redirected or not: `DELIVERY`. */
  delivery: Delivery;
  /** As in `OutcomeBatch.redirect`; undefined where the engine cannot see it. */
  redirect: number | undefined;
}

/** What must hold of frames that leave. */
export interface Invariant {
  /** The first half of its identifiers. */
  readonly name: string;
  /** Is it about frames of any kind, those without an IP header, too? Default: no. */
  readonly isOfAnyFrame?: true;
  /** The outermost breach; undefined where the invariant holds or cannot be judged. */
  judge(pair: FramePair, passage: Readonly<Passage>): Breach | undefined;
}

/** What must hold of every run to its end, whether or not a frame leaves. */
export interface OutcomeInvariant {
  readonly name: string;
  judge(passage: Readonly<Passage>): Breach | undefined;
}

const LABELS: Readonly<Record<HeaderName, string>> = {
  ipv4: 'IPv4',
  ipv6: 'IPv6',
  icmp: 'ICMP',
  icmpv6: 'ICMPv6',
  tcp: 'TCP',
  udp: 'UDP',
  udplite: 'UDP-Lite',
  dccp: 'DCCP',
  sctp: 'SCTP',
  igmp: 'IGMP',
  pim: 'PIM',
  vrrp: 'VRRP',
  ospf: 'OSPF',
  ospf3: 'OSPFv3',
  gre: 'GRE',
  icmpext: 'ICMP extension',
};

/** What a header of the frame that left is called: its name, and its depth where it is not the outermost. */
export function headerOf(
  pair: FramePair,
  row: number,
): { readonly layer: HeaderName; readonly depth: number; readonly label: string } {
  const layer = HEADER_NAMES[pair.is.kind[row]!]!;
  const depth = pair.is.depth[row]!;
  return { layer, depth, label: depth === 0 ? LABELS[layer] : `inner ${LABELS[layer]}` };
}
