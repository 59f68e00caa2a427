/**
 * The routes to IPv6 addresses of a namespace's own. They come a little later than the addresses, from a work queue
 * (net/ipv6/addrconf.c): until then what is sent there goes the way of everything else.
 */
import { readFileSync } from 'node:fs';
import { EngineError } from '../../sim/engines/engine.ts';
import { prefixFromText } from '../../sim/packet/addresses.ts';
import { toHex } from '../../sim/packet/bytes.ts';
import type { Netns } from './netns.ts';
import { LOOPBACK, withRtnetlink } from './rtnetlink.ts';

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

/** How long the work queue may take, in milliseconds. It takes one or two, unless the machine is very busy. */
const PATIENCE = 30_000;
const PAUSE: Int32Array = new Int32Array(new SharedArrayBuffer(4));

/**
 * Waits until a namespace takes its addresses for its own: until then it answers no neighbour solicitation for them
 * either, since the same work joins the groups that those are sent to (`addrconf_dad_begin`).
 * @param addresses as `ip address add` takes them, and their devices; those of IPv4 need no waiting
 * @throws {EngineError} `environment`, where that does not come about
 */
export function awaitOwnRoutes(netns: Netns, addresses: readonly (readonly [string, string])[]): void {
  const wanted = addresses
    .filter(([address]) => address.includes(':'))
    .map(([address, device]) => ownRoute(address, device));
  if (wanted.length === 0) return;
  const deadline = performance.now() + PATIENCE;
  for (;;) {
    const there = netns.enter(ownRoutes);
    const missing = wanted.find((route) => !there.has(route));
    if (missing === undefined) break;
    if (performance.now() > deadline) {
      throw new EngineError('environment', `the kernel makes no route to an address of its own: ${missing}`, {
        remedy:
          'Check with `ip -6 address` in a namespace of your own that the address is there and not tentative.',
      });
    }
    Atomics.wait(PAUSE, 0, 0, 1);
  }
  // Changes nothing, but waits for whoever still works on the addresses: that takes the same lock.
  withRtnetlink(netns, (links) => links.setUp(LOOPBACK));
}
