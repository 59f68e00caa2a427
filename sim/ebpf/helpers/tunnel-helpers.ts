/**
 * What a TC program tells a tunnel device about a frame, and what such a device told it (net/core/filter.c): there is a key
 * where the frame came with one (`SkbInput.tunnel`), and after the program has set one.
 */

import type { SkbTunnel } from '../../packet/packet-batch.ts';
import { EINVAL, ENOENT, ENOMEM, EPROTO } from '../../runtime/errno.ts';
import type { Machine } from '../machine.ts';
import { MACHINE_WORD } from '../memory.ts';
import {
  FLOW_LABEL,
  flagsOfTunnel,
  isTunnelOverIpv6,
  OPTIONS_PRESENT,
  optionsOfTunnel,
  TUNNEL,
  TUNNEL_FLAG,
  TUNNEL_KEY,
  TUNNEL_KEY_SIZE,
  tunnelKnown,
} from '../tunnel-info.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';

/** Sizes that the structure had before fields joined it: up to `local`, `label`, `flags` and one IPv4 address. */
const EARLIER_SIZES: readonly number[] = [TUNNEL_KEY.local, TUNNEL_KEY.label, TUNNEL_KEY.flags];
const ADDRESS_ONLY = 8;

/** Flags of the two helpers that go with a key. */
export const TUNNEL_KEY_FLAG = {
  ipv6: 1 << 0,
  zeroChecksum: 1 << 1,
  dontFragment: 1 << 2,
  sequence: 1 << 3,
  /** Of `bpf_skb_set_tunnel_key` and `bpf_skb_get_tunnel_key`, the same bit. */
  noKey: 1 << 4,
  showFlags: 1 << 4,
} as const;
/** Flags that each of them knows. */
export const SETTING_FLAGS = 0x1f;
export const GETTING_FLAGS: number = TUNNEL_KEY_FLAG.ipv6 | TUNNEL_KEY_FLAG.showFlags;

/** `IP_TUNNEL_OPTS_MAX`. */
export const LARGEST_OPTIONS = 255;

/** May a key be shown in so many bytes? The shortest has room for one IPv4 address. */
export function isKeySizeShown(size: number, ipv6: boolean): boolean {
  return size === TUNNEL_KEY_SIZE || EARLIER_SIZES.includes(size) || (size === ADDRESS_ONLY && !ipv6);
}

/** May a key be stated in so many bytes? */
export function isKeySizeTaken(size: number): boolean {
  return isKeySizeShown(size, false);
}

/** What `bpf_skb_set_tunnel_key` makes of its flags. */
export function flagsOfKey(flags: number): number {
  return (
    TUNNEL_FLAG.noCache |
    ((flags & TUNNEL_KEY_FLAG.zeroChecksum) === 0 ? TUNNEL_FLAG.checksum : 0) |
    ((flags & TUNNEL_KEY_FLAG.noKey) === 0 ? TUNNEL_FLAG.key : 0) |
    ((flags & TUNNEL_KEY_FLAG.dontFragment) === 0 ? 0 : TUNNEL_FLAG.dontFragment) |
    ((flags & TUNNEL_KEY_FLAG.sequence) === 0 ? 0 : TUNNEL_FLAG.sequence)
  );
}

/** What `bpf_skb_set_tunnel_key` is to be passed for these flags of a tunnel; undefined: it can set no such ones. */
export function settingFlags(tunnel: SkbTunnel): number | undefined {
  const shown = flagsOfTunnel(tunnel) & ~OPTIONS_PRESENT;
  const over = isTunnelOverIpv6(tunnel) ? TUNNEL_KEY_FLAG.ipv6 : 0;
  for (let flags = 0; flags <= SETTING_FLAGS; flags++) {
    const isOver = (flags & TUNNEL_KEY_FLAG.ipv6) === over;
    if (isOver && flagsOfKey(flags) === shown) return flags;
  }
  return undefined;
}

/** Can a program leave such a tunnel with a frame? Of options it says only that there are some, of whatever kind. */
export function isSettableTunnel(tunnel: SkbTunnel): boolean {
  const options = optionsOfTunnel(tunnel);
  const isOfAnyKind = (flagsOfTunnel(tunnel) & OPTIONS_PRESENT) === OPTIONS_PRESENT;
  return settingFlags(tunnel) !== undefined && (options === undefined || (options.length > 0 && isOfAnyKind));
}

function fail(machine: Machine, to: number, size: number, error: number): number {
  machine.memory.u8.fill(0, to, to + size);
  return -error;
}

function getKey(machine: Machine, to: number, size: number, flags: number): number {
  const { memory, tunnel } = machine;
  if (tunnelKnown(machine) === TUNNEL.nothing) return fail(machine, to, size, EINVAL);
  if ((flags & ~GETTING_FLAGS) !== 0 || machine.high(3) !== 0) return fail(machine, to, size, EINVAL);
  if (tunnel.ipv6 !== ((flags & TUNNEL_KEY_FLAG.ipv6) !== 0)) return fail(machine, to, size, EPROTO);
  if (!isKeySizeShown(size, tunnel.ipv6)) return fail(machine, to, size, EINVAL);
  // Received is what was sent the other way.
  const { local, remote } = TUNNEL_KEY;
  const key = tunnel.key.slice();
  key.set(tunnel.key.subarray(local, local + 16), remote);
  key.set(tunnel.key.subarray(remote, remote + 16), local);
  if ((flags & TUNNEL_KEY_FLAG.showFlags) !== 0) {
    key[TUNNEL_KEY.flags] = tunnel.flags >> 8;
    key[TUNNEL_KEY.flags + 1] = tunnel.flags;
  }
  memory.u8.set(key.subarray(0, size), to);
  return 0;
}

function setKey(machine: Machine, from: number, size: number, flags: number): number {
  const { memory, tunnel } = machine;
  if ((flags & ~SETTING_FLAGS) !== 0 || machine.high(3) !== 0) return -EINVAL;
  if (!isKeySizeTaken(size)) return -EINVAL;
  const key = new Uint8Array(TUNNEL_KEY_SIZE);
  key.set(memory.u8.subarray(from, from + size));
  const view = new DataView(key.buffer);
  const ipv6 = (flags & TUNNEL_KEY_FLAG.ipv6) !== 0;
  const label = view.getUint32(TUNNEL_KEY.label, true);
  if ((!ipv6 && label !== 0) || view.getUint16(TUNNEL_KEY.flags) !== 0) return -EINVAL;
  view.setUint32(TUNNEL_KEY.label, label & FLOW_LABEL, true);
  if (!ipv6) for (const at of [TUNNEL_KEY.remote, TUNNEL_KEY.local]) key.fill(0, at + 4, at + 16);
  tunnel.key.set(key);
  tunnel.ipv6 = ipv6;
  tunnel.flags = flagsOfKey(flags);
  tunnel.received = false;
  memory.i32[MACHINE_WORD.tunnel] = TUNNEL.key;
  return 0;
}

function getOptions(machine: Machine, to: number, size: number): number {
  const { memory, tunnel } = machine;
  if (tunnelKnown(machine) !== TUNNEL.options) return fail(machine, to, size, ENOENT);
  const { options } = tunnel;
  if (size < options.length) return fail(machine, to, size, ENOMEM);
  memory.u8.fill(0, to, to + size);
  memory.u8.set(options, to);
  return options.length;
}

function setOptions(machine: Machine, from: number, size: number): number {
  const { memory, tunnel } = machine;
  // Options join a key that a program has stated, none that a device has found.
  if (tunnelKnown(machine) === TUNNEL.nothing || tunnel.received || (size & 3) !== 0) return -EINVAL;
  if (size > LARGEST_OPTIONS) return -ENOMEM;
  tunnel.options = memory.u8.slice(from, from + size);
  tunnel.flags |= OPTIONS_PRESENT;
  memory.i32[MACHINE_WORD.tunnel] = TUNNEL.options;
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
    symbolic: 'exact',
    run: (machine, _context, to, size, flags) => getKey(machine, to, size, flags),
  },
  {
    number: 21,
    name: 'bpf_skb_set_tunnel_key',
    arguments: ['context', 'memory', 'size', 'anything'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, leaves: 'tunnel' },
    symbolic: 'exact',
    run: (machine, _context, from, size, flags) => setKey(machine, from, size, flags),
  },
  {
    number: 29,
    name: 'bpf_skb_get_tunnel_opt',
    arguments: ['context', 'memory_out', 'size'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'exact',
    run: (machine, _context, to, size) => getOptions(machine, to, size),
  },
  {
    number: 30,
    name: 'bpf_skb_set_tunnel_opt',
    arguments: ['context', 'memory', 'size'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, leaves: 'tunnel' },
    symbolic: 'exact',
    run: (machine, _context, from, size) => setOptions(machine, from, size),
  },
];
