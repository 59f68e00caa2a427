import { describe, expect, it } from 'vitest';
import { addressFromText } from '../packet/addresses.ts';
import { endpointFromText, IPPROTO_TCP, IPPROTO_UDP, SocketTable } from './sockets.ts';
import type { Socket } from './world.ts';

/** Which socket a packet reaches. */
function reached(
  sockets: readonly Socket[],
  from: string,
  to: string,
  protocol: 'tcp' | 'udp' = 'tcp',
  ifindex = 1,
): number {
  const source = endpointFromText(from);
  const destination = endpointFromText(to);
  return new SocketTable(sockets).find({
    protocol: protocol === 'tcp' ? IPPROTO_TCP : IPPROTO_UDP,
    source: source.address,
    destination: destination.address,
    sport: source.port,
    dport: destination.port,
    ifindex,
  });
}

describe('an address with a port', () => {
  it('is read from text', () => {
    expect(endpointFromText('10.0.0.1:80')).toEqual({ address: Uint8Array.of(10, 0, 0, 1), port: 80 });
    expect(endpointFromText('[2001:db8::1]:443')).toEqual({
      address: addressFromText('2001:db8::1'),
      port: 443,
    });
  });

  it.each(['10.0.0.1', '10.0.0.1:0', '10.0.0.1:65536', '::1:80', '[10.0.0.1]:80', 'host:80', ''])(
    'is not %j',
    (text) => expect(() => endpointFromText(text)).toThrow(SyntaxError),
  );
});

describe('a packet reaches', () => {
  const listener: Socket = { protocol: 'tcp', local: '10.0.0.1:80' };
  const anywhere: Socket = { protocol: 'tcp', local: '0.0.0.0:81' };
  const connection: Socket = { protocol: 'tcp', local: '10.0.0.1:80', remote: '10.0.0.9:4000' };

  it('the socket that listens at its destination, and no other', () => {
    expect(reached([anywhere, listener], '10.0.0.9:4000', '10.0.0.1:80')).toBe(1);
    expect(reached([anywhere, listener], '10.0.0.9:4000', '10.0.0.2:80')).toBe(-1);
    expect(reached([anywhere, listener], '10.0.0.9:4000', '10.0.0.1:80', 'udp')).toBe(-1);
    expect(reached([anywhere, listener], '10.0.0.9:4000', '10.0.0.2:81')).toBe(0);
  });

  it('a connection rather than the listener that it came from', () => {
    expect(reached([listener, connection], '10.0.0.9:4000', '10.0.0.1:80')).toBe(1);
    expect(reached([listener, connection], '10.0.0.9:4001', '10.0.0.1:80')).toBe(0);
    expect(reached([listener, connection], '10.0.0.8:4000', '10.0.0.1:80')).toBe(0);
  });

  it('a socket that is bound to a device by that device only', () => {
    const bound: Socket = { ...listener, ifindex: 3 };
    expect(reached([bound], '10.0.0.9:4000', '10.0.0.1:80', 'tcp', 3)).toBe(0);
    expect(reached([bound], '10.0.0.9:4000', '10.0.0.1:80', 'tcp', 2)).toBe(-1);
  });

  it('[::] with IPv4, too, but 0.0.0.0 not with IPv6', () => {
    expect(reached([{ protocol: 'udp', local: '[::]:53' }], '10.0.0.9:4000', '10.0.0.1:53', 'udp')).toBe(0);
    expect(reached([{ protocol: 'udp', local: '0.0.0.0:53' }], '[fc00::9]:4000', '[fc00::1]:53', 'udp')).toBe(
      -1,
    );
  });
});

describe('a world has not', () => {
  it.each([
    ['two listeners of one port and overlapping addresses', '10.0.0.1:80', '0.0.0.0:80'],
    ['two that both take IPv4', '0.0.0.0:80', '[::]:80'],
    ['one listener twice', '[fc00::1]:80', '[fc00::1]:80'],
  ])('%s', (_, a, b) => {
    const sockets = [a, b].map((local): Socket => ({ protocol: 'tcp', local }));
    expect(() => new SocketTable(sockets)).toThrow(/cannot be open together/);
  });

  it('a connection between IPv4 and IPv6, or of no address', () => {
    for (const remote of ['[fc00::9]:4000', '0.0.0.0:4000']) {
      expect(() => new SocketTable([{ protocol: 'tcp', local: '10.0.0.1:80', remote }])).toThrow(SyntaxError);
    }
  });
});
