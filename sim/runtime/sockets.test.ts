import { describe, expect, it } from 'vitest';
import { addressFromText } from '../packet/addresses.ts';
import { canBeOpen, endpointFromText, IPPROTO_TCP, IPPROTO_UDP, openSocket, SocketTable } from './sockets.ts';
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

describe('an address', () => {
  const open =
    (socket: Partial<Socket>): (() => unknown) =>
    () =>
      openSocket({ protocol: 'tcp', local: '[2001:db8::1]:80', ...socket });
  const GROUP = 'TCP has no multicast and broadcast addresses';
  const LINK = 'an address that counts on one link needs a device';

  it.each<[local: string, tcp: string | undefined, udp: string | undefined]>([
    ['[ff01::1]:80', GROUP, LINK],
    ['[ff12::1]:80', GROUP, LINK],
    ['[ff05::1]:80', GROUP, undefined],
    ['[fe80::1]:80', LINK, LINK],
    ['[febf::1]:80', LINK, LINK],
    ['[fec0::1]:80', undefined, undefined],
    ['[::1]:80', undefined, undefined],
    ['224.0.0.1:80', undefined, undefined],
    ['255.255.255.255:80', undefined, undefined],
    ['169.254.0.1:80', undefined, undefined],
  ])('%s is one that a socket can be bound to, or is not', (local, tcp, udp) => {
    for (const [protocol, problem] of [
      ['tcp', tcp],
      ['udp', udp],
    ] as const) {
      if (problem === undefined) expect(open({ protocol, local })).not.toThrow();
      else expect(open({ protocol, local })).toThrow(`a ${protocol} socket on ${local}: ${problem}`);
      if (problem !== GROUP) expect(open({ protocol, local, ifindex: 2 })).not.toThrow();
    }
  });

  it.each(['[ff05::1]:80', '224.0.0.1:80', '255.255.255.255:80'])('%s is no other end of TCP', (remote) => {
    const local = remote.startsWith('[') ? '[2001:db8::1]:80' : '10.0.0.1:80';
    expect(open({ local, remote })).toThrow(GROUP);
    expect(open({ protocol: 'udp', local, remote })).not.toThrow();
  });
});

describe('what is made up can be open', () => {
  it.each<
    [protocol: Socket['protocol'], local: string, remote: string | undefined, ifindex: number, can: boolean]
  >([
    ['tcp', '10.0.0.1:80', undefined, 0, true],
    ['tcp', '[ff01::1]:80', undefined, 0, false],
    ['tcp', '[fe80::1]:80', undefined, 0, false],
    ['tcp', '[fe80::1]:80', undefined, 2, true],
    ['udp', '[ff02::1]:80', undefined, 2, true],
    ['tcp', '[fe80::1]:80', '[2001:db8::1]:9', 2, false],
    ['udp', '[2001:db8::1]:9', '[fe80::1]:80', 2, false],
    ['udp', '10.0.0.1:80', '224.0.0.1:9', 0, false],
    ['udp', '10.0.0.1:80', '255.255.255.255:9', 0, false],
    ['udp', '10.0.0.1:80', '10.0.0.2:9', 0, true],
    ['tcp', '[::ffff:10.0.0.1]:80', '[2001:db8::1]:9', 0, false],
    ['tcp', '[2001:db8::1]:80', '[::ffff:10.0.0.1]:9', 0, false],
    ['tcp', '[::ffff:10.0.0.2]:80', '[::ffff:10.0.0.1]:9', 0, true],
  ])('%s %s to %s on device %i: %s', (protocol, local, remote, ifindex, can) => {
    const socket: Socket = { protocol, local, ifindex, ...(remote === undefined ? {} : { remote }) };
    expect(canBeOpen([{ protocol: 'tcp', local: '10.0.0.7:7' }, socket])).toBe(can);
    expect(canBeOpen([socket, socket])).toBe(false);
  });
});

describe('an open socket', () => {
  it.each<[socket: Socket, family: number, state: number]>([
    // AF_INET 2, AF_INET6 10; TCP_ESTABLISHED 1, TCP_CLOSE 7, TCP_LISTEN 10 (include/net/tcp_states.h).
    [{ protocol: 'tcp', local: '10.0.0.1:80' }, 2, 10],
    [{ protocol: 'tcp', local: '[fc00::1]:80', remote: '[fc00::2]:9' }, 10, 1],
    [{ protocol: 'udp', local: '10.0.0.1:80' }, 2, 7],
    [{ protocol: 'udp', local: '10.0.0.1:80', remote: '10.0.0.2:9' }, 2, 1],
  ])('%j has family %i and state %i', (socket, family, state) => {
    expect(openSocket(socket)).toMatchObject({ family, state, ifindex: 0, mark: 0 });
    expect(openSocket({ ...socket, ifindex: 4, mark: 9 })).toMatchObject({ ifindex: 4, mark: 9 });
  });

  it('has both addresses, of one family, where it is connected', () => {
    const open =
      (local: string, remote: string): (() => unknown) =>
      () =>
        openSocket({ protocol: 'tcp', local, remote });
    expect(open('10.0.0.1:80', '[fc00::9]:4000')).toThrow('one address is IPv4, the other IPv6');
    expect(open('[fc00::9]:4000', '10.0.0.1:80')).toThrow('one address is IPv4, the other IPv6');
    for (const [local, remote] of [
      ['0.0.0.0:80', '10.0.0.1:9'],
      ['10.0.0.1:80', '0.0.0.0:9'],
      ['[::]:80', '[fc00::1]:9'],
      ['[fc00::1]:80', '[::]:9'],
    ] as const)
      expect(open(local, remote)).toThrow('a connection needs both of its addresses');
    expect(open('10.0.0.1:80', '0.0.0.1:9')).not.toThrow();
  });

  it('has a port from 1 to 65535', () => {
    expect([1, 65_535].map((port) => endpointFromText(`10.0.0.1:${port}`).port)).toEqual([1, 65_535]);
    for (const port of ['0', '65536', '99999', '100000', '', '-1'])
      expect(() => endpointFromText(`10.0.0.1:${port}`)).toThrow('is not an address with a port');
  });
});

describe('two sockets beside each other', () => {
  const canBe = (a: Partial<Socket>, b: Partial<Socket>): boolean => {
    const socket = (more: Partial<Socket>): Socket => ({ protocol: 'tcp', local: '10.0.0.1:80', ...more });
    const both = [
      [a, b],
      [b, a],
    ].map((pair) => {
      try {
        new SocketTable(pair.map(socket));
        return true;
      } catch (error) {
        expect((error as Error).message).toContain('cannot be open together');
        return false;
      }
    });
    expect(both[0]).toBe(both[1]);
    return both[0]!;
  };
  const PEER = '10.0.0.9:4000';

  it.each<[what: string, a: Partial<Socket>, b: Partial<Socket>, can: boolean]>([
    ['the same', {}, {}, false],
    ['other ports', {}, { local: '10.0.0.1:81' }, true],
    ['other protocols', {}, { protocol: 'udp' }, true],
    ['other addresses', {}, { local: '10.0.0.2:80' }, true],
    ['any address of IPv4', {}, { local: '0.0.0.0:80' }, false],
    ['any address of both', {}, { local: '[::]:80' }, false],
    ['an address of the other family', {}, { local: '[fc00::1]:80' }, true],
    ['any address of IPv4, and one of IPv6', { local: '0.0.0.0:80' }, { local: '[fc00::1]:80' }, true],
    ['any address of IPv4, and any of both', { local: '0.0.0.0:80' }, { local: '[::]:80' }, false],
    ['any address of both, and one of IPv6', { local: '[::]:80' }, { local: '[fc00::1]:80' }, false],
    ['one device', { ifindex: 3 }, { ifindex: 3 }, false],
    ['two devices', { ifindex: 3 }, { ifindex: 4 }, true],
    ['a device and any', { ifindex: 3 }, {}, false],
    ['a listener and its connection', {}, { remote: PEER }, true],
    ['a connection twice', { remote: PEER }, { remote: PEER }, false],
    ['connections of other ports', { remote: PEER }, { remote: '10.0.0.9:4001' }, true],
    ['connections of other addresses', { remote: PEER }, { remote: '10.0.0.8:4000' }, true],
    ['connections to other addresses', { remote: PEER }, { local: '10.0.0.2:80', remote: PEER }, true],
  ])('%s', (_what, a, b, can) => {
    expect(canBe(a, b)).toBe(can);
  });

  it('are named where they cannot be', () => {
    const locals = ['10.0.0.1:80', '10.0.0.1:81', '10.0.0.2:80', '0.0.0.0:81'];
    expect(() => new SocketTable(locals.map((local) => ({ protocol: 'tcp', local })))).toThrow(
      'the sockets 10.0.0.1:81 and 0.0.0.0:81 of the world cannot be open together',
    );
  });

  it('are reached by a packet of their port, address, family and device', () => {
    const find = (local: string, to: string, more: Partial<Socket> = {}): number =>
      reached(
        [{ protocol: 'udp', local, ...more }],
        to.startsWith('[') ? '[fc00::9]:5' : '10.0.0.9:5',
        to,
        'udp',
        3,
      );
    expect([
      find('0.0.0.0:53', '10.0.0.1:53'),
      find('0.0.0.0:53', '10.0.0.1:54'),
      find('[::]:53', '10.0.0.1:53'),
      find('[::]:53', '[fc00::1]:53'),
      find('[::1]:53', '10.0.0.1:53'),
      find('10.0.0.1:53', '10.0.0.1:53', { ifindex: 3 }),
      find('0.0.0.0:53', '10.0.0.1:53', { ifindex: 4 }),
      find('10.0.0.1:53', '10.0.0.1:53', { remote: '10.0.0.9:5' }),
      find('10.0.0.1:53', '10.0.0.1:53', { remote: '10.0.0.9:6' }),
    ]).toEqual([0, -1, 0, 0, -1, 0, -1, 0, -1]);
  });
});
