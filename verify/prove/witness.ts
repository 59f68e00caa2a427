/**
 * From a path to an input that takes it: a packet, and a world around it. Where the path leaves a choice, the usual one.
 */

import { NEVER_GIVEN, SK_BUFF, SK_BUFF_LAYOUT } from '../../sim/ebpf/context/sk-buff.ts';
import { isSettableTunnel } from '../../sim/ebpf/helpers/tunnel-helpers.ts';
import { GIVEN_TYPE, givenType, WIRE_EXTRA } from '../../sim/ebpf/symbolic/context-fields.ts';
import { Evaluator } from '../../sim/ebpf/symbolic/evaluate.ts';
import { holdsMaps, innerName } from '../../sim/ebpf/symbolic/inner-maps.ts';
import { ELSEWHERE, goesElsewhere, type Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { connected, repair } from '../../sim/ebpf/symbolic/repair.ts';
import { unreadBefore } from '../../sim/ebpf/symbolic/ring-helpers.ts';
import type { Assignment, Term } from '../../sim/ebpf/symbolic/term.ts';
import { unknownsOf } from '../../sim/ebpf/symbolic/term.ts';
import { GIVEN_TUNNEL } from '../../sim/ebpf/symbolic/tunnel-helpers.ts';
import { OPTIONS_PRESENT, tunnelOfKey, USUAL_FLAGS } from '../../sim/ebpf/tunnel-info.ts';
import { MAX_WIRE_LENGTH } from '../../sim/engines/refusal-rules.ts';
import { toHex } from '../../sim/packet/bytes.ts';
import { ETHERTYPE, isTag } from '../../sim/packet/numbers.ts';
import type { SkbInput, SkbTunnel, SkbVlan, Stimulus } from '../../sim/packet/packet-batch.ts';
import { flowHash, nextRandomState, randomOf, randomSeedFor } from '../../sim/runtime/chance.ts';
import { DEFAULT_EGRESS_IFINDEX, type MapEntry, type MapSlot, type World } from '../../sim/runtime/world.ts';
import { fibPreferences, fibWorld } from './fib-world.ts';
import { mtuPreferences, mtuWorld } from './mtu-world.ts';
import { socketsFor } from './socket-world.ts';

export interface Witness {
  readonly world: World;
  readonly stimulus: Stimulus;
  /** The values that it was made of. */
  readonly values: Assignment;
  /**
   * Fields of `__sk_buff` that a frame in a network has and no test run gives it: [offset, value] each. With any, only the
   * machine can run it.
   */
  readonly context: readonly (readonly [offset: number, value: number])[];
  /** Ring buffers of which user space has left so many bytes unread. With any, only the machine can run it. */
  readonly rings: readonly { readonly map: number; readonly unread: number }[];
  /** Bytes of the frame's socket that the path asks for: [offset, value] each. With any, only the machine can run it. */
  readonly socket: readonly (readonly [offset: number, value: number])[];
}

/** Why no other engine than the machine can run a witness; undefined: all can. */
export function onlyInMachine(witness: Witness): string | undefined {
  return witness.stimulus.skb?.noSocket === true ? NO_SUCH_FRAME : notInCases(witness);
}

const NO_SUCH_FRAME = 'no test run can make such a frame';

/** Why a saved case cannot say all that a witness is; undefined: it can. */
export function notInCases({ context, rings, socket, stimulus }: Witness): string | undefined {
  const { tunnel } = stimulus.skb ?? {};
  const isFromDevice = tunnel !== undefined && !isSettableTunnel(tunnel);
  if (context.length > 0 || socket.length > 0 || isFromDevice) return NO_SUCH_FRAME;
  return rings.length > 0 ? 'only programs fill ring buffers' : undefined;
}

/** Is it a frame of which less lies between `data` and `data_end` than it has? */
export function isInPieces({ stimulus }: Witness): boolean {
  return stimulus.skb?.linear !== undefined;
}

/** Where these fields lie, by the names of their unknowns. */
const GIVEN_FIELDS: ReadonlyMap<string, number> = new Map(
  NEVER_GIVEN.map((offset) => [`given.${SK_BUFF_LAYOUT.field(offset)}`, offset]),
);

/** Nobody can make such an input here, though there may be one. */
export interface NoWitness {
  readonly reason: string;
}

/** A map is filled up to so many entries. */
const MOST_FILLED = 100_000;
/** Seeds of the random numbers that are tried. */
const MOST_SEEDS = 20_000;

export function isWitness(one: Witness | NoWitness): one is Witness {
  return 'stimulus' in one;
}

/** @throws {RangeError} where the path has no values */
export function witnessOf(inputs: Inputs, state: PathState): Witness | NoWitness {
  if (state.values === undefined) throw new RangeError('no values are known under which the path is taken');
  const values = usualValues(inputs, state, state.values);
  if (values === undefined) return { reason: 'no seed was found that gives the random numbers of this path' };
  return witnessFor(inputs, state, values);
}

/** Values that an input can be made of, as near to the given ones as that goes; undefined: none were found. */
export function usualValues(inputs: Inputs, state: PathState, values: Assignment): Assignment | undefined {
  return withChance(state, preferred(inputs, state, values));
}

/** An input of certain values. */
export function witnessFor(inputs: Inputs, state: PathState, values: Assignment): Witness | NoWitness {
  const { pool } = state;
  const evaluator = new Evaluator(values);
  const number = (term: Term): number => Number(evaluator.value(term));
  const byte = (name: string): number => number(pool.unknown(8, name));
  const length = number(inputs.length);
  const metaLength = number(inputs.metaWords) * 4;
  const packet = Uint8Array.from({ length }, (_, at) => byte(`p${at}`));
  const metadata = Uint8Array.from({ length: metaLength }, (_, at) => byte(`before${metaLength - at}`));
  const impossible = fixedField(inputs, state, values, metaLength);
  if (impossible !== undefined) return { reason: impossible };
  const fill = stackFill(state, values);
  if (fill === undefined)
    return { reason: 'unwritten bytes of the stack would have to differ from each other' };
  const maps = mapsOf(inputs, state, evaluator);
  if (typeof maps === 'string') return { reason: maps };
  const slots = slotsOf(inputs, state, evaluator);
  const globals = constantsOf(inputs, state, evaluator);
  const inPieces = wantsPieces(inputs, state, evaluator);
  const skb =
    inputs.hook === 'xdp' ? undefined : withLinear(skbOf(inputs, state, number, evaluator), inPieces);
  const around = aroundOf(inputs, state, evaluator, packet);
  const egress = inputs.behindRedirect === 'devmap' ? number(inputs.egressIfindex) : DEFAULT_EGRESS_IFINDEX;
  const rxQueue = number(pool.unknown(32, 'rx_queue'));
  return {
    values,
    context: inputs.hook === 'xdp' ? [] : contextOf(inputs, state, values),
    rings: ringsOf(inputs, number),
    socket: socketOf(state, evaluator),
    stimulus: {
      packet,
      ...(metaLength === 0 ? {} : { metadata }),
      ingressIfindex: number(inputs.ingressIfindex),
      ...(rxQueue === 0 ? {} : { rxQueueIndex: rxQueue }),
      ...(skb === undefined ? {} : { skb }),
    },
    world: {
      ...around,
      ...(Object.keys(maps).length === 0 ? {} : { maps }),
      ...(Object.keys(slots).length === 0 ? {} : { slots }),
      ...(Object.keys(globals).length === 0 ? {} : { globals }),
      ...(fill === 0 ? {} : { stackFill: fill }),
      ...(egress === DEFAULT_EGRESS_IFINDEX ? {} : { egressIfindex: egress }),
    },
  };
}

/** What a test run's socket is not known to have: whatever a condition depends on. */
function socketOf(state: PathState, evaluator: Evaluator): Witness['socket'] {
  return [...usedUnknowns(state)].flatMap((unknown) => {
    const place = /^given\.socket\.(\d+)$/.exec(unknown.name)?.[1];
    return place === undefined ? [] : [[Number(place), Number(evaluator.value(unknown))] as const];
  });
}

function ringsOf(inputs: Inputs, number: (term: Term) => number): Witness['rings'] {
  return inputs.machine.maps.flatMap(({ definition }, map) => {
    const unread = definition.type === 'RINGBUF' ? number(unreadBefore(inputs, map)) : 0;
    return unread === 0 ? [] : [{ map, unread }];
  });
}

/** The maps in maps of maps that the path has asked for. */
function slotsOf(inputs: Inputs, state: PathState, evaluator: Evaluator): Record<string, MapSlot[]> {
  const slots: Record<string, MapSlot[]> = {};
  const counts = new Map<number, number>();
  for (const entry of state.entries) {
    if (!holdsMaps(inputs, entry.map)) continue;
    const ordinal = counts.get(entry.map) ?? 0;
    counts.set(entry.map, ordinal + 1);
    if (!evaluator.isTrue(entry.wasThere)) continue;
    const number = (term: Term): number => Number(evaluator.value(term));
    const inner = innerName(inputs, entry.map, ordinal, number);
    if (inner === undefined) continue;
    const { name } = inputs.machine.maps[entry.map]!;
    slots[name] = [...(slots[name] ?? []), { key: Uint8Array.from(entry.key, number), name: inner }];
  }
  return slots;
}

function contextOf(inputs: Inputs, state: PathState, values: Assignment): (readonly [number, number])[] {
  const fields: (readonly [number, number])[] = [];
  for (const [unknown, value] of values) {
    const offset = GIVEN_FIELDS.get(unknown.name);
    if (offset !== undefined && value !== 0n) fields.push([offset, Number(value)]);
  }
  const evaluator = new Evaluator(values);
  const type = state.pool.unknown(GIVEN_TYPE.bits, GIVEN_TYPE.name);
  const isAsked = values.has(type) || usedUnknowns(state).has(type);
  const given = Number(evaluator.value(type));
  if (isAsked && (given !== 0 || evaluator.value(inputs.ingressIfindex) !== LOOPBACK))
    fields.push([SK_BUFF.pktType, givenType(given)]);
  const wireLength = wireLengthOf(inputs, evaluator);
  if (wireLength > MAX_WIRE_LENGTH) fields.push([SK_BUFF.wireLen, wireLength]);
  return fields;
}

const LOOPBACK = 1n;

/** `wire_len`, which is what a device puts on the wire for all segments. */
function wireLengthOf({ pool, length }: Inputs, evaluator: Evaluator): number {
  const extra = pool.unknown(WIRE_EXTRA.bits, WIRE_EXTRA.name);
  return Number(evaluator.value(length)) + Number(evaluator.value(extra));
}

/** Fields that no engine can give a frame have to be 0, as in the machine. */
function fixedField(
  inputs: Inputs,
  state: PathState,
  values: Assignment,
  metaLength: number,
): string | undefined {
  const used = usedUnknowns(state);
  for (const [unknown, value] of values) {
    if (value === 0n || !used.has(unknown)) continue;
    if (inputs.hook !== 'xdp' && unknown.name === ELSEWHERE.inPieces.name) continue;
    const who = goesElsewhere(unknown.name);
    if (who !== undefined) return `only ${who} go this way`;
    if (unknown.name.startsWith('fixed.')) {
      return `only a frame whose ${unknown.name.slice('fixed.'.length)} is not 0 takes it, and no engine can make one`;
    }
    if (unknown.name.startsWith('before') && Number(unknown.name.slice('before'.length)) > metaLength) {
      return 'bytes in the headroom before the frame would have to be other than 0';
    }
  }
  return undefined;
}

function usedUnknowns(state: PathState): Set<Term> {
  const used = new Set<Term>();
  for (const { condition } of state.constraints) for (const one of unknownsOf(condition)) used.add(one);
  return used;
}

function stackFill(state: PathState, values: Assignment): number | undefined {
  let fill: number | undefined;
  for (const unknown of usedUnknowns(state)) {
    if (!unknown.name.startsWith('unwritten.')) continue;
    const value = Number(values.get(unknown) ?? 0n);
    if (fill !== undefined && fill !== value) return undefined;
    fill = value;
  }
  return fill ?? 0;
}

function mapsOf(inputs: Inputs, state: PathState, evaluator: Evaluator): Record<string, MapEntry[]> | string {
  const { pool } = state;
  const maps: Record<string, MapEntry[]> = {};
  const names = inputs.machine.maps.map((one) => one.name);
  const entriesOf = (name: string): MapEntry[] => {
    maps[name] ??= [];
    return maps[name];
  };
  const counts = new Map<number, number>();
  for (const entry of state.entries) {
    const ordinal = counts.get(entry.map) ?? 0;
    counts.set(entry.map, ordinal + 1);
    if (!evaluator.isTrue(entry.wasThere) || holdsMaps(inputs, entry.map)) continue;
    const { valueSize, type } = inputs.machine.maps[entry.map]!.definition;
    const key = Uint8Array.from(entry.key, (one) => Number(evaluator.value(one)));
    const value = Uint8Array.from({ length: valueSize }, (_, at) =>
      Number(evaluator.value(pool.unknown(8, `${inputs.entryName(entry.map, ordinal)}.${at}`))),
    );
    const isArray = type === 'ARRAY' || type === 'PERCPU_ARRAY';
    if (isArray && value.every((one) => one === 0)) continue;
    entriesOf(names[entry.map]!).push({ key, value });
  }
  const full = fullMaps(inputs, state, evaluator);
  for (const [map, more] of full) {
    const { type, keySize, valueSize, maxEntries } = inputs.machine.maps[map]!.definition;
    if (maxEntries > MOST_FILLED)
      return `map ${names[map]} with its ${maxEntries} entries would have to be full`;
    const entries = entriesOf(names[map]!);
    const taken = new Set(entries.map((one) => one.key.join()));
    for (const entry of state.entries) {
      if (entry.map === map)
        taken.add(Uint8Array.from(entry.key, (one) => Number(evaluator.value(one))).join());
    }
    // A queue is full once the path has put so much in.
    while (keySize === 0 && entries.length < maxEntries - more) {
      entries.push({ key: new Uint8Array(0), value: new Uint8Array(valueSize) });
    }
    for (let index = 1; keySize > 0 && entries.length < maxEntries - more; index++) {
      const key = new Uint8Array(keySize).fill(0xee);
      // A prefix begins with its length: all bits of it.
      const from = type === 'LPM_TRIE' ? 4 : 0;
      if (from > 0) key.set([(keySize - 4) * 8, 0, 0, 0]);
      for (let at = 0; at < Math.min(4, keySize - from); at++) key[from + at] = (index >>> (8 * at)) & 0xff;
      const isOther = !taken.has(key.join());
      taken.add(key.join());
      if (isOther) entries.push({ key, value: new Uint8Array(valueSize) });
      if (index > maxEntries + taken.size) return `map ${names[map]} cannot be filled with other keys`;
    }
  }
  // What a stack gives back first was put there last.
  for (const { name, definition } of inputs.machine.maps)
    if (definition.type === 'STACK') maps[name]?.reverse();
  for (const block of state.blocks) {
    // What a loader sets is set before: by the variable.
    if (block.what !== 'globals' || inputs.machine.object.maps[block.map]!.global?.readOnly === true)
      continue;
    const initial = inputs.machine.object.maps[block.map]!.global?.bytes;
    const value = Uint8Array.from({ length: block.size }, (_, at) =>
      Number(evaluator.value(inputs.globalByte(block.map, at))),
    );
    if (value.every((one, at) => one === (initial?.[at] ?? 0))) continue;
    maps[names[block.map]!] = [{ key: new Uint8Array(4), value }];
  }
  return maps;
}

/** Constants that a loader is to set to something else than the object says, by name. */
function constantsOf(inputs: Inputs, state: PathState, evaluator: Evaluator): Record<string, Uint8Array> {
  const globals: Record<string, Uint8Array> = {};
  const sections = new Set(state.blocks.flatMap(({ what, map }) => (what === 'globals' ? [map] : [])));
  for (const map of sections) {
    const { global } = inputs.machine.object.maps[map]!;
    if (global?.readOnly !== true) continue;
    for (const [name, { offset, size }] of global.variables) {
      if (size === 0 || !inputs.isOpen(map, offset)) continue;
      const value = Uint8Array.from({ length: size }, (_, at) =>
        Number(evaluator.value(inputs.globalByte(map, offset + at))),
      );
      if (value.some((byte, at) => byte !== (global.bytes[offset + at] ?? 0))) globals[name] = value;
    }
  }
  return globals;
}

/** Maps that have no room, and how many entries the path had added to each by then. */
function fullMaps(inputs: Inputs, state: PathState, evaluator: Evaluator): Map<number, number> {
  const full = new Map<number, number>();
  for (const unknown of usedUnknowns(state)) {
    const match = /^full(\d+)\.(\d+)$/.exec(unknown.name);
    if (match === null || !evaluator.isTrue(unknown)) continue;
    const map = inputs.mapOf(Number(match[1]));
    if (map !== undefined)
      full.set(map, Math.min(Number(match[2]), full.get(map) ?? Number.POSITIVE_INFINITY));
  }
  return full;
}

function skbOf(
  inputs: Inputs,
  state: PathState,
  number: (term: Term) => number,
  evaluator: Evaluator,
): SkbInput | undefined {
  const { pool } = state;
  const word = (name: string, bits: number = 32): number => number(pool.unknown(bits, `skb.${name}`));
  const wide = (name: string): bigint => evaluator.value(pool.unknown(64, `skb.${name}`));
  const cb = [0, 1, 2, 3, 4].map((index) => word(`cb${index}`));
  const wireLength = wireLengthOf(inputs, evaluator);
  const isLonger = wireLength > number(inputs.length) && wireLength <= MAX_WIRE_LENGTH;
  const skb = {
    mark: word('mark'),
    priority: word('priority'),
    ingressIfindex: inputs.hook === 'tc-egress' ? word('ingress_ifindex', 31) : 0,
    tstamp: wide('tstamp'),
    hwtstamp: wide('hwtstamp'),
    gsoSegs: word('gso_segs', 16),
    gsoSize: word('gso_size'),
    queueMapping: word('queue_mapping', 16),
    tcIndex: word('tc_index', 16),
    tcClassid: word('tc_classid', 16),
    hash: word('hash'),
  };
  const vlan = vlanOf(inputs, state, evaluator);
  const tunnel = tunnelOf(state, evaluator);
  const noSocket = evaluator.isTrue(pool.unknown(1, 'given.no_socket'));
  const given = Object.entries(skb).filter(([, value]) => Number(value) !== 0);
  const hasCb = cb.some((one) => one !== 0);
  const isBeside = vlan !== undefined || tunnel !== undefined || noSocket;
  if (given.length === 0 && !hasCb && !isLonger && !isBeside) return undefined;
  return {
    ...(Object.fromEntries(given) as SkbInput),
    ...(hasCb ? { cb } : {}),
    ...(isLonger ? { wireLen: wireLength } : {}),
    ...(vlan === undefined ? {} : { vlan }),
    ...(tunnel === undefined ? {} : { tunnel }),
    ...(noSocket ? { noSocket } : {}),
  };
}

/** Of every frame at TC, at least so much is linear. */
const ETHERNET_HEADER = 14;

/** Does the path want a frame of which nothing but the Ethernet header is linear? At TC there are such frames. */
function wantsPieces(inputs: Inputs, { pool }: PathState, evaluator: Evaluator): boolean {
  return inputs.hook !== 'xdp' && evaluator.isTrue(pool.unknown(1, ELSEWHERE.inPieces.name));
}

function withLinear(skb: SkbInput | undefined, inPieces: boolean): SkbInput | undefined {
  return inPieces ? { ...skb, linear: ETHERNET_HEADER } : skb;
}

/** The tunnel that the frame came out of; its flags are stated where the path asks for others than a test run has. */
function tunnelOf(state: PathState, evaluator: Evaluator): SkbTunnel | undefined {
  const { pool } = state;
  const number = (term: Term): number => Number(evaluator.value(term));
  if (!evaluator.isTrue(GIVEN_TUNNEL.present(pool))) return undefined;
  const ipv6 = evaluator.isTrue(GIVEN_TUNNEL.ipv6(pool));
  const key = Uint8Array.from(GIVEN_TUNNEL.key(pool, ipv6), number);
  if (!usedUnknowns(state).has(GIVEN_TUNNEL.flags(pool))) return tunnelOfKey(key, ipv6, {});
  const flags = number(GIVEN_TUNNEL.flags(pool));
  const hasOptions = evaluator.isTrue(GIVEN_TUNNEL.hasOptions(pool));
  const length = 4 * number(GIVEN_TUNNEL.optionWords(pool));
  const options = toHex(Uint8Array.from({ length }, (_, at) => number(GIVEN_TUNNEL.option(pool, at))));
  const isUsual = USUAL_TUNNEL_FLAGS.includes(flags);
  return tunnelOfKey(key, ipv6, {
    ...(isUsual ? {} : { flags }),
    ...(hasOptions ? { options } : {}),
  });
}

/** What the flags are where nobody says: without options, and with some. */
const USUAL_TUNNEL_FLAGS: readonly number[] = [USUAL_FLAGS, USUAL_FLAGS | OPTIONS_PRESENT];

/**
 * The tag beside the frame. Where the path does not ask for it, a frame that comes in with a tag in its bytes has another
 * one there, which the kernel has taken out first (net/core/dev.c, `__netif_receive_skb_core`).
 */
function vlanOf(inputs: Inputs, state: PathState, evaluator: Evaluator): SkbVlan | undefined {
  const { pool, hook } = inputs;
  const present = pool.unknown(1, 'skb.vlan_present');
  const word = (term: Term): number => Number(evaluator.value(term));
  const type = (word(inputs.frameByte(12)) << 8) | word(inputs.frameByte(13));
  const isFree = !usedUnknowns(state).has(present);
  if (!evaluator.isTrue(present) && !(isFree && hook === 'tc-ingress' && isTag(type))) return undefined;
  const tci = word(pool.unknown(16, 'skb.vlan_tci'));
  const isService = evaluator.isTrue(pool.unknown(1, 'skb.vlan_service'));
  return { ...(isService ? { proto: ETHERTYPE.SERVICE_VLAN } : {}), tci };
}

const CLOCKS: ReadonlySet<string> = new Set([
  'bpf_ktime_get_ns',
  'bpf_ktime_get_boot_ns',
  'bpf_ktime_get_coarse_ns',
  'bpf_ktime_get_tai_ns',
]);

/** Time, CPU, hash, routes: what answers the questions of the path. */
function aroundOf(inputs: Inputs, state: PathState, evaluator: Evaluator, packet: Uint8Array): World {
  let world: World = {};
  for (const answer of state.answers) {
    if (answer.result === undefined) continue;
    const result = evaluator.value(answer.result);
    if (CLOCKS.has(answer.helper)) world = { ...world, time: world.time ?? result };
    else if (answer.helper === 'bpf_get_smp_processor_id' && result !== 0n)
      world = { ...world, cpu: Number(result) };
    else if (answer.helper === 'bpf_get_hash_recalc') {
      const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
      const first = flowHash(view, 0, packet.length, 0);
      // No hash is 0: 1 stands for it.
      const hash = first === 1 ? flowHash(view, 0, packet.length, 2) ^ 2 : first;
      world = { ...world, hashSeed: (hash ^ Number(result & 0xffff_ffffn)) | 0 };
    } else if (answer.helper === 'bpf_fib_lookup') world = { ...world, ...fibWorld(answer, evaluator) };
  }
  for (const answer of state.answers)
    if (answer.helper === 'bpf_check_mtu') world = mtuWorld(world, inputs, answer, evaluator);
  const sockets = socketsFor(state, evaluator);
  if (sockets.length > 0) world = { ...world, sockets };
  const seed = evaluator.value(state.pool.unknown(32, RANDOM_SEED));
  return seed === 0n ? world : { ...world, randomSeed: Number(seed) };
}

const RANDOM_SEED = 'world.random_seed';

/** Values in which random numbers are those of a seed; undefined: none was found. */
function withChance(state: PathState, values: Assignment): Assignment | undefined {
  const randoms = state.answers.filter(
    (one) => one.helper === 'bpf_get_prandom_u32' && one.result !== undefined,
  );
  if (randoms.length === 0) return values;
  const unknowns = randoms.map((one) => [...unknownsOf(one.result!)][0]!);
  const asking = new Set(unknowns);
  const conditions = state.constraints.filter(({ condition }) =>
    [...unknownsOf(condition)].some((one) => asking.has(one)),
  );
  for (const seed of seedsFor(unknowns.map((one) => values.get(one)))) {
    const changed = new Map(values);
    let random = seed;
    for (const unknown of unknowns) {
      random = nextRandomState(random);
      changed.set(unknown, BigInt(randomOf(random)));
    }
    const evaluator = new Evaluator(changed);
    if (!conditions.every(({ condition }) => evaluator.isTrue(condition))) continue;
    changed.set(state.pool.unknown(32, RANDOM_SEED), BigInt(seed));
    return changed;
  }
  return undefined;
}

/** Seeds that may do: those with which one of the numbers is as it was chosen, and then some. */
function* seedsFor(numbers: readonly (bigint | undefined)[]): Generator<number> {
  for (const [draws, number] of numbers.entries())
    if (number !== undefined) yield randomSeedFor(Number(BigInt.asUintN(32, number)), draws);
  for (let seed = 0; seed < MOST_SEEDS; seed++) yield seed;
}

/** Where the path leaves a choice: devices that there are, addresses that a device may have, one time for all clocks. */
function preferred(inputs: Inputs, state: PathState, from: Assignment): Assignment {
  let values: Assignment = from;
  const { pool } = state;
  const prefer = (condition: Term): boolean => {
    if (new Evaluator(values).isTrue(condition)) return true;
    const found = repair(connected(state.constraints, condition), condition, values);
    if (found === undefined) return false;
    values = found;
    return true;
  };
  for (const unknown of usedUnknowns(state)) {
    if (/^(fixed|given)\./.test(unknown.name)) prefer(pool.equal(unknown, pool.constant(unknown.width, 0)));
  }
  const used = usedUnknowns(state);
  const extra = pool.unknown(WIRE_EXTRA.bits, WIRE_EXTRA.name);
  // No more than a test run takes.
  if (used.has(extra)) prefer(pool.less(extra, pool.constant(WIRE_EXTRA.bits, MAX_WIRE_LENGTH / 2)));
  const flags = GIVEN_TUNNEL.flags(pool);
  if (used.has(flags)) USUAL_TUNNEL_FLAGS.some((one) => prefer(pool.equal(flags, pool.constant(16, one))));
  const words = GIVEN_TUNNEL.optionWords(pool);
  if (used.has(words)) [1, 2, 3, 4].some((one) => prefer(pool.equal(words, pool.constant(words.width, one))));
  const clocks = state.answers.filter((one) => CLOCKS.has(one.helper));
  for (const one of clocks.slice(1)) prefer(pool.equal(one.result!, clocks[0]!.result!));
  for (const answer of state.answers) {
    if (answer.helper === 'bpf_fib_lookup')
      for (const ways of fibPreferences(inputs, state, answer)) ways.some(prefer);
    if (answer.helper === 'bpf_check_mtu')
      for (const ways of mtuPreferences(inputs, state, answer)) ways.some(prefer);
  }
  const counts = new Map<number, number>();
  for (const entry of state.entries) {
    const ordinal = counts.get(entry.map) ?? 0;
    counts.set(entry.map, ordinal + 1);
    const { type } = inputs.machine.maps[entry.map]!.definition;
    const name = inputs.entryName(entry.map, ordinal);
    const at = (index: number): Term => pool.unknown(8, `${name}.${index}`);
    if (type === 'DEVMAP' || type === 'DEVMAP_HASH' || type === 'CPUMAP' || type === 'XSKMAP') {
      const value = pool.concat([at(3), at(2), at(1), at(0)]);
      for (const device of [3, 2, 4]) if (prefer(pool.equal(value, pool.constant(32, device)))) break;
    }
  }
  return values;
}
