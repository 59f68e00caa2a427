import { describe, expect, it } from 'vitest';
import { macFromText } from '../packet/addresses.ts';
import type { Device } from './world.ts';
import { hintsOfWorld } from './world-hints.ts';

const MAC = macFromText('02:00:00:00:00:01');

describe('what packets can carry of a world', () => {
  it('is nothing of an empty one', () => {
    expect(hintsOfWorld({})).toEqual({});
    expect(hintsOfWorld({ maps: { m: [] }, routes: [{ to: '0.0.0.0/0', ifindex: 2 }] })).toEqual({});
  });

  it('is no address of nobody, and no port of an address of nobody is left out', () => {
    const hints = hintsOfWorld({
      routes: [
        { to: '10.2.0.0/16', via: '0.0.0.0' },
        { to: 'fc00::/128', via: '::' },
      ],
      neighbours: [{ ifindex: 2, address: '0.0.0.1', mac: MAC }],
      sockets: [
        { protocol: 'udp', local: '[::]:7' },
        { protocol: 'udp', local: '0.0.0.1:8' },
      ],
    });
    expect(hints).toEqual({ addresses: ['10.2.0.0/16', 'fc00::', '0.0.0.1'], ports: [7, 8], macs: [MAC] });
  });

  it('is the devices that packets come in by, those first that forward', () => {
    const device = (ifindex: number, forwarding?: boolean): Device => ({
      ...{ ifindex, name: `d${ifindex}`, mac: MAC, ...(forwarding === undefined ? {} : { forwarding }) },
    });
    const devices = [device(4), device(7, false), device(3, true), device(9, true)];
    expect(hintsOfWorld({ devices }).ingressIfindexes).toEqual([3, 9, 4, 7, 1]);
  });

  it('is addresses and networks, MACs and ports, each once', () => {
    const neighbour = { ifindex: 2, address: '10.1.0.9', mac: macFromText('02:00:00:00:00:09') };
    expect(
      hintsOfWorld({
        devices: [
          { ifindex: 2, name: 'eth0', mac: MAC, addresses: ['10.1.0.1/24', 'fc00:1::1/64'] },
          { ifindex: 3, name: 'eth1', mac: MAC },
        ],
        routes: [
          { to: '10.2.0.0/16', via: '10.1.0.9' },
          { to: '10.3.0.7/32', ifindex: 2 },
          { to: '::/0', ifindex: 2 },
        ],
        neighbours: [neighbour],
        sockets: [
          { protocol: 'tcp', local: '0.0.0.0:80' },
          { protocol: 'udp', local: '[fc00:1::1]:53', remote: '[fc00:2::2]:1000' },
        ],
      }),
    ).toEqual({
      addresses: [
        ...['10.1.0.1', '10.1.0.0/24', 'fc00:1::1', 'fc00:1::/64'],
        ...['10.2.0.0/16', '10.1.0.9', '10.3.0.7', 'fc00:2::2'],
      ],
      ports: [80, 53, 1000],
      macs: [MAC, neighbour.mac],
      ingressIfindexes: [2, 3, 1],
    });
  });
});
