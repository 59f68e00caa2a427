import { describe, expect, it } from 'vitest';
import { createVmEngine } from '../../engines/vm.ts';
import * as build from '../../packet/build.ts';
import { toHex } from '../../packet/bytes.ts';
import { stepText } from '../render.ts';
import { simulate } from '../run.ts';
import { pair } from '../test-support/programs.ts';

const to = build.ethernet({ destination: '02:00:00:00:01:01', source: '02:00:00:00:01:02' });
const broadcast = build.ethernet({ destination: 'ff:ff:ff:ff:ff:ff', source: '02:00:00:00:01:02' });
const v4 = (more: Parameters<typeof build.ipv4>[0] = {}): build.LayerStack => build.ipv4(more);
const v6 = (more: Parameters<typeof build.ipv6>[0] = {}): build.LayerStack => build.ipv6(more);

/** What the server says about frames that the client sends, one after the other. */
async function said(server: object, ...frames: Uint8Array[]): Promise<string[][]> {
  const steps = frames.map((bytes) => ({ frame: { device: 'client:veth0', hex: toHex(bytes) } }));
  const { steps: ran } = await simulate(pair(steps, server), createVmEngine(), new Map());
  return ran.map((step) =>
    stepText(step)
      .filter((line) => line.startsWith('    server'))
      .map((line) => line.replace(/^ +server(:veth0)? /, '')),
  );
}

const forwarding = { forwarding: true };
const solicitation = (target: string, mac?: string): build.LayerStack =>
  build.icmpv6({
    type: 135,
    body: {
      kind: 'neighbourSolicitation',
      target,
      options: mac === undefined ? [] : [{ type: 1, data: Uint8Array.of(2, 0, 0, 0, 1, 2) }],
    },
  });

describe('a host’s stack', () => {
  it.each<[what: string, frame: Uint8Array, says: string, server?: object]>([
    [
      'another host’s MAC',
      build.frame(build.ethernet({ destination: '02:00:00:00:07:07' }), v4(), build.udp()),
      'is not the frame’s destination MAC',
    ],
    [
      'an EtherType of nobody’s',
      build.frame(
        build.ethernet({ destination: '02:00:00:00:01:01', etherType: 0x88b5 }),
        new Uint8Array(46),
      ),
      'knows nothing of EtherType 0x88b5',
    ],
    ['a VLAN', build.frame(to, build.vlan({ id: 5 }), v4(), build.udp()), 'has no VLAN device'],
    ['a cut-off IPv4 header', build.frame(to, v4()).subarray(0, 30), 'gets no whole IPv4 header'],
    [
      'a wrong header checksum',
      build.frame(to, v4({ checksum: 1 }), build.udp()),
      'a wrong IPv4 header checksum',
    ],
    [
      'a total length beyond the frame',
      build.frame(to, v4({ totalLength: 99 }), build.udp()),
      'a cut-off IPv4 packet',
    ],
    [
      'a source that is a group',
      build.frame(to, v4({ source: '224.0.0.1' }), build.udp()),
      'which cannot be',
    ],
    ['a source of its own', build.frame(to, v4({ source: '10.11.1.1' }), build.udp()), 'which cannot be'],
    [
      'the loopback network from outside',
      build.frame(to, v4({ destination: '127.0.0.1' }), build.udp()),
      'for 127.0.0.1 from outside',
    ],
    [
      'a group that it is not in',
      build.frame(broadcast, v4({ destination: '224.0.0.9' }), build.udp()),
      'is not in the group 224.0.0.9',
    ],
    [
      'a foreign destination',
      build.frame(to, v4({ destination: '192.0.2.1' }), build.udp()),
      'does not forward',
    ],
    [
      'a ping to a broadcast address',
      build.frame(broadcast, v4({ destination: '10.11.1.255' }), build.echoRequest()),
      'ignores a ping to a broadcast address',
    ],
    [
      'a wrong ICMP checksum',
      build.frame(to, v4(), build.echoRequest({ checksum: 1 })),
      'wrongly summed ICMP',
    ],
    ['a wrong UDP checksum', build.frame(to, v4(), build.udp({ checksum: 1 })), 'gets a wrong UDP checksum'],
    ['UDP without a checksum', build.frame(to, v4(), build.udp({ checksum: 0 })), 'has nobody at UDP port 9'],
    [
      'UDP without a checksum over IPv6',
      build.frame(to, v6(), build.udp({ checksum: 0 })),
      'gets no UDP checksum',
    ],
    [
      'a UDP length beyond the packet',
      build.frame(to, v4(), build.udp({ length: 99 })),
      'a cut-off UDP datagram',
    ],
    ['a wrong TCP checksum', build.frame(to, v4(), build.tcp({ checksum: 1 })), 'wrongly summed TCP'],
    ['an unknown protocol', build.frame(to, v4({ protocol: 253 })), 'says “protocol unreachable”'],
    ['an unknown next header', build.frame(to, v6({ nextHeader: 253 })), 'says “unknown next header”'],
    ['no next header', build.frame(to, v6({ nextHeader: 59 })), 'discards a packet without a next header'],
    ['a protocol that Linux may know', build.frame(to, v4({ protocol: 47 })), 'not simulated'],
    [
      'an IPv6 loopback address',
      build.frame(to, v6({ destination: '::1' }), build.udp()),
      'cannot come from outside',
    ],
    [
      'an IPv6 packet that is cut off',
      build.frame(to, v6({ payloadLength: 99 }), build.udp()),
      'a cut-off IPv6 packet',
    ],
    [
      'an IPv6 group that it is not in',
      build.frame(to, v6({ destination: 'ff02::9' }), build.udp()),
      'is not in the group ff02::9',
    ],
    [
      'all IPv6 routers, being none',
      build.frame(to, v6({ destination: 'ff02::2' }), build.echoRequest6()),
      'is not in the group ff02::2',
    ],
    [
      'all IPv6 routers, being one',
      build.frame(to, v6({ destination: 'ff02::2' }), build.echoRequest6()),
      'answers the ping',
      forwarding,
    ],
    [
      'a foreign IPv6 destination',
      build.frame(to, v6({ destination: '2001:db8::1' }), build.udp()),
      'says “no route to destination”',
    ],
    [
      'an error about an error',
      build.frame(to, v4({ destination: '192.0.2.1' }), build.icmp({ type: 3 })),
      'does not say “net unreachable”',
      forwarding,
    ],
    [
      'an error about a later fragment',
      build.frame(to, v4({ destination: '192.0.2.1', fragmentOffset: 8 })),
      'does not say “net unreachable”',
      forwarding,
    ],
    [
      'a hop limit of 1',
      build.frame(to, v6({ destination: 'fc00:dead:cafe:1::9', hopLimit: 1 }), build.udp()),
      'says “time exceeded”',
      forwarding,
    ],
    [
      'what went to a group of MACs, to be forwarded',
      build.frame(broadcast, v4({ destination: '10.11.1.9' }), build.udp()),
      'does not forward what was sent to a group',
      forwarding,
    ],
    ['IPv4 options', build.frame(to, v4({ options: [{ type: 1 }] }), build.udp()), 'not simulated'],
    ['a fragment', build.frame(to, v4({ moreFragments: true }), build.udp()), 'not simulated'],
    [
      'a solicitation that may have been forwarded',
      build.frame(to, v6({ hopLimit: 254 }), solicitation('fc00:dead:cafe:1::1')),
      'breaks RFC 4861',
    ],
    [
      'a solicitation for somebody else',
      build.frame(to, v6({ hopLimit: 255 }), solicitation('fc00:dead:cafe:1::9')),
      'ignores the solicitation',
    ],
    [
      'an ARP operation of nobody’s',
      build.frame(to, build.arp({ operation: 9 })),
      'knows nothing of ARP operation 9',
    ],
    [
      'ARP for somebody else',
      build.frame(broadcast, build.arp({ targetAddress: '10.11.1.9' })),
      'ignores ARP that is not for it',
    ],
    [
      'ARP from its own address',
      build.frame(broadcast, build.arp({ senderAddress: '10.11.1.1' })),
      'ignores ARP that is not for it',
    ],
  ])('deals with %s', async (_, frame, says, server = {}) => {
    const [lines] = await said(server, frame);
    expect(lines!.join('\n')).toContain(says);
  });

  it('takes off a tag that says a priority only', async () => {
    const [lines] = await said({}, build.frame(to, build.vlan({ id: 0 }), v4(), build.echoRequest()));
    expect(lines).toContain('answers the ping of 10.11.1.2');
  });

  it('learns from a question, and so need not ask back', async () => {
    const [, second] = await said(
      {},
      build.frame(broadcast, build.arp()),
      build.frame(to, v4(), build.echoRequest()),
    );
    expect(second).toEqual(['answers the ping of 10.11.1.2']);
  });

  // `arp_process` of Linux: Ethernet devices hear hardware types 1 and 6 (the generated frames of the kernel suite have both).
  it.each([
    [0, false],
    [1, true],
    [5, false],
    [6, true],
    [0x0100, false],
    [0x0600, false],
  ])('hears ARP of hardware type %i: %s', async (type, isHeard) => {
    const frame = build.frame(broadcast, build.arp());
    frame.set([type >> 8, type & 0xff], 14);
    const [lines] = await said({}, frame);
    expect(lines!.some((line) => line.startsWith('answers that it has'))).toBe(isHeard);
  });

  it('asks once for a neighbour, whatever waits for it', async () => {
    const ping = build.frame(to, v4(), build.echoRequest());
    const lines = await said({ mac: '02:00:00:00:01:01' }, ping, ping);
    // The client answers at once: it is there. An address that nobody has is asked for a single time.
    expect(lines[0]).toContain('asks who has 10.11.1.2');
    const foreign = build.frame(to, v4({ source: '10.11.1.77' }), build.echoRequest());
    const [first, second] = await said({}, foreign, foreign);
    expect(first).toContain('asks who has 10.11.1.77');
    expect(second).toEqual(['answers the ping of 10.11.1.77']);
  });

  it('takes a new MAC from a request and from who announces itself, but not from any reply', async () => {
    const usual = { senderMac: '02:00:00:00:01:02' };
    const other = { senderMac: '02:00:00:00:01:0f' };
    const ping = build.frame(to, v4(), build.echoRequest());
    const replyTo = async (...frames: Uint8Array[]): Promise<string> => {
      const steps = [...frames, ping].map((bytes) => ({
        frame: { device: 'client:veth0', hex: toHex(bytes) },
      }));
      const { steps: ran } = await simulate(pair(steps), createVmEngine(), new Map());
      return toHex(ran.at(-1)!.path.at(-1)!.bytes.subarray(0, 6));
    };
    const request = build.frame(broadcast, build.arp(usual));
    const reply = build.frame(to, build.arp({ ...other, operation: 2 }));
    const announcement = build.frame(broadcast, build.arp({ ...other, targetAddress: '10.11.1.2' }));
    expect(await replyTo(request)).toBe('020000000102');
    expect(await replyTo(request, build.frame(broadcast, build.arp(other)))).toBe('02000000010f');
    expect(await replyTo(request, reply)).toBe('020000000102');
    expect(await replyTo(request, announcement)).toBe('02000000010f');
  });

  it('says five times that there is no route over IPv4, and then no more', async () => {
    const lost = build.frame(to, v4({ destination: '192.0.2.1' }), build.udp());
    const lines = await said(forwarding, ...Array.from({ length: 6 }, () => lost));
    expect(lines[4]!.at(-1)).not.toContain('no more');
    expect(lines[5]!.at(-1)).toBe('has said so 5 times, and says no more: dropped');
  });
});
