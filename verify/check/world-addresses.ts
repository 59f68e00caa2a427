/** Addresses that a world has something for: what a program is told of them differs from what it is told of others. */
import { addressFromText, type Prefix, prefixFromText } from '../../sim/packet/addresses.ts';
import { endpointFromText } from '../../sim/runtime/sockets.ts';
import type { World } from '../../sim/runtime/world.ts';

/**
 * Has a world a route to addresses that begin so, a neighbour, a gateway, a device or a socket there? A route to all addresses tells
 * none from others.
 * @param begin an address, or its first bytes
 */
export function namesAddress(world: World, version: 4 | 6, begin: readonly number[]): boolean {
  const size = version === 4 ? 4 : 16;
  return [...prefixesOf(world)].some((prefix) => prefix.address.length === size && isWithin(begin, prefix));
}

function* prefixesOf({
  devices = [],
  routes = [],
  neighbours = [],
  sockets = [],
}: World): Generator<Prefix, void, void> {
  for (const { addresses = [] } of devices) yield* addresses.map(prefixFromText);
  for (const { to, via } of routes) {
    yield prefixFromText(to);
    if (via !== undefined) yield whole(addressFromText(via));
  }
  for (const { address } of neighbours) yield whole(addressFromText(address));
  for (const { local, remote } of sockets) {
    yield* [local, remote].flatMap((end) =>
      end === undefined ? [] : [whole(endpointFromText(end).address)],
    );
  }
}

function whole(address: Uint8Array): Prefix {
  return { address, length: 8 * address.length };
}

/** Are addresses in the prefix that begin so? */
function isWithin(begin: readonly number[], { address, length }: Prefix): boolean {
  if (length === 0) return false;
  for (let bit = 0; bit < Math.min(length, 8 * begin.length); bit++) {
    const at = bit >> 3;
    if (((begin[at]! ^ address[at]!) & (0x80 >> (bit & 7))) !== 0) return false;
  }
  return true;
}
