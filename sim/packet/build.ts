/**
 * Packets from layers: every length, number of a next layer and checksum that a layer does not state is filled in.
 *
 * ```ts
 * ethernet().ipv4({ ttl: 1 }).udp({ destinationPort: 53 }).payload(Uint8Array.of(1, 2, 3)).bytes()
 * ethernet().vlan({ id: 5 }).ipv6().echoRequest6({ sequence: 2 }).bytes()
 * frame(ethernet(), ipv4({ checksum: 0x1234 }), echoRequest())       // a wrong checksum, on purpose
 * ```
 *
 * Any layer goes over any other. Made for examples, tests and people; it makes objects. Generators write bytes
 * themselves.
 */
import { NO_BYTES, writeU16, writeU32le } from './bytes.ts';
import { checksum, finish, finishUdp } from './checksum.ts';
import { sctpChecksum } from './crc32c.ts';
import { coveredSum, hasPseudoHeader, isNeverZero, type PseudoHeader } from './declaration/coverage.ts';
import type { Checksum, Space } from './declaration/field.ts';
import type { Given, Protocol, ValueOf } from './declaration/protocol.ts';
import { ICMP_TYPE } from './icmp.ts';
import { ICMPV6_TYPE } from './icmpv6.ts';
import { ETHERTYPE } from './numbers.ts';
import { PROTOCOLS, type ProtocolName } from './protocols.ts';

/** A checksum that waits for the addresses of the IP header in front. */
interface Pending {
  /** Where the message starts that it covers, and its field within it. */
  readonly start: number;
  readonly field: number;
  readonly checksum: Checksum;
  /** Bytes that it covers. */
  readonly covered: number;
  readonly value: unknown;
}

/** What has been built so far, from the inside out. */
interface Built {
  /** The name of the outermost protocol; undefined for bytes. */
  readonly name?: string;
  readonly bytes: Uint8Array;
  /** How a header in front announces it. */
  readonly announced: Readonly<Partial<Record<Space, number>>>;
  readonly pending: readonly Pending[];
}

/** One layer: wraps what is inside it. */
type Layer = (inner: Built) => Built;

type Builders = {
  readonly [P in ProtocolName]: (given?: Given<ValueOf<(typeof PROTOCOLS)[P]>>) => LayerStack;
};

/** What distinguishes one ping from the next. */
export interface EchoFields {
  readonly identifier?: number;
  readonly sequence?: number;
  readonly code?: number;
  readonly checksum?: number;
}

export interface NvgreFields {
  readonly subnet?: number;
  readonly flow?: number;
}

type VlanFields = Given<ValueOf<typeof PROTOCOLS.vlan>> & {
  /** An 802.1ad tag instead of one of 802.1Q. */
  readonly service?: boolean;
};

/** LayerStack one inside the other, and what can be put inside the last of them. */
export interface LayerStack extends Omit<Builders, 'vlan'> {
  readonly layers: readonly Layer[];
  vlan(fields?: VlanFields): LayerStack;
  echoRequest(fields?: EchoFields): LayerStack;
  echoReply(fields?: EchoFields): LayerStack;
  echoRequest6(fields?: EchoFields): LayerStack;
  echoReply6(fields?: EchoFields): LayerStack;
  /** GRE as RFC 7637 uses it: the key names a virtual subnet (24 bits) and a flow (8 bits). */
  nvgre(fields?: NvgreFields): LayerStack;
  payload(bytes: Uint8Array): LayerStack;
  /** The packet. */
  bytes(): Uint8Array;
}

/** The bytes of the layers, outermost first; bytes among them stand as they are. */
export function frame(...parts: readonly (LayerStack | Uint8Array)[]): Uint8Array {
  const layers = parts.flatMap((part) => (part instanceof Uint8Array ? [asTheyAre(part)] : part.layers));
  const nothing: Built = { bytes: NO_BYTES, announced: {}, pending: [] };
  return layers.reduceRight((inner, layer) => layer(inner), nothing).bytes;
}

function asTheyAre(bytes: Uint8Array): Layer {
  return (inner) => ({ bytes: joined(bytes, inner.bytes), announced: {}, pending: [] });
}

function joined(front: Uint8Array, back: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(front.length + back.length);
  bytes.set(front, 0);
  bytes.set(back, front.length);
  return bytes;
}

function layer<F, V>(
  protocol: Protocol<F, V>,
  given: Given<V> = {},
  announcedAs: Readonly<Partial<Record<Space, number>>> = {},
): Layer {
  return (inner) => {
    const { declaration } = protocol;
    const stated = { ...carrying(protocol, inner.name), ...given };
    const sections = Object.values(declaration.sections ?? {}).flatMap(({ fields }) =>
      Object.entries(fields),
    );
    const computed = [...Object.entries(declaration.fields), ...sections].filter(
      ([name]) => !(name in stated),
    );
    let value = protocol.complete(stated);
    const length = protocol.encode(value).length;
    for (const [name, { options }] of computed) {
      const rule = options.computed;
      if (rule?.what === 'next') {
        const number = inner.announced[rule.space];
        if (number !== undefined) value = { ...value, [name]: number };
      } else if (rule?.what === 'length') {
        value = { ...value, [name]: (length + inner.bytes.length - rule.less) / rule.unit };
      }
    }
    const bytes = joined(protocol.encode(value), inner.bytes);
    let pending = inner.pending.map((one) => ({ ...one, start: one.start + length }));
    const header = { value, bytes, offset: 0, length, end: bytes.length, context: {} };
    const context = declaration.follow?.(header)?.context;
    if (context?.pseudoHeader !== undefined) {
      for (const one of pending) {
        if (!hasPseudoHeader(one.checksum, one.value, context.version)) continue;
        writeU16(bytes, one.start + one.field, 0);
        fillMessage(bytes, one, context.pseudoHeader);
      }
      pending = [];
    }
    for (const [name, { options }] of computed) {
      const rule = options.computed;
      if (rule?.what !== 'checksum') continue;
      const field = protocol.placeIn(bytes, 0, name)?.at;
      if (field === undefined) continue;
      const covered = Math.min(declaration.covered?.(header) ?? bytes.length, bytes.length);
      if (rule.algorithm === 'crc32c') writeU32le(bytes, field, sctpChecksum(bytes, 0, covered, field));
      else if (rule.covers === 'header') writeU16(bytes, field, checksum(bytes, 0, length));
      else {
        if (covered > 0 && !hasPseudoHeader(rule, value, undefined))
          writeU16(bytes, field, finish(coveredSum(rule, bytes, 0, bytes.length, covered)));
        if (rule.pseudoHeader !== undefined)
          pending.push({ start: 0, field, checksum: rule, covered, value });
      }
    }
    const announced = {
      ...announcing(declaration.announcedBy ?? {}),
      ...declaration.announcedAs?.(bytes.length),
      ...announcedAs,
    };
    return { name: protocol.name, bytes, announced, pending };
  };
}

/** What a header has to say so that what is inside it follows: the bottom of a stack of labels, a kind of frames. */
function carrying<F, V>({ declaration }: Protocol<F, V>, inner: string | undefined): Given<V> {
  const says = inner === undefined ? {} : (declaration.carrying?.(inner) ?? {});
  const values = Object.entries(says).map(([name, number]) => {
    const isFlag = typeof declaration.fields[name]?.preset === 'boolean';
    return [name, isFlag ? number !== 0 : number];
  });
  return Object.fromEntries(values) as Given<V>;
}

function announcing(
  by: Readonly<Partial<Record<Space, readonly number[]>>>,
): Readonly<Partial<Record<Space, number>>> {
  const numbers = Object.fromEntries(Object.entries(by).map(([space, [number]]) => [space, number]));
  const ofIp = by.ipProtocol ?? by.ipv4Protocol ?? by.ipv6Protocol;
  return ofIp === undefined ? numbers : { ...numbers, ipProtocol: ofIp[0]! };
}

function fillMessage(
  bytes: Uint8Array,
  { start, field, checksum: rule, covered }: Pending,
  pseudoHeader: PseudoHeader,
): void {
  const total = coveredSum(rule, bytes, start, bytes.length - start, covered, pseudoHeader);
  writeU16(bytes, start + field, isNeverZero(rule) ? finishUdp(total) : finish(total));
}

class Stack {
  readonly layers: readonly Layer[];

  constructor(layers: readonly Layer[]) {
    this.layers = layers;
  }

  vlan({ service = false, ...given }: VlanFields = {}): Stack {
    return this.and(layer(PROTOCOLS.vlan, given, service ? { etherType: ETHERTYPE.SERVICE_VLAN } : {}));
  }

  echoRequest(fields: EchoFields = {}): Stack {
    return this.and(echo(PROTOCOLS.icmp, ICMP_TYPE.ECHO, 'query', fields));
  }

  echoReply(fields: EchoFields = {}): Stack {
    return this.and(echo(PROTOCOLS.icmp, ICMP_TYPE.ECHO_REPLY, 'query', fields));
  }

  echoRequest6(fields: EchoFields = {}): Stack {
    return this.and(echo(PROTOCOLS.icmpv6, ICMPV6_TYPE.ECHO_REQUEST, 'echo', fields));
  }

  echoReply6(fields: EchoFields = {}): Stack {
    return this.and(echo(PROTOCOLS.icmpv6, ICMPV6_TYPE.ECHO_REPLY, 'echo', fields));
  }

  nvgre({ subnet = 0x1000, flow = 0 }: NvgreFields = {}): Stack {
    return this.and(
      layer(PROTOCOLS.gre, { key: subnet * 256 + flow, protocolType: ETHERTYPE.TRANSPARENT_ETHERNET }),
    );
  }

  payload(bytes: Uint8Array): Stack {
    return this.and(asTheyAre(bytes));
  }

  bytes(): Uint8Array {
    return frame(this as unknown as LayerStack);
  }

  and(inner: Layer): Stack {
    return new Stack([...this.layers, inner]);
  }
}

for (const [name, protocol] of Object.entries(PROTOCOLS) as [string, Protocol][]) {
  if (name in Stack.prototype) continue;
  Object.defineProperty(Stack.prototype, name, {
    value(this: Stack, given?: Given<unknown>) {
      return this.and(layer(protocol, given));
    },
  });
}

function echo<F, V>(
  protocol: Protocol<F, V>,
  type: number,
  kind: string,
  { identifier = 1, sequence = 1, ...rest }: EchoFields,
): Layer {
  return layer(protocol, { type, body: { kind, identifier, sequence }, ...rest } as unknown as Given<V>);
}

/** No layer yet: what others are put into. */
export const packet: LayerStack = new Stack([]) as unknown as LayerStack;

/** From 02:00:00:00:00:02 to 02:00:00:00:00:01 unless said otherwise. */
export const ethernet: LayerStack['ethernet'] = (given) => packet.ethernet(given);
/** An 802.1Q tag, or with `service` one of 802.1ad; the EtherType in the header is that of what follows the tag. */
export const vlan: LayerStack['vlan'] = (given) => packet.vlan(given);
/** A request from 10.11.1.2 for 10.11.1.1 unless said otherwise. */
export const arp: LayerStack['arp'] = (given) => packet.arp(given);
/** From 10.11.1.2 to 10.11.1.1 with TTL 64 unless said otherwise. */
export const ipv4: LayerStack['ipv4'] = (given) => packet.ipv4(given);
/** From fc00:dead:cafe:1::2 to fc00:dead:cafe:1::1 with hop limit 64 unless said otherwise. */
export const ipv6: LayerStack['ipv6'] = (given) => packet.ipv6(given);
export const hopopts: LayerStack['hopopts'] = (given) => packet.hopopts(given);
export const dstopts: LayerStack['dstopts'] = (given) => packet.dstopts(given);
export const routing: LayerStack['routing'] = (given) => packet.routing(given);
export const fragment6: LayerStack['fragment6'] = (given) => packet.fragment6(given);
export const ah: LayerStack['ah'] = (given) => packet.ah(given);
export const mobility: LayerStack['mobility'] = (given) => packet.mobility(given);
/** From port 40000 to port 80, SYN, unless said otherwise. */
export const tcp: LayerStack['tcp'] = (given) => packet.tcp(given);
/** From port 40000 to port 9 unless said otherwise; `checksum: 0` sends none. */
export const udp: LayerStack['udp'] = (given) => packet.udp(given);
/** An ICMP message; type and code 0 and nothing else unless said otherwise. */
export const icmp: LayerStack['icmp'] = (given) => packet.icmp(given);
/** An ICMPv6 message; type and code 0 and nothing else unless said otherwise. */
export const icmpv6: LayerStack['icmpv6'] = (given) => packet.icmpv6(given);
export const echoRequest: LayerStack['echoRequest'] = (fields) => packet.echoRequest(fields);
export const echoReply: LayerStack['echoReply'] = (fields) => packet.echoReply(fields);
export const echoRequest6: LayerStack['echoRequest6'] = (fields) => packet.echoRequest6(fields);
export const echoReply6: LayerStack['echoReply6'] = (fields) => packet.echoReply6(fields);
