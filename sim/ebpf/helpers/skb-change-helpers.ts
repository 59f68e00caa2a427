/** Making a TC frame longer or shorter, in front, in the middle and behind (net/core/filter.c). */
import { EFAULT, EINVAL, ENOMEM, ENOTSUPP } from '../../runtime/errno.ts';
import { isGso, SK_BUFF } from '../context/sk-buff.ts';
import { type Machine, Unsupported } from '../machine.ts';
import { CONTEXT_BASE, MACHINE_WORD, PACKET_BASE, PACKET_LIMIT, SKB_DATA } from '../memory.ts';
import {
  BEHIND_THE_END,
  type BufferFront,
  leastLength,
  movedFront,
  movedHeaders,
  ONLY_IN_TEST_RUNS,
  withRoom,
  withTransport,
} from './buffer-front.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';
import { forgetHash } from './skb-meta-helpers.ts';

export const ETH_P_IP = 0x0800;
export const ETH_P_IPV6 = 0x86dd;
/** `SKB_MAX_ALLOC` (include/linux/skbuff.h): four pages less `skb_shared_info`. Frames that come longer just cannot grow. */
export const MAX_SKB: number = 4 * 4096 - 320;
/** By how much a header of IPv6 is longer than one of IPv4. */
export const LENGTH_DIFFERENCE = 20;
export const EALREADY = 114;

/** Where `bpf_skb_adjust_room` makes room: behind the network header, or in front of it. */
export const BPF_ADJ_ROOM_NET = 0;
export const BPF_ADJ_ROOM_MAC = 1;

/** Flags of `bpf_skb_adjust_room`, lower half; the upper one has the length of the inner MAC header in its top byte. */
export const ROOM = {
  fixedGso: 1,
  encapIpv4: 2,
  encapIpv6: 4,
  encapGre: 8,
  encapUdp: 16,
  noChecksumReset: 32,
  encapEthernet: 64,
  decapIpv4: 128,
  decapIpv6: 256,
} as const;
const ROOM_FLAGS = 0x1ff;

/** Those that a kernel knows. */
export function knownRoomFlags({ kernel }: Machine): number {
  return (
    ROOM_FLAGS &
    ~(kernel.adjustRoomDecapsulates ? 0 : ROOM.decapIpv4 | ROOM.decapIpv6) &
    ~(kernel.adjustRoomEncapsulatesEthernet ? 0 : ROOM.encapEthernet) &
    ~(kernel.adjustRoomKeepsChecksum ? 0 : ROOM.noChecksumReset)
  );
}

/** `skb->protocol` in host order. */
export function protocol(machine: Machine): number {
  return machine.memory.view.getUint16(CONTEXT_BASE + SK_BUFF.protocol);
}

export function setProtocol(machine: Machine, value: number): void {
  machine.memory.view.setUint16(CONTEXT_BASE + SK_BUFF.protocol, value);
}

function networkOffset(machine: Machine): number {
  return machine.memory.i32[MACHINE_WORD.networkHeader]! - machine.packet.data;
}

/** `skb_reset_mac_len`: from the frame's first byte to its network header. */
export function resetMacLength(machine: Machine): void {
  machine.memory.i32[MACHINE_WORD.macLength] = networkOffset(machine) & 0xffff;
}

export function frontOf({ memory: { i32 } }: Machine): BufferFront {
  return {
    room: i32[MACHINE_WORD.frontRoom]!,
    transport: i32[MACHINE_WORD.transportHeader]!,
    isLarger: i32[MACHINE_WORD.largerBuffer] !== 0,
  };
}

export function setFront({ memory: { i32 } }: Machine, front: BufferFront): void {
  i32[MACHINE_WORD.frontRoom] = front.room;
  i32[MACHINE_WORD.transportHeader] = front.transport;
  i32[MACHINE_WORD.largerBuffer] = front.isLarger ? 1 : 0;
}

/**
 * Sets the frame's bounds and what follows from its length.
 * @param linearEnd where what is linear ends: pages behind it stay where they are when headers in front of them move
 */
export function setSkbBounds(machine: Machine, data: number, end: number, linearEnd: number): void {
  machine.packet.setFrameEnd(end);
  // Metadata does not survive a change of the headers: it would be no longer in front of the MAC header.
  machine.packet.setBounds(data, data, linearEnd);
  machine.memory.setU32(CONTEXT_BASE + SK_BUFF.len, end - data);
}

/**
 * Puts the frame back to where frames begin, if it would grow over an end of its area: each step of a frame that shrinks
 * in front and grows behind, or the other way round, moves it on.
 */
function makeRoom(machine: Machine, start: number, end: number): void {
  if (start >= PACKET_BASE && end <= PACKET_LIMIT) return;
  const { data, frameEnd, linear } = machine.packet;
  if (SKB_DATA + start - data < PACKET_BASE)
    throw new Unsupported('a frame of more than 64 KiB is not modelled');
  machine.memory.u8.copyWithin(SKB_DATA, data, frameEnd);
  machine.memory.i32[MACHINE_WORD.networkHeader]! += SKB_DATA - data;
  setSkbBounds(machine, SKB_DATA, SKB_DATA + frameEnd - data, SKB_DATA + linear);
}

/** `bpf_skb_net_hdr_push`: `length` zero bytes behind the first `offset`, which move forward. */
export function pushAt(machine: Machine, offset: number, length: number): number {
  const { u8 } = machine.memory;
  const enough = withRoom(frontOf(machine), length);
  if (enough.isLarger && offset > machine.packet.length) throw new Unsupported(BEHIND_THE_END);
  setFront(machine, movedHeaders(enough, length, networkOffset(machine)));
  makeRoom(machine, machine.packet.data - length, 0);
  const { data, dataEnd, frameEnd } = machine.packet;
  const moved = data - length;
  u8.copyWithin(moved, data, data + offset);
  u8.fill(0, moved + offset, moved + offset + length);
  setSkbBounds(machine, moved, frameEnd, dataEnd);
  machine.memory.i32[MACHINE_WORD.networkHeader]! -= length;
  return 0;
}

/** `bpf_skb_generic_pop`. */
export function popAt(machine: Machine, offset: number, length: number): number {
  if (!machine.packet.mayPull(offset + length)) return -ENOMEM;
  const { data, dataEnd, frameEnd } = machine.packet;
  machine.memory.u8.copyWithin(data + length, data, data + offset);
  setFront(machine, movedHeaders(frontOf(machine), -length, networkOffset(machine)));
  setSkbBounds(machine, data + length, frameEnd, dataEnd);
  machine.memory.i32[MACHINE_WORD.networkHeader]! += length;
  return 0;
}

function changeProtocol(machine: Machine, wanted: number, flags: number): number {
  if (flags !== 0 || machine.high(2) !== 0) return -EINVAL;
  const to = ((wanted & 0xff) << 8) | ((wanted >> 8) & 0xff);
  const from = protocol(machine);
  const offset = networkOffset(machine);
  let result = -ENOTSUPP;
  if (from === ETH_P_IP && to === ETH_P_IPV6) result = pushAt(machine, offset, LENGTH_DIFFERENCE);
  else if (from === ETH_P_IPV6 && to === ETH_P_IP) result = popAt(machine, offset, LENGTH_DIFFERENCE);
  if (result === 0) {
    setProtocol(machine, to);
    forgetHash(machine);
  }
  return result;
}

function adjustRoom(machine: Machine, difference: number, mode: number, flags: number): number {
  const high = machine.high(3);
  const inner = high >>> 24;
  if ((flags & ~knownRoomFlags(machine)) !== 0 || (high & 0xff_ffff) !== 0) return -EINVAL;
  const distance = Math.abs(difference);
  if (distance > 0xfff) return -EFAULT;
  const from = protocol(machine);
  if (from !== ETH_P_IP && from !== ETH_P_IPV6) return -ENOTSUPP;
  const base = from === ETH_P_IP ? 20 : 40;
  if (mode !== BPF_ADJ_ROOM_NET && mode !== BPF_ADJ_ROOM_MAC) return -ENOTSUPP;
  const offset = networkOffset(machine) + (mode === BPF_ADJ_ROOM_NET ? base : 0);
  const shrinks = difference < 0;
  let shortest = base;
  const decap = flags & (ROOM.decapIpv4 | ROOM.decapIpv6);
  if (decap !== 0) {
    if (!shrinks || decap === (ROOM.decapIpv4 | ROOM.decapIpv6)) return -EINVAL;
    shortest = decap === ROOM.decapIpv4 ? 20 : 40;
  }
  const current = machine.packet.length - networkOffset(machine);
  if (
    shrinks
      ? distance >= current || current - distance < shortest
      : machine.packet.length + distance > MAX_SKB && !isGso(machine.memory)
  ) {
    return -ENOTSUPP;
  }
  const result = shrinks
    ? shrink(machine, offset, distance, flags, inner)
    : grow(machine, offset, distance, flags, inner);
  if (result === 0 && (flags & ROOM.noChecksumReset) === 0) machine.memory.i32[MACHINE_WORD.checkedSums] = 0;
  return result;
}

function shrink(machine: Machine, offset: number, length: number, flags: number, inner: number): number {
  const known = ROOM.fixedGso | ROOM.decapIpv4 | ROOM.decapIpv6 | ROOM.noChecksumReset;
  if ((flags & ~known) !== 0 || inner !== 0) return -EINVAL;
  if (isGso(machine.memory)) return -ENOTSUPP;
  const result = popAt(machine, offset, length);
  if (result !== 0) return result;
  if ((flags & ROOM.decapIpv6) !== 0) setProtocol(machine, ETH_P_IPV6);
  else if ((flags & ROOM.decapIpv4) !== 0) setProtocol(machine, ETH_P_IP);
  return 0;
}

function grow(machine: Machine, offset: number, length: number, flags: number, inner: number): number {
  if (isGso(machine.memory)) return -ENOTSUPP;
  // The buffer is made large enough before anything else is looked at.
  setFront(machine, withRoom(frontOf(machine), length));
  const encap = flags & (ROOM.encapIpv4 | ROOM.encapIpv6);
  const words = machine.memory.i32;
  if (encap !== 0) {
    const both = ROOM.encapGre | ROOM.encapUdp;
    if (encap === (ROOM.encapIpv4 | ROOM.encapIpv6) || (flags & both) === both) return -EINVAL;
    if ((flags & ROOM.encapEthernet) !== 0 && inner < 14) return -EINVAL;
    if (words[MACHINE_WORD.encapsulated] !== 0) return -EALREADY;
    if (inner > length) return -EINVAL;
  }
  const result = pushAt(machine, offset, length);
  if (result !== 0 || encap === 0) return result;
  words[MACHINE_WORD.encapsulated] = 1;
  if ((flags & (ROOM.encapGre | ROOM.encapUdp)) !== 0) {
    const header = (flags & ROOM.encapIpv6) !== 0 ? 40 : 20;
    setFront(machine, withTransport(frontOf(machine), networkOffset(machine) + header));
  }
  setProtocol(machine, encap === ROOM.encapIpv6 ? ETH_P_IPV6 : ETH_P_IP);
  return 0;
}

export const SKB_CHANGE_HELPERS: readonly Helper[] = [
  {
    number: 31,
    name: 'bpf_skb_change_proto',
    arguments: ['context', 'anything', 'anything'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'moved', leaves: 'frame' },
    symbolic: 'exact',
    run: (machine, _context, wanted, flags) => changeProtocol(machine, wanted, flags),
  },
  {
    number: 38,
    name: 'bpf_skb_change_tail',
    arguments: ['context', 'anything', 'anything'],
    returns: 'int',
    note: 'as in the kernel; behind more than 64 new bytes in front, lengths that only a test run takes, or only a device, stop the machine',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'moved' },
    symbolic: 'exact',
    run: (machine, _context, length, flags) => {
      const wanted = length >>> 0;
      if (flags !== 0 || machine.high(2) !== 0 || wanted > MAX_SKB) return -EINVAL;
      const isTooShort = wanted < leastLength(frontOf(machine), networkOffset(machine));
      if (machine.memory.i32[MACHINE_WORD.encapsulated] !== 0) return isTooShort ? -EINVAL : -ENOTSUPP;
      if (isTooShort !== wanted < networkOffset(machine)) throw new Unsupported(ONLY_IN_TEST_RUNS);
      if (isTooShort) return -EINVAL;
      // `skb_gso_reset`: nobody knows any more how to cut it.
      if (isGso(machine.memory)) {
        machine.memory.setU32(CONTEXT_BASE + SK_BUFF.gsoSize, 0);
        machine.memory.setU32(CONTEXT_BASE + SK_BUFF.gsoSegs, 0);
      }
      makeRoom(machine, PACKET_BASE, machine.packet.data + wanted);
      const { data, frameEnd } = machine.packet;
      const end = data + wanted;
      if (end > frameEnd) machine.memory.u8.fill(0, frameEnd, end);
      // All of it is made writable, and so linear.
      setSkbBounds(machine, data, end, end);
      return 0;
    },
  },
  {
    number: 43,
    name: 'bpf_skb_change_head',
    arguments: ['context', 'anything', 'anything'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'moved' },
    symbolic: 'exact',
    run: (machine, _context, length, flags) => {
      const tooLong = machine.packet.length + length > MAX_SKB && !isGso(machine.memory);
      if (flags !== 0 || machine.high(2) !== 0 || length < 0 || tooLong) {
        return -EINVAL;
      }
      setFront(machine, movedFront(withRoom(frontOf(machine), length), length));
      makeRoom(machine, machine.packet.data - length, 0);
      const { data, dataEnd, frameEnd } = machine.packet;
      const moved = data - length;
      machine.memory.u8.fill(0, moved, data);
      setSkbBounds(machine, moved, frameEnd, dataEnd);
      resetMacLength(machine);
      return 0;
    },
  },
  {
    number: 50,
    name: 'bpf_skb_adjust_room',
    arguments: ['context', 'anything', 'anything', 'anything'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'moved', leaves: 'frame' },
    symbolic: 'exact',
    run: (machine, _context, difference, mode, flags) => adjustRoom(machine, difference, mode, flags),
  },
];
