/**
 * Simpler packets than a given one, from the boldest to the smallest step.
 *
 * Every candidate is smaller by `complexity`, a tuple of natural numbers compared from the left: there is no
 * endless chain of ever smaller tuples, so who always goes on from a candidate comes to an end.
 */
import { copy, isZero, writeU16 } from '../../sim/packet/bytes.ts';
import { ETHERTYPE, IPPROTO } from '../../sim/packet/numbers.ts';
import { DEFAULT_INGRESS_IFINDEX, type Stimulus } from '../../sim/packet/packet-batch.ts';
import { layout, type PacketLayout, type Range, type Repair, repair } from './packet-layout.ts';
import { completions, faults, PLAIN_ADDRESSES, PLAIN_MAC } from './well-formed.ts';

/**
 * How far from simple a stimulus is: what is wrong with the packet (`faults`), for people believe whole packets only;
 * bytes of packet and metadata; bytes that are neither zero nor plain; their sum; device, queue and entry off their
 * defaults; the checksum fields' bytes. Checksums stand last, for they follow from the rest.
 */
export type Complexity = readonly number[];

export function complexity(stimulus: Stimulus): Complexity {
  const { packet, metadata } = stimulus;
  const parts = layout(packet);
  let nonzero = 0;
  let total = 0;
  let checksums = 0;
  const headerChecksumAt = parts.version === 4 ? parts.networkAt + 10 : -1;
  let from = 0;
  for (const plain of [...plainBytes(packet, parts), { from: packet.length, to: packet.length }]) {
    for (let at = from; at < plain.from; at++) {
      const byte = packet[at]!;
      if (byte === 0) continue;
      if (within(at, parts.checksumAt) || within(at, headerChecksumAt)) checksums += byte;
      else {
        nonzero++;
        total += byte;
      }
    }
    from = plain.to;
  }
  for (const byte of metadata ?? []) {
    if (byte !== 0) nonzero++;
    total += byte;
  }
  return [
    faults(packet, parts),
    packet.length + (metadata?.length ?? 0),
    nonzero,
    total,
    (stimulus.ingressIfindex ?? DEFAULT_INGRESS_IFINDEX) === DEFAULT_INGRESS_IFINDEX ? 0 : 1,
    stimulus.rxQueueIndex ?? 0,
    stimulus.entry ?? 0,
    Object.keys(stimulus.skb ?? {}).length,
    checksums,
  ];
}

/** Addresses and TTL of an IP packet that are what they are where nothing is special: as simple as zeros. In order. */
function plainBytes(packet: Uint8Array, parts: PacketLayout): Range[] {
  if (parts.version === 0) return [];
  const fields = [...ETHERNET_FIELDS, ...(parts.version === 4 ? IPV4_PLAIN : IPV6_PLAIN)];
  return fields.flatMap((field) => {
    const from = field.frame === true ? field.at : parts.networkAt + field.at;
    const isPlain = field.plain.every((byte, index) => packet[from + index] === byte);
    return isPlain ? [{ from, to: from + field.plain.length }] : [];
  });
}

function within(at: number, word: number): boolean {
  return word >= 0 && (at === word || at === word + 1);
}

/** Is `a` simpler than `b`? */
export function isSimpler(a: Complexity, b: Complexity): boolean {
  for (let index = 0; index < a.length; index++) {
    if (a[index] !== b[index]) return a[index]! < b[index]!;
  }
  return false;
}

/** Ever smaller steps away from the stimulus; each candidate is simpler by `complexity`. */
export function* simplerPackets(stimulus: Stimulus): Iterable<Stimulus> {
  const from = complexity(stimulus);
  for (const candidate of candidates(stimulus)) {
    if (isSimpler(complexity(candidate), from)) yield candidate;
  }
}

function* candidates(stimulus: Stimulus): Iterable<Stimulus> {
  yield* simplerSurroundings(stimulus);
  for (const packet of simplerFrames(stimulus.packet)) yield { ...stimulus, packet };
  if (stimulus.metadata !== undefined) yield* simplerMetadata(stimulus, stimulus.metadata);
}

/** Without metadata; on the default device, queue and entry. */
function* simplerSurroundings(stimulus: Stimulus): Iterable<Stimulus> {
  const { metadata, ...rest } = stimulus;
  if (metadata !== undefined) yield rest;
  yield { ...stimulus, ingressIfindex: DEFAULT_INGRESS_IFINDEX, rxQueueIndex: 0 };
  yield { ...stimulus, entry: 0 };
  const { skb, ...bare } = stimulus;
  if (skb === undefined) return;
  yield bare;
  for (const left of Object.keys(skb)) {
    yield { ...stimulus, skb: Object.fromEntries(Object.entries(skb).filter(([name]) => name !== left)) };
  }
}

function* simplerMetadata(stimulus: Stimulus, metadata: Uint8Array): Iterable<Stimulus> {
  for (let length = metadata.length - 4; length > 0; length -= 4) {
    yield { ...stimulus, metadata: metadata.slice(0, length) };
  }
  for (const simpler of simplerBytes(metadata)) yield { ...stimulus, metadata: simpler };
}

function* simplerFrames(packet: Uint8Array): Iterable<Uint8Array> {
  const parts = layout(packet);
  for (const whole of completions(packet)) yield* inOrder(whole, packet);
  yield* shorterByParts(packet, parts);
  yield* inOrder(packet, packet);
  yield* plainerFields(packet, parts);
  yield* shorterByBytes(packet);
  yield* simplerBytes(packet);
}

/** A changed packet in order again, in every way, and as it is. */
function* inOrder(changed: Uint8Array, original: Uint8Array): Iterable<Uint8Array> {
  for (const how of ['checksum', 'content', 'identification', 'sums'] satisfies Repair[]) {
    const repaired = changed.slice();
    if (repair(repaired, how)) yield repaired;
  }
  if (changed !== original) yield changed;
}

/** Without payload, tags, options, extension headers, padding; cut at the headers' ends. */
function* shorterByParts(packet: Uint8Array, parts: PacketLayout): Iterable<Uint8Array> {
  const { payloadAt, upperEnd, upperAt, networkAt } = parts;
  if (parts.tags.length > 0) yield without(packet, { from: 12, to: 12 + parts.tags.length * 4 });
  if (parts.version !== 0) {
    if (upperEnd < packet.length) yield packet.slice(0, upperEnd);
    if (parts.version === 6) yield* overIpv4(packet, parts);
    // The payload down to nothing, half, three quarters …: in steps that halve.
    const payload = upperEnd - payloadAt;
    for (let cut = payload; cut > 0; cut >>>= 1) {
      yield* inOrder(packet.slice(0, upperEnd - cut), packet);
      if (cut < payload) yield* inOrder(without(packet, { from: payloadAt, to: payloadAt + cut }), packet);
    }
    // The header as well: messages that end within it.
    if (upperAt >= 0) {
      for (let cut = upperEnd - upperAt; cut > 0; cut >>>= 1) {
        if (upperEnd - cut < payloadAt) yield* inOrder(packet.slice(0, upperEnd - cut), packet);
      }
    }
    yield* shorterTcpOptions(packet, parts);
    if (parts.version === 4) {
      for (const options of parts.options) yield* shorterIpv4Options(packet, networkAt, options);
    } else {
      yield* fewerExtensions(packet, parts);
    }
  }
  for (const tag of parts.tags) yield without(packet, { from: tag, to: tag + 4 });
  for (const border of [
    0,
    6,
    12,
    14,
    networkAt,
    networkAt + 20,
    networkAt + 40,
    upperAt,
    payloadAt,
    upperEnd,
  ]) {
    if (border >= 0 && border < packet.length) yield packet.slice(0, border);
  }
}

/** The message of an IPv6 packet over IPv4, which is twenty bytes shorter: with nothing in it first, then as it is. */
function* overIpv4(packet: Uint8Array, parts: PacketLayout): Iterable<Uint8Array> {
  const { networkAt, upperAt, upperEnd, payloadAt } = parts;
  if (upperAt < 0) return;
  const isIcmp = parts.protocol === IPPROTO.ICMPV6;
  for (const end of [payloadAt, upperEnd]) {
    const frame = new Uint8Array(networkAt + 20 + end - upperAt);
    const messageAt = networkAt + 20;
    copy(packet, 0, frame, 0, networkAt);
    writeU16(frame, networkAt - 2, ETHERTYPE.IPV4);
    frame[networkAt] = 0x45;
    frame[networkAt + 8] = packet[networkAt + 7]!;
    frame[networkAt + 9] = isIcmp ? IPPROTO.ICMP : parts.protocol;
    for (const { at, plain } of IPV4_ADDRESSES) frame.set(plain, networkAt + at);
    // Addresses apart, an empty message keeps its first four bytes: type and code, or the ports.
    copy(packet, upperAt, frame, messageAt, end === payloadAt ? Math.min(4, end - upperAt) : end - upperAt);
    if (isIcmp && packet[upperAt] === 128) frame[messageAt] = 8;
    else if (isIcmp && packet[upperAt] === 129) frame[messageAt] = 0;
    yield* inOrder(frame, packet);
  }
}

function* shorterIpv4Options(packet: Uint8Array, networkAt: number, options: Range): Iterable<Uint8Array> {
  for (let left = 0; left < options.to - options.from; left += 4) {
    const shorter = without(packet, { from: options.from + left, to: options.to });
    shorter[networkAt] = (packet[networkAt]! & 0xf0) | (5 + left / 4);
    yield* inOrder(shorter, packet);
  }
}

/** Without TCP options: none of them, then fewer. */
function* shorterTcpOptions(
  packet: Uint8Array,
  { protocol, upperAt, upperEnd }: PacketLayout,
): Iterable<Uint8Array> {
  if (protocol !== IPPROTO.TCP || upperAt < 0 || upperAt + 20 > upperEnd) return;
  const words = packet[upperAt + 12]! >>> 4;
  if (words <= 5 || upperAt + words * 4 > upperEnd) return;
  for (let left = 5; left < words; left++) {
    const shorter = without(packet, { from: upperAt + left * 4, to: upperAt + words * 4 });
    shorter[upperAt + 12] = (left << 4) | (packet[upperAt + 12]! & 0x0f);
    yield* inOrder(shorter, packet);
  }
}

/** Without each extension header; the one before it then names what followed. */
function* fewerExtensions(packet: Uint8Array, parts: PacketLayout): Iterable<Uint8Array> {
  const chain = [...parts.options, ...(parts.fragmentHeader === undefined ? [] : [parts.fragmentHeader])];
  chain.sort((left, right) => left.from - right.from);
  const drop = (first: number, last: number): Uint8Array => {
    const shorter = without(packet, { from: chain[first]!.from, to: chain[last]!.to });
    const linkAt = first === 0 ? parts.networkAt + 6 : chain[first - 1]!.from;
    shorter[linkAt] = packet[chain[last]!.from]!;
    return shorter;
  };
  if (chain.length > 1) yield* inOrder(drop(0, chain.length - 1), packet);
  for (let index = 0; index < chain.length; index++) yield* inOrder(drop(index, index), packet);
}

/** Messages up to this length are made plain byte by byte. */
const LONGEST_BY_BYTE = 256;

/** What a field says in a packet in which nothing is special. */
interface PlainField {
  /** Offset from the IP header; from the frame where `frame` is set. */
  readonly at: number;
  readonly plain: readonly number[];
  readonly frame?: true;
}

const ETHERNET_FIELDS: readonly PlainField[] = [
  { at: 0, plain: PLAIN_MAC.destination, frame: true },
  { at: 6, plain: PLAIN_MAC.source, frame: true },
];

const IPV4_ADDRESSES: readonly PlainField[] = [
  { at: 12, plain: PLAIN_ADDRESSES[4].source },
  { at: 16, plain: PLAIN_ADDRESSES[4].destination },
];

const IPV6_ADDRESSES: readonly PlainField[] = [
  { at: 8, plain: PLAIN_ADDRESSES[6].source },
  { at: 24, plain: PLAIN_ADDRESSES[6].destination },
];

const IPV4_PLAIN: readonly PlainField[] = [{ at: 8, plain: [64] }, ...IPV4_ADDRESSES];
const IPV6_PLAIN: readonly PlainField[] = [{ at: 7, plain: [64] }, ...IPV6_ADDRESSES];

const IPV4_FIELDS: readonly PlainField[] = [
  { at: 1, plain: [0] },
  { at: 4, plain: [0, 0] },
  { at: 6, plain: [0x20, 0] },
  { at: 6, plain: [0, 0] },
  { at: 8, plain: [64] },
  { at: 8, plain: [1] },
  ...IPV4_ADDRESSES,
];

const IPV6_FIELDS: readonly PlainField[] = [
  { at: 0, plain: [0x60, 0, 0, 0] },
  { at: 7, plain: [64] },
  { at: 7, plain: [1] },
  ...IPV6_ADDRESSES,
];

/** All fields plain at once, then the payload zero, then field by field. */
function* plainerFields(packet: Uint8Array, parts: PacketLayout): Iterable<Uint8Array> {
  const fields = [
    ...ETHERNET_FIELDS,
    ...(parts.version === 4 ? IPV4_FIELDS : parts.version === 6 ? IPV6_FIELDS : []),
  ];
  const all = packet.slice();
  for (const field of fields) setPlain(all, parts, field);
  yield* inOrder(all, packet);
  if (parts.payloadAt >= 0 && parts.payloadAt < parts.upperEnd) {
    yield* inOrder(packet.slice().fill(0, parts.payloadAt, parts.upperEnd), packet);
  }
  for (const field of fields) {
    const plainer = packet.slice();
    setPlain(plainer, parts, field);
    yield* inOrder(plainer, packet);
  }
  // Single bytes of the upper layer's message to zero, with the rest put in order; long ones only by ranges.
  if (parts.upperAt >= 0 && parts.upperEnd - parts.upperAt <= LONGEST_BY_BYTE) {
    for (let at = parts.upperAt; at < parts.upperEnd; at++) {
      if (packet[at] === 0 || within(at, parts.checksumAt)) continue;
      const plainer = packet.slice();
      plainer[at] = 0;
      yield* inOrder(plainer, packet);
    }
  }
}

function setPlain(packet: Uint8Array, parts: PacketLayout, field: PlainField): void {
  const at = field.frame === true ? field.at : parts.networkAt + field.at;
  if (at + field.plain.length <= packet.length) packet.set(field.plain, at);
}

/** Without ranges that know nothing of headers: halves, quarters, down to single bytes, the last first. */
function* shorterByBytes(packet: Uint8Array): Iterable<Uint8Array> {
  for (let size = packet.length >>> 1; size > 0; size >>>= 1) {
    for (let to = packet.length; to - size >= 0; to -= size) yield without(packet, { from: to - size, to });
  }
}

/** Ranges zero, then single bytes zero, halved, one less. */
function* simplerBytes(bytes: Uint8Array): Iterable<Uint8Array> {
  for (let size = bytes.length; size > 0; size >>>= 1) {
    for (let from = 0; from < bytes.length; from += size) {
      const length = Math.min(size, bytes.length - from);
      if (!isZero(bytes, from, length)) yield bytes.slice().fill(0, from, from + length);
    }
  }
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte > 1) {
      yield withByte(bytes, at, byte >>> 1);
      yield withByte(bytes, at, byte - 1);
    }
  }
}

function withByte(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const changed = bytes.slice();
  changed[at] = value;
  return changed;
}

function without(bytes: Uint8Array, range: Range): Uint8Array {
  const shorter = new Uint8Array(bytes.length - (range.to - range.from));
  copy(bytes, 0, shorter, 0, range.from);
  copy(bytes, range.to, shorter, range.from, bytes.length - range.to);
  return shorter;
}
