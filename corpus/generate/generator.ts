/**
 * The packet generator: packets that make wrong programs fail, millions a second, the same for the same seed.
 *
 * Packet i of a run depends on the seed, the program's hints and entries, the limits, and i: nothing else. So a
 * run can be cut into pieces, spread over workers, and any packet of it made again alone.
 */
import { swap } from '../../sim/packet/bytes.ts';
import { isTag } from '../../sim/packet/numbers.ts';
import { PacketBatch, type SkbVlan, type Stimulus } from '../../sim/packet/packet-batch.ts';
import { announcements } from '../../sim/packet/protocols.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { GeneratorHints, PacketKind } from '../../sim/runtime/program.ts';
import { ETHERTYPES, IPV4_PROTOCOLS, IPV6_NEXT_HEADERS } from './boundaries.ts';
import { placeContents } from './contents.ts';
import { damage, mutate } from './damage.ts';
import { writeDeclared } from './declared.ts';
import { writeArp, writeEthernet, writeNoise } from './ethernet.ts';
import { FieldValues } from './field-values.ts';
import { ETHERTYPE_FORMS, form, IPV4_FORMS, IPV6_FORMS, UDP_PORT_FORMS } from './forms.ts';
import { writeIcmpEcho, writeIcmpOther } from './icmp.ts';
import { writeIcmpv6Echo, writeIcmpv6Other, writeNeighbourDiscovery } from './icmpv6.ts';
import { closeIpv4, writeIpv4, writeIpv4Header } from './ipv4.ts';
import { closeIpv6, writeIpv6, writeIpv6Header } from './ipv6.ts';
import { drawLength } from './long-frames.ts';
import * as MUTATION from './mutation-bits.ts';
import {
  drawMutations,
  ETHERNET_FAMILY,
  IPV4_FAMILY,
  IPV6_FAMILY,
  MUTATIONS_LEFT,
  type MutationName,
  mutationNames,
} from './mutations.ts';
import { type PacketBuilder, packetBuilder, STAGE_BYTES } from './packet-builder.ts';
import { type LimitsByHook, minLengthOf, type PacketLimits, TEST_RUN_LIMITS } from './packet-limits.ts';
import { packetRandom, Random, type RandomNumbers, type Seed } from './random.ts';
import { writeTcp, writeUdp } from './transport.ts';

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

/** Frames whose length is left to their content are not longer than this. */
const ORDINARY = 3712;

/** From here on numbers are no packet's index, but one's length. */
const LENGTHS = 2 ** 52;

/** What headers may take beyond the longest frame before it is cut. */
const SLACK = 512;

/** How many bytes are made before they are copied into the batch: what a processor's first cache holds. */
const STAGED = 16 * 1024;

/** How a packet came about, for people and for tests. */
export interface Provenance {
  readonly kind: PacketKind;
  readonly mutations: readonly MutationName[];
  /** The earlier packet of which this is a copy, or nearly one. */
  readonly repeats?: number;
}

export class PacketGenerator {
  readonly #hooks: readonly Hook[];
  readonly #fieldValues: FieldValues;
  readonly #kinds: Uint8Array;
  readonly #ifindexes: readonly number[];
  readonly #metadata: boolean;
  readonly #contents: NonNullable<GeneratorHints['contents']>;
  readonly #carrier: PacketBuilder['carrier'];
  /** For metadata, which must not move the frame's bytes. */
  readonly #aside: Random = new Random();
  readonly #scratch: PacketBatch = new PacketBatch(1, 8192);
  #limits: LimitsByHook | undefined;
  #entryLimits: readonly EntryLimits[] = [];
  /** Frames are written for the entry that takes the least, so that a repeat fits every entry. */
  #maxLength = 0;
  /** The longest that are no long frames. */
  #ordinary = 0;
  /** What one packet takes of the stage at most. */
  #most = 0;
  /** Do frames come long? */
  #long = false;
  #kind = 0;
  #mutations = 0;
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
    this.#fieldValues = new FieldValues(hints);
    this.#kinds = kindTable(hints);
    this.#ifindexes = hints.ingressIfindexes?.length ? hints.ingressIfindexes : [1];
    this.#metadata = hints.metadata ?? false;
    this.#contents = hints.contents ?? [];
    this.#carrier = (builder, port) => {
      let declared = UDP_PORT_FORMS.of(port);
      if (declared === undefined || builder.bare) return false;
      if (builder.mutations !== 0 && builder.random.chance(64)) return false;
      // Where two versions share a port, each comes half of the time.
      const [other] = declared.instead;
      if (other !== undefined && builder.random.bits() < 0) declared = form(other);
      const { mutations, addressLength, sourceAt, finalAt } = builder;
      // One wrong header is enough.
      if (builder.random.chance(192)) builder.mutations = 0;
      writeDeclared(builder, this.#fieldValues, declared);
      builder.mutations = mutations;
      builder.addressLength = addressLength;
      builder.sourceAt = sourceAt;
      builder.finalAt = finalAt;
      return true;
    };
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
    this.#make(batch, seed, firstIndex, count, 0, limits);
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
    this.#make(this.#scratch, seed, index, 1, simplicity, limits);
    return this.#scratch.stimulus(0);
  }

  /** What packet `index` of the run is, and what is special about it. */
  provenance(seed: Seed, index: number): Provenance {
    this.single(seed, index);
    return {
      kind: PACKET_KINDS[this.#kind]!,
      mutations: mutationNames(this.#mutations),
      ...(this.#source === index ? {} : { repeats: this.#source }),
    };
  }

  #setLimits(limits: LimitsByHook): void {
    if (limits === this.#limits) return;
    this.#limits = limits;
    const each = this.#hooks.map((hook) => limits[hook]);
    this.#entryLimits = each.map(entryLimits);
    this.#maxLength = Math.min(...each.map(({ maxLength }) => maxLength));
    this.#ordinary = Math.min(this.#maxLength, ORDINARY);
    this.#long = each.every(({ long }) => long === true);
    this.#most = Math.max(...each.map(({ maxMetadata }) => maxMetadata)) + this.#maxLength + SLACK;
  }

  /** Packets are made where V8 knows the addresses (see `packetBuilder`), and copied from there many at a time. */
  #make(
    batch: PacketBatch,
    seed: Seed,
    firstIndex: number,
    count: number,
    simplicity: number,
    limits: LimitsByHook,
  ): void {
    if (batch.count + count > batch.capacity)
      throw new RangeError(`a batch of ${batch.capacity} packets has no room for ${count} more`);
    this.#setLimits(limits);
    packetBuilder.carrier = this.#carrier;
    const end = firstIndex + count;
    for (let index = firstIndex; index < end; ) {
      const from = batch.used;
      let staged = 0;
      for (; index < end && staged < STAGED && staged + this.#most <= STAGE_BYTES; index++) {
        packetRandom.start(seed, index);
        this.#append(batch, staged, seed, index, simplicity);
        staged = batch.used - from;
      }
      batch.fillIn(from, packetBuilder.bytes, staged);
    }
  }

  /** The random numbers stand at their start. @param at where its bytes go, metadata first */
  #append(batch: PacketBatch, at: number, seed: Seed, index: number, simplicity: number): void {
    const maxLength = this.#maxLength;
    const builder = packetBuilder;
    const { random } = builder;
    const dice = random.bits();
    const choice = random.bits();
    const entry = ((choice >>> 16) * this.#hooks.length) >>> 16;
    const ifindex = this.#ifindexes[((choice & 0xffff) * this.#ifindexes.length) >>> 16]!;
    const limit = this.#entryLimits[entry]!;

    const metaLength = this.#metadata && (dice & 0x80000) !== 0 ? metadataLength(dice, limit) : 0;
    if (metaLength > 0) this.#writeMetadata(builder.bytes, at, metaLength, seed, index);

    this.#source = dice >>> 27 === 0 ? repeatedIndex(random, seed, index, dice) : index;
    const length = this.#long ? this.#drawLength(seed, this.#source, maxLength) : 0;
    builder.open(at + metaLength, length || this.#ordinary, length > 0);
    this.#write(builder, simplicity);
    if (this.#contents.length > 0 && simplicity === 0) placeContents(builder, this.#contents);
    if (this.#source !== index && simplicity === 0) vary(builder, seed, index, dice);
    tagBeside = undefined;
    if (builder.length < limit.enough || builder.length > limit.maxLength) fitLimits(builder, limit);
    const packet = batch.commit(builder.length, metaLength, ifindex, entry);
    if (tagBeside !== undefined) batch.skb.set(packet, { vlan: tagBeside });
  }

  #writeMetadata(bytes: Uint8Array, at: number, length: number, seed: Seed, index: number): void {
    // Negative numbers are no packet's index.
    this.#aside.start(seed, -1 - index);
    for (let offset = 0; offset < length; offset++) bytes[at + offset] = this.#aside.byte();
  }

  #drawLength(seed: Seed, index: number, maxLength: number): number {
    this.#aside.start(seed, LENGTHS + index);
    return drawLength(this.#aside, maxLength);
  }

  /** Kind, mutations, and the bytes. */
  #write(builder: PacketBuilder, simplicity: number): void {
    const { random } = builder;
    const fieldValues = this.#fieldValues;
    const bits = random.bits();
    const kind = this.#kinds[bits >>> 20]!;
    const drawn = drawMutations(FAMILIES[kind]!);
    builder.mutations = simplicity === 0 ? drawn : drawn & MUTATIONS_LEFT[simplicity]!;
    builder.bare = simplicity >= 3;
    builder.marksBorders = builder.has(MUTATION.truncate);
    if (builder.has(MUTATION.uniform)) builder.uniform = 1 + (bits & 3);
    this.#kind = kind;
    this.#mutations = builder.mutations;
    switch (kind) {
      case 0: {
        const at = writeIpv4(builder, fieldValues, ICMP);
        writeIcmpEcho(builder, fieldValues);
        closeIpv4(builder, at);
        break;
      }
      case 1: {
        const at = writeIpv4(builder, fieldValues, ICMP);
        writeIcmpOther(builder, fieldValues);
        closeIpv4(builder, at);
        break;
      }
      case 2: {
        const at = writeIpv6(builder, fieldValues, ICMPV6);
        writeIcmpv6Echo(builder, fieldValues);
        closeIpv6(builder, at);
        break;
      }
      case 3: {
        const at = writeIpv6(builder, fieldValues, ICMPV6);
        writeIcmpv6Other(builder, fieldValues);
        closeIpv6(builder, at);
        break;
      }
      case 4: {
        const at = writeIpv6(builder, fieldValues, ICMPV6);
        writeNeighbourDiscovery(builder, fieldValues);
        closeIpv6(builder, at);
        break;
      }
      case 5: {
        const at = writeIpv4(builder, fieldValues, TCP);
        writeTcp(builder, fieldValues);
        closeIpv4(builder, at);
        break;
      }
      case 6: {
        const at = writeIpv4(builder, fieldValues, UDP);
        writeUdp(builder, fieldValues);
        closeIpv4(builder, at);
        break;
      }
      case 7: {
        const at = writeIpv6(builder, fieldValues, TCP);
        writeTcp(builder, fieldValues);
        closeIpv6(builder, at);
        break;
      }
      case 8: {
        const at = writeIpv6(builder, fieldValues, UDP);
        writeUdp(builder, fieldValues);
        closeIpv6(builder, at);
        break;
      }
      case 9:
        writeArp(builder, fieldValues);
        break;
      case 10:
        writeOtherIp(builder, fieldValues);
        break;
      case 11:
        writeForeign(builder, fieldValues);
        break;
      default:
        writeNoise(builder);
    }
    damage(builder);
  }
}

/** Which mutations each kind may have, by number. */
const FAMILIES: Uint8Array = Uint8Array.from(PACKET_KINDS, (kind) => {
  if (kind === 'arp' || kind === 'ethernet-other' || kind === 'noise') return ETHERNET_FAMILY;
  return kind.endsWith('6') || kind.includes('icmpv6') || kind === 'neighbour-discovery'
    ? IPV6_FAMILY
    : IPV4_FAMILY;
});

/** IP with any protocol: tunnels, ICMP's number in the wrong version, and numbers with nothing behind them. */
function writeOtherIp(builder: PacketBuilder, fieldValues: FieldValues): void {
  const six = builder.random.bits() < 0;
  // Tunnels over UDP are many, and share one number.
  const protocol = builder.random.chance(48)
    ? UDP
    : fieldValues.protocol(builder, six ? IPV6_NEXT_HEADERS : IPV4_PROTOCOLS);
  const at = six ? writeIpv6(builder, fieldValues, protocol) : writeIpv4(builder, fieldValues, protocol);
  switch (protocol) {
    case ICMP:
      writeIcmpEcho(builder, fieldValues);
      break;
    case ICMPV6:
      writeIcmpv6Echo(builder, fieldValues);
      break;
    case TCP:
      writeTcp(builder, fieldValues);
      break;
    case UDP:
      writeUdpTunnel(builder, fieldValues);
      break;
    case IPV4_IN_IP: {
      const innerAt = writeIpv4Header(builder, fieldValues, UDP);
      writeUdp(builder, fieldValues);
      closeIpv4(builder, innerAt);
      break;
    }
    case IPV6_IN_IP: {
      const innerAt = writeIpv6Header(builder, fieldValues, UDP);
      writeUdp(builder, fieldValues);
      closeIpv6(builder, innerAt);
      break;
    }
    default: {
      const declared = (six ? IPV6_FORMS : IPV4_FORMS).of(protocol);
      if (declared === undefined) {
        builder.payload();
        builder.border();
      } else writeDeclared(builder, fieldValues, declared);
    }
  }
  if (six) closeIpv6(builder, at);
  else closeIpv4(builder, at);
}

/** Something that is neither IP nor ARP, or only claims to be: a declared protocol, or bytes behind any number. */
function writeForeign(builder: PacketBuilder, fieldValues: FieldValues): void {
  const { random, bytes } = builder;
  const bits = random.bits();
  const etherType = (bits & 0xff) < 208 ? random.pick(ETHERTYPES) : random.word();
  const isLength = etherType < LEAST_ETHERTYPE && (bits & 0x100) === 0;
  const declared = isLength ? form('llc') : ETHERTYPE_FORMS.of(etherType);
  writeEthernet(builder, fieldValues, etherType);
  const inside = builder.at;
  // Behind IP's and ARP's numbers stands what is neither.
  if (declared === undefined || NOT_FOREIGN.has(declared.name) || (bits & 0x200) === 0) {
    builder.payload();
    builder.border();
    return;
  }
  writeDeclared(builder, fieldValues, declared);
  if (!isLength || builder.has(MUTATION.networkLength | MUTATION.etherType)) return;
  const length = builder.at - inside;
  bytes[inside - 2] = length >>> 8;
  bytes[inside - 1] = length;
}

/** Below this an EtherType is a length. */
const LEAST_ETHERTYPE = 0x0600;
const NOT_FOREIGN: ReadonlySet<string> = new Set(['ipv4', 'ipv6', 'arp']);

/** UDP to a port that announces something. */
function writeUdpTunnel(builder: PacketBuilder, fieldValues: FieldValues): void {
  builder.forcedPort = TUNNEL_PORTS[builder.random.below(TUNNEL_PORTS.length)]!;
  writeUdp(builder, fieldValues);
}

const TUNNEL_PORTS: readonly number[] = [...announcements('udpPort').keys()];

/**
 * The earlier packet that this one repeats; leaves the random numbers where that packet's content begins. A
 * packet that itself repeats one leads on to that one. Most repeats are near, where a program's state is fresh.
 */
function repeatedIndex(random: RandomNumbers, seed: Seed, index: number, dice: number): number {
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
function vary(builder: PacketBuilder, seed: Seed, index: number, dice: number): void {
  const { bytes, start, length, random } = builder;
  switch ((dice >>> 4) & 3) {
    case 0: {
      random.start(seed, index);
      mutate(builder, 1);
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

/** The limits of one entry. V8 compiles for objects of one form. */
interface EntryLimits extends Required<PacketLimits> {
  /** From this length on there is no question of the least. */
  readonly enough: number;
}

function entryLimits(limits: PacketLimits): EntryLimits {
  const {
    minLength,
    maxLength,
    minLengthIpv4,
    minLengthIpv6,
    maxMetadata,
    long = false,
    tags = 'inside',
  } = limits;
  const enough =
    tags !== 'inside' ? Number.MAX_SAFE_INTEGER : Math.max(minLength, minLengthIpv4, minLengthIpv6);
  return { minLength, maxLength, minLengthIpv4, minLengthIpv6, maxMetadata, long, tags, enough };
}

/** The tag that the last frame has beside its bytes. */
let tagBeside: SkbVlan | undefined;

/** Cuts the frame or lengthens it until the engine takes it. */
function fitLimits(builder: PacketBuilder, limit: EntryLimits): void {
  const { bytes, start, random } = builder;
  if (builder.length > limit.maxLength) builder.at = start + limit.maxLength;
  if (builder.length < limit.minLength) lengthen(builder, limit.minLength, random.bits());
  if (builder.length < 14) return;
  if (limit.tags !== 'inside') takeTagsOff(builder, limit);
  const least = minLengthOf(limit, (bytes[start + 12]! << 8) | bytes[start + 13]!);
  if (builder.length < least) lengthen(builder, least, random.bits());
}

function takeTagsOff(builder: PacketBuilder, { tags, minLength }: EntryLimits): void {
  const { bytes, start, random } = builder;
  const at = start + 12;
  for (;;) {
    const proto = (bytes[at]! << 8) | bytes[at + 1]!;
    if (!isTag(proto)) return;
    // What is left has to have an EtherType still.
    if (builder.length < 18) builder.noise(18 - builder.length);
    if (tags === 'beside') tagBeside = { proto, tci: (bytes[at + 2]! << 8) | bytes[at + 3]! };
    bytes.copyWithin(at, at + 4, builder.at);
    builder.at -= 4;
    if (builder.length < minLength) lengthen(builder, minLength, random.bits());
    if (tags === 'beside') return;
  }
}

function lengthen(builder: PacketBuilder, length: number, bits: number): void {
  if (bits < 0) builder.fill(0, length - builder.length);
  else builder.noise(length - builder.length);
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
