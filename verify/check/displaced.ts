/**
 * Packets with a header in front of the transport header, and bytes that look like a transport header where a wrong length of
 * it leads: in its options, or in the data.
 */
import { readU16, writeU16 } from '../../sim/packet/bytes.ts';
import { EXPERIMENT, type FormName, optionForms } from './option-forms.ts';
import type { Sighting } from './probe.ts';
import { networkAt, repaired, transportOf } from './variants.ts';

const TCP = 6;
const UDP = 17;
/** ICMP, TCP, UDP, DCCP, ICMPv6, SCTP and UDP-Lite. */
export const TRANSPORTS: ReadonlySet<number> = new Set([1, TCP, UDP, 33, 58, 132, 136]);
const AUTHENTICATION = 51;
const HOP_BY_HOP = 0;
const ROUTING = 43;
const DESTINATION = 60;

/** A kind of routing for experiments: whoever does not know it goes past (RFC 4727 §3.5, RFC 3692). */
const ROUTING_EXPERIMENT = 253;

export interface Displaced {
  readonly packet: Uint8Array;
  /** What stands in front of the transport header: "IPv4 options". */
  readonly name: string;
  /** Where the transport header lies. */
  readonly transport: number;
  /** Where bytes of the other one lie, and how many. */
  readonly at: number;
  readonly size: number;
  /** Of options that the bytes lie in: what was made of them. */
  readonly form?: FormName;
  /** Are these bytes no options, so that nobody has to take the packet? What decides in it decides all the same. */
  readonly isMalformed?: true;
  /** The same packet without the header in front, where the bytes lie in the data: a program may look at that. */
  readonly bare?: Uint8Array;
}

/** A header in front of the transport header, and how it is laid out. */
interface Front {
  readonly name: string;
  /** Undefined where it is no header of its own, but options of the one before. */
  readonly protocol?: number;
  readonly size: number;
  /** What it says in its first bytes; the protocol behind it is put into the first. */
  readonly first: readonly number[];
  /** Where a wrong length of it leads, from its begin. */
  readonly places: readonly number[];
}

/** Five words of options, all of them one; the places: its begin, where they are overlooked, and twice as far behind the IP header. */
const OPTIONS: Front = { name: 'IPv4 options', size: 20, first: [EXPERIMENT, 20], places: [0, 40] };

/** In units of 8 bytes, not counting the first (RFC 8200 §4): all of 8, the first left out, and in words. */
const EXTENSION_SIZE = 40;
const EXTENSION_LENGTH = EXTENSION_SIZE / 8 - 1;
const EXTENSION_PLACES = [
  8,
  8 * EXTENSION_LENGTH,
  4 * (EXTENSION_LENGTH + 1),
  4 * (EXTENSION_LENGTH + 2),
  48,
];
const OPTION = [EXPERIMENT, EXTENSION_SIZE - 4];

/** In words, not counting two (RFC 4302 §2.2): as if it were another extension header, and in words of which all or one is counted. */
const AUTHENTICATION_LENGTH = EXTENSION_SIZE / 4 - 2;
const AUTHENTICATION_PLACES = [
  8,
  4 * AUTHENTICATION_LENGTH,
  4 * (AUTHENTICATION_LENGTH + 1),
  8 * AUTHENTICATION_LENGTH,
  8 * (AUTHENTICATION_LENGTH + 1),
];

const AUTHENTICATED: Front = {
  name: 'the authentication header',
  protocol: AUTHENTICATION,
  size: EXTENSION_SIZE,
  first: [0, AUTHENTICATION_LENGTH, 0, 0, 0, 0, 0, 1],
  places: AUTHENTICATION_PLACES,
};

const FRONTS: Readonly<Record<4 | 6, readonly Front[]>> = {
  4: [OPTIONS, AUTHENTICATED],
  6: [
    extension('hop-by-hop options', HOP_BY_HOP, OPTION),
    extension('destination options', DESTINATION, OPTION),
    extension('the routing header', ROUTING, [ROUTING_EXPERIMENT, 0]),
    AUTHENTICATED,
  ],
};

function extension(name: string, protocol: number, first: readonly number[]): Front {
  return {
    name,
    protocol,
    size: EXTENSION_SIZE,
    first: [0, EXTENSION_LENGTH, ...first],
    places: EXTENSION_PLACES,
  };
}

/** Shorter ones show nothing: ports. */
const LEAST = 4;

/** All places of a packet; none of one that has such a header already, or is no whole packet. @param header what is put there */
export function* displaced(came: Uint8Array, header: Uint8Array): Generator<Displaced, void, void> {
  const found = transportOf(came);
  if (found === undefined) return;
  const { version, protocol, at, end } = found;
  const ip = networkOf(version, at, came);
  if (ip === undefined) return;
  const whole = { packet: came.subarray(0, end), ip, at, kept: keptWord(version, ip) };
  for (const front of frontsOf(version, protocol)) {
    for (const place of front.places) {
      if (place < front.size) yield* inside(whole, front, place, header);
      else if (place - front.size >= transportSize(protocol, whole.packet, at))
        yield behind(whole, front, place, header);
    }
  }
}

/** A packet, where its headers begin, and a word that stays as it is. */
interface Whole {
  readonly packet: Uint8Array;
  readonly ip: number;
  readonly at: number;
  readonly kept: number;
}

/** Whatever the protocol, IPv4 options move what is behind them. */
function frontsOf(version: 4 | 6, protocol: number): readonly Front[] {
  if (TRANSPORTS.has(protocol)) return FRONTS[version];
  return version === 4 && protocol !== AUTHENTICATION ? [OPTIONS] : [];
}

function* inside(
  { packet, ip, at, kept }: Whole,
  front: Front,
  place: number,
  header: Uint8Array,
): Generator<Displaced, void, void> {
  const size = Math.min(header.length, front.size - place);
  if (size < LEAST) return;
  for (const { bytes, ...form } of formsOf(front, place, header.subarray(0, size))) {
    const copy = withFront(packet, ip, at, front);
    copy.set(bytes, at + place);
    const lies = { name: front.name, transport: at + front.size, at: at + place, size };
    yield { packet: repaired(copy, kept), ...lies, ...form };
  }
}

/** The bytes as they may stand in the header in front, which says first what it is. */
function formsOf(
  front: Front,
  place: number,
  header: Uint8Array,
): readonly (Pick<Displaced, 'form' | 'isMalformed'> & { readonly bytes: Uint8Array })[] {
  const bytes = new Uint8Array(front.size - place);
  bytes.set(header);
  if (front !== OPTIONS) {
    if (place < front.first.length) bytes.set(front.first.slice(place));
    return [{ bytes: bytes.subarray(0, header.length) }];
  }
  return optionForms(bytes).map(({ name: form, bytes: all, isSound }) => ({
    bytes: all,
    form,
    ...(isSound ? {} : { isMalformed: true as const }),
  }));
}

function behind({ packet, ip, at, kept }: Whole, front: Front, place: number, header: Uint8Array): Displaced {
  const from = place - front.size;
  const roomy = withData(packet, ip, at, from + header.length);
  const copy = withFront(roomy, ip, at, front);
  copy.set(header, at + place);
  const lies = { name: front.name, transport: at + front.size, at: at + place, size: header.length };
  return { packet: repaired(copy, kept), ...lies, bare: bareWith(roomy, at + from, header, kept) };
}

/**
 * What is displaced as it was, and another transport header at its own place: once as it is, sum and length too, which may be what
 * somebody looks for, and once as the header of a whole packet.
 */
export function atItsPlace(
  { packet, transport, at }: Displaced,
  protocol: number,
  header: Uint8Array,
): Uint8Array[] {
  const room = (at < transport ? packet.length : at) - transport;
  const asItIs = packet.slice();
  asItIs.set(header.subarray(0, room), transport);
  const whole = asItIs.slice();
  if (protocol === UDP) writeU16(whole, transport + 4, readU16(packet, transport + 4));
  const ip = networkAt(packet)!;
  return [asItIs, repaired(whole, keptWord(packet[ip]! >> 4 === 4 ? 4 : 6, ip))];
}

/** The same packet behind options of IPv4 that hold nothing; undefined where it has any, or is not of IPv4. */
export function behindOptions(came: Uint8Array): Uint8Array | undefined {
  const found = transportOf(came);
  const ip = found?.version === 4 ? networkOf(4, found.at, came) : undefined;
  if (found === undefined || ip === undefined) return undefined;
  const packet = came.subarray(0, found.end);
  return repaired(withFront(packet, ip, found.at, OPTIONS), keptWord(4, ip));
}

/** The packet with its options as the begin of what is behind them; any other as it is. */
export function optionsAsHeader(packet: Uint8Array): Uint8Array {
  const found = transportOf(packet);
  const ip = networkAt(packet);
  if (found?.version !== 4 || ip === undefined || packet[ip] === 0x45) return packet;
  const copy = packet.slice();
  copy[ip] = 0x45;
  return repaired(copy, ip + 4);
}

/** A search finds packets with what a program looks for among their options, where it overlooks these: what it takes them for. */
export function asPlain({ world, stimulus }: Sighting): Sighting {
  return { world, stimulus: { ...stimulus, packet: optionsAsHeader(stimulus.packet) } };
}

/** Where the IP header begins that ends where the transport header begins; undefined where it has options. */
function networkOf(version: 4 | 6, transport: number, packet: Uint8Array): number | undefined {
  const ip = transport - (version === 4 ? 20 : 40);
  return ip >= 14 && packet[ip]! >> 4 === version && (version === 6 || packet[ip] === 0x45) ? ip : undefined;
}

/** A word that stays as it is. */
function keptWord(version: 4 | 6, ip: number): number {
  return version === 4 ? ip + 4 : ip;
}

function transportSize(protocol: number, packet: Uint8Array, at: number): number {
  return protocol === TCP && at + 13 <= packet.length ? (packet[at + 12]! >> 4) * 4 : 8;
}

/** With zeros behind, so that as many bytes follow the begin of the transport header. */
function withData(packet: Uint8Array, ip: number, at: number, size: number): Uint8Array {
  const more = at + size - packet.length;
  if (more <= 0) return packet.slice();
  const copy = new Uint8Array(packet.length + more);
  copy.set(packet);
  lengthen(copy, ip, more);
  const protocol = copy[ip]! >> 4 === 4 ? copy[ip + 9]! : copy[ip + 6]!;
  if (protocol === UDP) writeU16(copy, at + 4, readU16(copy, at + 4) + more);
  return copy;
}

/** The packet cut behind the header of TCP or UDP; any other as it is. */
export function withoutData(packet: Uint8Array): Uint8Array {
  const found = transportOf(packet);
  if (found === undefined) return packet;
  const { protocol, at, end } = found;
  const ip = networkOf(found.version, at, packet);
  const size = transportSize(protocol, packet, at);
  const less = end - at - size;
  if ((protocol !== TCP && protocol !== UDP) || ip === undefined || less <= 0) return packet;
  const copy = packet.slice(0, at + size);
  lengthen(copy, ip, -less);
  if (protocol === UDP) writeU16(copy, at + 4, size);
  return repaired(copy, keptWord(found.version, ip));
}

function bareWith(roomy: Uint8Array, at: number, header: Uint8Array, kept: number): Uint8Array {
  const copy = roomy.slice();
  copy.set(header, at);
  return repaired(copy, kept);
}

function withFront(packet: Uint8Array, ip: number, at: number, front: Front): Uint8Array {
  const copy = new Uint8Array(packet.length + front.size);
  copy.set(packet.subarray(0, at));
  copy.set(front.first, at);
  copy.set(packet.subarray(at), at + front.size);
  lengthen(copy, ip, front.size);
  if (front.protocol === undefined) {
    copy[ip]! += front.size / 4;
    return copy;
  }
  const place = copy[ip]! >> 4 === 4 ? ip + 9 : ip + 6;
  copy[at] = copy[place]!;
  copy[place] = front.protocol;
  return copy;
}

function lengthen(packet: Uint8Array, ip: number, more: number): void {
  const length = packet[ip]! >> 4 === 4 ? ip + 2 : ip + 4;
  writeU16(packet, length, readU16(packet, length) + more);
}
