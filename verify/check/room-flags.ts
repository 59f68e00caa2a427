/**
 * Flags of `bpf_skb_adjust_room` that say which header the program puts in front, or takes off. The kernel believes them: it sets
 * `skb->protocol` by them, and how a packet of GSO is cut into segments (net/core/filter.c `bpf_skb_net_grow`, `bpf_skb_net_shrink`).
 * A test run shows neither.
 *
 * Judged are runs with one such call, at whose end a plain IP header stands behind Ethernet.
 */
import { ROOM } from '../../sim/ebpf/helpers/skb-change-helpers.ts';
import { ETHERTYPE, IPPROTO } from '../../sim/packet/numbers.ts';
import { DELIVERY, deliveryOf } from '../../sim/runtime/delivery.ts';
import { read16 } from '../oracle/announcement.ts';
import { type CallRemark, type CallStep, callsOf, lineOf, placeOf, type TracedRun } from './call-remark.ts';

const HELPER = 'bpf_skb_adjust_room';
const TYPE_AT = 12;
const IP_AT = 14;

/** What a flag says the outermost IP header is, or has behind it. */
interface Meaning {
  readonly flag: number;
  readonly name: string;
  readonly when: 'grown' | 'shrunk';
  readonly version?: 4 | 6;
  readonly protocol?: number;
}

const MEANINGS: readonly Meaning[] = [
  { flag: ROOM.encapIpv4, name: 'ENCAP_L3_IPV4', when: 'grown', version: 4 },
  { flag: ROOM.encapIpv6, name: 'ENCAP_L3_IPV6', when: 'grown', version: 6 },
  { flag: ROOM.encapGre, name: 'ENCAP_L4_GRE', when: 'grown', protocol: IPPROTO.GRE },
  { flag: ROOM.encapUdp, name: 'ENCAP_L4_UDP', when: 'grown', protocol: IPPROTO.UDP },
  { flag: ROOM.decapIpv4, name: 'DECAP_L3_IPV4', when: 'shrunk', version: 4 },
  { flag: ROOM.decapIpv6, name: 'DECAP_L3_IPV6', when: 'shrunk', version: 6 },
];

/** Behind these the header of GRE or UDP may still come (RFC 8200 §4.1). */
const EXTENSIONS: ReadonlySet<number> = new Set([0, 43, 44, 51, 60, 135]);

/** At most one flag of the run's call, which the frame that left gives the lie to. */
export function roomFlags(run: TracedRun): CallRemark[] {
  const [step, ...others] = callsOf(run, HELPER);
  if (step === undefined || others.length > 0 || step.call.result !== 0n) return [];
  if (deliveryOf(run.hook, run.action) === DELIVERY.dropped) return [];
  const outer = outermostIp(run.left);
  if (outer === undefined) return [];
  const difference = Number(BigInt.asIntN(32, step.call.arguments[1]!));
  const flags = Number(BigInt.asUintN(32, step.call.arguments[3]!));
  const said = MEANINGS.filter(
    ({ flag, when }) => (flags & flag) !== 0 && (when === 'grown') === difference > 0,
  );
  const wrong = said.find(
    ({ version = outer.version, protocol = outer.protocol }) =>
      version !== outer.version || (protocol !== outer.protocol && !EXTENSIONS.has(outer.protocol)),
  );
  return wrong === undefined ? [] : [remarkOf(step, wrong, outer)];
}

interface OuterIp {
  readonly version: 4 | 6;
  readonly protocol: number;
}

/** The IP header behind Ethernet, as EtherType and version say; undefined: none, or they disagree. */
function outermostIp(frame: Uint8Array): OuterIp | undefined {
  if (frame.length < IP_AT + 20) return undefined;
  const version = frame[IP_AT]! >> 4;
  const type = read16(frame, TYPE_AT);
  if (version === 4 && type === ETHERTYPE.IPV4) return { version, protocol: frame[IP_AT + 9]! };
  if (version === 6 && type === ETHERTYPE.IPV6) return { version, protocol: frame[IP_AT + 6]! };
  return undefined;
}

function remarkOf(step: CallStep, { name, when, version }: Meaning, outer: OuterIp): CallRemark {
  const isVersion = version !== undefined;
  const there = isVersion ? `an IPv${outer.version} header` : `protocol ${outer.protocol}`;
  const effect = isVersion
    ? `skb->protocol says IPv${version} from then on`
    : 'packets of GSO are cut into segments as if it did';
  const where = when === 'grown' ? 'was put in front' : 'is the outermost now';
  return {
    place: placeOf(step),
    fault: {
      breach: {
        invariant: 'encapsulation/room-flags',
        at: isVersion ? IP_AT : IP_AT + (outer.version === 4 ? 9 : 6),
        size: 0,
        expected: isVersion ? `the flag of IPv${outer.version}` : `no BPF_F_ADJ_ROOM_${name}`,
        got: `BPF_F_ADJ_ROOM_${name}`,
        sentence: `${HELPER} got BPF_F_ADJ_ROOM_${name}, but ${there} ${isVersion ? where : 'is what the outer header says'}: ${effect}`,
      },
      ...lineOf(step),
    },
  };
}
