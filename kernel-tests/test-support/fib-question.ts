/**
 * The question put to `bpf_fib_lookup`, with flags, as a program of its own (../fixtures/fib-lookup.bpf.c): a frame is a
 * `struct bpf_fib_lookup` and flags behind an Ethernet header, and leaves with what the helper made of it and its result. So
 * every result and every field is compared, where a router shows an action only.
 */
import { Random, type Seed } from '../../corpus/generate/random.ts';
import { targetsOf, type WorldTargets } from '../../corpus/generate/test-support/world-packets.ts';
import {
  copy,
  readU16,
  readU16le,
  readU32,
  readU32le,
  writeU16,
  writeU16le,
  writeU32le,
} from '../../sim/packet/bytes.ts';
import type { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { TC_ACT_OK, TC_ACT_SHOT, XDP_ABORTED, XDP_PASS } from '../../sim/runtime/actions.ts';
import type { ModelContext } from '../../sim/runtime/context.ts';
import { AF_INET, AF_INET6, BPF_FIB_LKUP_RET_NO_NEIGH, type FibLookup } from '../../sim/runtime/fib.ts';
import type { ModelEntry, Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { fixtureOf } from './testrun.ts';

/** Offsets in the frame (include/uapi/linux/bpf.h, `struct bpf_fib_lookup`). */
const LOOKUP = 14;
const FIELD = {
  family: LOOKUP,
  l4Protocol: LOOKUP + 1,
  sport: LOOKUP + 2,
  dport: LOOKUP + 4,
  /** Out: the MTU. */
  totalLength: LOOKUP + 6,
  ifindex: LOOKUP + 8,
  /** Out: the metric. */
  tos: LOOKUP + 12,
  source: LOOKUP + 16,
  destination: LOOKUP + 32,
  /** Protocol and TCI: 0 on success. */
  vlan: LOOKUP + 48,
  sourceMac: LOOKUP + 52,
  destinationMac: LOOKUP + 58,
} as const;
const RESULT = LOOKUP + 64;
const FLAGS = RESULT + 4;
const FRAME = FLAGS + 4;
const MAX_FRAME = 3520;

/** How often the model gave which result, for each family. */
export type Tally = Map<string, number>;

/** BPF_FIB_LOOKUP_*: what the model of the helper knows, and a program may set together. */
const FLAG = { direct: 1, output: 2, skipsNeighbour: 4, mark: 32 } as const;

const XDP = 0;
const TC = 1;

/** Counts the model's results in `tally`, under `4:RESULT` and `6:RESULT`, other families under `-:RESULT`. */
export function fibQuestion(world: World, tally: Tally): Program {
  const model = (context: ModelContext): number => {
    const { bytes, data, dataEnd } = context.frame;
    const isXdp = context.hook === 'xdp';
    if (dataEnd - data < FRAME) return isXdp ? XDP_ABORTED : TC_ACT_SHOT;
    const family = bytes[data + FIELD.family]!;
    const result = answer(context, bytes, data);
    const name = `${family === AF_INET ? '4' : family === AF_INET6 ? '6' : '-'}:${result}`;
    tally.set(name, (tally.get(name) ?? 0) + 1);
    writeU32le(bytes, data + RESULT, result >>> 0);
    return isXdp ? XDP_PASS : TC_ACT_OK;
  };
  const entries: ModelEntry[] = [
    { function: 'fib_lookup_xdp', hook: 'xdp', model },
    { function: 'fib_lookup_tc', hook: 'tc-ingress', model },
  ];
  return {
    ...fixtureOf('fib-lookup', 'fib_lookup'),
    entries,
    definition: {
      name: 'fib_lookup',
      summary: 'asks bpf_fib_lookup',
      description: 'Asks bpf_fib_lookup what the frame says, and writes the answer into it.',
      entries,
      maps: [],
      worlds: [{ name: 'generated', world }],
      examples: [],
      hints: {},
    },
  };
}

function answer(context: ModelContext, bytes: Uint8Array, data: number): number {
  const length = bytes[data + FIELD.family] === AF_INET ? 4 : 16;
  const lookup: FibLookup = {
    family: bytes[data + FIELD.family] as FibLookup['family'],
    l4Protocol: bytes[data + FIELD.l4Protocol]!,
    sport: readU16(bytes, data + FIELD.sport),
    dport: readU16(bytes, data + FIELD.dport),
    totalLength: readU16le(bytes, data + FIELD.totalLength),
    ifindex: readU32le(bytes, data + FIELD.ifindex),
    tos: length === 4 ? bytes[data + FIELD.tos]! : readU32(bytes, data + FIELD.tos),
    source: bytes.slice(data + FIELD.source, data + FIELD.source + length),
    destination: bytes.slice(data + FIELD.destination, data + FIELD.destination + length),
    sourceMac: new Uint8Array(6),
    destinationMac: new Uint8Array(6),
    mtu: 0,
    metric: 0,
    direct: (bytes[data + FLAGS]! & FLAG.direct) !== 0,
    output: (bytes[data + FLAGS]! & FLAG.output) !== 0,
    skipsNeighbour: (bytes[data + FLAGS]! & FLAG.skipsNeighbour) !== 0,
  };
  const result = context.fibLookup(lookup);
  if (lookup.mtu !== 0) writeU16le(bytes, data + FIELD.totalLength, lookup.mtu);
  if (lookup.metric < 0) return result;
  writeU32le(bytes, data + FIELD.ifindex, lookup.ifindex);
  writeU32le(bytes, data + FIELD.tos, lookup.metric);
  copy(lookup.destination, 0, bytes, data + FIELD.destination, length);
  if (result === BPF_FIB_LKUP_RET_NO_NEIGH) return result;
  bytes.fill(0, data + FIELD.vlan, data + FIELD.vlan + 4);
  if (lookup.skipsNeighbour === true) return result;
  copy(lookup.sourceMac, 0, bytes, data + FIELD.sourceMac, 6);
  copy(lookup.destinationMac, 0, bytes, data + FIELD.destinationMac, 6);
  return result;
}

/** Questions about a world; what a question does not say is random. Question i depends on the seed and i alone. */
export class FibQuestions {
  readonly #targets: WorldTargets;
  readonly #random: Random = new Random();

  constructor(world: World) {
    this.#targets = targetsOf(world);
  }

  fill(batch: PacketBatch, seed: Seed, firstIndex: number, count: number): void {
    for (let index = firstIndex; index < firstIndex + count; index++) {
      this.#random.start(seed, index);
      const length = this.#frameLength();
      const at = batch.reserve(length);
      batch.bytes.fill(0, at + FRAME, at + length);
      this.#write(batch.bytes, at);
      batch.entry[batch.commit(length)] = this.#random.chance(128) ? XDP : TC;
    }
  }

  #write(bytes: Uint8Array, at: number): void {
    const random = this.#random;
    const { addresses4, addresses6, ifindexes, lengths } = this.#targets;
    random.fill(bytes, at, at + FRAME);
    writeU16(bytes, at + 12, 0x88b5);
    const flags = random.chance(128)
      ? random.byte() & (FLAG.direct | FLAG.output | FLAG.skipsNeighbour | FLAG.mark)
      : 0;
    writeU32le(bytes, at + FLAGS, flags);
    const isIpv4 = random.bits() < 0;
    const addresses = isIpv4 ? addresses4 : addresses6;
    if (!random.chance(4)) bytes[at + FIELD.family] = isIpv4 ? AF_INET : AF_INET6;
    if (random.chance(128))
      writeU16le(bytes, at + FIELD.totalLength, random.chance(64) ? 0 : this.#one(lengths));
    else writeU16le(bytes, at + FIELD.totalLength, 60);
    // One that is not there: -ENODEV.
    writeU32le(bytes, at + FIELD.ifindex, random.chance(6) ? 77 : this.#one(ifindexes));
    copy(this.#one(addresses), 0, bytes, at + FIELD.source, isIpv4 ? 4 : 16);
    copy(this.#one(addresses), 0, bytes, at + FIELD.destination, isIpv4 ? 4 : 16);
  }

  /** Where TC gives no length, the frame's own counts: 18 bytes more than an MTU are allowed, 19 are not. */
  #frameLength(): number {
    const length = this.#one(this.#targets.lengths) + 18;
    return this.#random.chance(32) && length >= FRAME && length <= MAX_FRAME ? length : FRAME;
  }

  #one<T>(list: readonly T[]): T {
    return list[this.#random.below(list.length)]!;
  }
}
