/** What calls of helpers do to the flow of data: the ones that copy, sum or look something up; of the others, what their record says. */
import { INITIAL_JIFFIES, NANOSECONDS_PER_JIFFY } from '../../runtime/clock.ts';
import { indexKey } from '../../runtime/map-snapshot.ts';
import { ARGUMENT_TYPES } from '../helpers/argument-types.ts';
import type { Helper } from '../helpers/helper.ts';
import { helperAt } from '../helpers/helper-at.ts';
import { ACKNOWLEDGED, acknowledgedCookie } from '../helpers/syncookie-helpers.ts';
import { TUNNEL_KEY_FLAG } from '../helpers/tunnel-helpers.ts';
import type { Instructions } from '../instruction.ts';
import type { State } from '../interpreter/state.ts';
import type { Machine } from '../machine.ts';
import { BPF_NOEXIST, type LiveMap } from '../maps/live-map.ts';
import { TUNNEL, TUNNEL_KEY, tunnelKnown } from '../tunnel-info.ts';
import { addsToOld, dependsOnCpu } from './added-values.ts';
import { binary, checksum, input, type Operand } from './expression.ts';
import type { FlowMemory } from './flow-memory.ts';
import { effectValue, type FlowCall, type FlowEffect } from './flow-trace.ts';
import type { CallResult, TunnelByte } from './inputs.ts';

/** What is left to be done when the call has come back. */
export interface Resume {
  readonly slot: number;
  readonly isTailCall: boolean;
  /**
   * @param hasLeft did the program end here, by a tail call?
   * @returns where r0 comes from; undefined: a number that depends on no input
   */
  readonly finish: (state: State, hasLeft: boolean) => Operand | undefined;
}

/** What the call is, to those who follow it. */
export interface CallView {
  readonly tracer: {
    readonly calls: FlowCall[];
    readonly noteEffect: (
      program: number,
      slot: number,
      map: number,
      kind: FlowEffect['kind'],
      value: string,
      adds?: boolean,
    ) => void;
    readonly lengthPlus: (value: number) => Operand;
  };
  readonly memory: FlowMemory;
  readonly packet: number;
  readonly program: number;
  readonly slot: number;
  readonly operand: (register: number) => Operand;
}

type Follower = (state: State, view: CallView, helper: Helper) => Resume['finish'];

const MAX_CALLS = 1_000;

/** To be called before a helper or a kernel function runs. */
export function followCall(state: State, view: CallView, instructions: Instructions): Resume {
  const helper = helperAt(state.machine.object, state.program.source, view.slot);
  const isTailCall = helper?.effects.leavesProgram === true;
  if (helper === undefined || instructions.count === 0)
    return { slot: view.slot, isTailCall, finish: () => undefined };
  const follow = FOLLOWERS.get(helper.name) ?? followOther;
  return { slot: view.slot, isTailCall, finish: follow(state, view, helper) };
}

/** A call that found something or did not: r0 becomes an input, which nobody can choose but by changing the world. */
function noteCall(
  view: CallView,
  helper: string,
  found: boolean,
  r0: bigint,
  more: Partial<Pick<FlowCall, 'map' | 'key' | 'keyParts' | 'parameters' | 'flags' | 'size' | 'needs'>>,
): CallResult {
  const { calls } = view.tracer;
  const { packet, program, slot } = view;
  const nothing = new Uint8Array(0);
  if (calls.length < MAX_CALLS)
    calls.push({
      map: -1,
      key: nothing,
      keyParts: [],
      parameters: nothing,
      needs: 0,
      ...more,
      packet,
      program,
      slot,
      helper,
      found,
      result: BigInt.asIntN(64, r0),
    });
  const call = calls.length - 1;
  return view.memory.field(`call ${call}`, () => ({ kind: 'call', call }));
}

function r0(state: State): bigint {
  return (BigInt(state.hi[0]! >>> 0) << 32n) | BigInt(state.lo[0]! >>> 0);
}

function mapOf(state: State): { readonly index: number; readonly map: LiveMap } {
  const map = state.machine.mapAt(state.lo[1]!);
  return { index: state.machine.maps.indexOf(map), map };
}

const followLookup: Follower = (state, view, { name }) => {
  const { index, map } = mapOf(state);
  const { keySize } = map.definition;
  const key = state.machine.memory.read(state.lo[2]!, keySize);
  const keyParts = view.memory.parts(state.lo[2]!, keySize);
  return (after) => {
    const found = after.lo[0] !== 0;
    if (found) view.memory.addArea(index, key, after.lo[0]!, map.valueSize);
    const result = r0(after);
    return input(noteCall(view, name, found, result, { map: index, key, keyParts }), result);
  };
};

const followUpdate: Follower = (state, view) => {
  const { index, map } = mapOf(state);
  const keyAt = state.lo[2]!;
  const key = state.machine.memory.read(keyAt, map.definition.keySize);
  const parts = view.memory.parts(state.lo[3]!, map.definition.valueSize);
  const mayReplace = state.lo[4] !== BPF_NOEXIST;
  const isOwn = dependsOnCpu(view.memory.parts(keyAt, map.definition.keySize));
  const adds = mayReplace && !isOwn && addsToOld(parts, { map: index, key });
  return (after) => {
    view.tracer.noteEffect(view.program, view.slot, index, 'update', effectValue(parts), adds);
    const isPlain = map.definition.type.includes('HASH') || map.definition.type.includes('ARRAY');
    if (after.lo[0] !== 0 || !isPlain) return undefined;
    // The key still lies where it was: the helper only reads it.
    const at = map.lookup(keyAt);
    if (at === 0) return undefined;
    view.memory.addArea(index, key, at, map.valueSize);
    view.memory.storeParts(at, parts);
    return undefined;
  };
};

const followDelete: Follower = (state, view) => {
  const { index } = mapOf(state);
  return () => {
    view.tracer.noteEffect(view.program, view.slot, index, 'delete', '');
    return undefined;
  };
};

/** `bpf_map_push_elem`: of a queue or stack, what is pushed comes out again. */
const followPush: Follower = (state, view) => {
  const { index, map } = mapOf(state);
  const { type, valueSize, maxEntries } = map.definition;
  const parts = view.memory.parts(state.lo[2]!, valueSize);
  return (after) => {
    if (after.lo[0] !== 0) return undefined;
    view.tracer.noteEffect(view.program, view.slot, index, 'update', effectValue(parts));
    if (type === 'BLOOM_FILTER') return undefined;
    const queue = view.memory.queue(index);
    // With BPF_EXIST the oldest makes room.
    if (queue.length >= maxEntries) queue.shift();
    queue.push({ parts });
    return undefined;
  };
};

/** `bpf_map_pop_elem` and `bpf_map_peek_elem`: what comes out is the world's, or what the program has pushed. */
function taking(isTaken: boolean): Follower {
  return (state, view, helper) => {
    const { index, map } = mapOf(state);
    if (map.definition.type === 'BLOOM_FILTER') return askFilter(state, view, helper);
    const isStack = map.definition.type === 'STACK';
    const to = state.lo[2]!;
    return (after) => {
      const found = after.lo[0] === 0;
      const queue = view.memory.queue(index);
      const next = found ? queue.at(isStack ? -1 : 0) : undefined;
      if (found && isTaken) isStack ? queue.pop() : queue.shift();
      view.memory.forget(to, map.valueSize);
      if (next !== undefined && isHeldAt(after.machine, to, next.parts))
        view.memory.storeParts(to, next.parts);
      const position = found ? next?.position : view.memory.queuedByWorld(index);
      const key = position === undefined ? new Uint8Array(0) : indexKey(position);
      const result = r0(after);
      return input(noteCall(view, helper.name, found, result, { map: index, key }), result);
    };
  };
}

/** Is it what lies there? What an expression does not say right, nobody should solve. */
function isHeldAt({ memory }: Machine, address: number, parts: readonly Operand[]): boolean {
  return parts.every(
    (part, at) => (typeof part === 'bigint' ? part : part.value) === BigInt(memory.u8[address + at]!),
  );
}

/** `bpf_map_peek_elem` of a Bloom filter: is the value in it? */
const askFilter: Follower = (state, view, { name }) => {
  const { index, map } = mapOf(state);
  const { valueSize } = map.definition;
  const key = state.machine.memory.read(state.lo[2]!, valueSize);
  const keyParts = view.memory.parts(state.lo[2]!, valueSize);
  return (after) => {
    const result = r0(after);
    const found = after.lo[0] === 0;
    return input(noteCall(view, name, found, result, { map: index, key, keyParts }), result);
  };
};

/** Elements of a map whose values are followed. */
const MAX_ELEMENTS = 64;

/**
 * `bpf_for_each_map_elem`: the values that the callback gets are the map's, as if they had been looked up. Where there is none, the
 * call asks for one. It asks for no second: the kernel goes through those of a hash in an order of its own.
 */
const followElements: Follower = (state, view, { name }) => {
  const { index, map } = mapOf(state);
  const { memory } = state.machine;
  const { keySize } = map.definition;
  let count = 0;
  for (const { key, value } of map.rows() ?? []) {
    view.memory.addArea(index, memory.read(key, keySize), value, map.valueSize);
    if (++count === MAX_ELEMENTS) break;
  }
  if (count > 0) return () => undefined;
  return (after) => {
    const result = r0(after);
    return input(noteCall(view, name, false, result, { map: index, key: new Uint8Array(keySize) }), result);
  };
};

/** The map in a register, the index in the next one. */
function indexed(argument: number): Follower {
  return (state, view, { name }) => {
    const map = state.machine.mapAt(state.lo[argument]!);
    const index = state.machine.maps.indexOf(map);
    const number = state.lo[argument + 1]!;
    const key = new Uint8Array(4);
    new DataView(key.buffer).setInt32(0, number, true);
    const operand = view.operand(argument + 1);
    const keyParts = typeof operand === 'bigint' ? [] : [operand];
    return (after, hasLeft) => {
      const found = name === 'bpf_tail_call' ? hasLeft : after.machine.redirectTarget !== 0;
      const result = r0(after);
      const field = noteCall(view, name, found, result, { map: index, key, keyParts });
      return hasLeft || name === 'bpf_tail_call' ? undefined : input(field, result);
    };
  };
}

/** `struct bpf_fib_lookup` in r2, and tuples of sockets in r2. */
function asking(size: (state: State) => number): Follower {
  return (state, view, helper) => {
    const at = state.lo[2]!;
    const parameters = state.machine.memory.read(at, size(state));
    const keyParts = view.memory.parts(at, parameters.length);
    const flags = helper.name === 'bpf_fib_lookup' ? { flags: state.lo[4]! } : {};
    const finish = followOther(state, view, helper);
    return (after, hasLeft) => {
      finish(after, hasLeft);
      const found = helper.name === 'bpf_fib_lookup' ? after.lo[0] === 0 : after.lo[0] !== 0;
      const result = r0(after);
      return input(noteCall(view, helper.name, found, result, { parameters, keyParts, ...flags }), result);
    };
  };
}

/** The offset in r2, the buffer in r3, the size in r4. */
const followLoadBytes: Follower = (state, view, { name }) => {
  const { packet } = state.machine;
  const offset = state.lo[2]!;
  const size = state.lo[4]!;
  const to = state.lo[3]!;
  const start = name.endsWith('_relative') && state.lo[5] === 1 ? packet.data + 14 : packet.data;
  const inside = offset >= 0 && start + offset + size <= packet.frameEnd;
  const parts = inside ? view.memory.parts(start + offset, size) : [];
  const needs = start - packet.data + offset + size;
  return (after) => {
    const found = after.lo[0] === 0;
    if (found) view.memory.storeParts(to, parts);
    else view.memory.forget(to, size);
    const result = r0(after);
    return input(noteCall(view, name, found, result, { needs }), result);
  };
};

const followStoreBytes: Follower = (state, view, { name }) => {
  const { packet } = state.machine;
  const offset = state.lo[2]!;
  const size = state.lo[4]!;
  const parts = view.memory.parts(state.lo[3]!, size);
  return (after) => {
    const found = after.lo[0] === 0;
    if (found) view.memory.storeParts(packet.data + offset, parts);
    const result = r0(after);
    return input(noteCall(view, name, found, result, { needs: offset + size }), result);
  };
};

const followChecksum: Follower = (state, view) => {
  const parts = (register: number): Operand[] =>
    state.lo[register + 1]! > 0 ? view.memory.parts(state.lo[register]!, state.lo[register + 1]!) : [];
  const from = parts(1);
  const to = parts(3);
  const start = binary('and', 64, view.operand(5), 0xffff_ffffn);
  return (after) => {
    const sum = checksum(from, to, start);
    // What the expression does not say right, nobody should solve.
    return typeof sum === 'bigint' || sum.value !== r0(after) ? undefined : sum;
  };
};

/** What the record of a helper says: which memory it writes, whether it moves the packet, where its result comes from. */
function followOther(state: State, view: CallView, helper: Helper): Resume['finish'] {
  const { machine, lo } = state;
  const written: { readonly at: number; readonly size: number }[] = [];
  helper.arguments.forEach((type, position) => {
    const record = ARGUMENT_TYPES[type].memory;
    const at = lo[position + 1]!;
    if (record === undefined || record.access === 'read' || at === 0) return;
    if (typeof record.size === 'number') written.push({ at, size: record.size });
    else if (record.size === 'next argument') written.push({ at, size: Math.max(0, lo[position + 2]!) });
    else if (record.size === 'map value') written.push({ at, size: mapOf(state).map.definition.valueSize });
  });
  const { packet } = machine;
  const moves = helper.effects.packet === 'moved';
  const before = moves ? view.memory.parts(packet.data, packet.frameEnd - packet.data) : [];
  const start = packet.data;
  const length = packet.frameEnd - start;
  const bytes = moves || helper.effects.packet === 'written' ? bytesAt(machine, start, length) : undefined;
  return (after) => {
    for (const { at, size } of written) view.memory.forget(at, size);
    const movedBytes = moves && (packet.data !== start || packet.frameEnd - packet.data !== length);
    if (movedBytes) view.memory.movePacket(before);
    else if (bytes !== undefined) forgetChanged(view, machine, bytes);
    return resultOf(after, view, helper);
  };
}

function bytesAt({ memory }: Machine, start: number, length: number): Uint8Array {
  return memory.u8.slice(start, start + length);
}

/** A helper that may write the frame writes a few bytes of it, or only says where it may be written (`bpf_dynptr_slice_rdwr`). */
function forgetChanged({ memory }: CallView, machine: Machine, before: Uint8Array): void {
  const { data, frameEnd } = machine.packet;
  const now = bytesAt(machine, data, frameEnd - data);
  if (now.length !== before.length) memory.forget(data, now.length);
  else for (const [at, byte] of now.entries()) if (byte !== before[at]) memory.forget(data + at, 1);
}

/** The clock itself, in nanoseconds or in jiffies. */
function clockOf(
  name: string,
  value: bigint,
  { time }: Machine,
  { memory, packet }: CallView,
): Operand | undefined {
  const field = memory.field(`time ${packet}`, () => ({ kind: 'time', packet }));
  if (value === time) return input(field, time);
  if (name !== 'bpf_jiffies64') return undefined;
  const jiffies = binary('div', 64, input(field, time), BigInt(NANOSECONDS_PER_JIFFY));
  return binary('add', 64, jiffies, INITIAL_JIFFIES);
}

function resultOf(after: State, view: CallView, { name, effects }: Helper): Operand | undefined {
  const value = r0(after);
  const { machine } = after;
  if (name === 'bpf_xdp_get_buff_len') return view.tracer.lengthPlus(Number(value));
  if (effects.dependsOn.includes('clock')) return clockOf(name, value, machine, view);
  if (effects.dependsOn.includes('cpu') && value === BigInt(machine.cpu))
    return input(
      view.memory.field('cpu', () => ({ kind: 'cpu', packet: view.packet })),
      value,
    );
  if (effects.dependsOn.includes('chance')) {
    const draws = view.memory.draws++;
    return input(
      view.memory.field(`chance ${draws}`, () => ({ kind: 'chance', packet: view.packet, draws })),
      value,
    );
  }
  return undefined;
}

/** Bytes of a key that frames come with, one by one: all but those between the fields, and the upper ones of a flow label. */
function isKeyField(offset: number, ipv6: boolean, flags: number): boolean {
  const { remote, tos, local, label } = TUNNEL_KEY;
  const address = ipv6 ? 16 : 4;
  if (offset >= TUNNEL_KEY.flags && offset < label) return (flags & TUNNEL_KEY_FLAG.showFlags) !== 0;
  if (offset >= label && offset < local) return ipv6 && offset < label + 3;
  if (offset >= local) return offset < local + address;
  return offset < remote + address || offset >= tos;
}

/** `bpf_skb_get_tunnel_key` and `_opt`: what the frame came with, unless the program has stated a key of its own since. */
function askTunnel(part: TunnelByte['part']): Follower {
  return (state, view, helper) => {
    const { machine, lo } = state;
    const isOwn = tunnelKnown(machine) !== TUNNEL.nothing && !machine.tunnel.received;
    const finish = followOther(state, view, helper);
    if (isOwn) return finish;
    const [to, size, flags] = [lo[2]!, lo[3]!, part === 'key' ? lo[4]! : 0];
    return (after, hasLeft) => {
      finish(after, hasLeft);
      const length = Number(BigInt.asIntN(32, r0(after)));
      const found = length >= 0;
      const { u8 } = machine.memory;
      const { packet } = view;
      const parts = Array.from({ length: size }, (_, offset): Operand => {
        const byte = BigInt(u8[to + offset]!);
        const isField = part === 'key' ? isKeyField(offset, machine.tunnel.ipv6, flags) : offset < length;
        if (!found || !isField) return byte;
        const make = (): TunnelByte => ({ kind: 'tunnel', packet, part, offset });
        return input(view.memory.field(`tunnel ${packet} ${part} ${offset}`, make), byte);
      });
      view.memory.storeParts(to, parts);
      const result = r0(after);
      return input(noteCall(view, helper.name, found, result, { flags, size }), result);
    };
  };
}

/** `bpf_check_mtu`: which device was asked about, and for what length: ifindex, length and what is added to it, a word each. */
const followMtu: Follower = (state, view, helper) => {
  const { lo, machine } = state;
  const parameters = new Uint8Array(12);
  const words = new DataView(parameters.buffer);
  for (const [at, word] of [lo[2]!, machine.memory.u32(lo[3]!), lo[4]!].entries())
    words.setInt32(4 * at, word, true);
  const keyParts = view.memory.parts(lo[3]!, 4);
  const finish = followOther(state, view, helper);
  return (after, hasLeft) => {
    finish(after, hasLeft);
    const result = r0(after);
    return input(noteCall(view, helper.name, after.lo[0] === 0, result, { parameters, keyParts }), result);
  };
};

/** `bpf_tcp_raw_check_syncookie_*`: which number the segment acknowledges, and which one would be a cookie's. */
const followCookie: Follower = ({ machine, lo }, view, { name }) => {
  const [network, tcp] = [lo[1]!, lo[2]!];
  const keyParts = view.memory.parts(tcp + ACKNOWLEDGED, 4);
  const parameters = new Uint8Array(4);
  const cookie = acknowledgedCookie(machine, network, tcp, name.endsWith('ipv6'));
  new DataView(parameters.buffer).setUint32(0, cookie);
  return (after) => {
    const result = r0(after);
    return input(noteCall(view, name, after.lo[0] === 0, result, { parameters, keyParts }), result);
  };
};

const SOCKET_TUPLE: Follower = asking((state) => Math.min(36, Math.max(0, state.lo[3]!)));

const FOLLOWERS: ReadonlyMap<string, Follower> = new Map([
  ['bpf_map_lookup_elem', followLookup],
  ['bpf_map_lookup_percpu_elem', followLookup],
  ['bpf_map_update_elem', followUpdate],
  ['bpf_map_delete_elem', followDelete],
  ['bpf_map_push_elem', followPush],
  ['bpf_map_pop_elem', taking(true)],
  ['bpf_map_peek_elem', taking(false)],
  ['bpf_for_each_map_elem', followElements],
  ['bpf_tail_call', indexed(2)],
  ['bpf_redirect_map', indexed(1)],
  ['bpf_fib_lookup', asking(() => 64)],
  ['bpf_sk_lookup_tcp', SOCKET_TUPLE],
  ['bpf_sk_lookup_udp', SOCKET_TUPLE],
  ['bpf_skc_lookup_tcp', SOCKET_TUPLE],
  ['bpf_skb_load_bytes', followLoadBytes],
  ['bpf_skb_load_bytes_relative', followLoadBytes],
  ['bpf_xdp_load_bytes', followLoadBytes],
  ['bpf_skb_store_bytes', followStoreBytes],
  ['bpf_xdp_store_bytes', followStoreBytes],
  ['bpf_check_mtu', followMtu],
  ['bpf_tcp_raw_check_syncookie_ipv4', followCookie],
  ['bpf_tcp_raw_check_syncookie_ipv6', followCookie],
  ['bpf_csum_diff', followChecksum],
  ['bpf_skb_get_tunnel_key', askTunnel('key')],
  ['bpf_skb_get_tunnel_opt', askTunnel('options')],
]);
