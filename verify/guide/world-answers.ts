/** Worlds in which a call gets another answer: an entry for the key that was looked up, a program in the slot, a route to the address. */

import type { BpfMap, BpfObject } from '../../sim/ebpf/bpf-object.ts';
import { type Assignment, byteOf, type Operand } from '../../sim/ebpf/dataflow/expression.ts';
import type { FlowCall } from '../../sim/ebpf/dataflow/flow-trace.ts';
import type { Choosable } from '../../sim/ebpf/dataflow/solve.ts';
import { solveBytes } from '../../sim/ebpf/dataflow/solve-bytes.ts';
import type { Machine } from '../../sim/ebpf/machine.ts';
import { nextMade } from '../../sim/ebpf/made-maps.ts';
import { ownMapsFor } from '../../sim/ebpf/world-slots.ts';
import { addressToText, isMulticast6 } from '../../sim/packet/addresses.ts';
import { isZero } from '../../sim/packet/bytes.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import { withDefaultDevices } from '../../sim/runtime/default-world.ts';
import { EFAULT, ENOENT } from '../../sim/runtime/errno.ts';
import {
  AF_INET,
  AF_INET6,
  BPF_FIB_LKUP_RET_FRAG_NEEDED,
  BPF_FIB_LKUP_RET_FWD_DISABLED,
  BPF_FIB_LKUP_RET_NO_NEIGH,
  BPF_FIB_LKUP_RET_NOT_FWDED,
  BPF_FIB_LKUP_RET_SUCCESS,
  BPF_FIB_LOOKUP_OUTPUT,
  FIB_PARAMETER,
  REJECTIONS,
  rejectingType,
} from '../../sim/runtime/fib.ts';
import { indexKey } from '../../sim/runtime/map-snapshot.ts';
import { ARRAYS, SEQUENCES } from '../../sim/runtime/maps.ts';
import { LOOPBACK } from '../../sim/runtime/route-entry.ts';
import { isLinkLocal6 } from '../../sim/runtime/route-table6.ts';
import { canBeOpen } from '../../sim/runtime/sockets.ts';
import type { Device, MapEntry, MapSlot, Route, Socket, World } from '../../sim/runtime/world.ts';
import { NO_DEVICE } from '../mtu-world.ts';
import { askingAbout, lengthInstead, MTU_ANSWERS, mtuAnswer } from './mtu-answers.ts';
import { askedSocket, endpointText, isSocketLookup, withSocket } from './socket-answers.ts';
import type { Sequence } from './traced-runs.ts';
import { asksTunnel, tunnelAnswers, withTunnelAnswer } from './tunnel-edits.ts';
import {
  isSameKey,
  resized,
  withElement,
  withEntry,
  withMapByte,
  withoutElement,
  withoutKey,
} from './world-edits.ts';

export interface Answer {
  readonly world: World;
  /** Absent: the packets stay. */
  readonly stimuli?: readonly Stimulus[];
}

/** A case in the making. */
interface Draft {
  world: World;
  readonly stimuli: Stimulus[];
  readonly machine: Machine;
  /** Which bytes of maps and variables may be others. */
  readonly choosable: Choosable;
}

/**
 * @param value what r0 should be: for lookups 0 or anything else, for `bpf_fib_lookup` its result
 * @param choosable which bytes of maps and variables may be others for it
 * @returns undefined where no world answers so
 */
export function answerCall(
  world: World,
  stimuli: readonly Stimulus[],
  call: FlowCall,
  value: bigint,
  machine: Machine,
  choosable: Choosable = () => true,
): Answer | undefined {
  if (call.needs > 0) return ofLength(world, stimuli, call, value === 0n);
  const draft: Draft = { world, stimuli: stimuli.slice(), machine, choosable };
  if (call.helper === 'bpf_fib_lookup') return ofRoute(draft, call, Number(BigInt.asIntN(32, value)));
  if (call.helper === 'bpf_check_mtu') return ofMtu(draft, call, value);
  if (checksCookie(call)) return value === 0n ? ofCookie(draft, call) : undefined;
  if (asksTunnel(call)) return ofTunnel(world, stimuli, call, Number(BigInt.asIntN(32, value)));
  if (isSocketLookup(call.helper)) return value === 0n ? undefined : ofSocket(draft, call);
  if (call.map < 0) return undefined;
  const finds = isTaking(call) ? value === 0n : value !== 0n;
  if (ARRAYS.has(machine.object.maps[call.map]!.type)) return ofIndex(draft, call, finds);
  if (!finds) return withoutEntry(world, call, machine);
  return withFilled(world, call, machine)[0];
}

/** What `bpf_fib_lookup` answers in some world or other (`ofRoute`), the likeliest first. */
const ROUTE_ANSWERS: readonly bigint[] = [
  BPF_FIB_LKUP_RET_SUCCESS,
  BPF_FIB_LKUP_RET_NOT_FWDED,
  BPF_FIB_LKUP_RET_NO_NEIGH,
  ...Object.values(REJECTIONS),
  BPF_FIB_LKUP_RET_FWD_DISABLED,
  BPF_FIB_LKUP_RET_FRAG_NEEDED,
].map(BigInt);

const LENGTH_ANSWERS: readonly bigint[] = [0n, BigInt(-EFAULT)];

/** Of what takes something out of a queue or stack, or asks a Bloom filter for it. */
const TAKING_ANSWERS: readonly bigint[] = [0n, BigInt(-ENOENT)];

/** Of a check of a SYN cookie: that it is none needs no looking for. */
const COOKIE_ANSWERS: readonly bigint[] = [0n];

/** All that a call may answer, where that is few numbers; undefined: a pointer, or anything. */
export function answersOf(call: FlowCall): readonly bigint[] | undefined {
  const { helper, needs } = call;
  if (needs > 0) return LENGTH_ANSWERS;
  if (isTaking(call)) return TAKING_ANSWERS;
  if (helper === 'bpf_check_mtu') return MTU_ANSWERS;
  if (checksCookie(call)) return COOKIE_ANSWERS;
  if (asksTunnel(call)) return tunnelAnswers(call);
  return helper === 'bpf_fib_lookup' ? ROUTE_ANSWERS : undefined;
}

/**
 * The same, and what a call answers only where something is amiss: a branch may ask for it, and else it is not worth a case.
 * @param areDevicesStated are the devices that there are the user's?
 */
export function answersFor(call: FlowCall, areDevicesStated: boolean): readonly bigint[] | undefined {
  const answers = answersOf(call);
  return call.helper === 'bpf_check_mtu' && !areDevicesStated ? [...MTU_ANSWERS, NO_DEVICE] : answers;
}

/** Helpers that return a number, and 0 where they found something. */
function isTaking({ helper }: FlowCall): boolean {
  return helper === 'bpf_map_pop_elem' || helper === 'bpf_map_peek_elem';
}

/** Helpers that take the acknowledged number for a cookie. */
function checksCookie({ helper }: FlowCall): boolean {
  return helper.startsWith('bpf_tcp_raw_check_syncookie');
}

/** Worlds in which the map holds something under the key that was asked for; of programs, one for each. */
export function withFilled(world: World, call: FlowCall, machine: Machine): Answer[] {
  const map = machine.object.maps[call.map]!;
  const { key } = call;
  switch (map.type) {
    case 'PROG_ARRAY': {
      // Whoever says what a loader puts there also says what it does not.
      if ((world.slots?.[map.name] ?? []).some(({ guessed }) => guessed !== true)) return [];
      const others = machine.object.programs.filter(
        ({ hook }, index) => hook !== undefined && index !== call.program && isAlike(hook, machine.hook),
      );
      return others.map(({ function: name }) => {
        const slots = (world.slots?.[map.name] ?? []).filter((one) => !isSameKey(one.key, key));
        const guess = { key, name, guessed: true };
        return { world: { ...world, slots: { ...world.slots, [map.name]: [...slots, guess] } } };
      });
    }
    case 'ARRAY_OF_MAPS':
    case 'HASH_OF_MAPS': {
      const slots = (world.slots?.[map.name] ?? []).filter((one) => !isSameKey(one.key, key));
      return namesToHold(machine.object, map, slots).map((name) => ({
        world: { ...world, slots: { ...world.slots, [map.name]: [...slots, { key, name }] } },
      }));
    }
    case 'DEVMAP':
    case 'DEVMAP_HASH':
      return [
        { world: withEntry(world, map.name, { key, value: deviceValue(map.valueSize, world, machine) }) },
      ];
    case 'CPUMAP':
      return [{ world: withEntry(world, map.name, { key, value: word(192, map.valueSize) }) }];
    case 'HASH':
    case 'LRU_HASH':
    case 'PERCPU_HASH':
    case 'LRU_PERCPU_HASH':
    case 'LPM_TRIE':
      return [{ world: withEntry(world, map.name, { key, value: new Uint8Array(map.valueSize) }) }];
    case 'QUEUE':
    case 'STACK': {
      const filled = withElement(world, map);
      return filled === undefined ? [] : [{ world: filled }];
    }
    case 'BLOOM_FILTER': {
      const values = [...(world.maps?.[map.name] ?? []), withoutKey(key)];
      return [{ world: { ...world, maps: { ...world.maps, [map.name]: values } } }];
    }
    default:
      return [];
  }
}

/** Maps of the object that fit into another slot; where there are none, one that user space makes. */
function namesToHold(object: BpfObject, outer: BpfMap, slots: readonly MapSlot[]): string[] {
  const own = ownMapsFor(object, outer);
  if (own.length > 0) return own.map(({ name }) => name);
  return outer.inner === undefined ? [] : [nextMade(outer.name, slots)];
}

function isAlike(a: string, b: string): boolean {
  return (a === 'xdp') === (b === 'xdp');
}

function deviceValue(size: number, world: World, machine: Machine): Uint8Array {
  const [first] = withDefaultDevices(world, machine.object.maps).devices ?? [];
  return word(first?.ifindex ?? 2, size);
}

function word(number: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  new DataView(bytes.buffer).setUint32(0, number, true);
  return bytes;
}

/** Only what the world put there can be left out. */
function withoutEntry(world: World, call: FlowCall, machine: Machine): Answer | undefined {
  const map = machine.object.maps[call.map]!;
  if (SEQUENCES.has(map.type)) {
    const less = withoutElement(world, map, call.key);
    return less === undefined ? undefined : { world: less };
  }
  const { name } = map;
  const entries = world.maps?.[name] ?? [];
  const asked = (one: MapEntry): Uint8Array => (map.type === 'BLOOM_FILTER' ? one.value : one.key);
  const left = entries.filter((one) => !isSameKey(asked(one), call.key));
  if (left.length === entries.length) return undefined;
  return { world: { ...world, maps: { ...world.maps, [name]: left } } };
}

/** An array has no entry but by its index: what that comes from, in the packet or in another map, lies inside of it or behind it. */
function ofIndex(draft: Draft, call: FlowCall, finds: boolean): Answer | undefined {
  const { maxEntries } = draft.machine.object.maps[call.map]!;
  // An index that was put together in a register is one value.
  const [first] = call.keyParts;
  const parts =
    call.keyParts.length === 1 && first !== undefined
      ? [0, 1, 2, 3].map((index) => byteOf(first, index))
      : call.keyParts;
  const { stimuli } = draft;
  if (!giveBytes(draft, call.packet, parts, indexKey(finds ? maxEntries - 1 : maxEntries))) return undefined;
  return { world: draft.world, stimuli };
}

/** The frame as long as the call needs it, or one byte shorter. */
function ofLength(
  world: World,
  stimuli: readonly Stimulus[],
  call: FlowCall,
  succeeds: boolean,
): Answer | undefined {
  const changed = stimuli.slice();
  const packet = resized(stimuli[call.packet]!.packet, succeeds ? call.needs : call.needs - 1);
  if (packet === undefined) return undefined;
  changed[call.packet] = { ...stimuli[call.packet]!, packet };
  return { world, stimuli: changed };
}

/** A length that no device is too small for is exchanged where it comes from. */
function ofMtu(draft: Draft, call: FlowCall, value: bigint): Answer | undefined {
  const { world, stimuli, machine } = draft;
  const answer = mtuAnswer(world, stimuli, call, value, machine);
  const length = answer === undefined ? lengthInstead(call, value) : undefined;
  if (length === undefined || !giveBytes(draft, call.packet, call.keyParts, length)) return answer;
  return mtuAnswer(draft.world, stimuli, askingAbout(call, length), value, machine);
}

/** The segment acknowledges the cookie that would have gone out for it. */
function ofCookie(draft: Draft, call: FlowCall): Answer | undefined {
  if (!giveBytes(draft, call.packet, call.keyParts, call.parameters)) return undefined;
  return { world: draft.world, stimuli: draft.stimuli };
}

/** The frame out of another tunnel, or out of none. */
function ofTunnel(
  world: World,
  stimuli: readonly Stimulus[],
  call: FlowCall,
  value: number,
): Answer | undefined {
  const { packet } = call;
  const answering = withTunnelAnswer(stimuli[packet]!, call, value);
  if (answering === undefined) return undefined;
  const changed = stimuli.slice();
  changed[packet] = answering;
  return { world, stimuli: changed };
}

/**
 * A socket that takes from everybody. On an address that no socket can be bound to, none is looked for either: it is exchanged where
 * it comes from.
 */
function ofSocket(draft: Draft, call: FlowCall): Answer | undefined {
  const asked = askedSocket(call);
  if (asked === undefined) return undefined;
  const { protocol, size, destination } = asked;
  const dport = asked.dport === 0 ? portInstead(draft, call, 2 * size + 2) : asked.dport;
  if (dport === undefined) return undefined;
  const socketAt = (bytes: Uint8Array): Socket => ({ protocol, local: endpointText(bytes, dport) });
  const { sockets = [] } = draft.world;
  const socket = socketAt(destination);
  if (sockets.some((one) => one.protocol === protocol && one.local === socket.local)) return undefined;
  if (canBeOpen([socket])) {
    const world = withSocket(draft.world, socket);
    if (world === undefined) return undefined;
    return asked.dport !== 0 ? { world } : { world, stimuli: draft.stimuli };
  }
  const instead = routable(draft, call, size, size);
  const world = instead === undefined ? undefined : withSocket(draft.world, socketAt(instead));
  return world === undefined ? undefined : { world, stimuli: draft.stimuli };
}

/** A port that a socket can have, where 0 was asked for: a setting that nobody has given, say. Undefined: it cannot be another. */
function portInstead(draft: Draft, call: FlowCall, at: number): number | undefined {
  const bytes = Uint8Array.of(SOME_PORT >> 8, SOME_PORT & 0xff);
  return giveBytes(draft, call.packet, call.keyParts.slice(at, at + 2), bytes) ? SOME_PORT : undefined;
}

/**
 * A case and its call that looks for a socket, with another source port than 0, from which nobody is connected; the same where it has one, or
 * can have none.
 */
export function fromSomePort(
  sequence: Sequence,
  call: FlowCall,
  machine: Machine,
  choosable: Choosable,
): { readonly sequence: Sequence; readonly call: FlowCall } {
  const asked = askedSocket(call);
  if (asked?.sport !== 0) return { sequence, call };
  const draft: Draft = { world: sequence.world, stimuli: sequence.stimuli.slice(), machine, choosable };
  const port = portInstead(draft, call, 2 * asked.size);
  if (port === undefined) return { sequence, call };
  const parameters = call.parameters.slice();
  parameters.set([port >> 8, port & 0xff], 2 * asked.size);
  return {
    sequence: { ...sequence, world: draft.world, stimuli: draft.stimuli },
    call: { ...call, parameters },
  };
}

/** That no service has by convention, and no kernel gives to those that ask for none. */
const SOME_PORT = 15_001;

/** Devices that forward, a route to the address that was asked for, and what lies behind it. */
function ofRoute(draft: Draft, call: FlowCall, result: number): Answer | undefined {
  if (!ROUTE_ANSWERS.includes(BigInt(result))) return undefined;
  const { parameters, packet } = call;
  const family = parameters[FIB_PARAMETER.family];
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const size: 4 | 16 = family === AF_INET ? 4 : 16;
  const reachable =
    result === BPF_FIB_LKUP_RET_SUCCESS ||
    result === BPF_FIB_LKUP_RET_NO_NEIGH ||
    result === BPF_FIB_LKUP_RET_FRAG_NEEDED;
  const asked = parameters.subarray(FIB_PARAMETER.destination, FIB_PARAMETER.destination + size);
  const destination = reachable ? routable(draft, call, FIB_PARAMETER.destination, size) : asked;
  if (destination === undefined) return undefined;
  // Of IPv6, what comes from a link-local address is not forwarded either (net/core/filter.c, `rt6_need_strict`).
  if (reachable && size === 16 && routable(draft, call, FIB_PARAMETER.source, size) === undefined)
    return undefined;
  const { world, stimuli, machine } = draft;
  const address = addressToText(destination);
  const to = `${address}/${8 * size}`;
  const { devices: present = [] } = withDefaultDevices(world, machine.object.maps);
  const wanted = new DataView(parameters.buffer, parameters.byteOffset).getUint32(
    FIB_PARAMETER.ifindex,
    true,
  );
  const forwards = result !== BPF_FIB_LKUP_RET_FWD_DISABLED;
  const devices: Device[] = present.map((device, index) => ({
    ...device,
    forwarding: forwards,
    addresses: device.addresses ?? [`10.${200 + (index % 50)}.0.1/24`, `fd00:${index + 1}::1/64`],
  }));
  const [first, second = first] = devices;
  if (first === undefined || second === undefined) return undefined;
  // The loopback device forwards nothing.
  if (wanted === LOOPBACK.ifindex) stimuli[packet] = { ...stimuli[packet]!, ingressIfindex: first.ifindex };
  const named = wanted === LOOPBACK.ifindex ? first : devices.find((device) => device.ifindex === wanted);
  const isOutput = ((call.flags ?? 0) & BPF_FIB_LOOKUP_OUTPUT) !== 0;
  const type = rejectingType(result);
  const others = (world.routes ?? []).filter((route) => route.to !== to);
  // With OUTPUT a route by another device is none (net/ipv4/fib_trie.c, `fib_lookup_good_nhc`).
  const out = isOutput && named !== undefined ? named : wanted === second.ifindex ? first : second;
  const route: Route =
    type === undefined
      ? {
          to,
          ifindex: out.ifindex,
          ...(result === BPF_FIB_LKUP_RET_FRAG_NEEDED ? { mtu: family === AF_INET ? 68 : 1280 } : {}),
        }
      : { to, type };
  const hasRoute = result !== BPF_FIB_LKUP_RET_NOT_FWDED;
  const neighbours = (world.neighbours ?? []).filter((one) => one.address !== address);
  const mac = Uint8Array.from([2, 0, 0, 0, 1, 1]);
  const reaches = result === BPF_FIB_LKUP_RET_SUCCESS || result === BPF_FIB_LKUP_RET_FRAG_NEEDED;
  return {
    world: {
      ...world,
      devices,
      routes: hasRoute ? [...others, route] : others,
      neighbours: reaches ? [...neighbours, { ifindex: out.ifindex, address, mac }] : neighbours,
    },
    stimuli,
  };
}

const ROUTABLE4 = Uint8Array.from([198, 51, 100, 77]);
const ROUTABLE6 = Uint8Array.from([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x77]);

/**
 * The address that was asked for, or, where no router forwards from or to it (all zeros, loopback, multicast, link-local), one in its
 * place: the bytes that it comes from are changed, in the packet and in maps. Undefined: it comes from elsewhere.
 */
function routable(draft: Draft, call: FlowCall, at: number, size: 4 | 16): Uint8Array | undefined {
  const asked = call.parameters.subarray(at, at + size);
  if (!(size === 4 ? isSpecial4(asked) : isSpecial6(asked))) return asked;
  const instead = (size === 4 ? ROUTABLE4 : ROUTABLE6).slice();
  instead[size - 1]! += at;
  return readdress(draft, call, at, instead) ? instead : undefined;
}

function isSpecial4([first = 0]: Uint8Array): boolean {
  return first === 0 || first === 127 || first >= 224;
}

/**
 * `rt6_need_strict`, and the unspecified address. What else begins with zeros is forwarded like any other: 64:ff9b::/96 is, and what a
 * program asks for that takes another header for one of IPv6, whose lengths the rest of it may hang on.
 */
function isSpecial6(address: Uint8Array): boolean {
  if (isMulticast6(address, 0) || isLinkLocal6(address)) return true;
  return isZero(address, 0, 15) && address[15]! <= 1;
}

/** Lets the call's parameters hold an address from `at` on, by what they come from. */
function readdress(draft: Draft, call: FlowCall, at: number, address: Uint8Array): boolean {
  return giveBytes(draft, call.packet, call.keyParts.slice(at, at + address.length), address);
}

/** Lets these parts hold other bytes, by what they come from: the packet, and maps. */
function giveBytes(draft: Draft, packet: number, parts: readonly Operand[], wanted: Uint8Array): boolean {
  const mayChange: Choosable = (field) =>
    (field.kind === 'packet' && field.packet === packet && field.offset >= 0) ||
    (field.kind === 'map' && draft.choosable(field));
  const solution = solveBytes(parts, wanted, mayChange);
  if (solution === undefined) return false;
  const bytes = draft.stimuli[packet]!.packet.slice();
  let world: World | undefined = draft.world;
  for (const [field, value] of [...solution, ...copiesOf(parts, wanted)]) {
    if (!mayChange(field)) continue;
    if (field.kind === 'packet') bytes[field.offset] = Number(value);
    else if (field.kind === 'map')
      world &&= withMapByte(world, field, Number(value), draft.machine.object.maps);
  }
  if (world === undefined) return false;
  draft.world = world;
  draft.stimuli[packet] = { ...draft.stimuli[packet]!, packet: bytes };
  return true;
}

/** Inputs that the bytes copy: a solution leaves out those that were right at the call, and the case may have changed since. */
function copiesOf(parts: readonly Operand[], wanted: Uint8Array): Assignment {
  return new Map(
    parts.flatMap((part, index) =>
      typeof part !== 'bigint' && part.op === 'input' ? [[part.field, BigInt(wanted[index]!)]] : [],
    ),
  );
}
