/** What a frame carries for a tunnel device, or from one: `struct ip_tunnel_info` (include/net/ip_tunnels.h). */
import { addressFromText, addressToText } from '../packet/addresses.ts';
import { fromHex, isZero } from '../packet/bytes.ts';
import type { SkbTunnel } from '../packet/packet-batch.ts';
import { type LinearMemory, MACHINE_WORD } from './memory.ts';

/** Bytes of `struct bpf_tunnel_key` (linux/bpf.h). */
export const TUNNEL_KEY_SIZE = 44;

/** Offsets in `struct bpf_tunnel_key`. */
export const TUNNEL_KEY = {
  id: 0,
  remote: 4,
  tos: 20,
  ttl: 21,
  /** Network order; `tunnel_ext` where nobody asked for the flags. */
  flags: 22,
  label: 24,
  local: 28,
} as const;

/** `IP_TUNNEL_*_BIT` (include/net/ip_tunnels.h). */
export const TUNNEL_FLAG = {
  checksum: 0x01,
  key: 0x04,
  sequence: 0x08,
  dontFragment: 0x0100,
  noCache: 0x2000,
} as const;
/** Options of GENEVE, VXLAN, ERSPAN or GTP are there: a program does not say which. */
export const OPTIONS_PRESENT = 0xd800;
/** The flags that `bpf_skb_set_tunnel_key` leaves where it is not passed any. */
export const USUAL_FLAGS: number = TUNNEL_FLAG.noCache | TUNNEL_FLAG.checksum | TUNNEL_FLAG.key;
/** GENEVE has the most: 63 words. */
export const MOST_OPTIONS = 252;
/** A flow label has 20 bits. */
export const FLOW_LABEL = 0xf_ffff;

/** `MACHINE_WORD.tunnel`: what is known of this run's frame. From `TUNNEL.given` on: what came with it, by its number, and nobody has asked for yet. */
export const TUNNEL = { nothing: 0, key: 1, options: 2, given: 16 } as const;

/** What a frame carries for a tunnel device; valid while `MACHINE_WORD.tunnel` says so. */
export class TunnelInfo {
  readonly key: Uint8Array = new Uint8Array(TUNNEL_KEY_SIZE);
  ipv6 = false;
  flags = 0;
  options: Uint8Array = new Uint8Array(0);
  /** Did the frame come with it? A program has to state a key of its own before it may add options. */
  received = false;
}

/** Did the outer frame have an IPv6 header? */
export function isTunnelOverIpv6({ remote, local }: SkbTunnel): boolean {
  return (remote ?? local)?.includes(':') === true;
}

/** The flags, those of its options among them. */
export function flagsOfTunnel({ flags = USUAL_FLAGS, options }: SkbTunnel): number {
  return options === undefined || (flags & OPTIONS_PRESENT) !== 0 ? flags : flags | OPTIONS_PRESENT;
}

/** The options; undefined: there are none. */
export function optionsOfTunnel(tunnel: SkbTunnel): Uint8Array | undefined {
  if ((flagsOfTunnel(tunnel) & OPTIONS_PRESENT) === 0) return undefined;
  return fromHex(tunnel.options ?? '');
}

/** `struct bpf_tunnel_key` as `bpf_skb_get_tunnel_key` fills it for such a frame, with its flags. */
export function keyOfTunnel(tunnel: SkbTunnel): Uint8Array {
  const key = new Uint8Array(TUNNEL_KEY_SIZE);
  const view = new DataView(key.buffer);
  const { id = 0, remote, local, tos = 0, ttl = 0, label = 0 } = tunnel;
  view.setUint32(TUNNEL_KEY.id, id, true);
  for (const [text, at] of [
    [remote, TUNNEL_KEY.remote],
    [local, TUNNEL_KEY.local],
  ] as const) {
    // An IPv4 address is a number of the machine, an IPv6 address is bytes as they lie in a packet.
    const bytes = text === undefined ? new Uint8Array(0) : addressFromText(text);
    key.set(bytes.length === 4 ? bytes.reverse() : bytes, at);
  }
  key[TUNNEL_KEY.tos] = tos;
  key[TUNNEL_KEY.ttl] = ttl;
  view.setUint16(TUNNEL_KEY.flags, flagsOfTunnel(tunnel));
  view.setUint32(TUNNEL_KEY.label, label, true);
  return key;
}

/** A tunnel for which `bpf_skb_get_tunnel_key` fills the structure like this; flags and options are the other one's. */
export function tunnelOfKey(key: Uint8Array, ipv6: boolean, { flags, options }: SkbTunnel): SkbTunnel {
  const view = new DataView(key.buffer, key.byteOffset);
  const numbers = {
    id: view.getUint32(TUNNEL_KEY.id, true),
    tos: key[TUNNEL_KEY.tos]!,
    ttl: key[TUNNEL_KEY.ttl]!,
    label: ipv6 ? view.getUint32(TUNNEL_KEY.label, true) & FLOW_LABEL : 0,
  };
  const addressAt = (at: number): string =>
    addressToText(ipv6 ? key.slice(at, at + 16) : key.slice(at, at + 4).reverse());
  const has = (at: number): boolean => !isZero(key, at, ipv6 ? 16 : 4);
  return {
    ...(Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== 0)) as SkbTunnel),
    ...(has(TUNNEL_KEY.remote) || ipv6 ? { remote: addressAt(TUNNEL_KEY.remote) } : {}),
    ...(has(TUNNEL_KEY.local) ? { local: addressAt(TUNNEL_KEY.local) } : {}),
    ...(flags === undefined ? {} : { flags }),
    ...(options === undefined ? {} : { options }),
  };
}

/** Who keeps what is known of a frame's tunnel: the machine. */
interface TunnelHolder {
  readonly memory: LinearMemory;
  readonly tunnel: TunnelInfo;
  readonly tunnels: readonly SkbTunnel[];
}

/** What is known of this run's frame (`TUNNEL`), with what it came with in its place, where it has not been asked for before. */
export function tunnelKnown({ memory, tunnel, tunnels }: TunnelHolder): number {
  const known = memory.i32[MACHINE_WORD.tunnel]!;
  if (known < TUNNEL.given) return known;
  const given = tunnels[known - TUNNEL.given]!;
  const shown = keyOfTunnel(given);
  tunnel.key.set(shown);
  // What comes in was sent the other way.
  tunnel.key.set(shown.subarray(TUNNEL_KEY.local, TUNNEL_KEY.local + 16), TUNNEL_KEY.remote);
  tunnel.key.set(shown.subarray(TUNNEL_KEY.remote, TUNNEL_KEY.remote + 16), TUNNEL_KEY.local);
  tunnel.key.fill(0, TUNNEL_KEY.flags, TUNNEL_KEY.label);
  tunnel.ipv6 = isTunnelOverIpv6(given);
  tunnel.flags = flagsOfTunnel(given);
  tunnel.received = true;
  const options = optionsOfTunnel(given);
  tunnel.options = options ?? new Uint8Array(0);
  const now = options === undefined ? TUNNEL.key : TUNNEL.options;
  memory.i32[MACHINE_WORD.tunnel] = now;
  return now;
}
