/**
 * A scenario's namespaces, devices, addresses, routes and neighbours, made real. Whatever Linux would do by itself
 * or by chance is switched off: duplicate address detection, router solicitations, ICMP rate limits, redirects,
 * automatic flow labels, link-local addresses that nobody stated, offloads.
 */

import { EngineError } from '../../sim/engines/engine.ts';
import type { Place, Scenario, ScenarioDevice, ScenarioNamespace } from '../../sim/network/scenario.ts';
import { macToText } from '../../sim/packet/addresses.ts';
import { openEthtool } from '../network/ethtool.ts';
import { createNetns, type Netns } from '../network/netns.ts';
import { awaitOwnRoutes } from '../network/own-routes.ts';
import { LOOPBACK, withRtnetlink } from '../network/rtnetlink.ts';
import { Sockets } from './sockets.ts';

/** One namespace of a scenario, for real. */
export interface Host {
  readonly namespace: ScenarioNamespace;
  readonly netns: Netns;
  readonly sockets: Sockets;
}

/** Both for all devices that there are and for those to come; the host's own settings are inherited otherwise. */
const IPV4_SETTINGS: Readonly<Record<string, number>> = {
  forwarding: 0,
  rp_filter: 0,
  send_redirects: 0,
  accept_redirects: 0,
  secure_redirects: 0,
  accept_local: 0,
  arp_ignore: 0,
  arp_announce: 0,
  arp_filter: 0,
  arp_accept: 0,
  arp_notify: 0,
  drop_unicast_in_l2_multicast: 0,
};
const IPV6_SETTINGS: Readonly<Record<string, number>> = {
  disable_ipv6: 0,
  accept_dad: 0,
  accept_ra: 0,
  accept_redirects: 0,
  router_solicitations: 0,
  ndisc_notify: 0,
};
const NAMESPACE_SETTINGS: Readonly<Record<string, number>> = {
  // Not the limit itself: 0 would take away what route errors may use (net/ipv4/route.c, `ip_error`).
  'ipv4/icmp_ratemask': 0,
  'ipv4/icmp_echo_ignore_all': 0,
  'ipv4/icmp_echo_ignore_broadcasts': 1,
  'ipv4/ip_default_ttl': 64,
  'ipv4/fwmark_reflect': 0,
  'ipv6/icmp/ratelimit': 0,
  'ipv6/auto_flowlabels': 0,
  'ipv6/fwmark_reflect': 0,
};

export class Hosts {
  readonly all: readonly Host[];

  /**
   * @param place is called for every device before it comes up, in the scenario's order
   * @throws {EngineError} where the rights are missing, or the kernel does not take the scenario
   */
  constructor(scenario: Scenario, place: (netns: Netns, device: ScenarioDevice) => void) {
    const all: Host[] = [];
    this.all = all;
    try {
      for (const namespace of scenario.namespaces) {
        const netns = createNetns();
        all.push({ namespace, netns, sockets: new Sockets(netns) });
        prepare(netns, namespace);
      }
      for (const { a, b } of scenario.wires) this.#wire(a, b);
      for (const host of all) for (const device of host.namespace.devices) place(host.netns, device);
      for (const host of all) configure(host);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  host(namespace: string): Host {
    return this.all.find((host) => host.namespace.name === namespace)!;
  }

  device({ namespace, device }: Place): ScenarioDevice {
    return this.host(namespace).namespace.devices.find((one) => one.name === device)!;
  }

  close(): void {
    for (const { netns, sockets } of this.all) {
      sockets.close();
      netns.close();
    }
  }

  #wire(a: Place, b: Place): void {
    const end = (place: Place): string => {
      const { name, ifindex, mac, mtu } = this.device(place);
      return `name ${name} index ${ifindex} address ${macToText(mac)} mtu ${mtu}`;
    };
    const far = this.host(b.namespace).netns.name;
    this.host(a.namespace).netns.ip([`link add ${end(a)} type veth peer ${end(b)} netns ${far}`]);
  }
}

function prepare(netns: Netns, { devices }: ScenarioNamespace): void {
  for (const [key, value] of Object.entries(NAMESPACE_SETTINGS)) netns.sysctl(key, value);
  for (const which of ['all', 'default']) {
    for (const [key, value] of Object.entries(IPV4_SETTINGS))
      netns.sysctl(`ipv4/conf/${which}/${key}`, value);
    for (const [key, value] of Object.entries(IPV6_SETTINGS))
      netns.sysctl(`ipv6/conf/${which}/${key}`, value);
  }
  // IPv6 asks this one switch whether to forward at all (net/ipv6/ip6_output.c, `ip6_forward`).
  netns.sysctl('ipv6/conf/all/forwarding', devices.some((device) => device.forwarding) ? 1 : 0);
  withRtnetlink(netns, (links) => links.setUp(LOOPBACK));
}

function configure({ netns, namespace }: Host): void {
  const { devices, routes, neighbours } = namespace;
  netns.ip(devices.map(({ name }) => `link set dev ${name} addrgenmode none`));
  for (const { name, forwarding } of devices) {
    netns.sysctl(`ipv4/conf/${name}/forwarding`, forwarding ? 1 : 0);
    netns.sysctl(`ipv6/conf/${name}/forwarding`, forwarding ? 1 : 0);
    offloadsOff(netns, name);
  }
  const nameOf = (ifindex: number): string => devices.find((device) => device.ifindex === ifindex)!.name;
  netns.ip(devices.map(({ name }) => `link set dev ${name} up`));
  asInput(namespace.name, () =>
    netns.ip([
      ...devices.flatMap(({ name, addresses }) =>
        addresses.map(
          (address) => `address add ${address} dev ${name}${address.includes(':') ? ' nodad' : ''}`,
        ),
      ),
    ]),
  );
  awaitOwnRoutes(
    netns,
    devices.flatMap(({ name, addresses }) => addresses.map((address) => [address, name] as const)),
  );
  asInput(namespace.name, () =>
    netns.ip([
      ...routes.map(({ to, type, via, ifindex, metric, mtu }) =>
        [
          'route add',
          ...(type === undefined ? [] : [type]),
          to,
          ...(via === undefined ? [] : ['via', via]),
          ...(ifindex === undefined ? [] : ['dev', nameOf(ifindex)]),
          ...(metric === undefined ? [] : ['metric', String(metric)]),
          ...(mtu === undefined ? [] : ['mtu lock', String(mtu)]),
        ].join(' '),
      ),
      ...neighbours.map(
        ({ ifindex, address, mac }) =>
          `neighbour replace ${address} lladdr ${macToText(mac)} nud permanent dev ${nameOf(ifindex)}`,
      ),
    ]),
  );
}

/** Frames are then on the wire exactly as they are sent. Attaching XDP switches some of them on again. */
export function offloadsOff(netns: Netns, device: string): void {
  const ethtool = openEthtool(netns, device);
  ethtool.offloadsOff();
  ethtool.close();
}

/** What `ip` refuses here comes from the scenario, not from the machine. */
function asInput(namespace: string, run: () => void): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof EngineError) || error.remedy !== undefined) throw error;
    throw new EngineError('input', `namespace ${namespace} cannot be built: ${error.message}`, {
      cause: error,
    });
  }
}
