/**
 * What a TC program tells a tunnel device about a frame, and what such a device told it (net/core/filter.c). No frame
 * comes out of a tunnel device here: there is a key only after the program has set one.
 */

import { EINVAL, ENOENT, ENOMEM, EPROTO } from '../../runtime/errno.ts';
import type { Machine } from '../machine.ts';
import { MACHINE_WORD } from '../memory.ts';
import { TUNNEL_KEY_SIZE } from '../tunnel-info.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';

/** Offsets in `struct bpf_tunnel_key` (linux/bpf.h). */
const KEY = {
  id: 0,
  remote: 4,
  tos: 20,
  ttl: 21,
  flags: 22,
  label: 24,
  local: 28,
  size: TUNNEL_KEY_SIZE,
} as const;
/** Sizes that the structure had before fields joined it: up to `local`, `label`, `flags` and one IPv4 address. */
const EARLIER_SIZES: readonly number[] = [KEY.local, KEY.label, KEY.flags];
const ADDRESS_ONLY = 8;

const IPV6 = 1 << 0;
const ZERO_CSUM_TX = 1 << 1;
const DONT_FRAGMENT = 1 << 2;
const SEQ_NUMBER = 1 << 3;
/** Of the two helpers' flags, the same bit. */
const NO_TUNNEL_KEY = 1 << 4;
const TUNINFO_FLAGS = 1 << 4;

/** `IP_TUNNEL_*_BIT` (include/net/ip_tunnels.h). */
const TUNNEL = { checksum: 0x01, key: 0x04, sequence: 0x08, dontFragment: 0x0100, noCache: 0x2000 } as const;
/** Options of GENEVE, VXLAN, ERSPAN or GTP are there: a program does not say which. */
const OPTIONS_PRESENT = 0xd800;
const MAX_OPTIONS = 255;
const FLOW_LABEL = 0xf_ffff;

/** What is known of this run's frame. */
const NOTHING = 0;
const HAS_KEY = 1;
const HAS_OPTIONS = 2;

function fail(machine: Machine, to: number, size: number, error: number): number {
  machine.memory.u8.fill(0, to, to + size);
  return -error;
}

function getKey(machine: Machine, to: number, size: number, flags: number): number {
  const { memory, tunnel } = machine;
  if (memory.i32[MACHINE_WORD.tunnel] === NOTHING) return fail(machine, to, size, EINVAL);
  if ((flags & ~(IPV6 | TUNINFO_FLAGS)) !== 0 || machine.high(3) !== 0)
    return fail(machine, to, size, EINVAL);
  if (tunnel.ipv6 !== ((flags & IPV6) !== 0)) return fail(machine, to, size, EPROTO);
  const sizeKnown = size === KEY.size || EARLIER_SIZES.includes(size);
  if (!sizeKnown && (size !== ADDRESS_ONLY || tunnel.ipv6)) return fail(machine, to, size, EINVAL);
  // Received is what was sent the other way.
  const key = tunnel.key.slice();
  key.set(tunnel.key.subarray(KEY.local, KEY.local + 16), KEY.remote);
  key.set(tunnel.key.subarray(KEY.remote, KEY.remote + 16), KEY.local);
  if ((flags & TUNINFO_FLAGS) !== 0) {
    key[KEY.flags] = tunnel.flags >> 8;
    key[KEY.flags + 1] = tunnel.flags;
  }
  memory.u8.set(key.subarray(0, size), to);
  return 0;
}

function setKey(machine: Machine, from: number, size: number, flags: number): number {
  const { memory, tunnel } = machine;
  if ((flags & ~(IPV6 | ZERO_CSUM_TX | DONT_FRAGMENT | SEQ_NUMBER | NO_TUNNEL_KEY)) !== 0) return -EINVAL;
  if (machine.high(3) !== 0) return -EINVAL;
  if (size !== KEY.size && size !== ADDRESS_ONLY && !EARLIER_SIZES.includes(size)) return -EINVAL;
  const key = new Uint8Array(KEY.size);
  key.set(memory.u8.subarray(from, from + size));
  const view = new DataView(key.buffer);
  const ipv6 = (flags & IPV6) !== 0;
  const label = view.getUint32(KEY.label, true);
  if ((!ipv6 && label !== 0) || view.getUint16(KEY.flags) !== 0) return -EINVAL;
  view.setUint32(KEY.label, label & FLOW_LABEL, true);
  if (!ipv6) {
    key.fill(0, KEY.remote + 4, KEY.remote + 16);
    key.fill(0, KEY.local + 4, KEY.local + 16);
  }
  tunnel.key.set(key);
  tunnel.ipv6 = ipv6;
  tunnel.flags =
    TUNNEL.noCache |
    ((flags & ZERO_CSUM_TX) === 0 ? TUNNEL.checksum : 0) |
    ((flags & NO_TUNNEL_KEY) === 0 ? TUNNEL.key : 0) |
    ((flags & DONT_FRAGMENT) === 0 ? 0 : TUNNEL.dontFragment) |
    ((flags & SEQ_NUMBER) === 0 ? 0 : TUNNEL.sequence);
  memory.i32[MACHINE_WORD.tunnel] = HAS_KEY;
  return 0;
}

function getOptions(machine: Machine, to: number, size: number): number {
  const { memory, tunnel } = machine;
  if (memory.i32[MACHINE_WORD.tunnel] !== HAS_OPTIONS) return fail(machine, to, size, ENOENT);
  const { options } = tunnel;
  if (size < options.length) return fail(machine, to, size, ENOMEM);
  memory.u8.fill(0, to, to + size);
  memory.u8.set(options, to);
  return options.length;
}

function setOptions(machine: Machine, from: number, size: number): number {
  const { memory, tunnel } = machine;
  if (memory.i32[MACHINE_WORD.tunnel] === NOTHING || (size & 3) !== 0) return -EINVAL;
  if (size > MAX_OPTIONS) return -ENOMEM;
  tunnel.options = memory.u8.slice(from, from + size);
  tunnel.flags |= OPTIONS_PRESENT;
  memory.i32[MACHINE_WORD.tunnel] = HAS_OPTIONS;
  return 0;
}

export const TUNNEL_HELPERS: readonly Helper[] = [
  {
    number: 20,
    name: 'bpf_skb_get_tunnel_key',
    arguments: ['context', 'memory_out', 'size', 'anything'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'any value',
    run: (machine, _context, to, size, flags) => getKey(machine, to, size, flags),
  },
  {
    number: 21,
    name: 'bpf_skb_set_tunnel_key',
    arguments: ['context', 'memory', 'size', 'anything'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, leaves: 'tunnel' },
    symbolic: 'any value',
    run: (machine, _context, from, size, flags) => setKey(machine, from, size, flags),
  },
  {
    number: 29,
    name: 'bpf_skb_get_tunnel_opt',
    arguments: ['context', 'memory_out', 'size'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'any value',
    run: (machine, _context, to, size) => getOptions(machine, to, size),
  },
  {
    number: 30,
    name: 'bpf_skb_set_tunnel_opt',
    arguments: ['context', 'memory', 'size'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, leaves: 'tunnel' },
    symbolic: 'any value',
    run: (machine, _context, from, size) => setOptions(machine, from, size),
  },
];
