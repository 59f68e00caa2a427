/**
 * Mutations: the ways in which a generated packet departs from an ordinary, valid one.
 *
 * A third of all packets have none, a third have one, the rest several. One mutation on an otherwise perfect packet
 * finds the most: a packet that is wrong in five places is dropped by the first check it meets.
 */
import type { Random } from './random.ts';

/** One bit each. */
export const MUTATION = {
  /** Special MAC addresses: broadcast, multicast, zero, both the same. */
  mac: 0x1,
  /** VLAN tags, one to four. */
  tags: 0x2,
  /** An EtherType that does not fit what follows. */
  etherType: 0x4,
  /** IPv4 options; IPv6 extension headers. */
  options: 0x8,
  /** A first, middle or last fragment; for IPv6 also an atomic one. */
  fragment: 0x10,
  /** DF, reserved bit, TOS, traffic class, flow label. */
  flags: 0x20,
  /** A total length or payload length that lies. */
  networkLength: 0x40,
  /** A wrong version or ihl. */
  version: 0x80,
  /** An IPv4 header checksum that is wrong, or right and at a corner value. */
  headerChecksum: 0x100,
  /** A TTL or hop limit from the boundary pool. */
  lifetime: 0x200,
  /** A protocol or next header that does not fit what follows. */
  protocol: 0x400,
  /** A special source address. */
  source: 0x800,
  /** A special destination address. */
  destination: 0x1000,
  /** The upper layer's message ends within its header; the lengths before it are right. */
  short: 0x2000,
  /** A wrong checksum in the upper layer. */
  checksum: 0x4000,
  /** A right checksum in the upper layer that is, or becomes, a corner value. */
  steer: 0x8000,
  /** Payload, or the whole message, all zeros or all ones. */
  uniform: 0x10000,
  /** Fields of the upper layer: ICMP codes, TCP flags and data offset, UDP length and absent checksum. */
  transport: 0x20000,
  /** A long payload, up to the largest frame. */
  long: 0x40000,
  /** The frame ends early, at a header's border or one byte off, or anywhere; lengths before it now lie. */
  truncate: 0x80000,
  /** Bytes behind the end that the IP header tells. */
  padding: 0x100000,
  /** Some bytes or bits changed, blindly. */
  mutate: 0x200000,
} as const;

export type MutationName = keyof typeof MUTATION;

/** The names of the mutations in a mask. */
export function mutationNames(mask: number): MutationName[] {
  return (Object.keys(MUTATION) as MutationName[]).filter((name) => (mask & MUTATION[name]) !== 0);
}

/** Mutations that are left at each level of simplicity: all; none of the blind ones; only tags and options; none. */
export const MUTATIONS_LEFT: readonly number[] = [
  -1,
  ~(MUTATION.mutate | MUTATION.truncate | MUTATION.padding | MUTATION.long),
  MUTATION.tags | MUTATION.options,
  0,
];

type Weights = Readonly<Partial<Record<MutationName, number>>>;

/** A table from which one random byte draws a mutation. Weights are in 1/256; what is left goes to `steer`. */
function table(weights: Weights): Int32Array {
  const slots = new Int32Array(256).fill(MUTATION.steer);
  let at = 0;
  for (const [name, weight] of Object.entries(weights) as [MutationName, number][]) {
    slots.fill(MUTATION[name], at, at + weight);
    at += weight;
  }
  if (at > 256) throw new RangeError(`weights of mutations add up to ${at}, more than 256`);
  return slots;
}

export const IPV4_TWISTS: Int32Array = table({
  mac: 10,
  tags: 20,
  etherType: 5,
  options: 20,
  fragment: 17,
  flags: 6,
  networkLength: 14,
  version: 10,
  headerChecksum: 18,
  lifetime: 8,
  protocol: 6,
  source: 9,
  destination: 9,
  short: 9,
  checksum: 9,
  uniform: 12,
  transport: 14,
  long: 5,
  truncate: 12,
  padding: 8,
  mutate: 5,
});

export const IPV6_TWISTS: Int32Array = table({
  mac: 10,
  tags: 20,
  etherType: 5,
  options: 26,
  fragment: 12,
  flags: 6,
  networkLength: 15,
  version: 8,
  lifetime: 10,
  protocol: 8,
  source: 11,
  destination: 11,
  short: 11,
  checksum: 10,
  uniform: 12,
  transport: 16,
  long: 5,
  truncate: 12,
  padding: 8,
  mutate: 5,
});

/** For what has no IP header: ARP and foreign EtherTypes. */
export const ETHERNET_MUTATIONS: Int32Array = table({
  mac: 32,
  tags: 56,
  etherType: 24,
  networkLength: 9,
  version: 6,
  short: 6,
  checksum: 5,
  transport: 32,
  uniform: 16,
  long: 5,
  truncate: 35,
  padding: 20,
  mutate: 10,
});

/** How many mutations a packet has, drawn by six random bits: none 36 %, one 36 %, two 17 %, three 8 %, four 3 %. */
const COUNTS: Uint8Array = Uint8Array.from({ length: 64 }, (_, slot) =>
  slot < 23 ? 0 : slot < 46 ? 1 : slot < 57 ? 2 : slot < 62 ? 3 : 4,
);
/** All ones where a packet has that many mutations, else 0: how many there are cannot be guessed, so nothing branches on it. */
const FIRST: Int32Array = Int32Array.from(COUNTS, (count) => (count > 0 ? -1 : 0));
const SECOND: Int32Array = Int32Array.from(COUNTS, (count) => (count > 1 ? -1 : 0));
const THIRD: Int32Array = Int32Array.from(COUNTS, (count) => (count > 2 ? -1 : 0));

/** Draws a packet's mutations. */
export function drawMutations(random: Random, from: Int32Array): number {
  const bits = random.bits();
  const slot = bits >>> 26;
  const mask =
    (from[bits & 0xff]! & FIRST[slot]!) |
    (from[(bits >>> 8) & 0xff]! & SECOND[slot]!) |
    (from[(bits >>> 16) & 0xff]! & THIRD[slot]!);
  return COUNTS[slot]! > 3 ? mask | from[random.byte()]! : mask;
}
