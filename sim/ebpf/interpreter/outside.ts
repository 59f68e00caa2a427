/**
 * What a run does that neither its action nor the bytes of its packet show: what it sends (copies, events, signals), what
 * goes along with the packet (`__sk_buff`, tunnel key, socket, hash), and in which way a redirect goes.
 */

import { toHex } from '../../packet/bytes.ts';
import type { BpfObject } from '../bpf-object.ts';
import { calledHelpers } from '../called-helpers.ts';
import { SK_BUFF } from '../context/sk-buff.ts';
import { DYNPTR, readDynptr } from '../helpers/dynptr.ts';
import { socketAt } from '../helpers/socket-helpers.ts';
import { CALL, storeSize } from '../instruction.ts';
import type { Machine } from '../machine.ts';
import { DeviceHashMap } from '../maps/device-hash-map.ts';
import type { LiveMap, MapContent } from '../maps/live-map.ts';
import { LENGTH_MASK, RINGBUF_HEADER, RingBufferMap } from '../maps/ring-buffer-map.ts';
import { SlotMap } from '../maps/slot-map.ts';
import { CONTEXT_BASE, MACHINE_WORD, STACK_BASE, STACK_LIMIT } from '../memory.ts';
import { sourceAt } from '../object.ts';
import { KIND } from './provenance.ts';
import type { CodePlace } from './run-path.ts';
import type { State } from './state.ts';
import type { Tracer } from './tracer.ts';

/** Something that leaves the program at once, whatever becomes of the packet. */
export interface Sent {
  /** Who gets it. What goes to different ones has no order that anybody could see. */
  readonly to: string;
  /** What it is, without its bytes: `to device 3, flags 0`. */
  readonly what: string;
  readonly bytes: Uint8Array;
  readonly place: CodePlace;
}

/** What goes along with the packet, in words; it means nothing where the packet goes no further. */
export interface Carried {
  readonly text: string;
  /** Who set it last, as far as a call or a store of this run did. */
  readonly place: CodePlace | undefined;
}

/** The numbers of the helpers that are followed. */
const HELPER = {
  cloneRedirect: 13,
  vlanPush: 18,
  vlanPop: 19,
  setTunnelKey: 21,
  redirect: 23,
  perfEventOutput: 25,
  setTunnelOptions: 30,
  changeProto: 31,
  changeType: 32,
  setHashInvalid: 41,
  setHash: 48,
  adjustRoom: 50,
  redirectMap: 51,
  mapPush: 87,
  mapPop: 88,
  skStorageGet: 107,
  skStorageDelete: 108,
  sendSignal: 109,
  sendSignalThread: 117,
  skAssign: 124,
  csumLevel: 135,
  ringbufOutput: 130,
  ringbufSubmit: 132,
  redirectNeigh: 152,
  redirectPeer: 155,
  timerStart: 171,
  setTimestamp: 192,
  ringbufSubmitDynptr: 199,
  cgroupStorageGet: 210,
  cgroupStorageDelete: 211,
} as const;

/** Those that change what a map without keys holds, or hand out memory in it. */
const CONTENT_HELPERS: readonly number[] = [
  HELPER.mapPush,
  HELPER.mapPop,
  HELPER.skStorageGet,
  HELPER.skStorageDelete,
  HELPER.cgroupStorageGet,
  HELPER.cgroupStorageDelete,
];

const FOLLOWED: ReadonlySet<number> = new Set(Object.values(HELPER));

/** By the map's name. */
export type Contents = ReadonlyMap<string, readonly MapContent[]>;

/** Fields of `__sk_buff` beside those that every outcome has, by name; who sets them besides stores. */
const FIELDS: readonly (readonly [name: string, offset: number, setters: readonly number[]])[] = [
  ['pkt_type', SK_BUFF.pktType, [HELPER.changeType]],
  ['queue_mapping', SK_BUFF.queueMapping, []],
  ['protocol', SK_BUFF.protocol, [HELPER.changeProto, HELPER.vlanPush, HELPER.vlanPop]],
  ['tc_index', SK_BUFF.tcIndex, []],
  ['tc_classid', SK_BUFF.tcClassid, []],
  ['gso_size', SK_BUFF.gsoSize, [HELPER.changeProto, HELPER.adjustRoom]],
  ['tstamp_type', SK_BUFF.tstampType, [HELPER.setTimestamp]],
];
/** Those that programs may store to. */
const STORED: ReadonlySet<number> = new Set([SK_BUFF.queueMapping, SK_BUFF.tcIndex, SK_BUFF.tcClassid]);
const VLAN_SETTERS: readonly number[] = [HELPER.vlanPush, HELPER.vlanPop];
const TUNNEL_SETTERS: readonly number[] = [HELPER.setTunnelKey, HELPER.setTunnelOptions];

/** The lower bits of the flags of `bpf_redirect_map` say what is returned on a miss, and nothing where there is none. */
const MISS_MASK = 3;
const BPF_F_BROADCAST = 8;
const BPF_F_EXCLUDE_INGRESS = 16;
const BPF_F_INGRESS = 1;
const BPF_F_CURRENT_CPU = 0xffff_ffff;
// Offsets in `struct bpf_tunnel_key`.
const TUNNEL_ID = 0;
const TUNNEL_REMOTE = 4;
const TUNNEL_TOS = 20;
const TUNNEL_TTL = 21;
const TUNNEL_LABEL = 24;
const TUNNEL_LOCAL = 28;
/** What `bpf_csum_level` is asked; the first changes nothing. */
const CHECKSUM_LEVELS = ['', 'one more', 'one less', 'none'] as const;
const NOTHING = new Uint8Array(0);

/** Can programs of the object, at TC or not, do any of what is followed here? Where they cannot, nobody need look. */
export function canActOutside(object: BpfObject, isTc: boolean): boolean {
  const calls = [...calledHelpers(object)].some(
    ({ number }) => FOLLOWED.has(number) && (isTc || number !== HELPER.redirect),
  );
  return calls || (isTc && object.programs.some(({ instructions }) => storesFields(instructions)));
}

/** By its offset alone: what is no store to the context costs a look. */
function storesFields({ count, opcode, offset }: BpfObject['programs'][number]['instructions']): boolean {
  for (let slot = 0; slot < count; slot++) {
    if (storeSize(opcode[slot]!) === 4 && STORED.has(offset[slot]!)) return true;
  }
  return false;
}

/** Give it to `Interpreter.tracer` for one run, then call `finish`. */
export class OutsideActs implements Tracer {
  readonly sent: Sent[] = [];
  /** By name: `__sk_buff queue_mapping`, `tunnel key`. Filled by `finish`. */
  readonly carried: Map<string, Carried> = new Map();
  /** How the packet is redirected where the action says so: all but the target, which outcomes have. */
  redirect: Carried | undefined;
  /** What maps without keys hold after the run. Filled by `finish`. */
  contents: Contents = new Map();
  /** Who may have changed that; undefined where the run did not. */
  contentPlace: CodePlace | undefined;
  #hash: Carried | undefined;
  #socket: Carried | undefined;
  /** What `bpf_csum_level` was asked, in order. */
  readonly #levels: string[] = [];
  readonly #lastCalls = new Map<number, CodePlace>();
  readonly #lastStores = new Map<number, CodePlace>();

  before(state: State, pc: number): void {
    const { instructions } = state.program.source;
    const opcode = instructions.opcode[pc]!;
    if (opcode === CALL) {
      const number = instructions.imm[pc]!;
      if (instructions.src[pc] === 0 && FOLLOWED.has(number)) this.#call(state, number, placeOf(state, pc));
      return;
    }
    const offset = instructions.offset[pc]!;
    if (STORED.has(offset) && storeSize(opcode) === 4) this.#store(state, pc, offset);
  }

  /**
   * Looks at what the run has left with the packet, and in maps.
   * @param before what maps held before the run, where that is known: nothing is read again that did not change
   */
  finish(machine: Machine, before?: Contents): void {
    this.contentPlace = this.#lastOf(CONTENT_HELPERS);
    const isKnown = before !== undefined && this.contentPlace === undefined;
    this.contents = isKnown ? before : contentsOf(machine);
    if (machine.hook === 'xdp') return;
    const { memory } = machine;
    for (const [name, offset, setters] of FIELDS) {
      const value = offset === SK_BUFF.tstampType ? memory.u8[CONTEXT_BASE + offset]! : word(machine, offset);
      const place = this.#lastStores.get(offset) ?? this.#lastOf(setters);
      this.carried.set(`__sk_buff ${name}`, { text: String(value), place });
    }
    const carry = (name: string, text: string, setters: readonly number[]): void =>
      void this.carried.set(name, { text, place: this.#lastOf(setters) });
    carry('VLAN tag beside the frame', vlanText(machine), VLAN_SETTERS);
    carry('tunnel key', tunnelText(machine), TUNNEL_SETTERS);
    carry('checksum level', this.#levels.join(', ') || 'as it was', [HELPER.csumLevel]);
    this.carried.set('__sk_buff hash', this.#hash ?? { text: 'that of its flow', place: undefined });
    this.carried.set('socket', this.#socket ?? { text: 'not assigned', place: undefined });
  }

  #lastOf(helpers: readonly number[]): CodePlace | undefined {
    return [...this.#lastCalls].findLast(([number]) => helpers.includes(number))?.[1];
  }

  #store(state: State, pc: number, offset: number): void {
    const base = state.lo[state.program.source.instructions.dst[pc]!]!;
    if (base === CONTEXT_BASE) this.#lastStores.set(offset, placeOf(state, pc));
  }

  #call(state: State, number: number, place: CodePlace): void {
    this.#lastCalls.delete(number);
    this.#lastCalls.set(number, place);
    const way = redirectText(state, number);
    if (way !== undefined) this.redirect = { text: way, place };
    const sent = sentBy(state, number);
    if (sent !== undefined) this.sent.push({ ...sent, place });
    const { lo, machine } = state;
    const level = CHECKSUM_LEVELS[lo[2]! >>> 0];
    if (number === HELPER.csumLevel && level) this.#levels.push(level);
    if (number === HELPER.setHash) this.#hash = { text: String(lo[2]! >>> 0), place };
    if (number === HELPER.setHashInvalid) this.#hash = undefined;
    if (number === HELPER.skAssign) this.#socket = { text: socketText(machine, lo[2]!, lo[3]!), place };
  }
}

function contentsOf({ maps }: Machine): Contents {
  return new Map(
    maps.flatMap((map): [string, readonly MapContent[]][] => {
      const held = map.contents();
      return held === undefined ? [] : [[map.name, held]];
    }),
  );
}

/** The way of a redirect that a helper notes; undefined: it notes none. */
function redirectText(state: State, number: number): string | undefined {
  const { lo, machine } = state;
  switch (number) {
    case HELPER.redirect:
      if (machine.hook === 'xdp') return 'to a device';
      return (lo[2]! & BPF_F_INGRESS) === 0 ? 'out of the device' : 'into the device (BPF_F_INGRESS)';
    case HELPER.redirectPeer:
      return "into the device's peer (bpf_redirect_peer)";
    case HELPER.redirectNeigh:
      return neighbourText(machine, lo[2]!, lo[3]!);
    case HELPER.redirectMap:
      return mapRedirectText(machine, mapIn(state, 1), lo[3]! & ~MISS_MASK);
    default:
      return undefined;
  }
}

function neighbourText(machine: Machine, parameters: number, size: number): string {
  const hop = size === 0 ? 'which the routes name' : toHex(bytesAt(machine, parameters, size));
  return `to the neighbour (bpf_redirect_neigh), ${hop}`;
}

function mapRedirectText(machine: Machine, map: LiveMap | undefined, flags: number): string | undefined {
  if (map === undefined) return undefined;
  const { type } = map.definition;
  if (type === 'CPUMAP') return 'to a CPU';
  if (type === 'XSKMAP') return 'to a socket of a queue';
  if ((flags & BPF_F_BROADCAST) === 0) return 'to a device';
  const but = (flags & BPF_F_EXCLUDE_INGRESS) === 0 ? '' : ', but to that which it came from';
  return `to all of the devices ${devicesOf(machine, map).join(', ') || '(none)'}${but}`;
}

/** Ifindexes, in order. */
function devicesOf({ memory }: Machine, map: LiveMap): number[] {
  const found: number[] = [];
  if (map instanceof SlotMap) {
    for (let index = 0; index < map.definition.maxEntries; index++) {
      const slot = map.lookupIndex(index);
      if (slot !== 0) found.push(memory.u32(slot));
    }
  } else if (map instanceof DeviceHashMap) {
    for (const { value } of map.snapshot()?.kept() ?? [])
      found.push(new DataView(value.buffer, value.byteOffset).getUint32(0, true));
  }
  return found.sort((a, b) => a - b);
}

/** What a helper sends, or asks to be sent: whether it arrives is up to the devices and readers that there are. */
function sentBy(state: State, number: number): Omit<Sent, 'place'> | undefined {
  const { lo, machine } = state;
  switch (number) {
    case HELPER.cloneRedirect:
      return {
        to: 'copies sent',
        what: `to device ${lo[2]! >>> 0}, flags ${lo[3]! >>> 0}`,
        bytes: frameOf(machine),
      };
    case HELPER.perfEventOutput:
      return perfEvent(state);
    case HELPER.ringbufOutput:
      return event(mapIn(state, 1), bytesAt(machine, lo[2]!, lo[3]!), lo[4]!);
    case HELPER.ringbufSubmit:
      return sampleEvent(machine, lo[1]!, lo[2]!);
    case HELPER.ringbufSubmitDynptr: {
      const dynptr = isStack(lo[1]!) ? readDynptr(machine, lo[1]!) : undefined;
      return dynptr?.kind === DYNPTR.sample ? sampleEvent(machine, dynptr.address, lo[2]!) : undefined;
    }
    case HELPER.sendSignal:
    case HELPER.sendSignalThread: {
      const whom = number === HELPER.sendSignal ? 'process' : 'thread';
      return { to: 'signals sent', what: `${lo[1]! >>> 0} to the ${whom}`, bytes: NOTHING };
    }
    case HELPER.timerStart:
      return timer(state);
    default:
      return undefined;
  }
}

const WAKEUPS = ['', ', without waking the reader', ', waking the reader'] as const;

function event(map: LiveMap | undefined, bytes: Uint8Array, flags: number): Omit<Sent, 'place'> | undefined {
  if (map === undefined) return undefined;
  return { to: `events in map ${map.name}`, what: `an event${WAKEUPS[flags] ?? `, flags ${flags}`}`, bytes };
}

/** A sample of a ring, the size of which stands in front of it. */
function sampleEvent(machine: Machine, sample: number, flags: number): Omit<Sent, 'place'> | undefined {
  for (const map of machine.maps) {
    if (!(map instanceof RingBufferMap) || sample < map.storage || sample >= map.storage + map.size) continue;
    const size = machine.memory.u32(sample - RINGBUF_HEADER) & LENGTH_MASK;
    return event(map, bytesAt(machine, sample, size), flags);
  }
  return undefined;
}

/** With the packet's first bytes, where the flags ask for them. */
function perfEvent(state: State): Omit<Sent, 'place'> | undefined {
  const { lo, hi, machine } = state;
  const map = mapIn(state, 2);
  if (map === undefined) return undefined;
  const index = lo[3]! >>> 0 === BPF_F_CURRENT_CPU ? machine.cpu : lo[3]! >>> 0;
  const own = bytesAt(machine, lo[4]!, lo[5]!);
  const frame = hi[3] === 0 ? NOTHING : frameOf(machine).slice(0, hi[3]! >>> 0);
  const bytes = new Uint8Array(own.length + frame.length);
  bytes.set(own);
  bytes.set(frame, own.length);
  return {
    to: `events in map ${map.name}`,
    what: `an event for CPU ${index}${frame.length === 0 ? '' : ` with ${frame.length} bytes of the packet`}`,
    bytes,
  };
}

function timer({ lo, hi, tag, provenance, machine }: State): Omit<Sent, 'place'> {
  const of = tag[1]! > 0 && provenance.kind[tag[1]!] === KIND.value ? provenance.detail[tag[1]!] : undefined;
  const time = (BigInt(hi[2]! >>> 0) << 32n) | BigInt(lo[2]! >>> 0);
  return {
    to: `timers in map ${of === undefined ? '?' : machine.maps[of]!.name}`,
    what: `starts in ${time} ns, flags ${lo[3]! >>> 0}`,
    bytes: NOTHING,
  };
}

function vlanText(machine: Machine): string {
  if (word(machine, SK_BUFF.vlanPresent) === 0) return 'none';
  const proto = word(machine, SK_BUFF.vlanProto);
  const type = ((proto & 0xff) << 8) | ((proto >>> 8) & 0xff);
  return `${word(machine, SK_BUFF.vlanTci)} of type 0x${type.toString(16)}`;
}

function tunnelText({ memory, tunnel }: Machine): string {
  const known = memory.i32[MACHINE_WORD.tunnel]!;
  if (known === 0) return 'none';
  const { key, flags, ipv6, options } = tunnel;
  const view = new DataView(key.buffer, key.byteOffset);
  const address = (at: number): string =>
    ipv6 ? toHex(key, at, 16) : `0x${view.getUint32(at, true).toString(16)}`;
  const parts = [
    `id ${view.getUint32(TUNNEL_ID, true)}`,
    `remote ${address(TUNNEL_REMOTE)}, local ${address(TUNNEL_LOCAL)}`,
    `tos ${key[TUNNEL_TOS]}, ttl ${key[TUNNEL_TTL]}, label ${view.getUint32(TUNNEL_LABEL, true)}`,
    `flags 0x${flags.toString(16)}`,
    ...(known > 1 ? [`options ${toHex(options)}`] : []),
  ];
  return `for ${ipv6 ? 'IPv6' : 'IPv4'}, ${parts.join(', ')}`;
}

function socketText(machine: Machine, address: number, flags: number): string {
  if (address === 0) return 'none';
  const socket = socketAt(machine, address);
  if (socket === undefined) return `the frame's own, flags ${flags}`;
  const { protocol, local, remote } = socket;
  return `of protocol ${protocol}, ${JSON.stringify([local, remote ?? null], bytesAsHex)}, flags ${flags}`;
}

function bytesAsHex(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? toHex(value) : value;
}

function word({ memory }: Machine, offset: number): number {
  return memory.i32[(CONTEXT_BASE + offset) >> 2]! >>> 0;
}

function frameOf({ packet }: Machine): Uint8Array {
  const { dataMeta, data, frameEnd } = packet;
  const all = new Uint8Array(frameEnd - dataMeta);
  packet.copyOut(all, 0);
  return all.subarray(data - dataMeta);
}

// What a call that the machine is about to stop passes may be anything.

function mapIn({ tag, provenance, machine }: State, register: number): LiveMap | undefined {
  const own = tag[register]!;
  return own > 0 && provenance.kind[own] === KIND.map ? machine.maps[provenance.detail[own]!] : undefined;
}

function bytesAt({ memory }: Machine, at: number, size: number): Uint8Array {
  return at > 0 && size > 0 && at + size <= memory.u8.length ? memory.read(at, size) : NOTHING;
}

function isStack(at: number): boolean {
  return at >= STACK_BASE && at < STACK_LIMIT;
}

function placeOf({ program }: State, pc: number): CodePlace {
  return { program: program.source.function, instruction: pc, source: sourceAt(program.source, pc) };
}
