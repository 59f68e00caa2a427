/** What a router does with IPv6 of every kind, rule by rule of Linux's net/ipv6: words, and the frames that it sends. */
import { describe, expect, it } from 'vitest';
import * as build from '../../packet/build.ts';
import { mac } from '../test-support/programs.ts';
import { type Changes, RouterStack, toRouter } from '../test-support/router-stack.ts';

type Ipv6 = Parameters<typeof build.ipv6>[0];

/** From host 2 on network 1, to the router unless said otherwise. */
const v6 = (given: Ipv6 = {}): build.LayerStack =>
  toRouter.ipv6({ source: 'fd01::2', destination: 'fd01::1', ...given });
const data = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index);
/** The same in a frame to a group of hosts. */
const toGroup = (given: Ipv6): build.LayerStack =>
  build
    .ethernet({ destination: '33:33:00:00:00:01', source: mac(1, 2) })
    .ipv6({ source: 'fd01::2', ...given });
const HOST: Changes = { eth1: { forwarding: false }, eth2: { forwarding: false } };
const LINK_LOCAL: Changes = { eth2: { addresses: ['10.2.0.1/24', 'fe80::5/64', 'fd02::1/64'] } };

type Row = [what: string, frame: build.LayerStack, heard: string[], changes?: Changes];
function rows(...all: Row[]): void {
  it.each(all)('%s', (_what, frame, heard, changes) => {
    expect(new RouterStack(changes).receive(frame.bytes())).toEqual(heard);
  });
}

describe('headers and addresses (ip6_rcv_core)', () => {
  rows(
    [
      'from a group',
      v6({ source: 'ff02::1' }).udp(),
      ['eth1 gets addresses that cannot come from outside: dropped'],
    ],
    [
      'from the loopback address',
      v6({ source: '::1' }).udp(),
      ['eth1 gets addresses that cannot come from outside: dropped'],
    ],
    [
      'to the loopback address',
      v6({ destination: '::1' }).udp(),
      ['eth1 gets addresses that cannot come from outside: dropped'],
    ],
    [
      'from an address that is nearly that',
      v6({ source: '::2' }).udp(),
      [
        'eth1 has nobody at UDP port 9',
        'eth1 says “port unreachable” to ::2',
        'has no route to ::2: nothing is sent',
      ],
    ],
    [
      'from another that is nearly that',
      v6({ source: '0:0:0:0:0:0:0:101' }).udp(),
      [
        'eth1 has nobody at UDP port 9',
        'eth1 says “port unreachable” to ::101',
        'has no route to ::101: nothing is sent',
      ],
    ],
    [
      'hop-by-hop options',
      v6().hopopts().udp(),
      ['eth1 would look at hop-by-hop options, which is not simulated: dropped'],
    ],
    [
      'destination options',
      v6().dstopts().udp(),
      ['eth1 would follow extension headers, which is not simulated: dropped'],
    ],
    [
      'a fragment',
      v6().fragment6({ moreFragments: true }).udp(),
      ['eth1 would follow extension headers, which is not simulated: dropped'],
    ],
    [
      'padding behind the packet',
      v6({ payloadLength: 8 }).echoRequest6().payload(new Uint8Array(4)),
      ['eth1 gets a cut-off or wrongly summed ICMPv6 message: dropped'],
    ],
    [
      'a packet that is cut off by a byte',
      v6({ payloadLength: 9 }).echoRequest6(),
      ['eth1 gets a cut-off IPv6 packet: dropped'],
    ],
    ['nothing behind the header', v6({ nextHeader: 59 }), ['eth1 discards a packet without a next header']],
  );
});

describe('groups (ipv6_chk_mcast_addr)', () => {
  const ping = (destination: string): build.LayerStack => toGroup({ destination }).echoRequest6();
  const groups = [1, 2, 3, 4, 5, 8, 14].flatMap((scope) =>
    [1, 2, 3].map((group) => `ff0${scope.toString(16)}::${group}`),
  );
  const answered = (changes?: Changes): string[] =>
    groups.filter((group) => new RouterStack(changes).receive(ping(group).bytes()).length > 1);

  it('a router is in all nodes and all routers, up to its site', () => {
    expect(answered()).toEqual(['ff01::1', 'ff01::2', 'ff02::1', 'ff02::2', 'ff05::2']);
  });

  it('a host is in all nodes', () => {
    expect(answered(HOST)).toEqual(['ff01::1', 'ff02::1']);
  });

  rows(
    [
      'that of one of its addresses',
      ping('ff02::1:ff00:1'),
      [
        'eth1 answers the ping of fd01::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 8 64 fd01::1 fd01::2, icmpv6 129 0 1 1',
      ],
    ],
    [
      'that of an address that it does not have',
      ping('ff02::1:ff00:2'),
      ['eth1 is not in the group ff02::1:ff00:2: dropped'],
    ],
    [
      'one that only looks like all nodes',
      ping('ff02::1:1'),
      ['eth1 is not in the group ff02::1:1: dropped'],
    ],
    [
      'one that only looks like all routers',
      ping('ff02::100:2'),
      ['eth1 is not in the group ff02::100:2: dropped'],
    ],
    ['all nodes, UDP', toGroup({ destination: 'ff02::1' }).udp(), ['eth1 has nobody at UDP port 9']],
    [
      'all nodes, TCP',
      toGroup({ destination: 'ff02::1' }).tcp(),
      ['eth1 ignores TCP that was sent to a group of MACs'],
    ],
    [
      'all nodes, TCP in a frame to the router alone',
      v6({ destination: 'ff02::1' }).tcp(),
      ['eth1 has nobody at TCP port 80'],
    ],
    [
      'all nodes, an unknown header',
      toGroup({ destination: 'ff02::1', nextHeader: 253 }),
      [
        'eth1 knows nothing of next header experiment 1',
        'eth1 does not say “unknown next header” about such a packet: dropped',
      ],
    ],
  );
});

describe('pings (icmpv6_echo_reply)', () => {
  rows(
    [
      'its address',
      v6({ trafficClass: 0xff, hopLimit: 3 }).echoRequest6({ identifier: 5, sequence: 6 }).payload(data(3)),
      [
        'eth1 answers the ping of fd01::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0xff 11 64 fd01::1 fd01::2, icmpv6 129 0 5 6, 3 bytes',
      ],
    ],
    [
      'its other address',
      v6({ destination: 'fd02::1' }).echoRequest6(),
      [
        'eth1 answers the ping of fd01::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 8 64 fd02::1 fd01::2, icmpv6 129 0 1 1',
      ],
    ],
    [
      'its link-local address',
      v6({ source: 'fe80::2', destination: 'fe80::1' }).echoRequest6(),
      [
        'eth1 answers the ping of fe80::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 8 64 fe80::1 fe80::2, icmpv6 129 0 1 1',
      ],
    ],
    [
      'a link-local address of another device',
      v6({ source: 'fe80::2', destination: 'fe80::5' }).echoRequest6(),
      [
        'eth1 may send a redirect, which is not simulated',
        'eth1 forwards to fe80::5 by eth1',
        'eth1 asks who has fe80::5',
        'eth1 sends ethernet 33:33:ff:00:00:05, ipv6 0x00 32 255 fe80::1 ff02::1:ff00:5, icmpv6 135 0 fe80::5 02:00:00:00:01:01',
      ],
      LINK_LOCAL,
    ],
    [
      'the anycast address of its network',
      v6({ destination: 'fd01::' }).echoRequest6(),
      [
        'eth1 answers the ping of fd01::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 8 64 fd01::1 fd01::2, icmpv6 129 0 1 1',
      ],
    ],
    [
      'the anycast address of its other network',
      v6({ destination: 'fd02::' }).echoRequest6(),
      [
        'eth1 answers the ping of fd01::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 8 64 fd01::1 fd01::2, icmpv6 129 0 1 1',
      ],
    ],
    [
      'the anycast address of the link',
      v6({ source: 'fe80::2', destination: 'fe80::' }).echoRequest6(),
      [
        'eth1 answers the ping of fe80::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 8 64 fe80::1 fe80::2, icmpv6 129 0 1 1',
      ],
    ],
    [
      'the anycast address, from behind another device',
      v6({ source: 'fd02::9', destination: 'fd01::' }).echoRequest6(),
      ['eth1 has no way back to fd02::9: dropped'],
    ],
    [
      'a group, from behind another device',
      toGroup({ source: 'fd02::9', destination: 'ff02::1' }).echoRequest6(),
      ['eth1 has no way back to fd02::9: dropped'],
    ],
    [
      'a group, from the link',
      toGroup({ source: 'fe80::2', destination: 'ff02::1' }).echoRequest6(),
      [
        'eth1 answers the ping of fe80::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 8 64 fe80::1 fe80::2, icmpv6 129 0 1 1',
      ],
    ],
    [
      'from nowhere',
      v6({ source: '::' }).echoRequest6(),
      ['eth1 cannot answer a ping from nowhere: dropped'],
    ],
    [
      'in a frame to a group',
      toGroup({ destination: 'fd01::1' }).echoRequest6(),
      [
        'eth1 answers the ping of fd01::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 8 64 fd01::1 fd01::2, icmpv6 129 0 1 1',
      ],
    ],
    [
      'with a wrong sum',
      v6().echoRequest6({ checksum: 1 }),
      ['eth1 gets a cut-off or wrongly summed ICMPv6 message: dropped'],
    ],
    [
      'less than a header',
      v6({ payloadLength: 7 }).echoRequest6(),
      ['eth1 gets a cut-off or wrongly summed ICMPv6 message: dropped'],
    ],
    ['a reply', v6().echoReply6(), ['eth1 gets the reply of fd01::2']],
    ['an error', v6().icmpv6({ type: 1 }), ['eth1 gets an ICMPv6 message of type 1 from fd01::2']],
  );
});

describe('next headers (ip6_protocol_deliver_rcu)', () => {
  it('that Linux may have a handler of get no answer', () => {
    const handled = [2, 4, 33, 41, 47, 50, 103, 115, 132, 136];
    const told = handled.map((nextHeader) => new RouterStack().receive(v6({ nextHeader }).bytes()));
    expect(told.filter((lines) => lines.length !== 1 || !lines[0]!.includes('may have a handler'))).toEqual(
      [],
    );
  });

  it('that are extension headers are not followed', () => {
    const told = [43, 44, 51, 60, 135, 139, 140].map((nextHeader) =>
      new RouterStack().receive(v6({ nextHeader }).payload(data(8)).bytes()),
    );
    expect(new Set(told.flat())).toEqual(
      new Set(['eth1 would follow extension headers, which is not simulated: dropped']),
    );
  });

  it('that nobody knows are a problem at byte 6 (RFC 4443 §3.4)', () => {
    const unknown = [1, 3, 5, 7, 16, 18, 46, 52, 57, 61, 137, 253, 255];
    const sent = unknown.map((nextHeader) => new RouterStack().receive(v6({ nextHeader }).bytes()).at(-1));
    expect([...new Set(sent)] as string[]).toEqual([
      'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 48 64 fd01::1 fd01::2, icmpv6 4 1 6, 40 bytes',
    ]);
  });
});

describe('what is for others (ip6_forward)', () => {
  const over = (destination: string, given: Ipv6 = {}): build.LayerStack => v6({ destination, ...given });
  const sized = (destination: string, length: number): build.LayerStack =>
    over(destination)
      .udp()
      .payload(new Uint8Array(length - 48));
  rows(
    [
      'a neighbour',
      over('fd02::9').udp(),
      [
        'eth1 forwards to fd02::9 by eth2',
        'eth2 sends ethernet 02:00:00:00:02:09, ipv6 0x00 8 63 fd01::2 fd02::9, udp 40000 9 8 0x6985',
      ],
    ],
    [
      'behind a gateway',
      over('fd03::7').udp(),
      [
        'eth1 forwards to fd03::7 by eth2',
        'eth2 sends ethernet 02:00:00:00:02:09, ipv6 0x00 8 63 fd01::2 fd03::7, udp 40000 9 8 0x6986',
      ],
    ],
    ['a blackhole', over('fd04::7').udp(), ['eth1 has a blackhole route to fd04::7: dropped']],
    [
      'unreachable',
      over('fd05::7').udp(),
      [
        'eth1 has no route to fd05::7',
        'eth1 says “no route to destination” to fd01::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 56 64 fd01::1 fd01::2, icmpv6 1 0 0 0x000000, 48 bytes',
      ],
    ],
    [
      'prohibited',
      over('fd06::7').udp(),
      [
        'eth1 has a prohibit route to fd06::7',
        'eth1 says “communication prohibited” to fd01::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 56 64 fd01::1 fd01::2, icmpv6 1 1 0 0x000000, 48 bytes',
      ],
    ],
    [
      'no route',
      over('fd08::7').udp(),
      [
        'eth1 has no route to fd08::7',
        'eth1 says “no route to destination” to fd01::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 56 64 fd01::1 fd01::2, icmpv6 1 0 0 0x000000, 48 bytes',
      ],
    ],
    [
      'a host does not',
      over('fd02::9').udp(),
      ['eth1 does not forward, and fd02::9 is not its own: dropped'],
      HOST,
    ],
    [
      'any device that forwards is enough',
      over('fd02::9').udp(),
      [
        'eth1 forwards to fd02::9 by eth2',
        'eth2 sends ethernet 02:00:00:00:02:09, ipv6 0x00 8 63 fd01::2 fd02::9, udp 40000 9 8 0x6985',
      ],
      { eth1: { forwarding: false } },
    ],
    [
      'in a frame to a group',
      toGroup({ destination: 'fd02::9' }).udp(),
      ['eth1 does not forward what was sent to a group of MACs: dropped'],
    ],
    [
      'a hop limit of 2',
      over('fd02::9', { hopLimit: 2 }).udp(),
      [
        'eth1 forwards to fd02::9 by eth2',
        'eth2 sends ethernet 02:00:00:00:02:09, ipv6 0x00 8 1 fd01::2 fd02::9, udp 40000 9 8 0x6985',
      ],
    ],
    [
      'a hop limit of 1',
      over('fd02::9', { hopLimit: 1 }).udp(),
      [
        'eth1 finds the hop limit expired',
        'eth1 says “time exceeded” to fd01::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 56 64 fd01::1 fd01::2, icmpv6 3 0 0 0x000000, 48 bytes',
      ],
    ],
    [
      'a hop limit of 0',
      over('fd02::9', { hopLimit: 0 }).udp(),
      [
        'eth1 finds the hop limit expired',
        'eth1 says “time exceeded” to fd01::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 56 64 fd01::1 fd01::2, icmpv6 3 0 0 0x000000, 48 bytes',
      ],
    ],
    [
      'as long as the device takes',
      sized('fd02::9', 1400),
      [
        'eth1 forwards to fd02::9 by eth2',
        'eth2 sends ethernet 02:00:00:00:02:09, ipv6 0x00 1360 63 fd01::2 fd02::9, udp 40000 9 1360 0x5ef5, payload',
      ],
    ],
    [
      'longer',
      sized('fd02::9', 1401),
      [
        'eth1 finds the packet too long for eth2',
        'eth1 says “packet too big” to fd01::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 1240 64 fd01::1 fd01::2, icmpv6 2 0 1400, 1232 bytes',
      ],
    ],
    [
      'as long as the route takes',
      sized('fd07::9', 1300),
      [
        'eth1 forwards to fd07::9 by eth2',
        'eth2 sends ethernet 02:00:00:00:02:09, ipv6 0x00 1260 63 fd01::2 fd07::9, udp 40000 9 1260 0x5fb8, payload',
      ],
    ],
    [
      'longer than the route takes',
      sized('fd07::9', 1301),
      [
        'eth1 finds the packet too long for eth2',
        'eth1 says “packet too big” to fd01::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 1240 64 fd01::1 fd01::2, icmpv6 2 0 1300, 1232 bytes',
      ],
    ],
    [
      'from nowhere',
      over('fd02::9', { source: '::' }).udp(),
      ['eth1 does not forward from nowhere: dropped'],
    ],
    [
      'from the link',
      over('fd02::9', { source: 'fe80::2' }).udp(),
      [
        'eth1 does not forward from a link-local address',
        'eth1 says “beyond scope of source address” to fe80::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 56 64 fe80::1 fe80::2, icmpv6 1 2 0 0x000000, 48 bytes',
      ],
    ],
    [
      'from the link, back to it',
      over('fd01::7', { source: 'fe80::2' }).udp(),
      [
        'eth1 may send a redirect, which is not simulated',
        'eth1 forwards to fd01::7 by eth1',
        'eth1 asks who has fd01::7',
        'eth1 sends ethernet 33:33:ff:00:00:07, ipv6 0x00 32 255 fe80::1 ff02::1:ff00:7, icmpv6 135 0 fd01::7 02:00:00:00:01:01',
      ],
    ],
    [
      'back where it came from',
      over('fd01::2').udp(),
      [
        'eth1 may send a redirect, which is not simulated',
        'eth1 forwards to fd01::2 by eth1',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 8 63 fd01::2 fd01::2, udp 40000 9 8 0x698d',
      ],
    ],
    [
      'back where it came from, without an address on the link',
      over('fd01::2').udp(),
      [
        'eth1 forwards to fd01::2 by eth1',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 8 63 fd01::2 fd01::2, udp 40000 9 8 0x698d',
      ],
      { eth1: { addresses: ['10.1.0.1/24', 'fd01::1/64'] } },
    ],
    [
      'to the link',
      over('fe80::2').udp(),
      [
        'eth1 may send a redirect, which is not simulated',
        'eth1 forwards to fe80::2 by eth1',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 8 63 fd01::2 fe80::2, udp 40000 9 8 0x680e',
      ],
    ],
    [
      'to the link, without an address there',
      over('fe80::2').udp(),
      [
        'eth1 has no route to fe80::2',
        'eth1 says “no route to destination” to fd01::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 56 64 fd01::1 fd01::2, icmpv6 1 0 0 0x000000, 48 bytes',
      ],
      { eth1: { addresses: ['10.1.0.1/24', 'fd01::1/64'] } },
    ],
    [
      'to another part of the link',
      over('fe81::2').udp(),
      [
        'eth1 has no route to fe81::2',
        'eth1 says “no route to destination” to fd01::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 56 64 fd01::1 fd01::2, icmpv6 1 0 0 0x000000, 48 bytes',
      ],
    ],
    [
      'by a device that is not there',
      over('fd09::1').udp(),
      ['eth1 has a route to the loopback device: dropped'],
      { routes: [{ to: 'fd09::/32', ifindex: 1 }] },
    ],
  );

  it('keeps its mark', () => {
    expect(
      new RouterStack().receive(over('fd02::9').udp().bytes(), { mark: 7, freeIdentifications: 2 }),
    ).toEqual([
      'eth1 forwards to fd02::9 by eth2',
      'eth2 sends ethernet 02:00:00:00:02:09, ipv6 0x00 8 63 fd01::2 fd02::9, udp 40000 9 8 0x6985, mark 7',
    ]);
  });
});

describe('errors (icmp6_send)', () => {
  const late = (given: Ipv6 = {}): build.LayerStack => v6({ destination: 'fd02::9', hopLimit: 1, ...given });
  rows(
    [
      'quote 1232 bytes',
      late().udp().payload(new Uint8Array(1184)),
      [
        'eth1 finds the hop limit expired',
        'eth1 says “time exceeded” to fd01::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 1240 64 fd01::1 fd01::2, icmpv6 3 0 0 0x000000, 1232 bytes',
      ],
    ],
    [
      'quote no more',
      late().udp().payload(new Uint8Array(1185)),
      [
        'eth1 finds the hop limit expired',
        'eth1 says “time exceeded” to fd01::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 1240 64 fd01::1 fd01::2, icmpv6 3 0 0 0x000000, 1232 bytes',
      ],
    ],
    [
      'not to nowhere',
      late({ source: '::' }).udp(),
      ['eth1 finds the hop limit expired', 'eth1 does not say “time exceeded” about such a packet: dropped'],
    ],
    [
      'to somebody whom no route leads to',
      late({ source: '2001:db8::1' }).udp(),
      [
        'eth1 finds the hop limit expired',
        'eth1 says “time exceeded” to 2001:db8::1',
        'has no route to 2001:db8::1: nothing is sent',
      ],
    ],
    [
      'to somebody on the other side',
      late({ source: 'fd02::9' }).udp(),
      [
        'eth1 finds the hop limit expired',
        'eth1 says “time exceeded” to fd02::9',
        'eth2 sends ethernet 02:00:00:00:02:09, ipv6 0x00 56 64 fd01::1 fd02::9, icmpv6 3 0 0 0x000000, 48 bytes',
      ],
    ],
    [
      'about destination options before a ping',
      late().dstopts().echoRequest6(),
      [
        'eth1 finds the hop limit expired',
        'eth1 says “time exceeded” to fd01::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 64 64 fd01::1 fd01::2, icmpv6 3 0 0 0x000000, 56 bytes',
      ],
    ],
    [
      'not about destination options before an error',
      late().dstopts().icmpv6({ type: 1 }),
      ['eth1 finds the hop limit expired', 'eth1 does not say “time exceeded” about such a packet: dropped'],
    ],
    [
      'not about a first fragment of an error',
      late().fragment6({ moreFragments: true }).icmpv6({ type: 1 }),
      ['eth1 finds the hop limit expired', 'eth1 does not say “time exceeded” about such a packet: dropped'],
    ],
    [
      'about a later fragment of anything',
      late().fragment6({ fragmentOffset: 1, nextHeader: 58 }).payload(data(8)),
      [
        'eth1 finds the hop limit expired',
        'eth1 says “time exceeded” to fd01::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 64 64 fd01::1 fd01::2, icmpv6 3 0 0 0x000000, 56 bytes',
      ],
    ],
    [
      'not about a message without a type',
      late({ nextHeader: 58 }),
      ['eth1 finds the hop limit expired', 'eth1 does not say “time exceeded” about such a packet: dropped'],
    ],
    [
      'about an extension header that is cut off',
      late({ nextHeader: 60 }),
      [
        'eth1 finds the hop limit expired',
        'eth1 says “time exceeded” to fd01::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 48 64 fd01::1 fd01::2, icmpv6 3 0 0 0x000000, 40 bytes',
      ],
    ],
    [
      'from the address that was asked',
      v6({ destination: 'fd02::1' }).udp(),
      [
        'eth1 has nobody at UDP port 9',
        'eth1 says “port unreachable” to fd01::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 56 64 fd02::1 fd01::2, icmpv6 1 4 0 0x000000, 48 bytes',
      ],
    ],
    [
      'from the anycast address that was asked',
      v6({ destination: 'fd02::' }).udp(),
      [
        'eth1 has nobody at UDP port 9',
        'eth1 says “port unreachable” to fd01::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 56 64 fd02:: fd01::2, icmpv6 1 4 0 0x000000, 48 bytes',
      ],
    ],
  );

  it('are about questions and answers, and not about errors', () => {
    const types = [0, 1, 2, 3, 4, 5, 100, 126, 127, 128, 129, 130, 137, 255].filter((type) =>
      new RouterStack().receive(late().icmpv6({ type }).bytes()).some((line) => line.includes('says “')),
    );
    expect(types).toEqual([128, 129, 130, 137, 255]);
  });
});

describe('datagrams and segments', () => {
  const tcp = (given: Parameters<typeof build.tcp>[0], length = 0, more: Ipv6 = {}): build.LayerStack =>
    v6(more)
      .tcp({ sourcePort: 1000, destinationPort: 2000, sequence: 0x1000, acknowledgment: 0x2000, ...given })
      .payload(data(length));
  rows(
    [
      'a datagram',
      v6().udp({ destinationPort: 77 }),
      [
        'eth1 has nobody at UDP port 77',
        'eth1 says “port unreachable” to fd01::2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 56 64 fd01::1 fd01::2, icmpv6 1 4 0 0x000000, 48 bytes',
      ],
    ],
    [
      'a datagram without a checksum',
      v6().udp({ checksum: 0 }),
      ['eth1 gets no UDP checksum, or a wrong one: dropped'],
    ],
    [
      'a datagram with a wrong one',
      v6().udp({ checksum: 5 }),
      ['eth1 gets no UDP checksum, or a wrong one: dropped'],
    ],
    [
      'a datagram that is cut off',
      v6({ payloadLength: 7 }).udp(),
      ['eth1 gets a cut-off UDP datagram: dropped'],
    ],
    [
      'a datagram that is longer than the packet',
      v6().udp({ length: 9 }),
      ['eth1 gets a cut-off UDP datagram: dropped'],
    ],
    [
      'a datagram in a frame to a group',
      toGroup({ destination: 'fd01::1' }).udp(),
      ['eth1 has nobody at UDP port 9', 'eth1 does not say “port unreachable” about such a packet: dropped'],
    ],
    [
      'SYN',
      tcp({ flags: 2 }, 3, { trafficClass: 0xff }),
      [
        'eth1 has nobody at TCP port 2000',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0xfc 20 64 fd01::1 fd01::2, tcp 2000 1000 0 4100 0x14 0',
      ],
    ],
    [
      'ACK',
      tcp({ flags: 0x10 }),
      [
        'eth1 has nobody at TCP port 2000',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 20 64 fd01::1 fd01::2, tcp 2000 1000 8192 0 0x04 0',
      ],
    ],
    ['RST', tcp({ flags: 4 }), ['eth1 has nobody at TCP port 2000']],
    [
      'SYN with a wrong checksum',
      tcp({ flags: 2, checksum: 3 }),
      ['eth1 gets a cut-off or wrongly summed TCP segment: dropped'],
    ],
    [
      'SYN in a frame to a group',
      toGroup({ destination: 'fd01::1' }).tcp({ flags: 2 }),
      ['eth1 ignores TCP that was sent to a group of MACs'],
    ],
    [
      'SYN from the link',
      tcp({ flags: 2 }, 0, { source: 'fe80::2', destination: 'fe80::1' }),
      [
        'eth1 has nobody at TCP port 2000',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 20 64 fe80::1 fe80::2, tcp 2000 1000 0 4097 0x14 0',
      ],
    ],
  );
});

describe('packets of its own (ip6_route_output, ip6_output)', () => {
  const own = (destination: string, length = 40): Uint8Array =>
    build
      .ipv6({ source: 'fd01::1', destination })
      .payload(new Uint8Array(length - 40))
      .bytes();
  it.each<[what: string, packet: Uint8Array, heard: string[]]>([
    [
      'to a neighbour',
      own('fd01::2'),
      ['eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 0 64 fd01::1 fd01::2'],
    ],
    [
      'behind a gateway',
      own('fd03::2'),
      ['eth2 sends ethernet 02:00:00:00:02:09, ipv6 0x00 0 64 fd01::1 fd03::2'],
    ],
    ['to itself', own('fd02::1'), ['sends to itself, which no wire sees']],
    ['to a group', own('ff02::1'), ['sends to groups from known devices only']],
    ['to the link', own('fe80::2'), ['has no route to fe80::2: nothing is sent']],
    ['without a route', own('2001:db8::1'), ['has no route to 2001:db8::1: nothing is sent']],
    ['unreachable', own('fd05::1'), ['has no route to fd05::1: nothing is sent']],
    [
      'as long as the device takes',
      own('fd02::9', 1400),
      ['eth2 sends ethernet 02:00:00:00:02:09, ipv6 0x00 1360 64 fd01::1 fd02::9, payload'],
    ],
    [
      'longer',
      own('fd02::9', 1401),
      ['eth2 would fragment what it sends, which is not simulated: nothing is sent'],
    ],
    [
      'as long as the route takes',
      own('fd07::9', 1300),
      ['eth2 sends ethernet 02:00:00:00:02:09, ipv6 0x00 1260 64 fd01::1 fd07::9, payload'],
    ],
    [
      'longer than the route takes',
      own('fd07::9', 1301),
      ['eth2 would fragment what it sends, which is not simulated: nothing is sent'],
    ],
    [
      'to somebody who has to be asked for',
      own('fd01::5'),
      [
        'eth1 asks who has fd01::5',
        'eth1 sends ethernet 33:33:ff:00:00:05, ipv6 0x00 32 255 fd01::1 ff02::1:ff00:5, icmpv6 135 0 fd01::5 02:00:00:00:01:01',
      ],
    ],
    [
      'to somebody who has to be asked for, from an address of another device',
      own('fd02::5'),
      ['eth2 has no address to ask for fd02::5 from: the packet waits'],
    ],
  ])('%s', (_what, packet, heard) => {
    expect(new RouterStack().send(packet)).toEqual(heard);
  });
});
