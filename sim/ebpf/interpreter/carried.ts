/** What goes along with a packet to whoever gets it next, in words: VLAN tag, tunnel key, socket. */
import { toHex } from '../../packet/bytes.ts';
import { swapped } from '../../packet/checksum.ts';
import { SK_BUFF } from '../context/sk-buff.ts';
import { socketAt } from '../helpers/socket-helpers.ts';
import type { Machine } from '../machine.ts';
import { CONTEXT_BASE } from '../memory.ts';
import { TUNNEL, TUNNEL_KEY, tunnelKnown } from '../tunnel-info.ts';

/** The tag that lies beside the frame. */
export function vlanText(machine: Machine): string {
  if (word(machine, SK_BUFF.vlanPresent) === 0) return 'none';
  const proto = word(machine, SK_BUFF.vlanProto);
  return `${word(machine, SK_BUFF.vlanTci)} of type 0x${swapped(proto & 0xffff).toString(16)}`;
}

/** The key, and the options, of the tunnel that the packet goes into. */
export function tunnelText(machine: Machine): string {
  const known = tunnelKnown(machine);
  if (known === TUNNEL.nothing) return 'none';
  const { key, flags, ipv6, options } = machine.tunnel;
  const view = new DataView(key.buffer, key.byteOffset);
  const address = (at: number): string =>
    ipv6 ? toHex(key, at, 16) : `0x${view.getUint32(at, true).toString(16)}`;
  const parts = [
    `id ${view.getUint32(TUNNEL_KEY.id, true)}`,
    `remote ${address(TUNNEL_KEY.remote)}, local ${address(TUNNEL_KEY.local)}`,
    `tos ${key[TUNNEL_KEY.tos]}, ttl ${key[TUNNEL_KEY.ttl]}, label ${view.getUint32(TUNNEL_KEY.label, true)}`,
    `flags 0x${flags.toString(16)}`,
    ...(known === TUNNEL.options ? [`options ${toHex(options)}`] : []),
  ];
  return `for ${ipv6 ? 'IPv6' : 'IPv4'}, ${parts.join(', ')}`;
}

/** The socket that a call assigns. */
export function socketText(machine: Machine, address: number, flags: number): string {
  if (address === 0) return 'none';
  const socket = socketAt(machine, address);
  if (socket === undefined) return `the frame's own, flags ${flags}`;
  const { protocol, local, remote } = socket;
  return `of protocol ${protocol}, ${JSON.stringify([local, remote ?? null], bytesAsHex)}, flags ${flags}`;
}

function bytesAsHex(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? toHex(value) : value;
}

/** A word of the context. */
export function word({ memory }: Machine, offset: number): number {
  return memory.i32[(CONTEXT_BASE + offset) >> 2]! >>> 0;
}
