/**
 * Mutations: the ways in which a generated packet departs from an ordinary, valid one.
 *
 * A third of all packets have none, a third have one, the rest several. One mutation on an otherwise perfect packet
 * finds the most: a packet that is wrong in five places is dropped by the first check it meets.
 */
import * as MUTATION from './mutation-bits.ts';
import { packetRandom } from './random.ts';

export type MutationName = keyof typeof MUTATION;

const BITS: Readonly<Record<MutationName, number>> = { ...MUTATION };

/** All of them, in the order of their bits. */
const NAMES = (Object.keys(BITS) as MutationName[]).sort((a, b) => BITS[a] - BITS[b]);

/** The names of the mutations in a mask. */
export function mutationNames(mask: number): MutationName[] {
  return NAMES.filter((name) => (mask & BITS[name]) !== 0);
}

/** Mutations that are left at each level of simplicity: all; none of the blind ones; only tags and options; none. */
export const MUTATIONS_LEFT: readonly number[] = [
  -1,
  ~(MUTATION.mutate | MUTATION.truncate | MUTATION.padding | MUTATION.long),
  MUTATION.tags | MUTATION.options,
  0,
];

type Weights = Readonly<Partial<Record<MutationName, number>>>;

const IPV4_TWISTS: Weights = {
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
};

const IPV6_TWISTS: Weights = {
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
};

/** For what has no IP header: ARP and foreign EtherTypes. */
const ETHERNET_MUTATIONS: Weights = {
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
};

/** Which mutations a packet may have, by what it consists of. Numbers of tables. */
export const IPV4_FAMILY = 0;
export const IPV6_FAMILY = 1;
/** What has no IP header. */
export const ETHERNET_FAMILY = 2;

/** Fills a table from which one random byte draws a mutation. Weights are in 1/256; what is left goes to `steer`. */
function fillTable(table: Int32Array, weights: Weights): void {
  table.fill(MUTATION.steer);
  let at = 0;
  for (const [name, weight] of Object.entries(weights) as [MutationName, number][]) {
    table.fill(BITS[name], at, at + weight);
    at += weight;
  }
  if (at > 256) throw new RangeError(`weights of mutations add up to ${at}, more than 256`);
}

/** Draws the mutations of the packet that is being made. */
export const drawMutations: (family: number) => number = createDraw();

/** Functions and tables that exist once: see `packetBuilder`. */
function createDraw(): (family: number) => number {
  const random = packetRandom;
  const tables = new Int32Array(3 * 256);
  for (const [family, weights] of [IPV4_TWISTS, IPV6_TWISTS, ETHERNET_MUTATIONS].entries())
    fillTable(tables.subarray(256 * family, 256 * (family + 1)), weights);

  // How many there are, by six random bits: none 36 %, one 36 %, two 17 %, three 8 %, four 3 %. Each is the last slot with so many.
  const none = 22;
  const one = 45;
  const two = 56;
  const three = 61;
  // How many cannot be guessed, so nothing but the rare fourth branches on it: a difference below 0 is a mask of ones.
  return (family) => {
    const bits = random.bits();
    const slot = bits >>> 26;
    const from = family << 8;
    const mask =
      (tables[from + (bits & 0xff)]! & ((none - slot) >> 31)) |
      (tables[from + ((bits >>> 8) & 0xff)]! & ((one - slot) >> 31)) |
      (tables[from + ((bits >>> 16) & 0xff)]! & ((two - slot) >> 31));
    return slot > three ? mask | tables[from + random.byte()]! : mask;
  };
}
