/** Packets out of other tunnels: such that `bpf_skb_get_tunnel_key` and `bpf_skb_get_tunnel_opt` answer something else. */
import type { FlowCall } from '../../sim/ebpf/dataflow/flow-trace.ts';
import type { TunnelByte } from '../../sim/ebpf/dataflow/inputs.ts';
import { isKeySizeShown, TUNNEL_KEY_FLAG } from '../../sim/ebpf/helpers/tunnel-helpers.ts';
import {
  isTunnelOverIpv6,
  keyOfTunnel,
  MOST_OPTIONS,
  OPTIONS_PRESENT,
  TUNNEL_KEY,
  tunnelOfKey,
} from '../../sim/ebpf/tunnel-info.ts';
import { fromHex, toHex } from '../../sim/packet/bytes.ts';
import type { SkbTunnel, Stimulus } from '../../sim/packet/packet-batch.ts';
import { EINVAL, ENOENT, ENOMEM, EPROTO } from '../../sim/runtime/errno.ts';

/** Where a frame comes from of which nobody says it (RFC 5737, RFC 3849). */
const REMOTE4 = '192.0.2.1';
const REMOTE6 = '2001:db8::1';

const KEY_ANSWERS: readonly bigint[] = [0n, BigInt(-EINVAL), BigInt(-EPROTO)];
/** Lengths of options: none, what one and two of GENEVE have, as much as is taken. */
const USUAL_LENGTHS: readonly number[] = [4, 8, 0];

/** Is it a question for the tunnel that the frame came out of? */
export function asksTunnel({ helper }: Pick<FlowCall, 'helper'>): boolean {
  return helper === 'bpf_skb_get_tunnel_key' || helper === 'bpf_skb_get_tunnel_opt';
}

/** What the call may answer, of options the usual lengths. */
export function tunnelAnswers({ helper, size = 0 }: FlowCall): readonly bigint[] {
  if (helper === 'bpf_skb_get_tunnel_key') return KEY_ANSWERS;
  const most = Math.min(MOST_OPTIONS, size & ~3);
  const lengths = new Set([...USUAL_LENGTHS, most].filter((length) => length <= size));
  return [...lengths, -ENOENT, -ENOMEM].map(BigInt);
}

/** The packet out of a tunnel of which the call answers so; undefined: there is none. */
export function withTunnelAnswer(stimulus: Stimulus, call: FlowCall, value: number): Stimulus | undefined {
  const { tunnel } = stimulus.skb ?? {};
  return call.helper === 'bpf_skb_get_tunnel_key'
    ? withKeyAnswer(stimulus, tunnel, call, value)
    : withOptionsAnswer(stimulus, tunnel, call, value);
}

function withKeyAnswer(
  stimulus: Stimulus,
  tunnel: SkbTunnel | undefined,
  { flags = 0, size = 0 }: FlowCall,
  value: number,
): Stimulus | undefined {
  if (value === -EINVAL) return tunnel === undefined ? undefined : withTunnel(stimulus, undefined);
  if (value !== 0 && value !== -EPROTO) return undefined;
  const ipv6 = ((flags & TUNNEL_KEY_FLAG.ipv6) !== 0) === (value === 0);
  if (value === 0 && !isKeySizeShown(size, ipv6)) return undefined;
  if (tunnel !== undefined && isTunnelOverIpv6(tunnel) === ipv6) return undefined;
  const { remote: _remote, local: _local, label: _label, ...others } = tunnel ?? {};
  return withTunnel(stimulus, { ...others, remote: ipv6 ? REMOTE6 : REMOTE4 });
}

function withOptionsAnswer(
  stimulus: Stimulus,
  tunnel: SkbTunnel = { remote: REMOTE4 },
  { size = 0 }: FlowCall,
  value: number,
): Stimulus | undefined {
  const { options = '', flags, ...others } = tunnel;
  const rest = { ...others, ...(flags === undefined ? {} : { flags: flags & ~OPTIONS_PRESENT }) };
  if (value === -ENOENT) return withTunnel(stimulus, rest);
  const length = value === -ENOMEM ? (size & ~3) + 4 : value;
  if (length < 0 || length % 4 !== 0 || length > MOST_OPTIONS) return undefined;
  if (value !== -ENOMEM && length > size) return undefined;
  const digits = options.slice(0, 2 * length).padEnd(2 * length, '0');
  return withTunnel(stimulus, { ...rest, options: digits });
}

/** The packet with another value of one byte; undefined: it came out of no tunnel that has it. */
export function withTunnelByte(
  stimulus: Stimulus,
  { part, offset }: TunnelByte,
  value: number,
): Stimulus | undefined {
  const { tunnel } = stimulus.skb ?? {};
  if (tunnel === undefined) return undefined;
  if (part === 'options') {
    const options = fromHex(tunnel.options ?? '');
    if (offset >= options.length) return undefined;
    options[offset] = value;
    return withTunnel(stimulus, { ...tunnel, options: toHex(options) });
  }
  const key = keyOfTunnel(tunnel);
  key[offset] = value;
  const isFlags = offset >= TUNNEL_KEY.flags && offset < TUNNEL_KEY.label;
  const flags = (key[TUNNEL_KEY.flags]! << 8) | key[TUNNEL_KEY.flags + 1]!;
  const { flags: _, ...others } = tunnel;
  const stated = isFlags ? { ...others, flags } : tunnel;
  return withTunnel(stimulus, tunnelOfKey(key, isTunnelOverIpv6(tunnel), stated));
}

function withTunnel(stimulus: Stimulus, tunnel: SkbTunnel | undefined): Stimulus {
  const { skb: { tunnel: _, ...others } = {}, ...bare } = stimulus;
  if (tunnel !== undefined) return { ...bare, skb: { ...others, tunnel } };
  return Object.keys(others).length === 0 ? bare : { ...bare, skb: others };
}
