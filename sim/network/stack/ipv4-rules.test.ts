/** What a router does with IPv4 of every kind, rule by rule of Linux's net/ipv4: words, and the frames that it sends. */
import { describe, expect, it } from 'vitest';
import * as build from '../../packet/build.ts';
import { mac } from '../test-support/programs.ts';
import { type Changes, RouterStack, toRouter } from '../test-support/router-stack.ts';

type Ipv4 = Parameters<typeof build.ipv4>[0];

/** From host 2 on network 1, to the router unless said otherwise. */
const v4 = (given: Ipv4 = {}): build.LayerStack =>
  toRouter.ipv4({ source: '10.1.0.2', destination: '10.1.0.1', ...given });
const data = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index);
/** The same in a frame to everybody. */
const toAll = (given: Ipv4): build.LayerStack =>
  build
    .ethernet({ destination: 'ff:ff:ff:ff:ff:ff', source: mac(1, 2) })
    .ipv4({ source: '10.1.0.2', ...given });
const HOST: Changes = { eth1: { forwarding: false }, eth2: { forwarding: false } };

type Row = [what: string, frame: build.LayerStack, heard: string[], changes?: Changes];

function rows(...all: Row[]): void {
  it.each(all)('%s', (_what, frame, heard, changes) => {
    expect(new RouterStack(changes).receive(frame.bytes())).toEqual(heard);
  });
}

describe('addresses that cannot be (ip_route_input_slow)', () => {
  rows(
    [
      'from everybody',
      v4({ source: '255.255.255.255' }).udp(),
      ['eth1 gets a packet from 255.255.255.255, which cannot be: dropped'],
    ],
    [
      'from almost everybody',
      v4({ source: '255.255.255.254' }).udp(),
      [
        'eth1 has nobody at UDP port 9',
        'eth1 says “port unreachable” to 255.255.255.254',
        'has no route to 255.255.255.254: nothing is sent',
      ],
    ],
    [
      'from a group',
      v4({ source: '239.0.0.1' }).udp(),
      ['eth1 gets a packet from 239.0.0.1, which cannot be: dropped'],
    ],
    [
      'from the loopback network',
      v4({ source: '127.0.0.5' }).udp(),
      ['eth1 gets a packet from 127.0.0.5, which cannot be: dropped'],
    ],
    [
      'from nowhere',
      v4({ source: '0.0.0.0' }).udp(),
      ['eth1 gets a packet from 0.0.0.0, which cannot be: dropped'],
    ],
    [
      'from network 0',
      v4({ source: '0.0.0.1' }).udp(),
      [
        'eth1 has nobody at UDP port 9',
        'eth1 says “port unreachable” to 0.0.0.1',
        'has no route to 0.0.0.1: nothing is sent',
      ],
    ],
    [
      'from nowhere to nowhere',
      v4({ source: '0.0.0.0', destination: '0.0.0.0' }).udp(),
      ['eth1 has nobody at UDP port 9'],
    ],
    [
      'from nowhere to everybody',
      v4({ source: '0.0.0.0', destination: '255.255.255.255' }).udp(),
      ['eth1 has nobody at UDP port 9'],
    ],
    [
      'to nowhere',
      v4({ destination: '0.0.0.0' }).udp(),
      ['eth1 gets a packet for 0.0.0.0 from outside: dropped'],
    ],
    [
      'to the loopback network',
      v4({ destination: '127.0.0.1' }).udp(),
      ['eth1 gets a packet for 127.0.0.1 from outside: dropped'],
    ],
    [
      'from its own address, to itself',
      v4({ source: '10.2.0.1' }).udp(),
      ['eth1 gets a packet from 10.2.0.1, which cannot be: dropped'],
    ],
    [
      'from its own address, to others',
      v4({ source: '10.1.0.1', destination: '10.2.0.9' }).udp(),
      ['eth1 gets a packet from 10.1.0.1, which cannot be: dropped'],
    ],
  );
});

describe('to many (no errors, no resets)', () => {
  rows(
    ['everybody, UDP', toAll({ destination: '255.255.255.255' }).udp(), ['eth1 has nobody at UDP port 9']],
    ['the network, UDP', toAll({ destination: '10.1.0.255' }).udp(), ['eth1 has nobody at UDP port 9']],
    [
      'the network, a ping',
      toAll({ destination: '10.1.0.255' }).echoRequest(),
      ['eth1 ignores a ping to a broadcast address or a group'],
    ],
    [
      'the network, TCP',
      toAll({ destination: '10.1.0.255' }).tcp(),
      ['eth1 ignores TCP that was sent to a group of MACs'],
    ],
    [
      'the network, TCP in a frame to the router alone',
      v4({ destination: '10.1.0.255' }).tcp(),
      ['eth1 has nobody at TCP port 80'],
    ],
    [
      'the network, an unknown protocol',
      v4({ destination: '10.1.0.255', protocol: 253 }),
      [
        'eth1 knows nothing of protocol experiment 1',
        'eth1 does not say “protocol unreachable” about such a packet: dropped',
      ],
    ],
    [
      'all hosts, a ping',
      v4({ destination: '224.0.0.1' }).echoRequest(),
      ['eth1 ignores a ping to a broadcast address or a group'],
    ],
    ['all hosts, UDP', v4({ destination: '224.0.0.1' }).udp(), ['eth1 has nobody at UDP port 9']],
    ['all routers', v4({ destination: '224.0.0.2' }).udp(), ['eth1 is not in the group 224.0.0.2: dropped']],
    [
      'the router, UDP, in a frame to everybody',
      toAll({ destination: '10.1.0.1' }).udp(),
      ['eth1 has nobody at UDP port 9', 'eth1 does not say “port unreachable” about such a packet: dropped'],
    ],
    [
      'the router, TCP, in a frame to everybody',
      toAll({ destination: '10.1.0.1' }).tcp(),
      ['eth1 ignores TCP that was sent to a group of MACs'],
    ],
    [
      'the router, a ping, in a frame to everybody',
      toAll({ destination: '10.1.0.1' }).echoRequest(),
      [
        'eth1 answers the ping of 10.1.0.2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0x00 28 0x0000 0 64 1 10.1.0.1 10.1.0.2, icmp 0 0 1 1, 1 free',
      ],
    ],
    [
      'others, in a frame to everybody',
      toAll({ destination: '10.2.0.9' }).udp(),
      ['eth1 does not forward what was sent to a group of MACs: dropped'],
    ],
  );
});

describe('headers and lengths (ip_rcv_core)', () => {
  rows(
    [
      'a total length below the header',
      v4({ totalLength: 19 }),
      ['eth1 gets an IPv4 total length below the header length: dropped'],
    ],
    [
      'a total length of the header',
      v4({ totalLength: 20, protocol: 253 }),
      [
        'eth1 knows nothing of protocol experiment 1',
        'eth1 says “protocol unreachable” to 10.1.0.2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0xc0 48 0x0000 0 64 1 10.1.0.1 10.1.0.2, icmp 3 2 0x00 0 0, 20 bytes, 1 free',
      ],
    ],
    [
      'padding behind the packet',
      v4({ totalLength: 28 }).echoRequest().payload(new Uint8Array(6)),
      [
        'eth1 answers the ping of 10.1.0.2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0x00 28 0x0000 0 64 1 10.1.0.1 10.1.0.2, icmp 0 0 1 1, 1 free',
      ],
    ],
    [
      'zeros that belong to the packet',
      v4().echoRequest().payload(new Uint8Array(6)),
      [
        'eth1 answers the ping of 10.1.0.2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0x00 34 0x0000 0 64 1 10.1.0.1 10.1.0.2, icmp 0 0 1 1, 6 bytes, 1 free',
      ],
    ],
    [
      'a packet that is cut off by a byte',
      v4({ totalLength: 29 }).echoRequest(),
      ['eth1 gets a cut-off IPv4 packet: dropped'],
    ],
    [
      'options',
      v4({ options: [{ type: 1 }, { type: 1 }, { type: 1 }, { type: 1 }] }).udp(),
      ['eth1 would look at IPv4 options, which is not simulated: dropped'],
    ],
    [
      'a first fragment',
      v4({ moreFragments: true }).udp(),
      ['eth1 would wait for the other fragments, which is not simulated: dropped'],
    ],
    [
      'a last fragment',
      v4({ fragmentOffset: 1 }).udp(),
      ['eth1 would wait for the other fragments, which is not simulated: dropped'],
    ],
    [
      'the bit that does not let it be cut',
      v4({ dontFragment: true }).echoRequest(),
      [
        'eth1 answers the ping of 10.1.0.2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0x00 28 0x0000 0 64 1 10.1.0.1 10.1.0.2, icmp 0 0 1 1, 1 free',
      ],
    ],
  );
});

describe('messages of ICMP (icmp_rcv)', () => {
  const icmp = (type: number): build.LayerStack => v4().icmp({ type });
  rows(
    [
      'a ping with its own type of service',
      v4({ tos: 0xff }).echoRequest({ identifier: 5, sequence: 6 }).payload(data(3)),
      [
        'eth1 answers the ping of 10.1.0.2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0xff 31 0x0000 0 64 1 10.1.0.1 10.1.0.2, icmp 0 0 5 6, 3 bytes, 1 free',
      ],
    ],
    [
      'a ping of nothing',
      v4().echoRequest({ identifier: 0, sequence: 0 }),
      [
        'eth1 answers the ping of 10.1.0.2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0x00 28 0x0000 0 64 1 10.1.0.1 10.1.0.2, icmp 0 0 0 0, 1 free, WRONG',
      ],
    ],
    [
      'a ping with another code',
      v4().echoRequest({ code: 3 }),
      [
        'eth1 answers the ping of 10.1.0.2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0x00 28 0x0000 0 64 1 10.1.0.1 10.1.0.2, icmp 0 3 1 1, 1 free',
      ],
    ],
    [
      'a ping to its other address',
      v4({ destination: '10.2.0.1' }).echoRequest(),
      [
        'eth1 answers the ping of 10.1.0.2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0x00 28 0x0000 0 64 1 10.2.0.1 10.1.0.2, icmp 0 0 1 1, 1 free',
      ],
    ],
    ['a reply', icmp(0), ['eth1 gets the reply of 10.1.0.2']],
    ['an error', icmp(3), ['eth1 gets an ICMP message of type 3 from 10.1.0.2']],
    [
      'a question for the time',
      icmp(13),
      ['eth1 would answer with the time, which is not simulated: dropped'],
    ],
    ['an answer to one', icmp(14), ['eth1 gets an ICMP message of type 14 from 10.1.0.2']],
    [
      'less than a header',
      v4({ totalLength: 27 }).echoRequest(),
      ['eth1 gets a cut-off or wrongly summed ICMP message: dropped'],
    ],
    [
      'a wrong sum',
      v4().echoRequest({ checksum: 1 }),
      ['eth1 gets a cut-off or wrongly summed ICMP message: dropped'],
    ],
  );
});

describe('protocols (ip_local_deliver)', () => {
  it('that Linux may have a handler of get no answer', () => {
    const handled = [2, 4, 33, 41, 47, 50, 51, 103, 115, 132, 136];
    const told = handled.map((protocol) => new RouterStack().receive(v4({ protocol }).bytes()));
    expect(told.filter((lines) => lines.length !== 1 || !lines[0]!.includes('may have a handler'))).toEqual(
      [],
    );
  });

  it('that nobody knows are unreachable', () => {
    const unknown = [
      3, 5, 7, 16, 18, 32, 34, 40, 42, 46, 48, 49, 52, 102, 104, 114, 116, 131, 133, 135, 137, 255,
    ];
    const sent = unknown.map((protocol) =>
      new RouterStack().receive(v4({ protocol }).payload(data(2)).bytes()).at(-1),
    );
    expect([...new Set(sent)] as string[]).toEqual([
      'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0xc0 50 0x0000 0 64 1 10.1.0.1 10.1.0.2, icmp 3 2 0x00 0 0, 22 bytes, 1 free',
    ]);
  });
});

describe('what is for others (ip_forward)', () => {
  const over = (destination: string, given: Ipv4 = {}): build.LayerStack => v4({ destination, ...given });
  const sized = (destination: string, length: number, dontFragment: boolean): build.LayerStack =>
    over(destination, { dontFragment })
      .udp()
      .payload(new Uint8Array(length - 28));
  rows(
    [
      'a neighbour',
      over('10.2.0.9').udp(),
      [
        'eth1 forwards to 10.2.0.9 by eth2',
        'eth2 sends ethernet 02:00:00:00:02:09, ipv4 0x00 28 0x0001 0 63 17 10.1.0.2 10.2.0.9, udp 40000 9 8 0x4f87',
      ],
    ],
    [
      'a neighbour that has to be asked for',
      over('10.2.0.7').udp(),
      [
        'eth1 forwards to 10.2.0.7 by eth2',
        'eth2 asks who has 10.2.0.7',
        'eth2 sends ethernet ff:ff:ff:ff:ff:ff, arp 1 02:00:00:00:02:01 10.2.0.1 00:00:00:00:00:00 10.2.0.7',
      ],
    ],
    [
      'behind a gateway',
      over('10.3.0.7').udp(),
      [
        'eth1 forwards to 10.3.0.7 by eth2',
        'eth2 sends ethernet 02:00:00:00:02:09, ipv4 0x00 28 0x0001 0 63 17 10.1.0.2 10.3.0.7, udp 40000 9 8 0x4f88',
      ],
    ],
    [
      'somebody who has to be asked for, from no address',
      over('10.8.0.5').udp(),
      [
        'eth1 forwards to 10.8.0.5 by eth2',
        'eth2 asks who has 10.8.0.5',
        'eth2 sends ethernet ff:ff:ff:ff:ff:ff, arp 1 02:00:00:00:02:01 0.0.0.0 00:00:00:00:00:00 10.8.0.5',
      ],
      { eth2: { addresses: [] }, routes: [{ to: '10.8.0.0/16', ifindex: 12 }], onlyThese: true },
    ],
    [
      'somebody who has to be asked for, from the second of its addresses',
      over('10.8.0.5').udp(),
      [
        'eth1 forwards to 10.8.0.5 by eth2',
        'eth2 asks who has 10.8.0.5',
        'eth2 sends ethernet ff:ff:ff:ff:ff:ff, arp 1 02:00:00:00:02:01 10.8.0.1 00:00:00:00:00:00 10.8.0.5',
      ],
      { eth2: { addresses: ['fd02::1/64', '10.8.0.1/16', '10.2.0.1/24'] } },
    ],
    ['a blackhole', over('10.4.0.7').udp(), ['eth1 has a blackhole route to 10.4.0.7: dropped']],
    [
      'unreachable',
      over('10.5.0.7').udp(),
      [
        'eth1 has an unreachable route to 10.5.0.7',
        'eth1 says “host unreachable” to 10.1.0.2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0xc0 56 0x0000 0 64 1 10.1.0.1 10.1.0.2, icmp 3 1 0x00 0 0, 28 bytes, 1 free',
      ],
    ],
    [
      'prohibited',
      over('10.6.0.7').udp(),
      [
        'eth1 has a prohibit route to 10.6.0.7',
        'eth1 says “communication prohibited” to 10.1.0.2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0xc0 56 0x0000 0 64 1 10.1.0.1 10.1.0.2, icmp 3 13 0x00 0 0, 28 bytes, 1 free',
      ],
    ],
    [
      'no route',
      over('10.8.0.7').udp(),
      [
        'eth1 has no route to 10.8.0.7',
        'eth1 says “net unreachable” to 10.1.0.2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0xc0 56 0x0000 0 64 1 10.1.0.1 10.1.0.2, icmp 3 0 0x00 0 0, 28 bytes, 1 free',
      ],
    ],
    [
      'a host does not',
      over('10.2.0.9').udp(),
      ['eth1 does not forward, and 10.2.0.9 is not its own: dropped'],
      HOST,
    ],
    [
      'only the device by which it came has to',
      over('10.2.0.9').udp(),
      [
        'eth1 forwards to 10.2.0.9 by eth2',
        'eth2 sends ethernet 02:00:00:00:02:09, ipv4 0x00 28 0x0001 0 63 17 10.1.0.2 10.2.0.9, udp 40000 9 8 0x4f87',
      ],
      { eth2: { forwarding: false } },
    ],
    [
      'only the device by which it came has to, and does not',
      over('10.2.0.9').udp(),
      ['eth1 does not forward, and 10.2.0.9 is not its own: dropped'],
      { eth1: { forwarding: false } },
    ],
    [
      'a TTL of 2',
      over('10.2.0.9', { ttl: 2 }).udp(),
      [
        'eth1 forwards to 10.2.0.9 by eth2',
        'eth2 sends ethernet 02:00:00:00:02:09, ipv4 0x00 28 0x0001 0 1 17 10.1.0.2 10.2.0.9, udp 40000 9 8 0x4f87',
      ],
    ],
    [
      'a TTL of 1',
      over('10.2.0.9', { ttl: 1 }).udp(),
      [
        'eth1 finds the TTL expired',
        'eth1 says “time exceeded” to 10.1.0.2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0xc0 56 0x0000 0 64 1 10.1.0.1 10.1.0.2, icmp 11 0 0x00 0 0, 28 bytes, 1 free',
      ],
    ],
    [
      'a TTL of 0',
      over('10.2.0.9', { ttl: 0 }).udp(),
      [
        'eth1 finds the TTL expired',
        'eth1 says “time exceeded” to 10.1.0.2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0xc0 56 0x0000 0 64 1 10.1.0.1 10.1.0.2, icmp 11 0 0x00 0 0, 28 bytes, 1 free',
      ],
    ],
    [
      'as long as the device takes',
      sized('10.2.0.9', 1400, true),
      [
        'eth1 forwards to 10.2.0.9 by eth2',
        'eth2 sends ethernet 02:00:00:00:02:09, ipv4 0x00 1400 0x0001 1 63 17 10.1.0.2 10.2.0.9, udp 40000 9 1380 0x44cf, payload',
      ],
    ],
    [
      'longer, not to be cut',
      sized('10.2.0.9', 1401, true),
      [
        'eth1 finds the packet too long for eth2',
        'eth1 says “fragmentation needed” to 10.1.0.2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0xc0 576 0x0000 0 64 1 10.1.0.1 10.1.0.2, icmp 3 4 0x00 0 1400, 548 bytes, 1 free',
      ],
    ],
    [
      'longer, to be cut',
      sized('10.2.0.9', 1401, false),
      ['eth1 would fragment the packet, which is not simulated: dropped'],
    ],
    [
      'as long as the route takes',
      sized('10.7.0.9', 600, true),
      [
        'eth1 forwards to 10.7.0.9 by eth2',
        'eth2 sends ethernet 02:00:00:00:02:09, ipv4 0x00 600 0x0001 1 63 17 10.1.0.2 10.7.0.9, udp 40000 9 580 0x4b0a, payload',
      ],
    ],
    [
      'longer than the route takes',
      sized('10.7.0.9', 601, true),
      [
        'eth1 finds the packet too long for eth2',
        'eth1 says “fragmentation needed” to 10.1.0.2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0xc0 576 0x0000 0 64 1 10.1.0.1 10.1.0.2, icmp 3 4 0x00 0 600, 548 bytes, 1 free',
      ],
    ],
    [
      'by a device that is not there',
      over('10.9.0.1').udp(),
      ['eth1 has a route to the loopback device: dropped'],
      { routes: [{ to: '10.9.0.0/16', ifindex: 1 }] },
    ],
  );

  it('keeps its mark, and what stands for chosen identifications', () => {
    const frame = over('10.2.0.9').udp().bytes();
    expect(new RouterStack().receive(frame, { mark: 7, freeIdentifications: 2 })).toEqual([
      'eth1 forwards to 10.2.0.9 by eth2',
      'eth2 sends ethernet 02:00:00:00:02:09, ipv4 0x00 28 0x0001 0 63 17 10.1.0.2 10.2.0.9, udp 40000 9 8 0x4f87, mark 7, 2 free',
    ]);
  });
});

describe('errors (icmp_send)', () => {
  const late = (given: Ipv4): build.LayerStack => v4({ destination: '10.2.0.9', ttl: 1, ...given });
  rows(
    [
      'with the precedence of its own and the rest of the type of service',
      late({ tos: 0xff }).udp(),
      [
        'eth1 finds the TTL expired',
        'eth1 says “time exceeded” to 10.1.0.2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0xde 56 0x0000 0 64 1 10.1.0.1 10.1.0.2, icmp 11 0 0x00 0 0, 28 bytes, 1 free',
      ],
    ],
    [
      'quote 548 bytes',
      late({}).udp().payload(new Uint8Array(520)),
      [
        'eth1 finds the TTL expired',
        'eth1 says “time exceeded” to 10.1.0.2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0xc0 576 0x0000 0 64 1 10.1.0.1 10.1.0.2, icmp 11 0 0x00 0 0, 548 bytes, 1 free',
      ],
    ],
    [
      'quote no more',
      late({}).udp().payload(new Uint8Array(521)),
      [
        'eth1 finds the TTL expired',
        'eth1 says “time exceeded” to 10.1.0.2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0xc0 576 0x0000 0 64 1 10.1.0.1 10.1.0.2, icmp 11 0 0x00 0 0, 548 bytes, 1 free',
      ],
    ],
    [
      'not about a later fragment',
      late({ fragmentOffset: 1 }),
      ['eth1 finds the TTL expired', 'eth1 does not say “time exceeded” about such a packet: dropped'],
    ],
    [
      'about a first fragment',
      late({ moreFragments: true }).udp(),
      [
        'eth1 finds the TTL expired',
        'eth1 says “time exceeded” to 10.1.0.2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0xc0 56 0x0000 0 64 1 10.1.0.1 10.1.0.2, icmp 11 0 0x00 0 0, 28 bytes, 1 free',
      ],
    ],
    [
      'not to somebody whom no route leads to',
      late({ source: '192.0.2.1' }).udp(),
      ['eth1 finds the TTL expired', 'eth1 has no way back to 192.0.2.1: dropped'],
    ],
    [
      'to somebody behind a gateway',
      late({ source: '10.3.0.5' }).udp(),
      [
        'eth1 finds the TTL expired',
        'eth1 says “time exceeded” to 10.3.0.5',
        'eth2 sends ethernet 02:00:00:00:02:09, ipv4 0xc0 56 0x0000 0 64 1 10.2.0.1 10.3.0.5, icmp 11 0 0x00 0 0, 28 bytes, 1 free',
      ],
    ],

    [
      'not about ICMP without a type',
      late({ protocol: 1 }),
      ['eth1 finds the TTL expired', 'eth1 does not say “time exceeded” about such a packet: dropped'],
    ],
  );

  // `icmp_pointers` of net/ipv4/icmp.c: what is no error there may have one about it; all others are taken for errors.
  it('are about questions and answers, and not about errors', () => {
    const types = Array.from({ length: 45 }, (_, type) => type).filter((type) =>
      new RouterStack()
        .receive(late({}).icmp({ type }).bytes())
        .some((line) => line.includes('says “time exceeded”')),
    );
    expect(types).toEqual([0, 8, 13, 14, 15, 16, 17, 18]);
  });

  it('from the address that was asked', () => {
    const frame = v4({ destination: '10.2.0.1' }).udp({ destinationPort: 5 }).bytes();
    expect(new RouterStack().receive(frame, { freeIdentifications: 3 })).toEqual([
      'eth1 has nobody at UDP port 5',
      'eth1 says “port unreachable” to 10.1.0.2',
      'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0xc0 56 0x0000 0 64 1 10.2.0.1 10.1.0.2, icmp 3 3 0x00 0 0, 28 bytes, 4 free',
    ]);
  });
});

describe('datagrams (__udp4_lib_rcv)', () => {
  rows(
    [
      'without a checksum',
      v4().udp({ checksum: 0 }),
      [
        'eth1 has nobody at UDP port 9',
        'eth1 says “port unreachable” to 10.1.0.2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0xc0 56 0x0000 0 64 1 10.1.0.1 10.1.0.2, icmp 3 3 0x00 0 0, 28 bytes, 1 free',
      ],
    ],
    ['with a wrong one', v4().udp({ checksum: 5 }), ['eth1 gets a wrong UDP checksum: dropped']],
    [
      'of 8 bytes',
      v4().udp({ destinationPort: 77 }),
      [
        'eth1 has nobody at UDP port 77',
        'eth1 says “port unreachable” to 10.1.0.2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0xc0 56 0x0000 0 64 1 10.1.0.1 10.1.0.2, icmp 3 3 0x00 0 0, 28 bytes, 1 free',
      ],
    ],
    ['that say 7', v4().udp({ length: 7, checksum: 0 }), ['eth1 gets a cut-off UDP datagram: dropped']],
    [
      'shorter than the packet',
      v4().udp({ length: 10, checksum: 0 }).payload(data(6)),
      [
        'eth1 has nobody at UDP port 9',
        'eth1 says “port unreachable” to 10.1.0.2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0xc0 58 0x0000 0 64 1 10.1.0.1 10.1.0.2, icmp 3 3 0x00 0 0, 30 bytes, 1 free',
      ],
    ],
    [
      'longer than the packet',
      v4().udp({ length: 15, checksum: 0 }).payload(data(6)),
      ['eth1 gets a cut-off UDP datagram: dropped'],
    ],
    [
      'cut off in the header',
      v4({ totalLength: 27 }).udp({ checksum: 0 }),
      ['eth1 gets a cut-off UDP datagram: dropped'],
    ],
  );
});

describe('segments (tcp_v4_send_reset)', () => {
  const tcp = (given: Parameters<typeof build.tcp>[0], length = 0, more: Ipv4 = {}): build.LayerStack =>
    v4(more)
      .tcp({ sourcePort: 1000, destinationPort: 2000, sequence: 0x1000, acknowledgment: 0x2000, ...given })
      .payload(data(length));
  rows(
    [
      'none',
      tcp({ flags: 0 }),
      [
        'eth1 has nobody at TCP port 2000',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0x00 40 0x0000 1 64 6 10.1.0.1 10.1.0.2, tcp 2000 1000 0 4096 0x14 0',
      ],
    ],
    [
      'FIN',
      tcp({ flags: 1 }),
      [
        'eth1 has nobody at TCP port 2000',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0x00 40 0x0000 1 64 6 10.1.0.1 10.1.0.2, tcp 2000 1000 0 4097 0x14 0',
      ],
    ],
    [
      'SYN',
      tcp({ flags: 2 }),
      [
        'eth1 has nobody at TCP port 2000',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0x00 40 0x0000 1 64 6 10.1.0.1 10.1.0.2, tcp 2000 1000 0 4097 0x14 0',
      ],
    ],
    [
      'SYN and FIN',
      tcp({ flags: 3 }),
      [
        'eth1 has nobody at TCP port 2000',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0x00 40 0x0000 1 64 6 10.1.0.1 10.1.0.2, tcp 2000 1000 0 4098 0x14 0',
      ],
    ],
    ['RST', tcp({ flags: 4 }), ['eth1 has nobody at TCP port 2000']],
    ['RST and ACK', tcp({ flags: 0x14 }), ['eth1 has nobody at TCP port 2000']],
    [
      'PSH',
      tcp({ flags: 8 }),
      [
        'eth1 has nobody at TCP port 2000',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0x00 40 0x0000 1 64 6 10.1.0.1 10.1.0.2, tcp 2000 1000 0 4096 0x14 0',
      ],
    ],
    [
      'ACK',
      tcp({ flags: 0x10 }),
      [
        'eth1 has nobody at TCP port 2000',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0x00 40 0x0000 1 64 6 10.1.0.1 10.1.0.2, tcp 2000 1000 8192 0 0x04 0',
      ],
    ],
    [
      'SYN and ACK',
      tcp({ flags: 0x12 }, 4),
      [
        'eth1 has nobody at TCP port 2000',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0x00 40 0x0000 1 64 6 10.1.0.1 10.1.0.2, tcp 2000 1000 8192 0 0x04 0',
      ],
    ],
    [
      'SYN with data',
      tcp({ flags: 2 }, 5),
      [
        'eth1 has nobody at TCP port 2000',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0x00 40 0x0000 1 64 6 10.1.0.1 10.1.0.2, tcp 2000 1000 0 4102 0x14 0',
      ],
    ],
    [
      'SYN with options',
      tcp({ flags: 2, options: [{ type: 2, data: Uint8Array.of(5, 0xb4) }] }, 5),
      [
        'eth1 has nobody at TCP port 2000',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0x00 40 0x0000 1 64 6 10.1.0.1 10.1.0.2, tcp 2000 1000 0 4102 0x14 0',
      ],
    ],
    [
      'a sequence that begins anew',
      tcp({ flags: 2, sequence: 0xffff_ffff }, 2),
      [
        'eth1 has nobody at TCP port 2000',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0x00 40 0x0000 1 64 6 10.1.0.1 10.1.0.2, tcp 2000 1000 0 2 0x14 0',
      ],
    ],
    [
      'a type of service with congestion',
      tcp({ flags: 2 }, 0, { tos: 0xff }),
      [
        'eth1 has nobody at TCP port 2000',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0xfc 40 0x0000 1 64 6 10.1.0.1 10.1.0.2, tcp 2000 1000 0 4097 0x14 0',
      ],
    ],
    [
      'a wrong checksum',
      tcp({ flags: 2, checksum: 9 }),
      ['eth1 gets a cut-off or wrongly summed TCP segment: dropped'],
    ],
    [
      'a header that is cut off',
      tcp({ flags: 2 }, 0, { totalLength: 39 }),
      ['eth1 gets a cut-off or wrongly summed TCP segment: dropped'],
    ],
  );

  it.each([0x40, 0x60])('a header whose length is no true one: %i', (words) => {
    const frame = tcp({ flags: 2 }).bytes();
    // The checksum changes by as much.
    frame[46] = words;
    frame[50] = (frame[50]! + 0x50 - words) & 0xff;
    expect(new RouterStack().receive(frame)).toEqual([
      'eth1 gets a cut-off or wrongly summed TCP segment: dropped',
    ]);
  });
});

describe('packets of its own (ip_route_output, ip_output)', () => {
  const own = (destination: string, length = 20): Uint8Array =>
    build
      .ipv4({ source: '10.1.0.1', destination, protocol: 253 })
      .payload(new Uint8Array(length - 20))
      .bytes();
  it.each<[what: string, packet: Uint8Array, heard: string[], changes?: Changes]>([
    [
      'to a neighbour',
      own('10.1.0.2'),
      ['eth1 sends ethernet 02:00:00:00:01:02, ipv4 0x00 20 0x0001 0 64 253 10.1.0.1 10.1.0.2'],
    ],
    [
      'behind a gateway',
      own('10.3.0.2'),
      ['eth2 sends ethernet 02:00:00:00:02:09, ipv4 0x00 20 0x0001 0 64 253 10.1.0.1 10.3.0.2'],
    ],
    ['to itself', own('10.2.0.1'), ['sends to itself, which no wire sees']],
    ['to a network', own('10.2.0.255'), ['would broadcast, which is not simulated: nothing is sent']],
    ['without a route', own('192.0.2.1'), ['has no route to 192.0.2.1: nothing is sent']],
    ['unreachable', own('10.5.0.1'), ['has no route to 10.5.0.1: nothing is sent']],
    [
      'as long as the device takes',
      own('10.2.0.9', 1400),
      ['eth2 sends ethernet 02:00:00:00:02:09, ipv4 0x00 1400 0x0001 0 64 253 10.1.0.1 10.2.0.9, payload'],
    ],
    [
      'longer',
      own('10.2.0.9', 1401),
      ['eth2 would fragment what it sends, which is not simulated: nothing is sent'],
    ],
    [
      'as long as the route takes',
      own('10.7.0.9', 600),
      ['eth2 sends ethernet 02:00:00:00:02:09, ipv4 0x00 600 0x0001 0 64 253 10.1.0.1 10.7.0.9, payload'],
    ],
    [
      'longer than the route takes',
      own('10.7.0.9', 601),
      ['eth2 would fragment what it sends, which is not simulated: nothing is sent'],
    ],
    [
      'to somebody who has to be asked for',
      own('10.2.0.5'),
      [
        'eth2 asks who has 10.2.0.5',
        'eth2 sends ethernet ff:ff:ff:ff:ff:ff, arp 1 02:00:00:00:02:01 10.1.0.1 00:00:00:00:00:00 10.2.0.5',
      ],
    ],
  ])('%s', (_what, packet, heard, changes) => {
    expect(new RouterStack(changes).send(packet)).toEqual(heard);
  });
});
