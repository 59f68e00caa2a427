/**
 * Packets from parts: every length, protocol number and checksum that a part does not state is filled in.
 *
 * ```ts
 * frame(ethernet(), ipv4({ ttl: 1 }), udp({ destinationPort: 53 }), Uint8Array.of(1, 2, 3))
 * frame(ethernet(), vlan({ id: 5 }), ipv6(), echoRequest6({ sequence: 2 }))
 * frame(ethernet(), ipv4({ checksum: 0x1234 }), echoRequest())       // a wrong checksum, on purpose
 * ```
 *
 * Made for examples, tests and people; it makes objects. Generators write bytes themselves.
 */
import { type ArpPacket, encodeArp } from './arp.ts';
import { NO_BYTES, writeU16 } from './bytes.ts';
import { checksum, finish, finishUdp, pseudoHeader4, pseudoHeader6, sum } from './checksum.ts';
import { type EthernetHeader, encodeEthernet } from './ethernet.ts';
import { encodeIcmp, ICMP, ICMP_TYPE, type IcmpHeader } from './icmp.ts';
import { encodeIcmpv6, ICMPV6, ICMPV6_TYPE, type Icmpv6Header } from './icmpv6.ts';
import { encodeIpv4, IPV4, type Ipv4Header } from './ipv4.ts';
import { encodeIpv4Options, finalDestinationAt } from './ipv4-options.ts';
import { encodeIpv6, IPV6, type Ipv6Header } from './ipv6.ts';
import { type ExtensionHeader, encodeExtensionHeader, routedDestinationAt } from './ipv6-extensions.ts';
import { ETHERTYPE, IPPROTO } from './numbers.ts';
import { encodeTcp, TCP, type TcpHeader } from './tcp.ts';
import { encodeUdp, UDP, type UdpHeader } from './udp.ts';
import { encodeVlan, type VlanTag } from './vlan.ts';

/** What has been built so far, from the inside out. */
interface Built {
  readonly bytes: Uint8Array;
  /** How the header in front announces it. */
  readonly etherType?: number;
  readonly protocol?: number;
  /** A checksum that waits for the addresses of the IP header in front. */
  readonly pending?: {
    /** Where the upper layer starts, and its checksum field. */
    readonly start: number;
    readonly field: number;
    readonly protocol: number;
  };
  /** Where a routing header lies whose last segment is the final destination. */
  readonly routingAt?: number;
}

/** One layer: wraps what is inside it. */
export type Part = (inner: Built) => Built;

/** The bytes of the parts, outermost first; bytes among them stand as they are. */
export function frame(...parts: readonly (Part | Uint8Array)[]): Uint8Array {
  let built: Built = { bytes: NO_BYTES };
  for (const part of [...parts].reverse()) {
    built = part instanceof Uint8Array ? { bytes: joined(part, built.bytes) } : part(built);
  }
  return built.bytes;
}

function joined(front: Uint8Array, back: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(front.length + back.length);
  bytes.set(front, 0);
  bytes.set(back, front.length);
  return bytes;
}

/** From 02:00:00:00:00:02 to 02:00:00:00:00:01 unless said otherwise. */
export function ethernet(header: Partial<EthernetHeader> = {}): Part {
  return (inner) => {
    const front = encodeEthernet({
      destination: '02:00:00:00:00:01',
      source: '02:00:00:00:00:02',
      etherType: inner.etherType ?? 0x88b5,
      ...header,
    });
    return { bytes: joined(front, inner.bytes), etherType: ETHERTYPE.TRANSPARENT_ETHERNET };
  };
}

/** An 802.1Q tag, or with `service` one of 802.1ad; the EtherType in the header is that of what follows the tag. */
export function vlan(tag: Partial<VlanTag> & { readonly service?: boolean } = {}): Part {
  return (inner) => {
    const { service = false, ...fields } = tag;
    const front = encodeVlan({
      priority: 0,
      dropEligible: false,
      id: 1,
      etherType: inner.etherType ?? 0x88b5,
      ...fields,
    });
    return {
      bytes: joined(front, inner.bytes),
      etherType: service ? ETHERTYPE.SERVICE_VLAN : ETHERTYPE.VLAN,
    };
  };
}

/** A request from 10.11.1.2 for 10.11.1.1 unless said otherwise. */
export function arp(packet: Partial<ArpPacket> = {}): Part {
  return (inner) => {
    const front = encodeArp({
      operation: 1,
      senderMac: '02:00:00:00:00:02',
      senderAddress: '10.11.1.2',
      targetMac: '00:00:00:00:00:00',
      targetAddress: '10.11.1.1',
      ...packet,
    });
    return { bytes: joined(front, inner.bytes), etherType: ETHERTYPE.ARP };
  };
}

/** From 10.11.1.2 to 10.11.1.1 with TTL 64 unless said otherwise. */
export function ipv4(header: Partial<Ipv4Header> = {}): Part {
  return (inner) => {
    const options = header.options ?? [];
    const headerLength = IPV4.headerLength + encodeIpv4Options(options).length;
    const front = encodeIpv4({
      tos: 0,
      totalLength: headerLength + inner.bytes.length,
      identification: 1,
      reserved: false,
      dontFragment: false,
      moreFragments: false,
      fragmentOffset: 0,
      ttl: 64,
      protocol: inner.protocol ?? 253,
      checksum: 0,
      source: '10.11.1.2',
      destination: '10.11.1.1',
      options,
      ...header,
    });
    if (header.checksum === undefined) writeU16(front, IPV4.checksum, checksum(front, 0, headerLength));
    const bytes = joined(front, inner.bytes);
    if (inner.pending !== undefined) {
      const start = headerLength + inner.pending.start;
      const length = bytes.length - start;
      const destinationAt = finalDestinationAt(front, 0, headerLength);
      const pseudo = pseudoHeader4(front, IPV4.source, destinationAt, inner.pending.protocol, length);
      fill(bytes, start, inner.pending.field, inner.pending.protocol, pseudo);
    }
    return { bytes, etherType: ETHERTYPE.IPV4, protocol: IPPROTO.IPIP };
  };
}

/** From fc00:dead:cafe:1::2 to fc00:dead:cafe:1::1 with hop limit 64 unless said otherwise. */
export function ipv6(header: Partial<Ipv6Header> = {}): Part {
  return (inner) => {
    const front = encodeIpv6({
      trafficClass: 0,
      flowLabel: 0,
      payloadLength: inner.bytes.length,
      nextHeader: inner.protocol ?? IPPROTO.NONE,
      hopLimit: 64,
      source: 'fc00:dead:cafe:1::2',
      destination: 'fc00:dead:cafe:1::1',
      ...header,
    });
    const bytes = joined(front, inner.bytes);
    if (inner.pending !== undefined) {
      const start = IPV6.headerLength + inner.pending.start;
      const length = bytes.length - start;
      const routed =
        inner.routingAt === undefined
          ? IPV6.destination
          : routedDestinationAt(bytes, IPV6.headerLength + inner.routingAt, IPV6.destination);
      const destinationAt = routed < 0 ? IPV6.destination : routed;
      const pseudo = pseudoHeader6(bytes, IPV6.source, destinationAt, inner.pending.protocol, length);
      fill(bytes, start, inner.pending.field, inner.pending.protocol, pseudo);
    }
    return { bytes, etherType: ETHERTYPE.IPV6, protocol: IPPROTO.IPV6 };
  };
}

type WithoutNext<T> = T extends unknown ? Omit<T, 'nextHeader'> & { readonly nextHeader?: number } : never;

/** An IPv6 extension header. */
export function extension(value: WithoutNext<ExtensionHeader>): Part {
  return (inner) => {
    const front = encodeExtensionHeader({
      nextHeader: inner.protocol ?? IPPROTO.NONE,
      ...value,
    } as ExtensionHeader);
    const { pending, routingAt } = inner;
    return {
      bytes: joined(front, inner.bytes),
      protocol: value.header,
      ...(pending === undefined ? {} : { pending: { ...pending, start: pending.start + front.length } }),
      ...(value.header === IPPROTO.ROUTING
        ? { routingAt: 0 }
        : routingAt === undefined
          ? {}
          : { routingAt: routingAt + front.length }),
    };
  };
}

function fill(bytes: Uint8Array, start: number, field: number, protocol: number, pseudo: number): void {
  const total = sum(bytes, start, bytes.length - start, pseudo);
  writeU16(bytes, start + field, protocol === IPPROTO.UDP ? finishUdp(total) : finish(total));
}

function upperLayer(
  front: Uint8Array,
  inner: Built,
  protocol: number,
  field: number,
  isStated: boolean,
): Built {
  const bytes = joined(front, inner.bytes);
  return isStated ? { bytes, protocol } : { bytes, protocol, pending: { start: 0, field, protocol } };
}

/** From port 40000 to port 80, SYN, unless said otherwise. */
export function tcp(header: Partial<TcpHeader> = {}): Part {
  return (inner) => {
    const front = encodeTcp({
      sourcePort: 40000,
      destinationPort: 80,
      sequence: 1,
      acknowledgment: 0,
      reserved: 0,
      flags: 2,
      window: 65535,
      checksum: 0,
      urgentPointer: 0,
      options: [],
      ...header,
    });
    return upperLayer(front, inner, IPPROTO.TCP, TCP.checksum, header.checksum !== undefined);
  };
}

/** From port 40000 to port 9 unless said otherwise; `checksum: 0` sends none. */
export function udp(header: Partial<UdpHeader> = {}): Part {
  return (inner) => {
    const front = encodeUdp({
      sourcePort: 40000,
      destinationPort: 9,
      length: UDP.headerLength + inner.bytes.length,
      checksum: 0,
      ...header,
    });
    return upperLayer(front, inner, IPPROTO.UDP, UDP.checksum, header.checksum !== undefined);
  };
}

/** An ICMP message; code 0 and nothing else unless said otherwise. */
export function icmp(header: Pick<IcmpHeader, 'type'> & Partial<IcmpHeader>): Part {
  return (inner) => {
    const front = encodeIcmp({ code: 0, checksum: 0, body: { kind: 'other', rest: 0 }, ...header });
    const bytes = joined(front, inner.bytes);
    if (header.checksum === undefined) writeU16(bytes, ICMP.checksum, checksum(bytes, 0, bytes.length));
    return { bytes, protocol: IPPROTO.ICMP };
  };
}

/** An ICMPv6 message; code 0 and nothing else unless said otherwise. */
export function icmpv6(header: Pick<Icmpv6Header, 'type'> & Partial<Icmpv6Header>): Part {
  return (inner) => {
    const front = encodeIcmpv6({ code: 0, checksum: 0, body: { kind: 'other', rest: 0 }, ...header });
    return upperLayer(front, inner, IPPROTO.ICMPV6, ICMPV6.checksum, header.checksum !== undefined);
  };
}

/** What distinguishes one ping from the next. */
export interface EchoFields {
  readonly identifier?: number;
  readonly sequence?: number;
  readonly code?: number;
  readonly checksum?: number;
}

function echo4(type: number, { identifier = 1, sequence = 1, ...rest }: EchoFields): Part {
  return icmp({ type, body: { kind: 'query', identifier, sequence }, ...rest });
}

function echo6(type: number, { identifier = 1, sequence = 1, ...rest }: EchoFields): Part {
  return icmpv6({ type, body: { kind: 'echo', identifier, sequence }, ...rest });
}

export function echoRequest(fields: EchoFields = {}): Part {
  return echo4(ICMP_TYPE.ECHO, fields);
}

export function echoReply(fields: EchoFields = {}): Part {
  return echo4(ICMP_TYPE.ECHO_REPLY, fields);
}

export function echoRequest6(fields: EchoFields = {}): Part {
  return echo6(ICMPV6_TYPE.ECHO_REQUEST, fields);
}

export function echoReply6(fields: EchoFields = {}): Part {
  return echo6(ICMPV6_TYPE.ECHO_REPLY, fields);
}
