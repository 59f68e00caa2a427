import { describe, expect, it } from 'vitest';
import { addressFromText, addressToText } from '../packet/addresses.ts';
import { RoutingTables } from './routing-tables.ts';
import type { Device, Route } from './world.ts';

const mac = Uint8Array.of(2, 0, 0, 0, 0, 1);
const left: Device = {
  ifindex: 11,
  name: 'left',
  mac,
  addresses: ['10.1.0.1/24', 'fc00:1::1/64'],
  forwarding: true,
};
const right: Device = { ifindex: 12, name: 'right', mac, addresses: ['10.2.0.1/24', 'fc00:2::1/64'] };
const small: Device = { ifindex: 13, name: 'small', mac, addresses: ['10.3.0.1/24'], mtu: 1279 };
const devices = [left, right, small];

function tables(...routes: Route[]): RoutingTables {
  return new RoutingTables({ devices, routes });
}

function shown(found: ReturnType<RoutingTables['find4']>): string | undefined {
  if (found === undefined) return undefined;
  const via = found.gateway === undefined ? '' : ` via ${addressToText(found.gateway)}`;
  return `${found.type} ${found.ifindex}${via}`;
}

function find(some: RoutingTables, destination: string): string | undefined {
  const address = addressFromText(destination);
  return shown(address.length === 4 ? some.find4(address) : some.find6(address, 0));
}

describe('a route', () => {
  it.each<[string, Route[], string]>([
    [
      'whose IPv4 destination has bits behind the prefix',
      [{ to: '10.9.0.1/24', ifindex: 11 }],
      'bits behind',
    ],
    [
      'that is there already',
      [
        { to: '10.9.0.0/16', ifindex: 11 },
        { to: '10.9.0.0/16', type: 'blackhole' },
      ],
      'same metric',
    ],
    ['that an IPv4 address has brought along', [{ to: '10.1.0.0/24', ifindex: 12 }], 'same metric'],
    [
      'that an IPv6 address has brought along',
      [{ to: 'fc00:1::/64', ifindex: 12, metric: 256 }],
      'same metric',
    ],
    [
      'over IPv6 that is there without host bits',
      [
        { to: 'fc00:9::1/32', ifindex: 11 },
        { to: 'fc00:9::2/32', ifindex: 12, metric: 1024 },
      ],
      'same metric',
    ],
    [
      'whose IPv6 metric of 0 means 1024',
      [
        { to: 'fc00:9::/32', ifindex: 11, metric: 0 },
        { to: 'fc00:9::/32', ifindex: 12, metric: 1024 },
      ],
      'same metric',
    ],
    [
      'that rejects and has a device',
      [{ to: '10.9.0.0/16', type: 'prohibit', ifindex: 11 }],
      'neither gateway',
    ],
    ['over a broadcast address', [{ to: '10.9.0.0/16', via: '10.1.0.255' }], 'broadcast'],
    [
      'over another device’s IPv4 gateway',
      [{ to: '10.9.0.0/16', via: '10.1.0.2', ifindex: 12 }],
      'no device reaches',
    ],
    [
      'over another device’s IPv6 gateway',
      [{ to: 'fc00:9::/32', via: 'fc00:1::2', ifindex: 12 }],
      'no device reaches',
    ],
    ['over an IPv6 address of the host’s own', [{ to: 'fc00:9::/32', via: 'fc00:1::1' }], 'host’s own'],
    ['over no address', [{ to: 'fc00:9::/32', via: '::', ifindex: 11 }], 'no unicast'],
    ['over a multicast address', [{ to: 'fc00:9::/32', via: 'ff02::1', ifindex: 11 }], 'no unicast'],
    [
      'over a link-local gateway without a device',
      [{ to: 'fc00:9::/32', via: 'fe80::2' }],
      'no device reaches',
    ],
    ['over a gateway of another family', [{ to: '10.9.0.0/16', via: 'fc00:1::2' }], 'another family'],
    ['over IPv6 through a device without it', [{ to: 'fc00:9::/32', ifindex: 13 }], 'has no IPv6'],
    [
      'over a gateway behind a gateway',
      [
        { to: 'fc00:9::/32', via: 'fc00:1::2' },
        { to: 'fc00:8::/32', via: 'fc00:9::1' },
      ],
      'no device reaches',
    ],
  ])('is refused %s', (_, routes, why) => {
    expect(() => tables(...routes)).toThrow(why);
    // It is the last one that is refused.
    expect(() => tables(...routes.slice(0, -1))).not.toThrow();
  });

  it('over IPv4 may go by a gateway that another route has a way to, for only direct ones are asked', () => {
    const some = tables({ to: '10.1.0.0/30', via: '10.2.0.2' }, { to: '10.9.0.0/16', via: '10.1.0.2' });
    expect(find(some, '10.9.0.1')).toBe('unicast 11 via 10.1.0.2');
  });

  it('may go by the subnet’s routers’ anycast address, which is nobody’s own', () => {
    expect(find(tables({ to: 'fc00:9::/32', via: 'fc00:1::' }), 'fc00:9::1')).toBe('unicast 11 via fc00:1::');
  });

  it('has no MTU where it says 0, and never more than 65520', () => {
    const some = tables(
      { to: '10.8.0.0/16', ifindex: 11, mtu: 0 },
      { to: '10.9.0.0/16', ifindex: 11, mtu: 65_535 },
    );
    expect(some.find4(addressFromText('10.8.0.1'))?.mtu).toBeUndefined();
    expect(some.find4(addressFromText('10.9.0.1'))?.mtu).toBe(65_520);
  });
});

describe('an address', () => {
  const withAddresses = (...addresses: string[]): RoutingTables =>
    new RoutingTables({ devices: [left, { ...right, addresses }] });

  it('is the host’s own, whatever routes say', () => {
    expect(find(tables({ to: '10.1.0.1/32', type: 'blackhole' }), '10.1.0.1')).toBe('local 11');
    expect(find(tables({ to: 'fc00:1::1/128', type: 'blackhole', metric: 1 }), 'fc00:1::1')).toBe('local 11');
  });

  it('brings its network and, but for /31 and /32, the broadcast address', () => {
    expect(find(withAddresses('10.4.0.1/30'), '10.4.0.3')).toBe('broadcast 12');
    expect(find(withAddresses('10.4.0.2/31'), '10.4.0.3')).toBe('unicast 12');
    expect(find(withAddresses('10.4.0.2/32'), '10.4.0.3')).toBeUndefined();
    expect(find(withAddresses('0.4.0.2/24'), '0.4.0.3')).toBeUndefined();
  });

  it('brings a forwarding device the subnet’s routers’ anycast address, but not in a /127 (RFC 6164)', () => {
    const asked = (address: string, forwarding: boolean): string | undefined => {
      const device: Device = { ...right, addresses: [address], forwarding };
      return find(new RoutingTables({ devices: [device] }), 'fc00:4::');
    };
    expect(asked('fc00:4::1/126', true)).toBe('local 12');
    expect(asked('fc00:4::1/126', false)).toBe('unicast 12');
    expect(asked('fc00:4::1/127', true)).toBe('unicast 12');
  });

  it('brings no network where an earlier network has it for its broadcast address', () => {
    const some = withAddresses('10.1.0.255/16', '10.1.0.254/16');
    expect(find(some, '10.1.9.9')).toBeUndefined();
    expect(find(some, '10.1.0.255')).toBe('broadcast 11');
    // Nor does the next one in the same network, a secondary one.
    expect(find(some, '10.1.0.254')).toBe('unicast 11');
  });

  it('is refused twice on one device, and over IPv6 on a device whose MTU is too small', () => {
    expect(() => withAddresses('10.4.0.1/24', '10.4.0.1/24')).toThrow('there already');
    expect(() => withAddresses('10.4.0.1/24', '10.4.0.1/16')).not.toThrow();
    expect(() => withAddresses('fc00:4::1/64', 'fc00:4::1/48')).toThrow('there already');
    expect(() => new RoutingTables({ devices: [{ ...left, mtu: 1279 }] })).toThrow('no IPv6');
  });
});
