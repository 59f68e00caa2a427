/** How a router hears and answers ARP and neighbour discovery, and what frames it takes (net/ipv4/arp.c, net/ipv6/ndisc.c). */
import { describe, expect, it } from 'vitest';
import { ipv6FromText } from '../../packet/addresses.ts';
import * as build from '../../packet/build.ts';
import { writeU16 } from '../../packet/bytes.ts';
import { checksum, pseudoHeader6 } from '../../packet/checksum.ts';
import { mac } from '../test-support/programs.ts';
import { type Changes, RouterStack, toRouter } from '../test-support/router-stack.ts';
import { Neighbours } from './neighbours.ts';
import { isLinkLocal6, source6 } from './source-address.ts';

type Arp = Parameters<typeof build.arp>[0];

const everybody = build.ethernet({ destination: 'ff:ff:ff:ff:ff:ff', source: mac(1, 7) });
/** From host 7 on network 1, whom nobody knows, for the router. */
const arp = (given: Arp = {}): build.LayerStack =>
  everybody.arp({ senderMac: mac(1, 7), senderAddress: '10.1.0.7', targetAddress: '10.1.0.1', ...given });
const HOST: Changes = { eth1: { forwarding: false }, eth2: { forwarding: false } };

type Row = [what: string, frame: build.LayerStack | Uint8Array, heard: string[], changes?: Changes];
function rows(...all: Row[]): void {
  it.each(all)('%s', (_what, frame, heard, changes) => {
    expect(new RouterStack(changes).receive(frame instanceof Uint8Array ? frame : frame.bytes())).toEqual(
      heard,
    );
  });
}

/** The frame with other bytes at one place. */
function changed(frame: Uint8Array, at: number, ...bytes: number[]): Uint8Array {
  frame.set(bytes, at);
  return frame;
}

describe('frames (eth_type_trans)', () => {
  const ping = { source: '10.1.0.2', destination: '10.1.0.1' };
  const short = build.frame(toRouter.vlan({ id: 0, etherType: 0x0800 })).subarray(0, 17);
  rows(
    [
      'for another host',
      build
        .ethernet({ destination: mac(1, 3) })
        .ipv4(ping)
        .echoRequest(),
      ['eth1 is not the frame’s destination MAC: dropped'],
    ],
    [
      'for its other device',
      build
        .ethernet({ destination: mac(2, 1) })
        .ipv4(ping)
        .echoRequest(),
      ['eth1 is not the frame’s destination MAC: dropped'],
    ],
    [
      'of an unknown type',
      toRouter.payload(new Uint8Array(46)),
      ['eth1 knows nothing of EtherType 0x88b5: dropped'],
    ],
    [
      'of a type with a name',
      build.frame(toRouter.mpls(), new Uint8Array(20)),
      ['eth1 knows nothing of EtherType MPLS: dropped'],
    ],
    [
      'of a type with leading zeros',
      build.frame(build.ethernet({ destination: mac(1, 1), etherType: 0x0601 }), new Uint8Array(46)),
      ['eth1 knows nothing of EtherType 0x0601: dropped'],
    ],
    ['with a tag', toRouter.vlan({ id: 1 }).ipv4(ping).echoRequest(), ['eth1 has no VLAN device: dropped']],
    [
      'with a tag of another kind',
      toRouter.vlan({ service: true, id: 1 }).ipv4(ping).echoRequest(),
      ['eth1 has no VLAN device: dropped'],
    ],
    [
      'with a priority',
      toRouter.vlan({ id: 0, priority: 5 }).ipv4(ping).echoRequest(),
      [
        'eth1 answers the ping of 10.1.0.2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0x00 28 0x0000 0 64 1 10.1.0.1 10.1.0.2, icmp 0 0 1 1, 1 free',
      ],
    ],
    [
      'with two priorities',
      toRouter.vlan({ id: 0 }).vlan({ id: 0 }).ipv4(ping).echoRequest(),
      [
        'eth1 answers the ping of 10.1.0.2',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv4 0x00 28 0x0000 0 64 1 10.1.0.1 10.1.0.2, icmp 0 0 1 1, 1 free',
      ],
    ],
    [
      'with a priority before a tag',
      toRouter.vlan({ id: 0 }).vlan({ id: 5 }).ipv4(ping).echoRequest(),
      ['eth1 has no VLAN device: dropped'],
    ],
    [
      'with a tag for another host',
      build
        .ethernet({ destination: mac(1, 3) })
        .vlan({ id: 1 })
        .ipv4(ping),
      ['eth1 has no VLAN device: dropped'],
    ],
    ['with a priority that is cut off', short, ['eth1 has no VLAN device: dropped']],
  );
});

describe('ARP (arp_process)', () => {
  rows(
    [
      'a question',
      arp(),
      [
        'eth1 answers that it has 10.1.0.1',
        'eth1 sends ethernet 02:00:00:00:01:07, arp 2 02:00:00:00:01:01 10.1.0.1 02:00:00:00:01:07 10.1.0.7',
      ],
    ],
    [
      'a question for its other address',
      arp({ targetAddress: '10.2.0.1' }),
      [
        'eth1 answers that it has 10.2.0.1',
        'eth1 sends ethernet 02:00:00:00:01:07, arp 2 02:00:00:00:01:01 10.2.0.1 02:00:00:00:01:07 10.1.0.7',
      ],
    ],
    [
      'a question for somebody else',
      arp({ targetAddress: '10.1.0.9' }),
      ['eth1 ignores ARP that is not for it'],
    ],
    ['a question for a group', arp({ targetAddress: '224.0.0.1' }), ['eth1 ignores ARP for such an address']],
    [
      'a question for the loopback network',
      arp({ targetAddress: '127.0.0.1' }),
      ['eth1 ignores ARP for such an address'],
    ],
    ['a question from itself', arp({ senderAddress: '10.1.0.1' }), ['eth1 ignores ARP that is not for it']],
    ['a question from a group', arp({ senderAddress: '224.0.0.5' }), ['eth1 ignores ARP that is not for it']],
    [
      'a question from the loopback network',
      arp({ senderAddress: '127.0.0.5' }),
      ['eth1 ignores ARP that is not for it'],
    ],
    [
      'a question from everybody',
      arp({ senderAddress: '255.255.255.255' }),
      ['eth1 ignores ARP that is not for it'],
    ],
    [
      'a question from nearly everybody',
      arp({ senderAddress: '255.255.255.254' }),
      [
        'eth1 answers that it has 10.1.0.1',
        'eth1 sends ethernet 02:00:00:00:01:07, arp 2 02:00:00:00:01:01 10.1.0.1 02:00:00:00:01:07 255.255.255.254',
      ],
    ],
    [
      'a probe',
      arp({ senderAddress: '0.0.0.0' }),
      [
        'eth1 answers that it has 10.1.0.1',
        'eth1 sends ethernet 02:00:00:00:01:07, arp 2 02:00:00:00:01:01 10.1.0.1 02:00:00:00:01:07 0.0.0.0',
      ],
    ],
    [
      'a probe for somebody else',
      arp({ senderAddress: '0.0.0.0', targetAddress: '10.1.0.9' }),
      ['eth1 ignores an ARP probe'],
    ],
    ['a reply from nowhere', arp({ senderAddress: '0.0.0.0', operation: 2 }), ['eth1 ignores an ARP probe']],
    ['a reply from somebody unknown', arp({ operation: 2 }), ['eth1 ignores ARP that is not for it']],
    [
      'a reply from somebody known',
      arp({ operation: 2, senderAddress: '10.1.0.2' }),
      ['eth1 learns that 10.1.0.2 is at 02:00:00:00:01:07'],
    ],
    [
      'an announcement of somebody unknown',
      arp({ targetAddress: '10.1.0.7' }),
      ['eth1 ignores ARP that is not for it'],
    ],
    ['operation 0', arp({ operation: 0 }), ['eth1 knows nothing of ARP operation 0: dropped']],
    ['operation 3', arp({ operation: 3 }), ['eth1 knows nothing of ARP operation 3: dropped']],
    [
      'of another protocol',
      changed(arp().bytes(), 16, 0x86, 0xdd),
      ['eth1 gets no ARP for IPv4 over Ethernet: dropped'],
    ],
    [
      'with other lengths of hardware addresses',
      changed(arp().bytes(), 18, 7),
      ['eth1 gets no ARP for IPv4 over Ethernet: dropped'],
    ],
    [
      'with other lengths of addresses',
      changed(arp().bytes(), 19, 5),
      ['eth1 gets no ARP for IPv4 over Ethernet: dropped'],
    ],
    [
      'that is cut off by a byte',
      arp().bytes().subarray(0, 41),
      ['eth1 gets no ARP for IPv4 over Ethernet: dropped'],
    ],
    [
      'with padding',
      build.frame(arp(), new Uint8Array(18)),
      [
        'eth1 answers that it has 10.1.0.1',
        'eth1 sends ethernet 02:00:00:00:01:07, arp 2 02:00:00:00:01:01 10.1.0.1 02:00:00:00:01:07 10.1.0.7',
      ],
    ],
  );

  /** To whom the router answers a ping of host 7 once these have come in. */
  function answersTo(...frames: build.LayerStack[]): string {
    const router = new RouterStack();
    for (const frame of frames) router.receive(frame.bytes());
    const ping = toRouter.ipv4({ source: '10.1.0.7', destination: '10.1.0.1' }).echoRequest();
    return router.receive(ping.bytes()).at(-1)!.replace(/,.*/, '');
  }
  const other = { senderMac: mac(1, 8) };
  it.each<[what: string, frames: build.LayerStack[], answer: string]>([
    ['nothing', [], 'eth1 sends ethernet ff:ff:ff:ff:ff:ff'],
    ['a question', [arp()], 'eth1 sends ethernet 02:00:00:00:01:07'],
    ['a question from another MAC', [arp(), arp(other)], 'eth1 sends ethernet 02:00:00:00:01:08'],
    [
      'a reply from another MAC',
      [arp(), arp({ ...other, operation: 2 })],
      'eth1 sends ethernet 02:00:00:00:01:07',
    ],
    [
      'an announcement from another MAC',
      [arp(), arp({ ...other, targetAddress: '10.1.0.7' })],
      'eth1 sends ethernet 02:00:00:00:01:08',
    ],
    [
      'a reply that announces itself',
      [arp(), arp({ ...other, operation: 2, targetAddress: '10.1.0.7', targetMac: mac(1, 8) })],
      'eth1 sends ethernet 02:00:00:00:01:08',
    ],
    [
      'one that names another target',
      [arp(), arp({ ...other, operation: 2, targetAddress: '10.1.0.7', targetMac: mac(1, 9) })],
      'eth1 sends ethernet 02:00:00:00:01:07',
    ],
  ])('is believed: %s', (_what, frames, answer) => {
    expect(answersTo(...frames)).toBe(answer);
  });
});

/** Neighbour discovery from host 7, or from elsewhere. */
const nd = (
  given: Parameters<typeof build.ipv6>[0],
  message: Parameters<typeof build.icmpv6>[0],
): build.LayerStack =>
  build
    .ethernet({ destination: mac(1, 1), source: mac(1, 7) })
    .ipv6({ source: 'fd01::7', destination: 'fd01::1', hopLimit: 255, ...given })
    .icmpv6(message);
/** The message with the checksum that it should have. */
function summed(frame: Uint8Array): Uint8Array {
  writeU16(frame, 56, 0);
  const length = frame.length - 54;
  writeU16(frame, 56, checksum(frame, 54, length, pseudoHeader6(frame, 22, 38, 58, length)));
  return frame;
}

const OPTION = { type: 1, data: Uint8Array.of(2, 0, 0, 0, 1, 7) };
const TARGET = { type: 2, data: Uint8Array.of(2, 0, 0, 0, 1, 8) };
const GROUP = 'ff02::1:ff00:1';

describe('solicitations (ndisc_recv_ns)', () => {
  const ns = (given: object, body: object = {}, more: object = {}): build.LayerStack =>
    nd(given, {
      type: 135,
      body: { kind: 'neighbourSolicitation', target: 'fd01::1', options: [OPTION], ...body },
      ...more,
    });
  rows(
    [
      'for its address, to its group',
      ns({ destination: GROUP }),
      [
        'eth1 answers that it has fd01::1',
        'eth1 sends ethernet 02:00:00:00:01:07, ipv6 0x00 32 255 fd01::1 fd01::7, icmpv6 136 0 1 1 1 fd01::1 02:00:00:00:01:01',
      ],
    ],
    [
      'for its address, to it',
      ns({}),
      [
        'eth1 answers that it has fd01::1',
        'eth1 sends ethernet 02:00:00:00:01:07, ipv6 0x00 24 255 fd01::1 fd01::7, icmpv6 136 0 1 1 0 fd01::1',
      ],
    ],
    [
      'without a link-layer address, to its group',
      ns({ destination: GROUP }, { options: [] }),
      ['eth1 gets a solicitation without a link-layer address: ignored'],
    ],
    [
      'without a link-layer address, to it',
      ns({}, { options: [] }),
      [
        'eth1 answers that it has fd01::1',
        'eth1 asks who has fd01::7',
        'eth1 sends ethernet 33:33:ff:00:00:07, ipv6 0x00 32 255 fd01::1 ff02::1:ff00:7, icmpv6 135 0 fd01::7 02:00:00:00:01:01',
      ],
    ],
    [
      'without a link-layer address, to its group, from somebody known',
      ns({ destination: GROUP, source: 'fd01::2' }, { options: [] }),
      [
        'eth1 answers that it has fd01::1',
        'eth1 sends ethernet 02:00:00:00:01:02, ipv6 0x00 32 255 fd01::1 fd01::2, icmpv6 136 0 1 1 1 fd01::1 02:00:00:00:01:01',
      ],
    ],
    [
      'with the option of another message',
      ns({ destination: GROUP }, { options: [TARGET] }),
      ['eth1 gets a solicitation without a link-layer address: ignored'],
    ],
    [
      'with a link-layer address of another length',
      ns({ destination: GROUP }, { options: [{ type: 1, data: new Uint8Array(14) }] }),
      ['eth1 gets a solicitation without a link-layer address: ignored'],
    ],
    [
      'for the address of its other device',
      ns({ destination: 'ff02::1:ff00:1' }, { target: 'fd02::1' }),
      ['eth1 is not fd02::1: ignores the solicitation'],
    ],
    ['for somebody else', ns({}, { target: 'fd01::9' }), ['eth1 is not fd01::9: ignores the solicitation']],
    [
      'for a group',
      ns({}, { target: 'ff02::1' }),
      ['eth1 gets a neighbour discovery message that breaks RFC 4861 §7.1: dropped'],
    ],
    [
      'a probe',
      ns({ source: '::', destination: GROUP }, { options: [] }),
      [
        'eth1 answers that it has fd01::1',
        'eth1 sends ethernet 33:33:00:00:00:01, ipv6 0x00 32 255 fd01::1 ff02::1, icmpv6 136 0 1 0 1 fd01::1 02:00:00:00:01:01',
      ],
    ],
    [
      'a probe with a link-layer address',
      ns({ source: '::', destination: GROUP }),
      ['eth1 gets a solicitation from nowhere that is no probe: dropped'],
    ],
    [
      'a probe to all nodes',
      ns({ source: '::', destination: 'ff02::1' }, { options: [] }),
      ['eth1 gets a solicitation from nowhere that is no probe: dropped'],
    ],
    [
      'a probe to its address',
      ns({ source: '::' }, { options: [] }),
      ['eth1 gets a solicitation from nowhere that is no probe: dropped'],
    ],
    [
      'with another hop limit',
      ns({ hopLimit: 254 }),
      ['eth1 gets a neighbour discovery message that breaks RFC 4861 §7.1: dropped'],
    ],
    [
      'with another code',
      ns({}, {}, { code: 1 }),
      ['eth1 gets a neighbour discovery message that breaks RFC 4861 §7.1: dropped'],
    ],
    [
      'with an option of no length',
      ns({}, { options: [{ type: 'rest', data: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0) }] }),
      ['eth1 gets a neighbour discovery message that breaks RFC 4861 §7.1: dropped'],
    ],
    [
      'that is cut off',
      summed(ns({ payloadLength: 23 }, { options: [] }).bytes().subarray(0, 77)),
      ['eth1 gets a neighbour discovery message that breaks RFC 4861 §7.1: dropped'],
    ],
    [
      'of a host',
      ns({}),
      [
        'eth1 answers that it has fd01::1',
        'eth1 sends ethernet 02:00:00:00:01:07, ipv6 0x00 24 255 fd01::1 fd01::7, icmpv6 136 0 0 1 0 fd01::1',
      ],
      HOST,
    ],
    [
      'of a host, to its group',
      ns({ destination: GROUP }),
      [
        'eth1 answers that it has fd01::1',
        'eth1 sends ethernet 02:00:00:00:01:07, ipv6 0x00 32 255 fd01::1 fd01::7, icmpv6 136 0 0 1 1 fd01::1 02:00:00:00:01:01',
      ],
      HOST,
    ],
  );
});

describe('advertisements (ndisc_recv_na)', () => {
  const na = (given: object, body: object = {}): build.LayerStack =>
    nd(given, {
      type: 136,
      body: {
        kind: 'neighbourAdvertisement',
        target: 'fd01::7',
        solicited: true,
        override: true,
        options: [TARGET],
        ...body,
      },
    });

  /** What comes of it where the router has asked for host 7, or knows it from what came before. */
  function heard(before: 'asked' | 'known' | 'nothing', frame: build.LayerStack): string[] {
    const router = new RouterStack();
    const ping = build.ipv6({ source: 'fd01::1', destination: 'fd01::7' }).echoRequest6().bytes();
    if (before !== 'nothing') router.send(ping);
    if (before === 'known') router.receive(na({}, { options: [{ type: 2, data: OPTION.data }] }).bytes());
    const lines = router.receive(frame.bytes());
    return before === 'known' ? [...lines, ...router.send(ping)] : lines;
  }
  it.each<[what: string, before: 'asked' | 'known' | 'nothing', frame: build.LayerStack, heard: string[]]>([
    [
      'what it asked for',
      'asked',
      na({}),
      [
        'eth1 learns that fd01::7 is at 02:00:00:00:01:08',
        'eth1 sends ethernet 02:00:00:00:01:08, ipv6 0x00 8 64 fd01::1 fd01::7, icmpv6 128 0 1 1',
      ],
    ],
    [
      'what it asked for, not to replace',
      'asked',
      na({}, { override: false }),
      [
        'eth1 learns that fd01::7 is at 02:00:00:00:01:08',
        'eth1 sends ethernet 02:00:00:00:01:08, ipv6 0x00 8 64 fd01::1 fd01::7, icmpv6 128 0 1 1',
      ],
    ],
    [
      'what it asked for, without a MAC',
      'asked',
      na({}, { options: [] }),
      ['eth1 ignores an advertisement that it did not ask for'],
    ],
    [
      'what it asked for, with the option of another message',
      'asked',
      na({}, { options: [OPTION] }),
      ['eth1 ignores an advertisement that it did not ask for'],
    ],
    ['what it did not ask for', 'nothing', na({}), ['eth1 ignores an advertisement that it did not ask for']],
    [
      'to all, as if asked for',
      'asked',
      na({ destination: 'ff02::1' }),
      ['eth1 gets a solicited advertisement to all: dropped'],
    ],
    [
      'to all, unasked',
      'asked',
      na({ destination: 'ff02::1' }, { solicited: false }),
      [
        'eth1 learns that fd01::7 is at 02:00:00:00:01:08',
        'eth1 sends ethernet 02:00:00:00:01:08, ipv6 0x00 8 64 fd01::1 fd01::7, icmpv6 128 0 1 1',
      ],
    ],
    [
      'its own address',
      'asked',
      na({}, { target: 'fd01::1' }),
      ['eth1 ignores an advertisement that it did not ask for'],
    ],
    [
      'another MAC',
      'known',
      na({}),
      [
        'eth1 learns that fd01::7 is at 02:00:00:00:01:08',
        'eth1 sends ethernet 02:00:00:00:01:08, ipv6 0x00 8 64 fd01::1 fd01::7, icmpv6 128 0 1 1',
      ],
    ],
    [
      'another MAC, not to replace',
      'known',
      na({}, { override: false }),
      [
        'eth1 learns that fd01::7 is at 02:00:00:00:01:08',
        'eth1 sends ethernet 02:00:00:00:01:07, ipv6 0x00 8 64 fd01::1 fd01::7, icmpv6 128 0 1 1',
      ],
    ],
    [
      'with another hop limit',
      'asked',
      na({ hopLimit: 254 }),
      ['eth1 gets a neighbour discovery message that breaks RFC 4861 §7.1: dropped'],
    ],
  ])('%s', (_what, before, frame, expected) => {
    expect(heard(before, frame)).toEqual(expected);
  });
});

describe('messages of routers (ndisc_recv_rs, ndisc_router_discovery)', () => {
  const rs = (given: object, body: object = {}, more: object = {}): build.LayerStack =>
    nd(
      { source: 'fe80::7', destination: 'ff02::2', ...given },
      { type: 133, body: { kind: 'routerSolicitation', options: [OPTION], ...body }, ...more },
    );
  const ra = (given: object, body: object = {}): build.LayerStack =>
    nd(
      { source: 'fe80::7', destination: 'ff02::1', ...given },
      { type: 134, body: { kind: 'routerAdvertisement', options: [OPTION], ...body } },
    );
  rows(
    ['a solicitation', rs({}), ['eth1 learns that fe80::7 is at 02:00:00:00:01:07']],
    [
      'a solicitation, on a host',
      rs({ destination: 'ff02::1' }),
      ['eth1 ignores a router’s solicitation or advertisement'],
      HOST,
    ],
    [
      'a solicitation from nowhere',
      rs({ source: '::' }),
      ['eth1 ignores a router’s solicitation or advertisement'],
    ],
    [
      'a solicitation without a MAC',
      rs({}, { options: [] }),
      ['eth1 ignores a router’s solicitation or advertisement'],
    ],
    [
      'a solicitation from another hop',
      rs({ hopLimit: 254 }),
      ['eth1 ignores a router’s solicitation or advertisement'],
    ],
    [
      'a solicitation with a code',
      rs({}, {}, { code: 1 }),
      ['eth1 ignores a router’s solicitation or advertisement'],
    ],
    ['an advertisement', ra({}), ['eth1 learns that fe80::7 is at 02:00:00:00:01:07']],
    ['an advertisement, on a host', ra({}), ['eth1 learns that fe80::7 is at 02:00:00:00:01:07'], HOST],
    [
      'an advertisement that is not of the link',
      ra({ source: 'fd01::7' }),
      ['eth1 ignores a router’s solicitation or advertisement'],
    ],
    [
      'an advertisement without a MAC',
      ra({}, { options: [] }),
      ['eth1 ignores a router’s solicitation or advertisement'],
    ],
    ['a redirect', nd({}, { type: 137 }), ['eth1 gets an ICMPv6 message of type 137 from fd01::7']],
  );
});

describe('a list of neighbours', () => {
  const address = Uint8Array.of(10, 0, 0, 9);
  const one = Uint8Array.of(2, 0, 0, 0, 0, 1);
  const two = Uint8Array.of(2, 0, 0, 0, 0, 2);

  it('hands what waits to whom it waits for, in order, once, and of many the last hundred', () => {
    const neighbours = new Neighbours([]);
    const sent: number[] = [];
    const first = Array.from({ length: 105 }, (_, index) =>
      neighbours.wait(3, address, (mac) => sent.push(index + 1000 * mac[5]!)),
    );
    expect(first).toEqual([true, ...Array(104).fill(false)]);
    expect([neighbours.has(3, address), neighbours.has(4, address), neighbours.mac(3, address)]).toEqual([
      true,
      false,
      undefined,
    ]);
    neighbours.learn(4, address, two, true);
    expect(sent).toEqual([]);
    neighbours.learn(3, address, one, false);
    expect(sent).toEqual(Array.from({ length: 100 }, (_, index) => 1005 + index));
    neighbours.learn(3, address, one, false);
    expect(sent.length).toBe(100);
  });

  it('replaces a MAC where it is to, in place, and never a permanent one', () => {
    const neighbours = new Neighbours([{ ifindex: 3, address: '10.0.0.8', mac: one }]);
    neighbours.learn(3, address, one, false);
    expect(neighbours.list.map(({ address: text, mac }) => [text, [...mac]])).toEqual([
      ['10.0.0.8', [...one]],
      ['10.0.0.9', [...one]],
    ]);
    neighbours.learn(3, address, two, false);
    expect(neighbours.mac(3, address)).toEqual(one);
    neighbours.learn(3, address, two, true);
    expect([neighbours.mac(3, address), neighbours.list[1]!.mac, one[5]]).toEqual([two, two, 1]);
    neighbours.learn(3, Uint8Array.of(10, 0, 0, 8), two, true);
    expect([neighbours.list.length, neighbours.list[0]!.mac]).toEqual([2, one]);
  });
});

describe('the address to send from (RFC 6724 §5)', () => {
  const devices = (...addresses: string[]): Parameters<typeof source6>[0] => [
    { name: 'eth1', ifindex: 3, mac: new Uint8Array(6), mtu: 1500, forwarding: false, addresses },
  ];
  it.each([
    [['fd01::1/64', 'fd02::1/64'], 'fd02::9', 'fd02::1'],
    [['fd01::1/64', 'fd02::1/64'], 'fd01::9', 'fd01::1'],
    [['fd01::1/64', 'fd01::2/64'], 'fd05::9', 'fd01::1'],
    [['fd01::1/64', 'fd00::1/64'], 'fd00:8000::', 'fd00::1'],
    [['fd00::1/64', 'fd00:8000::1/64'], 'fd00:c000::', 'fd00:8000::1'],
    [['fd00::1/64', 'fd00:0080::1/64'], 'fd00:00ff::', 'fd00:80::1'],
    [['fd00::8/64', 'fd00::6/64'], 'fd00::7', 'fd00::6'],
    [['fd00::8/64', 'fd00::6/64'], 'fd00::8', 'fd00::8'],
    [['fd00::6/64', 'fd00::8/64'], 'fd00::8', 'fd00::8'],
    [['fe80::1/64', 'fd00::1/64'], 'fd02::1', 'fd00::1'],
    [['fd00::1/64', 'fe80::1/64'], 'fe80::7', 'fe80::1'],
    [['fd00::1/64', 'fe80::1/64'], 'ff02::7', 'fe80::1'],
    [['fe80::1/64', 'fd00::1/64'], 'ff05::7', 'fd00::1'],
    [['10.0.0.1/24', 'fe80::1/64'], 'fd00::7', undefined],
  ])('of %j for %s is %s', (addresses, destination, source) => {
    expect(source6(devices(...addresses), ipv6FromText(destination))).toEqual(
      source === undefined ? undefined : ipv6FromText(source),
    );
  });

  it('knows addresses of the link', () => {
    const of = [
      'fe80::',
      'febf::1',
      'fec0::',
      'fe7f::',
      'ff02::1',
      'ff12::1',
      'ff01::1',
      'ff05::1',
      'fd00::1',
    ];
    expect(of.filter((text) => isLinkLocal6(ipv6FromText(text)))).toEqual([
      'fe80::',
      'febf::1',
      'ff02::1',
      'ff12::1',
    ]);
  });
});
