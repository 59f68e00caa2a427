/** The networks in which `router` is tried, and what it does there, a packet for every rule. */
import * as build from '../packet/build.ts';
import { writeU16, writeU32le } from '../packet/bytes.ts';
import { XDP_DROP, XDP_PASS, XDP_REDIRECT } from '../runtime/actions.ts';
import type { Example, GeneratorHints, NamedWorld } from '../runtime/program.ts';
import type { Device, MapEntry, World } from '../runtime/world.ts';

const LEFT = 11;
const RIGHT = 12;
const THIRD = 13;
/** A device that does not forward. */
const CLOSED = 14;

const macOf = (ifindex: number): Uint8Array => Uint8Array.of(2, 0, 0, 0, ifindex, 1);
const hostMacOf = (ifindex: number): Uint8Array => Uint8Array.of(2, 0, 0, 0, ifindex, 2);
/** Addresses in which no two bytes are equal: one in the place of another shows. */
const variedMacOf = (ifindex: number): Uint8Array => Uint8Array.of(2, 0x1a, 0x2b, 0x3c, ifindex, 1);
const variedHostMacOf = (ifindex: number): Uint8Array => Uint8Array.of(6, 0x4d, 0x5e, 0x6f, ifindex, 3);

function device(ifindex: number, name: string, network: number, more: Partial<Device> = {}): Device {
  return {
    ifindex,
    name,
    mac: macOf(ifindex),
    addresses: [`10.11.${network}.1/24`, `fc00:dead:cafe:${network}::1/64`],
    forwarding: true,
    ...more,
  };
}

function port(ifindex: number): MapEntry {
  const bytes = new Uint8Array(4);
  writeU32le(bytes, 0, ifindex);
  return { key: bytes, value: bytes };
}

/** Three networks, a host in each, and routes of every kind behind them. */
const network: World = {
  devices: [
    device(LEFT, 'left', 1),
    device(RIGHT, 'right', 2, { mtu: 1400 }),
    device(THIRD, 'third', 3),
    device(CLOSED, 'closed', 4, { forwarding: false }),
  ],
  routes: [
    { to: '10.20.0.0/16', via: '10.11.2.2' },
    { to: '10.20.99.0/24', via: '10.11.3.2' },
    { to: '10.21.0.0/16', via: '10.11.2.99' },
    { to: '10.22.0.0/16', via: '10.11.2.2', mtu: 600 },
    { to: '10.30.0.0/16', type: 'blackhole' },
    { to: '10.31.0.0/16', type: 'unreachable' },
    { to: '10.32.0.0/16', type: 'prohibit' },
    { to: 'fc00:20::/32', via: 'fc00:dead:cafe:2::2' },
    { to: 'fc00:20:99::/48', via: 'fc00:dead:cafe:3::2' },
    { to: 'fc00:21::/32', via: 'fc00:dead:cafe:2::99' },
    { to: 'fc00:22::/32', via: 'fc00:dead:cafe:2::2', mtu: 1280 },
    { to: 'fc00:30::/32', type: 'blackhole' },
    { to: 'fc00:31::/32', type: 'unreachable' },
    { to: 'fc00:32::/32', type: 'prohibit' },
  ],
  neighbours: [LEFT, RIGHT, THIRD].flatMap((ifindex) => [
    { ifindex, address: `10.11.${ifindex - 10}.2`, mac: hostMacOf(ifindex) },
    { ifindex, address: `fc00:dead:cafe:${ifindex - 10}::2`, mac: hostMacOf(ifindex) },
  ]),
  maps: { tx_port: [port(LEFT), port(RIGHT)] },
};

export const routerWorlds: readonly NamedWorld[] = [
  { name: 'three networks', world: network },
  {
    name: 'default route',
    world: {
      ...network,
      devices: network.devices!.map((one) => ({ ...one, mac: variedMacOf(one.ifindex) })),
      neighbours: network.neighbours!.map((one) => ({ ...one, mac: variedHostMacOf(one.ifindex) })),
      routes: [
        ...network.routes!,
        { to: '0.0.0.0/0', via: '10.11.2.2' },
        { to: '::/0', via: 'fc00:dead:cafe:2::2' },
      ],
    },
  },
  { name: 'devices alone', world: { devices: network.devices!.map((bare) => ({ ...bare, addresses: [] })) } },
];

export const routerHints: GeneratorHints = {
  kinds: { tcp: 5, udp: 5, tcp6: 5, udp6: 5, 'icmp-echo': 3, 'icmpv6-echo': 3 },
  ingressIfindexes: [LEFT, RIGHT, CLOSED, 1],
  addresses: [
    '10.11.1.1',
    '10.11.1.2',
    '10.11.2.1',
    '10.11.2.2',
    '10.11.2.99',
    '10.11.2.255',
    '10.11.2.0',
    '10.11.3.2',
    '10.11.4.2',
    '10.20.0.1',
    '10.20.99.1',
    '10.21.0.1',
    '10.22.0.1',
    '10.30.0.1',
    '10.31.0.1',
    '10.32.0.1',
    '127.0.0.1',
    '224.0.0.1',
    '255.255.255.255',
    'fc00:dead:cafe:1::1',
    'fc00:dead:cafe:1::2',
    'fc00:dead:cafe:2::',
    'fc00:dead:cafe:2::1',
    'fc00:dead:cafe:2::2',
    'fc00:dead:cafe:2::99',
    'fc00:dead:cafe:3::2',
    'fc00:20::1',
    'fc00:20:99::1',
    'fc00:21::1',
    'fc00:22::1',
    'fc00:30::1',
    'fc00:31::1',
    'fc00:32::1',
    'fe80::1',
    'ff02::1',
    '::1',
  ],
};

/** From a host on the left, unless said otherwise. */
const source4 = '10.11.1.2';
const source6 = 'fc00:dead:cafe:1::2';
const arriving = build.ethernet({ destination: '02:00:00:00:0b:01', source: '02:00:00:00:0b:02' });
const leaving = build.ethernet({ destination: '02:00:00:00:0c:02', source: '02:00:00:00:0c:01' });
const leavingByDefault = build.ethernet({ destination: '06:4d:5e:6f:0c:03', source: '02:1a:2b:3c:0c:01' });

function stimulusOf(packet: Uint8Array, ingressIfindex: number = LEFT): Example['stimulus'] {
  return { packet, ingressIfindex };
}

function forwards(name: string, packet: Uint8Array, forwarded: Uint8Array, world?: string): Example {
  const more = world === undefined ? {} : { world };
  return {
    name: `forwards ${name}`,
    stimulus: stimulusOf(packet),
    action: XDP_REDIRECT,
    packet: forwarded,
    ...more,
  };
}

function passes(name: string, packet: Uint8Array, ingressIfindex?: number, world?: string): Example {
  const more = world === undefined ? {} : { world };
  return { name: `passes ${name}`, stimulus: stimulusOf(packet, ingressIfindex), action: XDP_PASS, ...more };
}

function drops(name: string, packet: Uint8Array): Example {
  return { name: `drops ${name}`, stimulus: stimulusOf(packet), action: XDP_DROP };
}

const to4 = (destination: string, more: Parameters<typeof build.ipv4>[0] = {}): build.LayerStack =>
  build.ipv4({ source: source4, destination, ...more });
const to6 = (destination: string, more: Parameters<typeof build.ipv6>[0] = {}): build.LayerStack =>
  build.ipv6({ source: source6, destination, ...more });
const ping4 = (destination: string): Uint8Array =>
  build.frame(arriving, to4(destination), build.echoRequest());
const ping6 = (destination: string): Uint8Array =>
  build.frame(arriving, to6(destination), build.echoRequest6());

/** With an IP checksum of our choice, right or wrong. */
function withChecksum(packet: Uint8Array, checksum: number): Uint8Array {
  const changed = packet.slice();
  writeU16(changed, 24, checksum);
  return changed;
}

const headerTo = (etherType: number, length: number): Uint8Array =>
  build.frame(build.ethernet({ etherType }), new Uint8Array(length));

export function routerExamples(): readonly Example[] {
  const before = build.frame(arriving, to4('10.11.2.2'), build.udp());
  const after = build.frame(leaving, to4('10.11.2.2', { ttl: 63 }), build.udp());
  return [
    forwards('to a neighbour', before, after),
    forwards(
      'to a neighbour over IPv6',
      build.frame(arriving, to6('fc00:dead:cafe:2::2'), build.tcp()),
      build.frame(leaving, to6('fc00:dead:cafe:2::2', { hopLimit: 63 }), build.tcp()),
    ),
    forwards(
      'through a gateway',
      build.frame(arriving, to4('10.20.0.1', { ttl: 2 }), build.tcp()),
      build.frame(leaving, to4('10.20.0.1', { ttl: 1 }), build.tcp()),
    ),
    forwards(
      'through a gateway over IPv6',
      build.frame(arriving, to6('fc00:20::1', { hopLimit: 2 }), build.tcp()),
      build.frame(leaving, to6('fc00:20::1', { hopLimit: 1 }), build.tcp()),
    ),
    forwards(
      'a fragment',
      build.frame(arriving, to4('10.20.0.1', { fragmentOffset: 9, protocol: 17 }), new Uint8Array(9)),
      build.frame(leaving, to4('10.20.0.1', { fragmentOffset: 9, protocol: 17, ttl: 63 }), new Uint8Array(9)),
    ),
    forwards(
      'an extension header',
      build.frame(arriving, to6('fc00:20::1'), build.hopopts(), build.udp()),
      build.frame(leaving, to6('fc00:20::1', { hopLimit: 63 }), build.hopopts(), build.udp()),
    ),
    forwards(
      'to a multicast address along the default route',
      ping4('224.0.0.1'),
      build.frame(leavingByDefault, to4('224.0.0.1', { ttl: 63 }), build.echoRequest()),
      'default route',
    ),
    ...[
      [0xfeff, 0x0000],
      [0xff00, 0x0001],
      [0x0000, 0x0100],
      [0xffff, 0x0100],
    ].map(([from, to]) =>
      forwards(
        `with the checksum 0x${from!.toString(16)} updated to 0x${to!.toString(16)}`,
        withChecksum(before, from!),
        withChecksum(after, to!),
      ),
    ),
    forwards(
      'a packet as long as the device’s MTU',
      build.frame(arriving, to4('10.11.2.2'), build.udp(), new Uint8Array(1372)),
      build.frame(leaving, to4('10.11.2.2', { ttl: 63 }), build.udp(), new Uint8Array(1372)),
    ),
    passes(
      'a packet longer than the device’s MTU',
      build.frame(arriving, to4('10.11.2.2'), build.udp(), new Uint8Array(1373)),
    ),
    passes(
      'a packet longer than the route’s locked MTU',
      build.frame(arriving, to4('10.22.0.1'), build.udp(), new Uint8Array(573)),
    ),
    passes(
      'a packet longer than the device’s MTU over IPv6',
      build.frame(arriving, to6('fc00:20::1'), build.udp(), new Uint8Array(1353)),
    ),
    passes(
      'a packet longer than the route’s locked MTU over IPv6',
      build.frame(arriving, to6('fc00:22::1'), build.udp(), new Uint8Array(1233)),
    ),
    drops('what a blackhole route says', ping4('10.30.0.1')),
    drops('what an unreachable route says', ping4('10.31.0.1')),
    drops('what a prohibit route says', ping4('10.32.0.1')),
    drops('what a blackhole route says over IPv6', ping6('fc00:30::1')),
    drops('what an unreachable route says over IPv6', ping6('fc00:31::1')),
    drops('what a prohibit route says over IPv6', ping6('fc00:32::1')),
    passes('what goes to a device that is not in the map', ping4('10.11.3.2')),
    passes('what a longer prefix leads to a device that is not in the map', ping4('10.20.99.1')),
    passes('what a longer prefix leads to a device that is not in the map over IPv6', ping6('fc00:20:99::1')),
    passes('what has no neighbour', ping4('10.11.2.77')),
    passes('what is for a network’s lowest address, where no neighbour is', ping4('10.11.2.0')),
    passes('what has a gateway that is no neighbour', ping4('10.21.0.1')),
    passes('what has no neighbour over IPv6', ping6('fc00:dead:cafe:2::77')),
    passes('what is for the router itself', ping4('10.11.1.1')),
    passes('what is for the router itself over IPv6', ping6('fc00:dead:cafe:2::1')),
    passes('what is for a network’s broadcast address', ping4('10.11.2.255')),
    passes('what is for a subnet’s routers', ping6('fc00:dead:cafe:2::')),
    passes('what is for the loopback network', ping4('127.1.2.3')),
    passes('what has no route', ping4('192.0.2.1')),
    passes('what has no route over IPv6', ping6('2001:db8::1')),
    passes('link-local addresses', ping6('fe80::2')),
    passes('multicast over IPv6', ping6('ff02::1')),
    passes('what comes in where nothing is forwarded', before, CLOSED),
    passes('what comes in where nothing is forwarded over IPv6', ping6('fc00:20::1'), CLOSED),
    passes('everything without routes', before, LEFT, 'devices alone'),
    passes('what comes in through the loopback device', before, 1),
    passes('an expired TTL', build.frame(arriving, to4('10.11.2.2', { ttl: 1 }), build.udp())),
    passes('a TTL of 0', build.frame(arriving, to4('10.11.2.2', { ttl: 0 }), build.udp())),
    passes('an expired hop limit', build.frame(arriving, to6('fc00:20::1', { hopLimit: 1 }), build.udp())),
    passes('IPv4 options', build.frame(arriving, to4('10.11.2.2', { options: [{ type: 1 }] }), build.udp())),
    passes('tagged frames', build.frame(arriving, build.vlan(), to4('10.11.2.2'), build.udp())),
    passes('ARP', build.frame(arriving, build.arp())),
    drops('a frame too short for Ethernet', before.subarray(0, 13)),
    drops('a frame too short for IPv4', before.subarray(0, 33)),
    drops('a frame too short for IPv6', headerTo(0x86dd, 39)),
  ];
}
