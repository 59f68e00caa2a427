/** Sockets that a lookup may find, other than the one that takes from everybody on the address that was asked for. */
import type { FlowCall } from '../../sim/ebpf/dataflow/flow-trace.ts';
import { addressToText } from '../../sim/packet/addresses.ts';
import { canBeOpen } from '../../sim/runtime/sockets.ts';
import type { Socket, World } from '../../sim/runtime/world.ts';

/** What a mark is compared with only the program knows; most ask whether there is one. */
const SOME_MARK = 1;

/** `struct bpf_sock_tuple`: source, destination, and their ports, as the packet has them. */
export interface AskedSocket {
  readonly protocol: Socket['protocol'];
  /** Bytes of an address. */
  readonly size: 4 | 16;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly sport: number;
  readonly dport: number;
}

export function askedSocket({ helper, parameters }: FlowCall): AskedSocket | undefined {
  if (!isSocketLookup(helper)) return undefined;
  const size = parameters.length === 12 ? 4 : parameters.length === 36 ? 16 : undefined;
  if (size === undefined) return undefined;
  const view = new DataView(parameters.buffer, parameters.byteOffset, parameters.byteLength);
  return {
    protocol: helper.endsWith('udp') ? 'udp' : 'tcp',
    size,
    source: parameters.subarray(0, size),
    destination: parameters.subarray(size, 2 * size),
    sport: view.getUint16(2 * size),
    dport: view.getUint16(2 * size + 2),
  };
}

export function isSocketLookup(helper: string): boolean {
  return helper.includes('_lookup_tcp') || helper.includes('_lookup_udp');
}

export function endpointText(address: Uint8Array, port: number): string {
  const text = addressToText(address);
  return `${address.length === 4 ? text : `[${text}]`}:${port}`;
}

/**
 * Worlds with another socket each for what a call looks for. What a program asks of it then, its state say, is other than of one that takes
 * from everybody on the address that was asked for: one that is connected to where the packet comes from, that takes on every address, is
 * bound to the device that the packet came in by, or has a mark. No two of one port can be open, so they come instead of that one, all but
 * the connected one, which is found before it.
 * @param ifindex the device that the packet came in by
 * @returns none where the call looks for no socket; undefined in place of what there cannot be
 */
export function otherSockets(world: World, call: FlowCall, ifindex: number): (World | undefined)[] {
  const asked = askedSocket(call);
  if (asked === undefined) return [];
  const { protocol, size, source, destination, sport, dport } = asked;
  const local = endpointText(destination, dport);
  const remote = endpointText(source, sport);
  const { sockets = [] } = world;
  const others = sockets.filter((one) => one.protocol !== protocol || !one.local.endsWith(`:${dport}`));
  const instead: readonly Socket[] = [
    { protocol, local: endpointText(new Uint8Array(size), dport) },
    { protocol, local, ifindex },
    { protocol, local, mark: SOME_MARK },
  ];
  const isThere = sockets.some(
    (one) => one.protocol === protocol && one.local === local && one.remote === remote,
  );
  return [
    isThere ? undefined : withSocket(world, { protocol, local, remote }),
    ...instead.map((one) => withSocket({ ...world, sockets: others }, one)),
  ];
}

/** The world with one socket more; undefined: it cannot be open beside the others. */
export function withSocket(world: World, socket: Socket): World | undefined {
  const sockets = [...(world.sockets ?? []), socket];
  return canBeOpen(sockets) ? { ...world, sockets } : undefined;
}
