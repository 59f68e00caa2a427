/**
 * EtherTypes that the kernel keeps beside the frame: `skb->protocol`, by which `__netif_receive_skb_core` (net/core/dev.c)
 * chooses who receives it, whatever the frame says; and the type of a tag that `bpf_skb_vlan_push` puts there.
 */
import { ETHERTYPE, ETHERTYPE_MIN } from '../../sim/packet/numbers.ts';
import { TPIDS } from '../../sim/packet/vlan.ts';
import { DELIVERY, deliveryOf } from '../../sim/runtime/delivery.ts';
import { read16 } from '../oracle/announcement.ts';
import { type CallRemark, callsOf, lineOf, placeOf, type TracedRun } from './call-remark.ts';

const TYPE_AT = 12;
/** Types that somebody in the kernel receives: of others this cannot tell what they are for. */
const RECEIVED: ReadonlySet<number> = new Set([
  ETHERTYPE.IPV4,
  ETHERTYPE.IPV6,
  ETHERTYPE.ARP,
  ETHERTYPE.MPLS,
  ETHERTYPE.PPPOE_SESSION,
  ...TPIDS,
]);

/** May this frame have left to the stack with another EtherType than it came with? */
export function isRetyped(
  { hook, action }: Pick<TracedRun, 'hook' | 'action'>,
  was: number,
  is: number,
): boolean {
  return (
    hook === 'tc-ingress' &&
    was !== is &&
    // Below are lengths of LLC frames.
    was >= ETHERTYPE_MIN &&
    RECEIVED.has(is) &&
    deliveryOf(hook, action) === DELIVERY.passed
  );
}

/** A frame that goes on to the stack with a new EtherType, of which `skb->protocol` has not heard. */
export function staleProtocol(run: TracedRun): CallRemark[] {
  const { came, left, trace } = run;
  const { protocol } = trace;
  if (protocol === undefined || came.length < 14 || left.length < 14) return [];
  const type = read16(left, TYPE_AT);
  if (!isRetyped(run, read16(came, TYPE_AT), type) || protocol === type) return [];
  return [
    {
      place: 'skb->protocol',
      fault: {
        breach: {
          invariant: 'ethertype/skb-protocol',
          at: TYPE_AT,
          size: 2,
          expected: hex(type),
          got: hex(protocol),
          sentence: `the EtherType says ${hex(type)} now, but skb->protocol still ${hex(protocol)}: the stack hands the packet to whoever receives that`,
        },
      },
    },
  ];
}

/** Tags whose type was passed in the order of the machine: the kernel makes a tag of 802.1Q of every type that it does not know. */
export function vlanProtocols(run: TracedRun): CallRemark[] {
  return callsOf(run, 'bpf_skb_vlan_push').flatMap((step): CallRemark[] => {
    const given = Number(BigInt.asUintN(16, step.call.arguments[1]!));
    if (given !== ETHERTYPE.VLAN && given !== ETHERTYPE.SERVICE_VLAN) return [];
    const isHarmless = given === ETHERTYPE.VLAN;
    const effect = isHarmless
      ? 'the kernel does not know that type, and only by luck takes 802.1Q for it'
      : 'the kernel does not know that type, and makes an 802.1Q tag of it';
    return [
      {
        place: placeOf(step),
        fault: {
          severity: isHarmless ? 'info' : 'warning',
          breach: {
            invariant: 'ethertype/byte-order',
            at: TYPE_AT,
            size: 0,
            expected: `bpf_htons(${hex(given)})`,
            got: hex(given),
            sentence: `bpf_skb_vlan_push got ${hex(given)} without bpf_htons: ${effect}`,
          },
          ...lineOf(step),
        },
      },
    ];
  });
}

function hex(type: number): string {
  return `0x${type.toString(16).padStart(4, '0')}`;
}
