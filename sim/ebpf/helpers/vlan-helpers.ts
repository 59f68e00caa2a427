/**
 * VLAN tags of a TC frame (net/core/skbuff.c, `skb_vlan_push`, `skb_vlan_pop`). The outermost tag lives beside the
 * frame, where the hardware puts it: in `vlan_tci` and `vlan_proto`, not in the bytes. Devices insert it when the
 * frame leaves.
 */
import { ENOMEM } from '../../runtime/errno.ts';
import { SK_BUFF } from '../context/sk-buff.ts';
import type { Machine } from '../machine.ts';
import { CONTEXT_BASE, MACHINE_WORD, PACKET_BASE } from '../memory.ts';
import { movedFront, withRoom } from './buffer-front.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';
import {
  frontOf,
  protocol,
  resetMacLength,
  setFront,
  setProtocol,
  setSkbBounds,
} from './skb-change-helpers.ts';

const ETH_P_8021Q = 0x8100;
const ETH_P_8021AD = 0x88a8;
const VLAN_HEADER = 4;
/** `VLAN_ETH_HLEN`. */
const TAGGED_HEADER = 18;
const MAC_ADDRESSES = 12;

const PRESENT = CONTEXT_BASE + SK_BUFF.vlanPresent;
const TCI = CONTEXT_BASE + SK_BUFF.vlanTci;
const PROTO = CONTEXT_BASE + SK_BUFF.vlanProto;

function isVlan(type: number): boolean {
  return type === ETH_P_8021Q || type === ETH_P_8021AD;
}

/** `__vlan_hwaccel_put_tag`. */
function putTag(machine: Machine, proto: number, tci: number): void {
  const { view } = machine.memory;
  view.setUint32(PRESENT, 1, true);
  view.setUint32(TCI, tci & 0xffff, true);
  view.setUint32(PROTO, 0, true);
  view.setUint16(PROTO, proto);
}

function clearTag(machine: Machine): void {
  const { view } = machine.memory;
  for (const field of [PRESENT, TCI, PROTO]) view.setUint32(field, 0, true);
}

function push(machine: Machine, given: number, tci: number): number {
  const { u8, view, i32 } = machine.memory;
  const asked = ((given & 0xff) << 8) | ((given >> 8) & 0xff);
  const proto = isVlan(asked) ? asked : ETH_P_8021Q;
  if (view.getUint32(PRESENT, true) !== 0) {
    // The tag that was beside the frame goes into it.
    const { data, dataEnd, frameEnd } = machine.packet;
    const moved = data - VLAN_HEADER;
    if (moved < PACKET_BASE) return -ENOMEM;
    setFront(machine, movedFront(withRoom(frontOf(machine), VLAN_HEADER), VLAN_HEADER));
    const outer = view.getUint16(PROTO);
    u8.copyWithin(moved, data, data + MAC_ADDRESSES);
    view.setUint16(moved + MAC_ADDRESSES, outer);
    view.setUint16(moved + MAC_ADDRESSES + 2, view.getUint32(TCI, true));
    setSkbBounds(machine, moved, frameEnd, dataEnd);
    i32[MACHINE_WORD.networkHeader]! -= VLAN_HEADER;
    setProtocol(machine, outer);
  }
  putTag(machine, proto, tci);
  resetMacLength(machine);
  return 0;
}

/** `__skb_vlan_pop`: takes the tag out of the bytes. @returns the tag, or a negative errno */
function takeOut(machine: Machine): number {
  const { u8, view, i32 } = machine.memory;
  if (!machine.packet.mayPull(TAGGED_HEADER)) return -ENOMEM;
  const { data, dataEnd, frameEnd } = machine.packet;
  const tci = view.getUint16(data + 14);
  const inner = view.getUint16(data + 16);
  u8.copyWithin(data + VLAN_HEADER, data, data + MAC_ADDRESSES);
  setFront(machine, movedFront(frontOf(machine), -VLAN_HEADER));
  setSkbBounds(machine, data + VLAN_HEADER, frameEnd, dataEnd);
  // `vlan_set_encap_proto`; behind a frame's end it finds zeros in a test run.
  const isRaw = frameEnd - data >= 20 && view.getUint16(data + 18) === 0xffff;
  setProtocol(machine, inner >= 0x600 ? inner : isRaw ? 1 : 4);
  const header = i32[MACHINE_WORD.networkHeader]!;
  if (header - machine.packet.data < 14) i32[MACHINE_WORD.networkHeader] = machine.packet.data + 14;
  resetMacLength(machine);
  return tci;
}

function pop(machine: Machine): number {
  const { view } = machine.memory;
  if (view.getUint32(PRESENT, true) !== 0) clearTag(machine);
  else {
    if (!isVlan(protocol(machine))) return 0;
    const removed = takeOut(machine);
    if (removed < 0) return removed;
  }
  // The next tag moves beside the frame.
  const next = protocol(machine);
  if (!isVlan(next)) return 0;
  const tci = takeOut(machine);
  if (tci < 0) return tci;
  putTag(machine, next, tci);
  return 0;
}

export const VLAN_HELPERS: readonly Helper[] = [
  {
    number: 18,
    name: 'bpf_skb_vlan_push',
    arguments: ['context', 'anything', 'anything'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'moved' },
    symbolic: 'exact',
    run: (machine, _context, proto, tci) => push(machine, proto, tci),
  },
  {
    number: 19,
    name: 'bpf_skb_vlan_pop',
    arguments: ['context'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, packet: 'moved' },
    symbolic: 'exact',
    run: (machine) => pop(machine),
  },
];
