/** What a world holds that packets can carry: the generator draws it, and what lies next to it. */
import {
  addressFromText,
  addressToText,
  firstAddress,
  prefixFromText,
  prefixToText,
} from '../packet/addresses.ts';
import { isZero } from '../packet/bytes.ts';
import type { GeneratorHints } from './program.ts';
import { LOOPBACK } from './route-entry.ts';
import { endpointFromText } from './sockets.ts';
import type { Device, World } from './world.ts';

/**
 * Addresses and networks of devices, routes, neighbours and sockets, their MACs and ports; without what matches everything.
 * Packets come in by the devices, those first that forward, and by the loopback device.
 */
export function hintsOfWorld({
  devices = [],
  routes = [],
  neighbours = [],
  sockets = [],
}: World): GeneratorHints {
  const addresses = new Set<string>();
  const ports = new Set<number>();
  for (const text of devices.flatMap((device) => device.addresses ?? [])) {
    const prefix = prefixFromText(text);
    addresses.add(addressToText(prefix.address));
    addNetwork(addresses, text);
  }
  for (const { to, via } of routes) {
    addNetwork(addresses, to);
    if (via !== undefined) addresses.add(via);
  }
  for (const { address } of neighbours) addresses.add(address);
  for (const { local, remote } of sockets) {
    for (const text of [local, ...(remote === undefined ? [] : [remote])]) {
      const { address, port } = endpointFromText(text);
      if (!isZero(address, 0, address.length)) addresses.add(addressToText(address));
      if (port !== 0) ports.add(port);
    }
  }
  const macs = new Map([...devices, ...neighbours].map(({ mac }) => [mac.join(), mac]));
  return {
    ...(addresses.size === 0 ? {} : { addresses: [...addresses].filter(isSomebody) }),
    ...(ports.size === 0 ? {} : { ports: [...ports] }),
    ...(macs.size === 0 ? {} : { macs: [...macs.values()] }),
    ...(devices.length === 0 ? {} : { ingressIfindexes: ingressOf(devices) }),
  };
}

function ingressOf(devices: readonly Device[]): number[] {
  const forwarding = devices.filter((device) => device.forwarding === true);
  const others = devices.filter((device) => device.forwarding !== true);
  return [...forwarding, ...others, LOOPBACK].map(({ ifindex }) => ifindex);
}

/** Networks count as such: their borders are worth looking at. */
function addNetwork(addresses: Set<string>, text: string): void {
  const prefix = prefixFromText(text);
  const { length } = prefix;
  if (length === 0) return;
  const address = firstAddress(prefix);
  addresses.add(length === address.length * 8 ? addressToText(address) : prefixToText({ address, length }));
}

function isSomebody(text: string): boolean {
  if (text.includes('/')) return true;
  const address = addressFromText(text);
  return !isZero(address, 0, address.length);
}
