/** Fields of a TC frame that only helpers reach: hash, type, time stamp, classes (net/core/filter.c). */
import { flowHash } from '../../runtime/chance.ts';
import { EINVAL, EOPNOTSUPP } from '../../runtime/errno.ts';
import { PACKET_OTHERHOST, SK_BUFF } from '../context/sk-buff.ts';
import type { Machine } from '../machine.ts';
import { CONTEXT_BASE, MACHINE_WORD } from '../memory.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';

const HASH = CONTEXT_BASE + SK_BUFF.hash;
const PACKET_TYPE = CONTEXT_BASE + SK_BUFF.pktType;

const BPF_SKB_CLOCK_REALTIME = 0;
const BPF_SKB_CLOCK_MONOTONIC = 1;
const BPF_SKB_CLOCK_TAI = 2;

/** The hash that the frame has, or gets. */
function recalculateHash(machine: Machine): number {
  const { i32 } = machine.memory;
  if (i32[MACHINE_WORD.hashKnown] === 1) return machine.memory.u32(HASH);
  const { data, frameEnd } = machine.packet;
  const hash = flowHash(machine.memory.view, data, frameEnd, machine.world.hashSeed ?? 0);
  machine.memory.setU32(HASH, hash);
  i32[MACHINE_WORD.hashKnown] = 1;
  return hash;
}

/** `skb_clear_hash`: the next who asks has it computed. */
export function forgetHash(machine: Machine): void {
  machine.memory.setU32(HASH, 0);
  machine.memory.i32[MACHINE_WORD.hashKnown] = 0;
}

/** `VLAN_MAX_DEPTH`: behind so many headers, the kernel no longer asks what comes. */
export const MOST_TAGS = 8;

/**
 * Where the kernel looks for the first VLAN tag (`vlan_get_protocol`), counted from the frame's first byte.
 * @param macLength `skb->mac_len`
 * @returns undefined where it has none to look for
 */
export function firstTagAt(macLength: number): number | undefined {
  if (macLength === 0) return 14;
  return macLength < 4 ? undefined : macLength - 4;
}

/** `skb_protocol` behind VLAN tags, in host order; 0 where they do not end. */
function innerProtocol(machine: Machine): number {
  const { view, i32 } = machine.memory;
  const { data, frameEnd } = machine.packet;
  let type = view.getUint16(CONTEXT_BASE + SK_BUFF.protocol);
  const first = firstTagAt(i32[MACHINE_WORD.macLength]!);
  for (let depth = 1; type === 0x8100 || type === 0x88a8; depth++) {
    if (first === undefined || depth === MOST_TAGS) return 0;
    const end = data + first + 4 * depth;
    if (end > frameEnd) return 0;
    type = view.getUint16(end - 2);
  }
  return type;
}

/**
 * `bpf_skb_ecn_set_ce`: 1 where the packet is marked afterwards, 0 where its sender does not know ECN. The type is
 * taken from behind VLAN tags, the header from where the network header is: with a tag in the bytes, the tag.
 */
function markCongestion(machine: Machine): number {
  const { u8, view } = machine.memory;
  const at = machine.memory.i32[MACHINE_WORD.networkHeader]!;
  const protocol = innerProtocol(machine);
  // Only what is linear is looked at.
  const end = machine.packet.dataEnd;
  if (protocol === 0x0800 && at + 20 <= end) {
    const ecn = u8[at + 1]! & 3;
    if (ecn === 0 || ecn === 3) return ecn === 3 ? 1 : 0;
    // `IP_ECN_set_ce`: the checksum falls by what the field rises, in one's complement.
    const sum = view.getUint16(at + 10) + (ecn === 1 ? 0xfffd : 0xfffe);
    view.setUint16(at + 10, sum > 0xffff ? sum + 1 : sum);
    u8[at + 1]! |= 3;
    return 1;
  }
  if (protocol === 0x86dd && at + 40 <= end) {
    if ((u8[at + 1]! & 0x30) === 0) return 0;
    u8[at + 1]! |= 0x30;
    return 1;
  }
  return 0;
}

export const SKB_META_HELPERS: readonly Helper[] = [
  {
    number: 66,
    name: 'bpf_skb_get_xfrm_state',
    arguments: ['context', 'anything', 'memory_out', 'size', 'anything'],
    returns: 'int',
    note: '`-EINVAL`: no frame came through IPsec',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'any value',
    run: (machine, _context, _index, to, size) => {
      machine.memory.u8.fill(0, to, to + size);
      return -EINVAL;
    },
  },
  {
    number: 34,
    name: 'bpf_get_hash_recalc',
    arguments: ['context'],
    returns: 'u64',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'read', dependsOn: ['hash'] },
    symbolic: 'any value',
    run: (machine) => machine.result64(BigInt(recalculateHash(machine))),
  },
  {
    number: 41,
    name: 'bpf_set_hash_invalid',
    arguments: ['context'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'written' },
    symbolic: 'exact',
    run: (machine) => {
      forgetHash(machine);
      return 0;
    },
  },
  {
    number: 48,
    name: 'bpf_set_hash',
    arguments: ['context', 'anything'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'written' },
    symbolic: 'exact',
    run: (machine, _context, hash) => {
      machine.memory.setU32(HASH, hash);
      machine.memory.i32[MACHINE_WORD.hashKnown] = 1;
      return 0;
    },
  },
  {
    number: 32,
    name: 'bpf_skb_change_type',
    arguments: ['context', 'anything'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'written' },
    symbolic: 'exact',
    run: (machine, _context, type) => {
      if (type >>> 0 > PACKET_OTHERHOST || machine.memory.u32(PACKET_TYPE) > PACKET_OTHERHOST) return -EINVAL;
      machine.memory.setU32(PACKET_TYPE, type);
      return 0;
    },
  },
  {
    number: 97,
    name: 'bpf_skb_ecn_set_ce',
    arguments: ['context'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'written' },
    symbolic: 'exact',
    run: markCongestion,
  },
  {
    number: 192,
    name: 'bpf_skb_set_tstamp',
    arguments: ['context', 'anything', 'anything'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'written' },
    symbolic: 'exact',
    run: (machine, _context, low, type) => {
      const { view } = machine.memory;
      const high = machine.high(1);
      const protocol = view.getUint16(CONTEXT_BASE + SK_BUFF.protocol);
      if (protocol !== 0x0800 && protocol !== 0x86dd) return -EOPNOTSUPP;
      const delivery = type === BPF_SKB_CLOCK_MONOTONIC || type === BPF_SKB_CLOCK_TAI;
      if (delivery ? (low | high) === 0 : type !== BPF_SKB_CLOCK_REALTIME) return -EINVAL;
      view.setInt32(CONTEXT_BASE + SK_BUFF.tstamp, low, true);
      view.setInt32(CONTEXT_BASE + SK_BUFF.tstamp + 4, high, true);
      view.setUint8(CONTEXT_BASE + SK_BUFF.tstampType, type);
      return 0;
    },
  },
];
