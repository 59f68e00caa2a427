import { describe, expect, it } from 'vitest';
import { addressFromText, macFromText, macToText } from '../packet/addresses.ts';
import { EAFNOSUPPORT, ENODEV } from './errno.ts';
import * as fib from './fib.ts';
import { createFib } from './fib-lookup.ts';
import type { World } from './world.ts';

const LEFT = 11;
const RIGHT = 12;
const CLOSED = 13;

const leftMac = macFromText('02:00:00:00:0b:01');
const rightMac = macFromText('02:00:00:00:0c:01');

function world(more: World = {}): World {
  return {
    devices: [
      {
        ifindex: LEFT,
        name: 'left',
        mac: leftMac,
        addresses: ['10.1.0.1/24', 'fc00:1::1/64'],
        forwarding: true,
      },
      {
        ifindex: RIGHT,
        name: 'right',
        mac: rightMac,
        mtu: 1400,
        addresses: ['10.2.0.1/24', 'fc00:2::1/64'],
        forwarding: true,
      },
      { ifindex: CLOSED, name: 'closed', mac: leftMac, addresses: ['10.3.0.1/31', 'fc00:3::1/127'] },
    ],
    neighbours: [
      { ifindex: RIGHT, address: '10.2.0.2', mac: macFromText('02:00:00:00:0c:02') },
      { ifindex: RIGHT, address: 'fc00:2::2', mac: macFromText('02:00:00:00:0c:03') },
      { ifindex: LEFT, address: '10.1.0.2', mac: macFromText('02:00:00:00:0b:02') },
      { ifindex: LEFT, address: 'fe80::2', mac: macFromText('02:00:00:00:0b:03') },
    ],
    ...more,
  };
}

interface Answer {
  readonly result: number;
  readonly parameters: fib.FibLookup;
}

function ask(
  some: World,
  destination: string,
  more: { ifindex?: number; totalLength?: number; source?: string } = {},
): Answer {
  const to = addressFromText(destination);
  const isIpv4 = to.length === 4;
  const parameters: fib.FibLookup = {
    family: isIpv4 ? fib.AF_INET : fib.AF_INET6,
    l4Protocol: 6,
    sport: 0,
    dport: 0,
    totalLength: more.totalLength ?? 100,
    ifindex: more.ifindex ?? LEFT,
    tos: 0,
    source: addressFromText(more.source ?? (isIpv4 ? '10.1.0.2' : 'fc00:1::2')),
    destination: to,
    sourceMac: new Uint8Array(6),
    destinationMac: new Uint8Array(6),
    mtu: 0,
    metric: 0,
  };
  return { result: createFib(some).lookup(parameters), parameters };
}

describe('a lookup', () => {
  it('gives both MAC addresses and the device of a neighbour', () => {
    const { result, parameters } = ask(world(), '10.2.0.2');
    expect(result).toBe(fib.BPF_FIB_LKUP_RET_SUCCESS);
    expect(parameters.ifindex).toBe(RIGHT);
    expect(macToText(parameters.sourceMac)).toBe('02:00:00:00:0c:01');
    expect(macToText(parameters.destinationMac)).toBe('02:00:00:00:0c:02');
  });

  it('asks for the gateway’s MAC address, and finds the gateway’s device by itself', () => {
    const some = world({
      routes: [
        { to: '10.9.0.0/16', via: '10.2.0.2' },
        { to: 'fc00:9::/32', via: 'fc00:2::2' },
        { to: 'fc00:8::/32', via: 'fe80::2', ifindex: LEFT },
      ],
    });
    expect(macToText(ask(some, '10.9.1.1').parameters.destinationMac)).toBe('02:00:00:00:0c:02');
    expect(macToText(ask(some, 'fc00:9::1').parameters.destinationMac)).toBe('02:00:00:00:0c:03');
    expect(macToText(ask(some, 'fc00:8::1').parameters.destinationMac)).toBe('02:00:00:00:0b:03');
  });

  it('takes the longest prefix, then the lowest metric, then the first', () => {
    const some = world({
      routes: [
        { to: '0.0.0.0/0', type: 'prohibit' },
        { to: '10.9.0.0/16', via: '10.2.0.2', metric: 20 },
        { to: '10.9.0.0/16', type: 'unreachable', metric: 10 },
        { to: '10.9.9.0/24', type: 'blackhole' },
        { to: '10.9.9.9', via: '10.2.0.2' },
      ],
    });
    expect(ask(some, '10.9.9.9').result).toBe(fib.BPF_FIB_LKUP_RET_SUCCESS);
    expect(ask(some, '10.9.9.8').result).toBe(fib.BPF_FIB_LKUP_RET_BLACKHOLE);
    expect(ask(some, '10.9.8.8').result).toBe(fib.BPF_FIB_LKUP_RET_UNREACHABLE);
    expect(ask(some, '10.8.8.8').result).toBe(fib.BPF_FIB_LKUP_RET_PROHIBIT);
  });

  it('prefers a connected IPv6 network (metric 256) to a route without metric (1024)', () => {
    const routes = [{ to: 'fc00:2::/64', type: 'blackhole' as const }];
    expect(ask(world({ routes }), 'fc00:2::2').result).toBe(fib.BPF_FIB_LKUP_RET_SUCCESS);
    const stronger = [{ to: 'fc00:2::/64', type: 'blackhole' as const, metric: 5 }];
    expect(ask(world({ routes: stronger }), 'fc00:2::2').result).toBe(fib.BPF_FIB_LKUP_RET_BLACKHOLE);
  });

  it('prefers the device of ingress among connected IPv6 networks that are the same', () => {
    const some = world();
    const devices = some.devices!.map((device) => ({
      ...device,
      addresses: [`fc00:2::${device.ifindex}/64`],
    }));
    expect(ask({ ...some, devices }, 'fc00:2::2').result).toBe(fib.BPF_FIB_LKUP_RET_NO_NEIGH);
    expect(ask({ ...some, devices }, 'fc00:2::2', { ifindex: RIGHT }).result).toBe(
      fib.BPF_FIB_LKUP_RET_SUCCESS,
    );
  });

  it('finds the device of a gateway through an earlier route, too', () => {
    const routes = [
      { to: '192.0.2.0/24', ifindex: RIGHT },
      { to: '10.9.0.0/16', via: '192.0.2.2' },
    ];
    const neighbours = [{ ifindex: RIGHT, address: '192.0.2.2', mac: rightMac }];
    expect(ask(world({ routes, neighbours }), '10.9.0.1').result).toBe(fib.BPF_FIB_LKUP_RET_SUCCESS);
  });

  it('looks for an IPv4 gateway past reject routes, and takes the router’s own address for one', () => {
    const routes = [
      { to: '10.2.0.0/30', type: 'prohibit' as const },
      { to: '10.9.0.0/16', via: '10.2.0.2' },
      { to: '10.8.0.0/16', via: '10.2.0.1' },
    ];
    expect(ask(world({ routes }), '10.9.0.1').result).toBe(fib.BPF_FIB_LKUP_RET_SUCCESS);
    expect(ask(world({ routes }), '10.8.0.1').result).toBe(fib.BPF_FIB_LKUP_RET_NO_NEIGH);
  });

  it.each([
    ['what is the router’s own', '10.1.0.1'],
    ['what is the router’s own on a device that does not forward', '10.3.0.1'],
    ['what is the router’s own in IPv6', 'fc00:2::1'],
    ['a network’s broadcast address', '10.2.0.255'],
    ['the loopback network', '127.8.8.8'],
    ['the subnet-router anycast address', 'fc00:2::'],
    ['what has no route', '192.0.2.1'],
    ['what has no route in IPv6', '2001:db8::1'],
    ['link-local addresses', 'fe80::2'],
    ['the end of the link-local range', 'febf::1'],
    ['multicast in IPv6', 'ff0e::1'],
    ['loopback in IPv6', '::1'],
  ])('does not forward %s', (_what, destination) => {
    expect(ask(world(), destination).result).toBe(fib.BPF_FIB_LKUP_RET_NOT_FWDED);
  });

  it('does not forward from link-local, loopback and multicast sources in IPv6', () => {
    for (const source of ['fe80::9', '::1', 'ff02::1']) {
      expect(ask(world(), 'fc00:2::2', { source }).result).toBe(fib.BPF_FIB_LKUP_RET_NOT_FWDED);
    }
    expect(ask(world(), '10.2.0.2', { source: '127.0.0.1' }).result).toBe(fib.BPF_FIB_LKUP_RET_SUCCESS);
  });

  it.each([
    ['a network’s lowest address (an ordinary one since Linux 5.14)', '10.2.0.0'],
    ['the other half of a /31, which has no broadcast address (RFC 3021)', '10.3.0.0'],
    ['the other half of a /127, which has no anycast address (RFC 6164)', 'fc00:3::'],
    ['a neighbour that nobody knows', '10.2.0.3'],
  ])('looks for a neighbour of %s', (_what, destination) => {
    expect(ask(world(), destination).result).toBe(fib.BPF_FIB_LKUP_RET_NO_NEIGH);
  });

  it('has no anycast address where the device does not forward', () => {
    const closed = world();
    const devices = closed.devices!.map((device) => ({ ...device, forwarding: device.ifindex === LEFT }));
    expect(ask({ ...closed, devices }, 'fc00:2::').result).toBe(fib.BPF_FIB_LKUP_RET_NO_NEIGH);
  });

  it('sends multicast and broadcast in IPv4 along the default route like anything else', () => {
    const some = world({ routes: [{ to: '0.0.0.0/0', via: '10.2.0.2' }] });
    for (const destination of ['224.0.0.1', '255.255.255.255', '0.0.0.0', '240.0.0.1']) {
      expect(ask(some, destination).result).toBe(fib.BPF_FIB_LKUP_RET_SUCCESS);
    }
  });

  it('judges forwarding at the device of ingress, and for IPv6 the addresses before that', () => {
    expect(ask(world(), '10.2.0.2', { ifindex: CLOSED }).result).toBe(fib.BPF_FIB_LKUP_RET_FWD_DISABLED);
    expect(ask(world(), '10.2.0.2', { ifindex: 1 }).result).toBe(fib.BPF_FIB_LKUP_RET_FWD_DISABLED);
    expect(ask(world(), '10.2.0.2', { ifindex: 99 }).result).toBe(-ENODEV);
    expect(ask(world(), 'fc00:2::2', { ifindex: CLOSED }).result).toBe(fib.BPF_FIB_LKUP_RET_FWD_DISABLED);
    expect(ask(world(), 'fe80::2', { ifindex: 99 }).result).toBe(fib.BPF_FIB_LKUP_RET_NOT_FWDED);
  });

  it('compares with the device’s MTU, and with a route’s only because it is locked', () => {
    const some = world({
      routes: [
        { to: '10.9.0.0/16', via: '10.2.0.2', mtu: 600 },
        { to: '10.8.0.0/16', via: '10.2.0.2', mtu: 9000 },
        { to: 'fc00:9::/32', via: 'fc00:2::2', mtu: 1290 },
      ],
    });
    const longest = (destination: string): number => {
      const { result, parameters } = ask(some, destination, { totalLength: 65535 });
      expect(result).toBe(fib.BPF_FIB_LKUP_RET_FRAG_NEEDED);
      expect(ask(some, destination, { totalLength: parameters.mtu }).result).toBe(
        fib.BPF_FIB_LKUP_RET_SUCCESS,
      );
      expect(ask(some, destination, { totalLength: parameters.mtu + 1 }).result).toBe(
        fib.BPF_FIB_LKUP_RET_FRAG_NEEDED,
      );
      return parameters.mtu;
    };
    expect(['10.2.0.2', '10.9.0.1', '10.8.0.1', 'fc00:2::2', 'fc00:9::1'].map(longest)).toEqual([
      1400, 600, 9000, 1400, 1290,
    ]);
  });

  it('asks the MTU before the neighbour, and skips it for a length of 0', () => {
    expect(ask(world(), '10.2.0.77', { totalLength: 1401 }).result).toBe(fib.BPF_FIB_LKUP_RET_FRAG_NEEDED);
    expect(ask(world(), '10.2.0.2', { totalLength: 0 }).result).toBe(fib.BPF_FIB_LKUP_RET_SUCCESS);
  });

  it('asks the newest entry for an address, of the same device and family only', () => {
    const some = world();
    const mac = (last: number): Uint8Array => macFromText(`02:00:00:00:aa:0${last}`);
    const neighbours = [
      ...some.neighbours!,
      { ifindex: RIGHT, address: '10.2.0.2', mac: mac(1) },
      { ifindex: RIGHT, address: 'fc00:2::2', mac: mac(2) },
      { ifindex: LEFT, address: '10.2.0.2', mac: mac(3) },
      { ifindex: RIGHT, address: '10.2.0.9', mac: mac(4) },
    ];
    const found = (destination: string): string =>
      macToText(ask({ ...some, neighbours }, destination).parameters.destinationMac);
    expect(found('10.2.0.2')).toBe('02:00:00:00:aa:01');
    expect(found('fc00:2::2')).toBe('02:00:00:00:aa:02');
  });

  it('finds neighbours on the loopback device in IPv6 only: ARP has none there', () => {
    const some = world();
    const devices = [
      ...some.devices!,
      { ifindex: 1, name: 'lo', mac: new Uint8Array(6), addresses: ['fc00:9::1/64'] },
    ];
    const routes = [{ to: '10.9.0.0/16', ifindex: 1 }];
    const neighbours = [
      { ifindex: 1, address: '10.9.0.2', mac: leftMac },
      { ifindex: 1, address: 'fc00:9::2', mac: leftMac },
    ];
    expect(ask({ devices, routes, neighbours }, '10.9.0.2').result).toBe(fib.BPF_FIB_LKUP_RET_NO_NEIGH);
    expect(ask({ devices, routes, neighbours }, 'fc00:9::2').result).toBe(fib.BPF_FIB_LKUP_RET_SUCCESS);
  });

  it('knows neighbours that the world learns between two lookups', () => {
    const neighbours = [...world().neighbours!];
    const some = createFib(world({ neighbours }));
    const { parameters } = ask(world(), '10.2.0.2');
    const lookup = (): string => {
      const asked = { ...parameters, ifindex: LEFT, destinationMac: new Uint8Array(6) };
      expect(some.lookup(asked)).toBe(fib.BPF_FIB_LKUP_RET_SUCCESS);
      return macToText(asked.destinationMac);
    };
    expect(lookup()).toBe('02:00:00:00:0c:02');
    neighbours.push({ ifindex: RIGHT, address: '10.2.0.2', mac: leftMac });
    expect(lookup()).toBe(macToText(leftMac));
    neighbours.push({ ifindex: RIGHT, address: '10.2.0.2', mac: rightMac });
    expect(lookup()).toBe(macToText(rightMac));
  });

  it('knows two families', () => {
    const { parameters } = ask(world(), '10.2.0.2');
    expect(createFib(world()).lookup({ ...parameters, family: 1 as never })).toBe(-EAFNOSUPPORT);
  });
});

describe('a lookup of a TC program', () => {
  function askOfSkb(frameLength: number, totalLength: number, destination: string = '10.2.0.2'): Answer {
    const { parameters } = ask(world(), destination);
    const asked = { ...parameters, ifindex: LEFT, totalLength, mtu: 0 };
    return { result: createFib(world()).lookupOfSkb(asked, frameLength), parameters: asked };
  }

  it('takes frames of the device’s MTU with an Ethernet header and a tag, where it gives no length', () => {
    const fits = askOfSkb(1400 + 14 + 4, 0);
    expect(fits.result).toBe(fib.BPF_FIB_LKUP_RET_SUCCESS);
    expect(fits.parameters.mtu).toBe(1400);
    const tooLong = askOfSkb(1400 + 14 + 4 + 1, 0);
    expect(tooLong.result).toBe(fib.BPF_FIB_LKUP_RET_FRAG_NEEDED);
    expect(tooLong.parameters.mtu).toBe(1400);
  });

  it('goes by the length where it gives one, however long the frame is', () => {
    expect(askOfSkb(9000, 1).result).toBe(fib.BPF_FIB_LKUP_RET_SUCCESS);
    expect(askOfSkb(60, 1401).result).toBe(fib.BPF_FIB_LKUP_RET_FRAG_NEEDED);
  });

  it('says why a frame is not forwarded, however long it is', () => {
    expect(askOfSkb(9000, 0, '192.0.2.1').result).toBe(fib.BPF_FIB_LKUP_RET_NOT_FWDED);
  });
});

describe('a world', () => {
  it('is refused where a gateway or a device is out of reach', () => {
    const bad =
      (routes: World['routes']): (() => unknown) =>
      () =>
        createFib(world({ ...(routes ? { routes } : {}) }));
    expect(bad([{ to: '10.9.0.0/16', via: '192.0.2.1' }])).toThrow('no device reaches its gateway');
    expect(bad([{ to: 'fc00:9::/32', via: 'fc00:7::1' }])).toThrow('no device reaches its gateway');
    const behindReject: World['routes'] = [
      { to: 'fc00:1::/112', type: 'prohibit' },
      { to: 'fc00:9::/32', via: 'fc00:1::2' },
    ];
    expect(bad(behindReject)).toThrow('no device reaches its gateway');
    expect(bad([{ to: '10.9.0.0/16' }])).toThrow('no device reaches its gateway');
    expect(bad([{ to: '10.9.0.0/16', ifindex: 99 }])).toThrow('there is no device 99');
    expect(bad([{ to: '10.9.0.0/99', type: 'blackhole' }])).toThrow(SyntaxError);
  });
});
