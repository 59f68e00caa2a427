/**
 * The routes to IPv6 addresses of a namespace's own. They come a little later than the addresses, from a work queue
 * (net/ipv6/addrconf.c): until then what is sent there goes the way of everything else.
 */
import { readFileSync } from 'node:fs';
import { prefixFromText } from '../../sim/packet/addresses.ts';
import { toHex } from '../../sim/packet/bytes.ts';

/** Flags in /proc/net/ipv6_route (linux/ipv6_route.h): an address that is anycast as well has one route for both. */
const RTF_LOCAL = 0x8000_0000;
const RTF_ANYCAST = 0x0010_0000;

/** What `ownRoutes` calls the route to an address (`fc00::1`, `fc00::1/64`) of a device. */
export function ownRoute(address: string, device: string): string {
  return `${toHex(prefixFromText(address.includes('/') ? address : `${address}/128`).address)} ${device}`;
}

/** Those that are there, in the namespace that the calling thread is in. */
export function ownRoutes(): Set<string> {
  const lines = readFileSync('/proc/thread-self/net/ipv6_route', 'latin1').trimEnd().split('\n');
  const fields = lines.map((line) => line.split(/\s+/));
  return new Set(
    fields
      .filter((field) => (Number.parseInt(field[8]!, 16) & (RTF_LOCAL | RTF_ANYCAST)) !== 0)
      .map((field) => `${field[0]} ${field[9]}`),
  );
}
