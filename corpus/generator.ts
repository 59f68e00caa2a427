/**
 * The packet generator: packets that make wrong programs fail, millions a second, the same for the same seed.
 *
 * Packet i of a run depends on the seed, the program's hints and entries, the limits, and i: nothing else. So a
 * run can be cut into pieces, spread over workers, and any packet of it made again alone.
 */
import { swap } from '../sim/packet/bytes.ts';
import { isTag } from '../sim/packet/numbers.ts';
import { PacketBatch, type Stimulus } from '../sim/packet/packet-batch.ts';
import type { Hook } from '../sim/runtime/actions.ts';
import type { GeneratorHints, PacketKind } from '../sim/runtime/program.ts';
import { IPV4_PROTOCOLS, IPV6_NEXT_HEADERS } from './boundaries.ts';
import { Draft } from './draft.ts';
import { writeArp, writeForeignEthernet, writeNoise } from './generate-ethernet.ts';
import { writeIcmpEcho, writeIcmpOther } from './generate-icmp.ts';
import { writeIcmpv6Echo, writeIcmpv6Other, writeNeighbourDiscovery } from './generate-icmpv6.ts';
import { closeIpv4, writeIpv4, writeIpv4Header } from './generate-ipv4.ts';
import { closeIpv6, writeIpv6, writeIpv6Header } from './generate-ipv6.ts';
import { writeTcp, writeUdp } from './generate-transport.ts';
import { Ingredients } from './ingredients.ts';
import { damage, mutate } from './mutate.ts';
import { type LimitsByHook, minLengthOf, type PacketLimits, TEST_RUN_LIMITS } from './packet-limits.ts';
import { Random, type Seed } from './random.ts';
import {
  drawTwists,
  ETHERNET_TWISTS,
  IPV4_TWISTS,
  IPV6_TWISTS,
  TWIST,
  TWISTS_LEFT,
  type TwistName,
  twistNames,
} from './twists.ts';

const ICMP = 1;
const IPV4_IN_IP = 4;
const TCP = 6;
const UDP = 17;
const IPV6_IN_IP = 41;
const ICMPV6 = 58;

/** The kinds of packets, in the order of their numbers here. */
export const PACKET_KINDS: readonly PacketKind[] = [
  'icmp-echo',
  'icmp-other',
  'icmpv6-echo',
  'icmpv6-other',
  'neighbour-discovery',
  'tcp',
  'udp',
  'tcp6',
  'udp6',
  'arp',
  'ip-other',
  'ethernet-other',
  'noise',
];

/** How finely weights of kinds are told apart. */
const KIND_SLOTS = 4096;

/** What headers may take beyond the longest frame before it is cut. */
const SLACK = 512;

/** How a packet came about, for people and for tests. */
export interface Provenance {
  readonly kind: PacketKind;
  readonly twists: readonly TwistName[];
  /** The earlier packet of which this is a copy, or nearly one. */
  readonly repeats?: number;
}

export class PacketGenerator {
  readonly #hooks: readonly Hook[];
  readonly #ingredients: Ingredients;
  readonly #kinds: Uint8Array;
  readonly #ifindexes: readonly number[];
  readonly #metadata: boolean;
  readonly #draft: Draft = new Draft();
  /** For metadata, which must not move the frame's bytes. */
  readonly #aside: Random = new Random();
  readonly #scratch: PacketBatch = new PacketBatch(1, 8192);
  #limits: LimitsByHook | undefined;
  /** The limits of each entry. */
  #entryLimits: readonly PacketLimits[] = [];
  /** Frames are written for the entry that takes the least, so that a repeat fits every entry. */
  #maxLength = 0;
  #kind = 0;
  #twists = 0;
  #source = 0;

  /**
   * @param hints what the program's packets should aim at
   * @param hooks the hook of each of the program's entries, in their order; packets are spread over them
   * @throws {RangeError} when all kinds have weight 0
   * @throws {SyntaxError} when a hinted address is none
   */
  constructor(hints: GeneratorHints = {}, hooks: readonly Hook[] = ['xdp']) {
    if (hooks.length === 0) throw new RangeError('a program has at least one entry');
    this.#hooks = hooks;
    this.#ingredients = new Ingredients(hints);
    this.#kinds = kindTable(hints);
    this.#ifindexes = hints.ingressIfindexes?.length ? hints.ingressIfindexes : [1];
    this.#metadata = hints.metadata ?? false;
  }

  /**
   * Appends packets `firstIndex` to `firstIndex + count − 1` of the run to the batch.
   * @throws {RangeError} when the batch has no room for them
   */
  fill(
    batch: PacketBatch,
    seed: Seed,
    firstIndex: number,
    count: number,
    limits: LimitsByHook = TEST_RUN_LIMITS,
  ): void {
    this.#setLimits(limits);
    for (let index = firstIndex; index < firstIndex + count; index++) {
      this.#append(batch, seed, index, 0);
    }
  }

  /**
   * Packet `index` of the run as a value.
   * @param simplicity 0: as in `fill`; 1: without blind changes, cuts and padding; 2: with nothing special but
   *   tags, options and extension headers; 3: ordinary, with no payload. The kind stays the same.
   */
  single(
    seed: Seed,
    index: number,
    simplicity: number = 0,
    limits: LimitsByHook = TEST_RUN_LIMITS,
  ): Stimulus {
    this.#scratch.clear();
    this.#setLimits(limits);
    this.#append(this.#scratch, seed, index, simplicity);
    return this.#scratch.stimulus(0);
  }

  /** What packet `index` of the run is, and what is special about it. */
  provenance(seed: Seed, index: number): Provenance {
    this.single(seed, index);
    return {
      kind: PACKET_KINDS[this.#kind]!,
      twists: twistNames(this.#twists),
      ...(this.#source === index ? {} : { repeats: this.#source }),
    };
  }

  #setLimits(limits: LimitsByHook): void {
    if (limits === this.#limits) return;
    this.#limits = limits;
    this.#entryLimits = this.#hooks.map((hook) => limits[hook]);
    this.#maxLength = Math.min(...this.#entryLimits.map(({ maxLength }) => maxLength));
  }

  #append(batch: PacketBatch, seed: Seed, index: number, simplicity: number): void {
    const maxLength = this.#maxLength;
    const draft = this.#draft;
    const { random } = draft;
    random.start(seed, index);
    const dice = random.bits();
    const choice = random.bits();
    const entry = ((choice >>> 16) * this.#hooks.length) >>> 16;
    const ifindex = this.#ifindexes[((choice & 0xffff) * this.#ifindexes.length) >>> 16]!;
    const limit = this.#entryLimits[entry]!;

    const metaLength = this.#metadata && (dice & 0x80000) !== 0 ? metadataLength(dice, limit) : 0;
    const at = batch.reserve(metaLength + maxLength + SLACK);
    if (metaLength > 0) this.#writeMetadata(batch.bytes, at, metaLength, seed, index);

    draft.open(batch.bytes, at + metaLength, maxLength);
    this.#source = dice >>> 27 === 0 ? repeatedIndex(random, seed, index, dice) : index;
    this.#write(draft, simplicity);
    if (this.#source !== index && simplicity === 0) vary(draft, seed, index, dice);
    fitLimits(draft, limit);

    const position = batch.commit(draft.length, metaLength);
    batch.ingressIfindex[position] = ifindex;
    batch.entry[position] = entry;
  }

  #writeMetadata(bytes: Uint8Array, at: number, length: number, seed: Seed, index: number): void {
    // Negative numbers are no packet's index.
    this.#aside.start(seed, -1 - index);
    for (let offset = 0; offset < length; offset++) bytes[at + offset] = this.#aside.byte();
  }

  /** Kind, twists, and the bytes. */
  #write(draft: Draft, simplicity: number): void {
    const { random } = draft;
    const ingredients = this.#ingredients;
    const bits = random.bits();
    const kind = this.#kinds[bits >>> 20]!;
    const family = FAMILY_TWISTS[kind]!;
    draft.twists = drawTwists(random, family) & TWISTS_LEFT[simplicity]!;
    draft.bare = simplicity >= 3;
    draft.marksBorders = draft.has(TWIST.truncate);
    if (draft.has(TWIST.uniform)) draft.uniform = 1 + (bits & 3);
    this.#kind = kind;
    this.#twists = draft.twists;
    switch (kind) {
      case 0: {
        const at = writeIpv4(draft, ingredients, ICMP);
        writeIcmpEcho(draft, ingredients);
        closeIpv4(draft, at);
        break;
      }
      case 1: {
        const at = writeIpv4(draft, ingredients, ICMP);
        writeIcmpOther(draft, ingredients);
        closeIpv4(draft, at);
        break;
      }
      case 2: {
        const at = writeIpv6(draft, ingredients, ICMPV6);
        writeIcmpv6Echo(draft, ingredients);
        closeIpv6(draft, at);
        break;
      }
      case 3: {
        const at = writeIpv6(draft, ingredients, ICMPV6);
        writeIcmpv6Other(draft, ingredients);
        closeIpv6(draft, at);
        break;
      }
      case 4: {
        const at = writeIpv6(draft, ingredients, ICMPV6);
        writeNeighbourDiscovery(draft, ingredients);
        closeIpv6(draft, at);
        break;
      }
      case 5: {
        const at = writeIpv4(draft, ingredients, TCP);
        writeTcp(draft, ingredients);
        closeIpv4(draft, at);
        break;
      }
      case 6: {
        const at = writeIpv4(draft, ingredients, UDP);
        writeUdp(draft, ingredients);
        closeIpv4(draft, at);
        break;
      }
      case 7: {
        const at = writeIpv6(draft, ingredients, TCP);
        writeTcp(draft, ingredients);
        closeIpv6(draft, at);
        break;
      }
      case 8: {
        const at = writeIpv6(draft, ingredients, UDP);
        writeUdp(draft, ingredients);
        closeIpv6(draft, at);
        break;
      }
      case 9:
        writeArp(draft, ingredients);
        break;
      case 10:
        writeOtherIp(draft, ingredients);
        break;
      case 11:
        writeForeignEthernet(draft, ingredients);
        break;
      default:
        writeNoise(draft);
    }
    damage(draft);
  }
}

/** The table of twists for each kind, by number. */
const FAMILY_TWISTS: readonly Int32Array[] = PACKET_KINDS.map((kind) => {
  if (kind === 'arp' || kind === 'ethernet-other' || kind === 'noise') return ETHERNET_TWISTS;
  return kind.endsWith('6') || kind.includes('icmpv6') || kind === 'neighbour-discovery'
    ? IPV6_TWISTS
    : IPV4_TWISTS;
});

/** IP with any protocol: tunnels, ICMP's number in the wrong version, and numbers with nothing behind them. */
function writeOtherIp(draft: Draft, ingredients: Ingredients): void {
  const six = draft.random.bits() < 0;
  const protocol = ingredients.protocol(draft, six ? IPV6_NEXT_HEADERS : IPV4_PROTOCOLS);
  const at = six ? writeIpv6(draft, ingredients, protocol) : writeIpv4(draft, ingredients, protocol);
  switch (protocol) {
    case ICMP:
      writeIcmpEcho(draft, ingredients);
      break;
    case ICMPV6:
      writeIcmpv6Echo(draft, ingredients);
      break;
    case TCP:
      writeTcp(draft, ingredients);
      break;
    case UDP:
      writeUdp(draft, ingredients);
      break;
    case IPV4_IN_IP: {
      const innerAt = writeIpv4Header(draft, ingredients, UDP);
      writeUdp(draft, ingredients);
      closeIpv4(draft, innerAt);
      break;
    }
    case IPV6_IN_IP: {
      const innerAt = writeIpv6Header(draft, ingredients, UDP);
      writeUdp(draft, ingredients);
      closeIpv6(draft, innerAt);
      break;
    }
    default:
      draft.payload();
      draft.border();
  }
  if (six) closeIpv6(draft, at);
  else closeIpv4(draft, at);
}

/**
 * The earlier packet that this one repeats; leaves the random numbers where that packet's content begins. A
 * packet that itself repeats one leads on to that one. Most repeats are near, where a program's state is fresh.
 */
function repeatedIndex(random: Random, seed: Seed, index: number, dice: number): number {
  let source = index;
  let bits = dice;
  while (bits >>> 27 === 0 && source > 0) {
    const span = 1 << (bits & 15);
    source -= 1 + (((bits >>> 8) & (span - 1)) % source);
    random.start(seed, source);
    bits = random.bits();
    random.bits();
  }
  return source;
}

/** Half of the repeats stay as they are; the rest go the other way or differ in one place. */
function vary(draft: Draft, seed: Seed, index: number, dice: number): void {
  const { bytes, start, length, random } = draft;
  switch ((dice >>> 4) & 3) {
    case 0: {
      random.start(seed, index);
      mutate(draft, 1);
      break;
    }
    case 1: {
      if (length < 14) break;
      swap(bytes, start, start + 6, 6);
      const etherType = (bytes[start + 12]! << 8) | bytes[start + 13]!;
      if (etherType === 0x0800 && length >= 34) swap(bytes, start + 26, start + 30, 4);
      else if (etherType === 0x86dd && length >= 54) swap(bytes, start + 22, start + 38, 16);
      break;
    }
    default:
  }
}

/** Cuts the frame or lengthens it until the engine takes it. */
function fitLimits(draft: Draft, limit: PacketLimits): void {
  const { bytes, start, random } = draft;
  if (draft.length > limit.maxLength) draft.at = start + limit.maxLength;
  if (draft.length < limit.minLength) lengthen(draft, limit.minLength, random.bits());
  if (draft.length < 14) return;
  if (limit.untagged === true) takeTagsOff(draft, limit.minLength);
  const least = minLengthOf(limit, (bytes[start + 12]! << 8) | bytes[start + 13]!);
  if (draft.length < least) lengthen(draft, least, random.bits());
}

function takeTagsOff(draft: Draft, minLength: number): void {
  const { bytes, start, random } = draft;
  for (let at = start + 12; isTag((bytes[at]! << 8) | bytes[at + 1]!); ) {
    // What is left has to have an EtherType still.
    if (draft.length < 18) draft.noise(18 - draft.length);
    bytes.copyWithin(at, at + 4, draft.at);
    draft.at -= 4;
    if (draft.length < minLength) lengthen(draft, minLength, random.bits());
  }
}

function lengthen(draft: Draft, length: number, bits: number): void {
  if (bits < 0) draft.fill(0, length - draft.length);
  else draft.noise(length - draft.length);
}

/** 4 to 16 bytes, or as much as the entry takes. */
function metadataLength(dice: number, limit: PacketLimits): number {
  return Math.min(4 * (1 + ((dice >>> 20) & 3)), limit.maxMetadata);
}

/** The kind of each of 4096 slots; every kind with a weight above 0 has one at least. */
function kindTable(hints: GeneratorHints): Uint8Array {
  const weights = PACKET_KINDS.map((kind) => Math.max(0, hints.kinds?.[kind] ?? 1));
  const all = weights.reduce((total, weight) => total + weight, 0);
  if (!(all > 0) || !Number.isFinite(all)) throw new RangeError('no kind of packet has a weight above 0');
  const slots = new Uint8Array(KIND_SLOTS);
  let before = 0;
  let at = 0;
  for (let kind = 0; kind < weights.length; kind++) {
    if (weights[kind] === 0) continue;
    before += weights[kind]!;
    const end = Math.min(KIND_SLOTS, Math.max(at + 1, Math.round((before / all) * KIND_SLOTS)));
    slots.fill(kind, at, end);
    at = end;
  }
  return slots;
}
