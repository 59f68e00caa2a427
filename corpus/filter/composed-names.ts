/**
 * Wireshark's names of what is no field of a declaration: part of one, several side by side, one in another unit, what
 * a message carries. Types and units are those of `tshark -G fields`.
 */
import type { Place } from '../../sim/packet/declaration/place.ts';
import { extensionAt } from '../../sim/packet/gtpu.ts';
import { PDU_SESSION_CONTAINER } from '../../sim/packet/gtpu-extensions.ts';
import { SEGMENT_ROUTING } from '../../sim/packet/routing-data.ts';
import type { LayerPlace } from '../../sim/packet/walk-layers.ts';

/** A header in a packet, as a name is made from it. */
export interface HeaderView {
  readonly bytes: Uint8Array;
  readonly layer: LayerPlace;
  /** The layers in front of it, outermost first. */
  readonly outer: readonly LayerPlace[];
  /** Where a field lies; undefined where it is not there, or cut off. */
  place(field: string): Place | undefined;
}

export interface ComposedName {
  readonly name: string;
  /** The protocol whose header it is read from. */
  readonly protocol: string;
  /** Of a number; 0 where it is a run of bytes. */
  readonly bits: number;
  /** The number; undefined where something of it is not there. */
  number?(header: HeaderView): number | undefined;
  /** The run of bytes, from and to. */
  range?(header: HeaderView): readonly [from: number, to: number] | undefined;
}

/** The bits of fields that lie side by side, as one number. */
function joined(header: HeaderView, fields: readonly string[]): number | undefined {
  let value = 0;
  for (const field of fields) {
    const place = header.place(field);
    if (place === undefined) return undefined;
    let word = 0;
    for (let at = 0; at < place.size; at++)
      word = word * 256 + header.bytes[header.layer.offset + place.at + at]!;
    // Numbers, not bits: a MAC address has 48 of them.
    value = value * 2 ** place.bits + (Math.floor(word / 2 ** place.shift) % 2 ** place.bits);
  }
  return value;
}

interface Part {
  /** Bits behind it. */
  readonly shift?: number;
  readonly bits: number;
  /** What a filter compares, where that is not the number as it stands there. */
  readonly as?: (value: number) => number;
  /** The most bits that this has. */
  readonly shownBits?: number;
}

/** Bits out of fields that lie side by side. */
function part(
  name: string,
  protocol: string,
  fields: readonly string[],
  { shift = 0, bits, as = (value) => value, shownBits = bits }: Part,
): ComposedName {
  return {
    name,
    protocol,
    bits: shownBits,
    number: (header) => {
      const value = joined(header, fields);
      return value === undefined ? undefined : as(Math.floor(value / 2 ** shift) % 2 ** bits);
    },
  };
}

/** A header's length, that is counted in words of four bytes on the wire. */
function headerBytes(name: string, protocol: string, field: string): ComposedName {
  return part(name, protocol, [field], { bits: 4, as: (words) => words * 4, shownBits: 6 });
}

/** An extension header's length, that is counted in words of eight bytes behind the first one on the wire. */
function extensionBytes(name: string, protocol: string): ComposedName {
  return part(name, protocol, ['length'], { bits: 8, as: (words) => (words + 1) * 8, shownBits: 12 });
}

const isSet =
  (flag: string) =>
  (header: HeaderView): boolean =>
    joined(header, [flag]) === 1;

/** Bits that are something only where a flag says so, and another one does not. */
function flagged(flag: string, unless: string | undefined, one: ComposedName): ComposedName {
  return {
    ...one,
    number: (header) =>
      isSet(flag)(header) && (unless === undefined || !isSet(unless)(header))
        ? one.number!(header)
        : undefined,
  };
}

/** A field that has this name only where another one, or its own value, says so. */
function conditional(
  name: string,
  protocol: string,
  field: string,
  isMeant: (header: HeaderView, value: number) => boolean,
): ComposedName {
  return {
    name,
    protocol,
    bits: 16,
    number: (header) => {
      const value = joined(header, [field]);
      return value !== undefined && isMeant(header, value) ? value : undefined;
    },
  };
}

/** What Wireshark takes for a length (IEEE 802.3 §3.2.6); a 0 behind addresses is a type to it. */
const MAX_LENGTH = 1500;
const isTagLength = (_: HeaderView, value: number): boolean => value <= MAX_LENGTH;
const isTagType = (_: HeaderView, value: number): boolean => value > MAX_LENGTH;
const isLength = (_: HeaderView, value: number): boolean => value > 0 && value <= MAX_LENGTH;
const isType = (_: HeaderView, value: number): boolean => value === 0 || value > MAX_LENGTH;

/** Destination unreachable, fragmentation needed (RFC 1191 §4): in all other errors the field means nothing. */
const needsFragments = (header: HeaderView): boolean => joined(header, ['type', 'code']) === 0x0304;

/** Where the IP header around says that its data end; a capture may hold less of it. */
function declaredEnd({ bytes, layer, outer }: HeaderView): number {
  const ip = outer.findLast(({ name }) => name === 'ipv4' || name === 'ipv6');
  if (ip === undefined) return layer.end;
  const at = ip.offset + (ip.name === 'ipv4' ? 2 : 4);
  const length = (bytes[at]! << 8) | bytes[at + 1]!;
  // A length of 0 in a captured packet is one that the kernel left to the device: it ends with the frame.
  if (length === 0) return layer.end;
  return ip.offset + length + (ip.name === 'ipv4' ? 0 : 40);
}

function headerEnd(header: HeaderView): number | undefined {
  const words = joined(header, ['dataOffset']);
  return words === undefined || words < 5 ? undefined : header.layer.offset + words * 4;
}

const tcpLength: ComposedName = {
  name: 'tcp.len',
  protocol: 'tcp',
  bits: 16,
  number: (header) => {
    const from = headerEnd(header);
    if (from === undefined) return undefined;
    const length = declaredEnd(header) - from;
    return length < 0 ? undefined : length;
  },
};

/** What is there of a payload; nothing where it is empty, as in Wireshark. */
function payload(
  name: string,
  protocol: string,
  bounds: (header: HeaderView) => readonly [from: number | undefined, to: number],
): ComposedName {
  return {
    name,
    protocol,
    bits: 0,
    range: (header) => {
      const [from, to] = bounds(header);
      return from === undefined || from >= to ? undefined : [from, to];
    },
  };
}

/** Individual or group, universally or locally administered: of the first byte of a MAC address. */
function addressBits(protocol: string): ComposedName[] {
  return (
    [
      ['dst', 'destination'],
      ['src', 'source'],
    ] as const
  ).flatMap(([end, field]) =>
    [`eth.${end}`, 'eth'].flatMap((prefix) => [
      part(`${prefix}.ig`, protocol, [field], { shift: 40, bits: 1 }),
      part(`${prefix}.lg`, protocol, [field], { shift: 41, bits: 1 }),
    ]),
  );
}

/** A byte of a segment routing header (RFC 8754 §2). */
function segmentByte(name: string, at: number): ComposedName {
  return {
    name,
    protocol: 'routing',
    bits: 8,
    number: (header) =>
      joined(header, ['type']) === SEGMENT_ROUTING && header.layer.offset + at < header.layer.end
        ? header.bytes[header.layer.offset + at]
        : undefined,
  };
}

/** Out of the first PDU session container in GTP-U: its type, and the byte with the flow (3GPP TS 38.415 §5.5.2). */
function session(
  name: string,
  read: (type: number, flow: number) => number | undefined,
  bits: number,
): ComposedName {
  return {
    name,
    protocol: 'gtpu',
    bits,
    number: ({ bytes, layer: { offset, end } }) => {
      const at = extensionAt(bytes, offset, end, PDU_SESSION_CONTAINER);
      return at < 0 ? undefined : read(bytes[at + 1]! >> 4, bytes[at + 2]!);
    },
  };
}

const FRAGMENT_FLAGS = ['reserved', 'dontFragment', 'moreFragments'];
const GRE_FLAGS = [
  'checksumPresent',
  'routingPresent',
  'keyPresent',
  'sequencePresent',
  'reserved',
  'version',
];

export const COMPOSED_NAMES: readonly ComposedName[] = [
  ...addressBits('ethernet'),
  conditional('eth.type', 'ethernet', 'etherType', isType),
  conditional('eth.len', 'ethernet', 'etherType', isLength),
  conditional('vlan.etype', 'vlan', 'etherType', isTagType),
  conditional('vlan.len', 'vlan', 'etherType', isTagLength),
  conditional('icmp.mtu', 'icmp', 'nextHopMtu', needsFragments),
  part('vlan.cfi', 'vlan', ['dropEligible'], { bits: 1 }),
  headerBytes('ip.hdr_len', 'ipv4', 'ihl'),
  part('ip.dsfield.dscp', 'ipv4', ['tos'], { shift: 2, bits: 6 }),
  part('ip.dsfield.ecn', 'ipv4', ['tos'], { bits: 2 }),
  part('ip.flags', 'ipv4', FRAGMENT_FLAGS, { bits: 3 }),
  // `struct iphdr` has it as one, and so have what `prove` and `check` say of programs.
  part('ip.frag_off', 'ipv4', [...FRAGMENT_FLAGS, 'fragmentOffset'], { bits: 16 }),
  part('ipv6.tclass.dscp', 'ipv6', ['trafficClass'], { shift: 2, bits: 6 }),
  part('ipv6.tclass.ecn', 'ipv6', ['trafficClass'], { bits: 2 }),
  extensionBytes('ipv6.hopopts.len_oct', 'hopopts'),
  extensionBytes('ipv6.routing.len_oct', 'routing'),
  extensionBytes('ipv6.dstopts.len_oct', 'dstopts'),
  segmentByte('ipv6.routing.srh.last_entry', 4),
  segmentByte('ipv6.routing.srh.flags', 5),
  extensionBytes('shim6.len_oct', 'shim6'),
  part('icmpv6.nd.ra.flag.m', 'icmpv6', ['flags'], { shift: 7, bits: 1 }),
  part('icmpv6.nd.ra.flag.o', 'icmpv6', ['flags'], { shift: 6, bits: 1 }),
  part('icmpv6.nd.ra.flag.h', 'icmpv6', ['flags'], { shift: 5, bits: 1 }),
  part('icmpv6.nd.ra.flag.prf', 'icmpv6', ['flags'], { shift: 3, bits: 2 }),
  headerBytes('tcp.hdr_len', 'tcp', 'dataOffset'),
  tcpLength,
  part('tcp.flags', 'tcp', ['reserved', 'flags'], { bits: 12 }),
  part('tcp.flags.res', 'tcp', ['reserved'], { shift: 1, bits: 3, as: Math.sign, shownBits: 1 }),
  part('tcp.flags.ae', 'tcp', ['reserved'], { bits: 1 }),
  payload('tcp.payload', 'tcp', (header) => [headerEnd(header), header.layer.end]),
  payload('udp.payload', 'udp', ({ layer, bytes, place }) => {
    const length = place('length');
    if (length === undefined) return [undefined, 0];
    const at = layer.offset + length.at;
    return [layer.offset + 8, Math.min(layer.end, layer.offset + ((bytes[at]! << 8) | bytes[at + 1]!))];
  }),
  session('gtp.ext_hdr.pdu_ses_con.pdu_type', (type) => type, 4),
  session('gtp.ext_hdr.pdu_ses_con.qos_flow_id', (_, flow) => flow & 0x3f, 6),
  session('gtp.ext_hdr.pdu_ses_cont.ppp', (type, flow) => (type === 0 ? flow >> 7 : undefined), 1),
  session('gtp.ext_hdr.pdu_ses_cont.rqi', (type, flow) => (type === 0 ? (flow >> 6) & 1 : undefined), 1),
  part('hsr.netid', 'hsr', ['path'], { shift: 1, bits: 3 }),
  part('hsr.laneid', 'hsr', ['path'], { bits: 1 }),
  flagged('noncePresent', undefined, part('lisp-data.nonce', 'lisp', ['nonce'], { bits: 24 })),
  ...(
    [
      ['mapver', 0, 24],
      ['srcmapver', 12, 12],
      ['dstmapver', 0, 12],
    ] as const
  ).map(([name, shift, bits]) =>
    flagged('versionPresent', 'noncePresent', part(`lisp-data.${name}`, 'lisp', ['nonce'], { shift, bits })),
  ),
  flagged('instancePresent', undefined, part('lisp-data.iid', 'lisp', ['instance'], { bits: 24 })),
  flagged(
    'locatorStatusPresent',
    'instancePresent',
    part('lisp-data.lsb', 'lisp', ['instance', 'locatorStatus'], { bits: 32 }),
  ),
  flagged(
    'instancePresent',
    undefined,
    flagged(
      'locatorStatusPresent',
      undefined,
      part('lisp-data.lsb8', 'lisp', ['locatorStatus'], { bits: 8 }),
    ),
  ),
  part('gre.flags_and_version', 'gre', GRE_FLAGS, { bits: 16 }),
];
