/**
 * Does a program take any frame for one of IP, and never look at the EtherType? Then bytes of ARP, or of the other version of IP,
 * decide as protocol or address. Frames of other types that differ in nothing but such bytes must come to the same.
 *
 * Evidence is that those bytes decide alike in a packet of IP, behind a type that nobody knows, and in a frame of another protocol
 * as it truly looks: who tells frames apart by the version, or by other fields that a header of IP has to have, is right, too.
 */

import { mapsReferredTo, tailCallersOf } from '../../sim/ebpf/referenced-maps.ts';
import type { Engine } from '../../sim/engines/engine.ts';
import { ETHERTYPE, etherTypeName } from '../../sim/packet/numbers.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import { actionName, type Hook } from '../../sim/runtime/actions.ts';
import { leaves } from '../../sim/runtime/delivery.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { insteadOf } from '../instead.ts';
import { type Fate, fateOf } from './fate.ts';
import { isReadWhereTold } from './fragment-reads.ts';
import { CaseRunner, hasContents, inBareWorld, partingLine, type Seen, type Sighting } from './probe.ts';
import { readableObject } from './readable-object.ts';
import { partsRelatives } from './relatives.ts';
import type { SightingsByKind, TransportSightings } from './transport-sightings.ts';
import { repaired } from './variants.ts';

/** Packets of each version and action that are tried, some with contents of maps; and pairs of those that come to different ends. */
const OF_EACH = 16;
const MAX_KNOWN = 100;
const MAX_PAIRS = 64;

const ETHERNET = 14;
const TYPE_AT = 12;
const { IPV4, IPV6, ARP } = ETHERTYPE;
/** For experiments, and never assigned (IEEE 802, "Local Experimental EtherType"). */
const UNKNOWN = 0x88b5;
/** Of an ARP packet for IPv4 (RFC 826), and of the shortest frame. */
const ARP_SIZE = 28;
const SHORTEST = 60;

/** A field by which programs decide, from the begin of the header. */
interface Field {
  readonly name: string;
  readonly at: number;
  readonly size: number;
}

const PROTOCOL = 'protocol';
const TTL = 'TTL';

const FIELDS: Readonly<Record<4 | 6, readonly Field[]>> = {
  4: [
    { name: PROTOCOL, at: 9, size: 1 },
    { name: TTL, at: 8, size: 1 },
    { name: 'source address', at: 12, size: 4 },
    { name: 'destination address', at: 16, size: 4 },
  ],
  6: [
    { name: PROTOCOL, at: 6, size: 1 },
    { name: TTL, at: 7, size: 1 },
    { name: 'source address', at: 8, size: 16 },
    { name: 'destination address', at: 24, size: 16 },
  ],
};

/** A frame of another protocol with the bytes of a packet of IP, where they may be anything. */
interface Form {
  readonly type: number;
  /** The begin of its header, in which it differs from IP. */
  readonly head: readonly number[];
  /** How much of the packet it takes over, header included; default: all. */
  readonly size?: number;
}

/** Nothing that any header of IP begins with. */
const UNKNOWNS: Readonly<Record<4 | 6, Form>> = {
  4: { type: UNKNOWN, head: new Array(8).fill(0) },
  6: { type: UNKNOWN, head: new Array(6).fill(0) },
};
/** A request of somebody whose addresses are the packet's bytes. */
const REQUEST: Form = { type: ARP, head: [0, 1, 8, 0, 6, 4, 0, 1], size: ARP_SIZE };
/** 26 bytes, as the shortest frame has room for; addresses, and of IPv4 the place of a fragment, are the packet's bytes. */
const OTHERS: Readonly<Record<4 | 6, readonly Form[]>> = {
  4: [REQUEST, { type: IPV6, head: [0x60, 0, 0, 0, 0, 6, 59, 64] }],
  6: [REQUEST, { type: IPV4, head: [0x45, 0, 0, 46, 0, 0] }],
};

/** A packet of IP that comes to the same behind another EtherType. */
interface Untold extends Sighting {
  readonly version: 4 | 6;
  readonly end: Fate;
}

/** Two packets that differ in one field, in one world. */
interface Pair {
  readonly one: Untold;
  readonly other: Stimulus;
  readonly field: Field;
}

export class OtherTypes {
  readonly #program: Program;
  readonly #isGiven: boolean;
  readonly #sightings: TransportSightings;

  /** @param isGiven has the user said what the worlds are? */
  constructor(program: Program, isGiven: boolean, sightings: TransportSightings) {
    this.#program = program;
    this.#isGiven = isGiven;
    this.#sightings = sightings;
  }

  /**
   * One for each entry that may be the first to see a frame.
   * @param known packets that were looked for: what maps have to hold for what becomes of them, they do
   */
  async find(machine: Engine, known: readonly Sighting[]): Promise<Seen[]> {
    const sightings = this.#usable(known);
    const runner = new CaseRunner(this.#program, machine);
    const found = new Map<number, Seen>();
    try {
      // What a test made up weighs less.
      for (const inWorld of this.#isGiven ? [asSeen] : [inBareWorld, asSeen])
        for (const entry of new Set(sightings.map(({ stimulus }) => stimulus.entry ?? 0))) {
          if (found.has(entry)) continue;
          const own = sightings.filter(({ stimulus }) => (stimulus.entry ?? 0) === entry).map(inWorld);
          const seen = await this.#first(runner, own);
          if (seen !== undefined) found.set(entry, seen);
        }
    } finally {
      await runner.close();
    }
    return [...found.values()];
  }

  #usable(known: readonly Sighting[]): Sighting[] {
    const behind = entriesBehindOthers(this.#program);
    // Of programs in slots, nobody knows what stands in front of them.
    const isUsable = ({ world, stimulus }: Sighting): boolean =>
      isPlainIp(stimulus.packet) &&
      !behind.has(stimulus.entry ?? 0) &&
      (this.#isGiven || world.slots === undefined);
    const seen = [...groupsOf(this.#sightings.short)].flatMap((group) => {
      const usable = group.filter(isUsable);
      const filled = usable.filter(({ world }) => hasContents(world));
      const empty = usable.filter(({ world }) => !hasContents(world));
      return [...empty.slice(0, OF_EACH), ...filled.slice(0, OF_EACH)];
    });
    return [...seen, ...known.filter(isUsable).slice(0, MAX_KNOWN)];
  }

  async #first(runner: CaseRunner, sightings: readonly Sighting[]): Promise<Seen | undefined> {
    const untold: Untold[] = [];
    for (const sighting of sightings) {
      const one = await this.#untold(runner, sighting);
      if (one !== undefined) untold.push(one);
    }
    let pairs = 0;
    for (const one of untold) {
      for (const donor of untold) {
        if (donor.version !== one.version || this.#isSame(one, donor.end, one.end)) continue;
        if (pairs++ >= MAX_PAIRS) return undefined;
        const seen = await this.#judge(runner, one, donor);
        if (seen !== undefined) return seen;
      }
    }
    return undefined;
  }

  /** Undefined where the EtherType counts, or what the header begins with. */
  async #untold(runner: CaseRunner, { world, stimulus }: Sighting): Promise<Untold | undefined> {
    const version = read16(stimulus.packet, TYPE_AT) === IPV4 ? 4 : 6;
    const end = await fateOf(runner, world, stimulus);
    if (end === undefined) return undefined;
    const one = { world, stimulus, version, end } as const;
    return (await this.#comesTo(runner, one, UNKNOWNS[version], stimulus, end)) ? one : undefined;
  }

  async #judge(runner: CaseRunner, one: Untold, donor: Untold): Promise<Seen | undefined> {
    for (const field of FIELDS[one.version]) {
      for (const other of withField(one.stimulus, donor.stimulus, field)) {
        const seen = await this.#tellApart(runner, { one, other, field });
        if (seen !== undefined) return seen;
      }
    }
    return undefined;
  }

  async #tellApart(runner: CaseRunner, pair: Pair): Promise<Seen | undefined> {
    const { one, other } = pair;
    const end = await fateOf(runner, one.world, other);
    if (end === undefined || this.#isSame(one, end, one.end)) return undefined;
    if (!(await this.#comesTo(runner, one, UNKNOWNS[one.version], other, end))) return undefined;
    if (!(await this.#isOfField(runner, pair))) return undefined;
    for (const form of OTHERS[one.version]) {
      if (!(await this.#comesTo(runner, one, form, one.stimulus, one.end))) continue;
      if (await this.#comesTo(runner, one, form, other, end)) return this.#show(runner, pair, form);
    }
    return undefined;
  }

  /** Does the field decide, and neither a hash of the frame nor a number of which it is a part, as for who reads at another place? */
  async #isOfField(runner: CaseRunner, { one, other, field }: Pair): Promise<boolean> {
    const { world, stimulus, version } = one;
    const packets = [stimulus.packet, other.packet] as const;
    const kept = { at: ETHERNET + field.at, size: field.size };
    const fate = (inside: World, packet: Uint8Array): Promise<Fate | undefined> =>
      fateOf(runner, inside, { ...stimulus, packet });
    const isSame = (a: Fate, b: Fate): boolean => this.#isSame(one, a, b);
    if (!(await partsRelatives(world, packets, kept, fate, isSame))) return false;
    const beside = FIELDS[version].find(({ name }) => name === (field.name === TTL ? PROTOCOL : TTL))!;
    if (field.size > 1) return true;
    // Both are a byte each: who reads two there is no reader of IP.
    for (const value of [17, 6, 58, 1]) {
      const [here, there] = [
        await fate(world, withByte(packets[0], beside, value)),
        await fate(world, withByte(packets[1], beside, value)),
      ];
      if (here !== undefined && there !== undefined && !isSame(here, there)) {
        if (packets[0][ETHERNET + beside.at] !== value) return true;
      }
    }
    return false;
  }

  async #show(runner: CaseRunner, { one, other, field }: Pair, form: Form): Promise<Seen | undefined> {
    const { world, stimulus, end } = one;
    const { hook } = this.#program.entries[stimulus.entry ?? 0]!;
    const frames = [framed(stimulus, form), framed(other, form)] as const;
    // First the one of which something becomes.
    const isUsual = leaves(hook, end.outcome.action) && !end.isChanged;
    const [shown, usual] = isUsual ? [frames[1], frames[0]] : frames;
    const got = await runner.outcome(world, shown);
    const before = await runner.outcome(world, usual);
    if (got === undefined || before === undefined) return undefined;
    const isMadeUp = !this.#isGiven && hasContents(world);
    if (isMadeUp && (await isReadWhereTold(this.#program, world, shown))) return undefined;
    const source = await partingLine(this.#program, world, shown, usual);
    const at = ETHERNET + field.at;
    const [own, others] = [shown, usual].map(({ packet }) => hex(packet.subarray(at, at + field.size)));
    const isSure = hook === 'xdp' && !isMadeUp;
    return {
      world,
      stimuli: [shown],
      engine: runner.engine,
      got,
      ...(source === undefined ? {} : { source }),
      ...(isSure ? {} : { severity: 'warning' }),
      breach: {
        invariant: 'ethertype/unchecked',
        at,
        size: 0,
        expected: `the same for any ${etherTypeName(form.type)}`,
        got: wayOf(hook, got, before),
        sentence: `with EtherType 0x${form.type.toString(16).padStart(4, '0')} (${etherTypeName(form.type)}) and ${own} in place of ${others} at byte ${at}, where an IPv${one.version} packet has its ${field.name}, the program ${insteadOf(hook, got, before)}: it takes the frame for IPv${one.version}`,
      },
    };
  }

  async #comesTo(
    runner: CaseRunner,
    one: Pick<Untold, 'world' | 'stimulus'>,
    form: Form,
    stimulus: Stimulus,
    wanted: Fate,
  ): Promise<boolean> {
    const fate = await fateOf(runner, one.world, framed(stimulus, form));
    return fate !== undefined && this.#isSame(one, fate, wanted);
  }

  /** The same action, and of what leaves, both changed, or neither. Where to, hashes decide that spread frames of all kinds. */
  #isSame({ stimulus }: Pick<Untold, 'stimulus'>, one: Fate, other: Fate): boolean {
    const { hook } = this.#program.entries[stimulus.entry ?? 0]!;
    if (one.outcome.action !== other.outcome.action) return false;
    return one.isChanged === other.isChanged || !leaves(hook, one.outcome.action);
  }
}

/** Packets of each entry, version and action, of all protocols in turn. */
function groupsOf(kinds: SightingsByKind): Iterable<Sighting[]> {
  const groups = new Map<string, Sighting[][]>();
  for (const [kind, byAction] of kinds) {
    const [version, , entry] = kind.split(' ');
    for (const [action, { all, changed, unchanged }] of byAction) {
      const group = `${version} ${entry} ${action}`;
      groups.set(group, [...(groups.get(group) ?? []), [...changed, ...all, ...unchanged]]);
    }
  }
  return [...groups.values()].map((lists) => {
    const most = Math.max(...lists.map(({ length }) => length));
    return Array.from({ length: most }, (_, at) => lists.flatMap((list) => list.slice(at, at + 1))).flat();
  });
}

function asSeen(sighting: Sighting): Sighting {
  return sighting;
}

function wayOf(hook: Hook, got: Fate['outcome'], before: Fate['outcome']): string {
  return got.action === before.action
    ? 'changed with some bytes alone'
    : `${actionName(hook, got.action)}, and ${actionName(hook, before.action)} with other bytes`;
}

/**
 * Entries that others may run in front of, which look at the EtherType or fill what is kept for each packet: behind a redirect, and
 * behind a tail call. Where user space fills a map of programs, only who alone of all makes tail calls is sure to be the first.
 */
export function entriesBehindOthers(program: Program): ReadonlySet<number> {
  const behind = new Set<number>();
  for (const [index, { behindRedirect, after }] of program.entries.entries())
    if (behindRedirect !== undefined || after !== undefined) behind.add(index);
  const object = readableObject(program);
  if (object === undefined) return behind;
  const calling = object.programs.map((own) =>
    [...mapsReferredTo(own)].some((map) => object.maps[map]?.type === 'PROG_ARRAY'),
  );
  const callers = tailCallersOf(object);
  const isOnlyCaller = calling.filter(Boolean).length === 1;
  for (const [index, entry] of program.entries.entries()) {
    const own = object.programs.findIndex((one) => one.function === entry.function);
    const mayBeCalled = calling.includes(true) && !(isOnlyCaller && calling[own] === true);
    if (callers.has(own) || mayBeCalled) behind.add(index);
  }
  return behind;
}

/** A packet of IP without tags, whose header has no options. */
function isPlainIp(packet: Uint8Array): boolean {
  if (packet.length < ETHERNET + 40) return false;
  const type = read16(packet, TYPE_AT);
  return (type === IPV4 && packet[ETHERNET] === 0x45) || (type === IPV6 && packet[ETHERNET]! >> 4 === 6);
}

/** The packet with the field of another one: a TTL first as it may begin the MAC address of a host, whose lowest bit is not set. */
function withField(stimulus: Stimulus, donor: Stimulus, { name, at, size }: Field): Stimulus[] {
  const from = ETHERNET + at;
  const own = donor.packet.subarray(from, from + size);
  const values = name === TTL ? [own.map((byte) => byte & 0xfe), own] : [own];
  return values.map((value) => {
    const packet = stimulus.packet.slice();
    packet.set(value, from);
    return { ...stimulus, packet: repaired(packet, from & ~1) };
  });
}

function withByte(packet: Uint8Array, { at }: Field, value: number): Uint8Array {
  const copy = packet.slice();
  copy[ETHERNET + at] = value;
  return repaired(copy, (ETHERNET + at) & ~1);
}

/** The frame with its payload as another protocol's. */
function framed(stimulus: Stimulus, { type, head, size }: Form): Stimulus {
  const whole = stimulus.packet;
  const end = size === undefined ? whole.length : Math.min(whole.length, ETHERNET + size);
  const packet = new Uint8Array(size === undefined ? whole.length : SHORTEST);
  packet.set(whole.subarray(0, end));
  packet[TYPE_AT] = type >> 8;
  packet[TYPE_AT + 1] = type & 0xff;
  packet.set(head, ETHERNET);
  return { ...stimulus, packet };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function read16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}
