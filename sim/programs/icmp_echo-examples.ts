/** What `icmp_echo` does, a packet for every rule. */
import * as build from '../packet/build.ts';
import { writeU16 } from '../packet/bytes.ts';
import { XDP_PASS, XDP_TX } from '../runtime/actions.ts';
import type { Example } from '../runtime/program.ts';

const payload = Uint8Array.from({ length: 56 }, (_, index) => index);
const away = build.ethernet();
const back = build.ethernet({ destination: '02:00:00:00:00:02', source: '02:00:00:00:00:01' });
const away4 = { source: '10.11.1.2', destination: '10.11.1.1' };
const back4 = { source: '10.11.1.1', destination: '10.11.1.2' };
const away6 = { source: 'fc00:dead:cafe:1::2', destination: 'fc00:dead:cafe:1::1' };
const back6 = { source: 'fc00:dead:cafe:1::1', destination: 'fc00:dead:cafe:1::2' };
const options = [{ type: 148, data: Uint8Array.of(0, 0) }];

function answers(name: string, packet: Uint8Array, answer: Uint8Array): Example {
  return { name: `answers ${name}`, stimulus: { packet }, action: XDP_TX, packet: answer };
}

function passes(name: string, packet: Uint8Array): Example {
  return { name: `passes ${name}`, stimulus: { packet }, action: XDP_PASS };
}

/** With everything that stays: options, TTL, TOS, padding. */
const rich = { tos: 0xb8, ttl: 1, identification: 0xbeef, dontFragment: true, options };
const padding = new Uint8Array(5).fill(0xa5);
const padded = (packet: Uint8Array): Uint8Array => new Uint8Array([...packet, ...padding]);

/** An IP checksum that is wrong, and stays so. */
const wrongIp = (packet: Uint8Array): Uint8Array => {
  const changed = packet.slice();
  writeU16(changed, 24, 0x1234);
  return changed;
};

const withBytes = (packet: Uint8Array, at: number, ...bytes: readonly number[]): Uint8Array => {
  const changed = packet.slice();
  changed.set(bytes, at);
  return changed;
};

export function icmpEchoExamples(): readonly Example[] {
  const ping: Uint8Array = build.frame(away, build.ipv4(away4), build.echoRequest(), payload);
  const ping6: Uint8Array = build.frame(away, build.ipv6(away6), build.echoRequest6(), payload);
  /** The message that is all zero but for its type, and the one answer to it that verifies. */
  const zeroRequest = build.frame(away, build.ipv4(away4), build.echoRequest({ identifier: 0, sequence: 0 }));
  const zeroReply = build.frame(
    back,
    build.ipv4(back4),
    build.echoReply({ identifier: 0, sequence: 0, checksum: 0xffff }),
  );
  /** A request whose reply has the checksum 0x0000, which is written as 0xffff. */
  const carryRequest = build.frame(
    away,
    build.ipv4(away4),
    build.echoRequest({ identifier: 0xffff, sequence: 0 }),
  );
  const carryReply = build.frame(
    back,
    build.ipv4(back4),
    build.echoReply({ identifier: 0xffff, sequence: 0, checksum: 0xffff }),
  );
  return [
    answers('an echo request', ping, build.frame(back, build.ipv4(back4), build.echoReply(), payload)),
    answers(
      'an echo request over IPv6',
      ping6,
      build.frame(back, build.ipv6(back6), build.echoReply6(), payload),
    ),
    answers(
      'a request of odd length',
      build.frame(away, build.ipv4(away4), build.echoRequest(), payload.subarray(0, 3)),
      build.frame(back, build.ipv4(back4), build.echoReply(), payload.subarray(0, 3)),
    ),
    answers('the request that is all zero, with 0xffff', zeroRequest, zeroReply),
    answers('with 0xffff where the sum comes to 0x0000', carryRequest, carryReply),
    answers(
      'a request with a wrong checksum, wrong by the same amount',
      build.frame(away, build.ipv4(away4), build.echoRequest({ checksum: 0x1000 }), payload),
      build.frame(back, build.ipv4(back4), build.echoReply({ checksum: 0x1800 }), payload),
    ),
    answers(
      'and keeps options, TTL, TOS and padding',
      padded(build.frame(away, build.ipv4({ ...away4, ...rich }), build.echoRequest(), payload)),
      padded(build.frame(back, build.ipv4({ ...back4, ...rich }), build.echoReply(), payload)),
    ),
    answers(
      'and does not look at the IP checksum',
      wrongIp(ping),
      wrongIp(build.frame(back, build.ipv4(back4), build.echoReply(), payload)),
    ),
    answers(
      'behind one tag',
      build.frame(away, build.vlan({ id: 2 }), build.ipv4(away4), build.echoRequest()),
      build.frame(back, build.vlan({ id: 2 }), build.ipv4(back4), build.echoReply()),
    ),
    answers(
      'behind two tags',
      build.frame(
        away,
        build.vlan({ service: true }),
        build.vlan({ priority: 7 }),
        build.ipv6(away6),
        build.echoRequest6(),
      ),
      build.frame(
        back,
        build.vlan({ service: true }),
        build.vlan({ priority: 7 }),
        build.ipv6(back6),
        build.echoReply6(),
      ),
    ),
    answers(
      'DF and the reserved bit are no fragments:',
      build.frame(away, build.ipv4({ ...away4, dontFragment: true, reserved: true }), build.echoRequest()),
      build.frame(back, build.ipv4({ ...back4, dontFragment: true, reserved: true }), build.echoReply()),
    ),
    passes(
      'three tags',
      build.frame(away, build.vlan(), build.vlan(), build.vlan(), build.ipv4(away4), build.echoRequest()),
    ),
    passes('a tag that is cut off', build.frame(away, build.vlan(), build.ipv4(away4)).subarray(0, 17)),
    passes('a frame too short for Ethernet', ping.subarray(0, 13)),
    passes('ARP', build.frame(away, build.arp())),
    passes(
      'a broadcast frame',
      build.frame(
        build.ethernet({ destination: 'ff:ff:ff:ff:ff:ff' }),
        build.ipv4(away4),
        build.echoRequest(),
      ),
    ),
    passes(
      'a frame from a group address',
      build.frame(build.ethernet({ source: '03:00:00:00:00:02' }), build.ipv4(away4), build.echoRequest()),
    ),
    passes(
      'a multicast ping',
      build.frame(away, build.ipv4({ ...away4, destination: '224.0.0.1' }), build.echoRequest()),
    ),
    passes(
      'a ping to the limited broadcast',
      build.frame(away, build.ipv4({ ...away4, destination: '255.255.255.255' }), build.echoRequest()),
    ),
    passes(
      'a ping from nowhere',
      build.frame(away, build.ipv4({ ...away4, source: '0.0.0.0' }), build.echoRequest()),
    ),
    passes(
      'a ping from a multicast address',
      build.frame(away, build.ipv4({ ...away4, source: '239.1.2.3' }), build.echoRequest()),
    ),
    passes(
      'a ping from the limited broadcast',
      build.frame(away, build.ipv4({ ...away4, source: '255.255.255.255' }), build.echoRequest()),
    ),
    passes(
      'a first fragment',
      build.frame(away, build.ipv4({ ...away4, moreFragments: true }), build.echoRequest()),
    ),
    passes(
      'a later fragment',
      build.frame(away, build.ipv4({ ...away4, fragmentOffset: 1 }), build.echoRequest()),
    ),
    passes('another code', build.frame(away, build.ipv4(away4), build.echoRequest({ code: 1 }))),
    passes('an echo reply', build.frame(away, build.ipv4(away4), build.echoReply())),
    passes('UDP', build.frame(away, build.ipv4(away4), build.udp({ destinationPort: 0x0800 }))),
    passes('an ihl below 5', withBytes(ping, 14, 0x44)),
    passes('an ihl beyond the frame', withBytes(ping.subarray(0, 50), 14, 0x4f)),
    passes('another version', withBytes(ping, 14, 0x55)),
    passes('a total length that ends within the ICMP header', withBytes(ping, 16, 0, 27)),
    passes('a total length beyond the frame', withBytes(ping, 16, 0, 85)),
    passes('a request cut off within the ICMP header', withBytes(ping.subarray(0, 41), 16, 0, 27)),
    passes(
      'a multicast ping over IPv6',
      build.frame(away, build.ipv6({ ...away6, destination: 'ff02::1' }), build.echoRequest6()),
    ),
    passes(
      'a ping over IPv6 from nowhere',
      build.frame(away, build.ipv6({ ...away6, source: '::' }), build.echoRequest6()),
    ),
    passes(
      'a ping over IPv6 from a multicast address',
      build.frame(away, build.ipv6({ ...away6, source: 'ff05::2' }), build.echoRequest6()),
    ),
    passes('another code over IPv6', build.frame(away, build.ipv6(away6), build.echoRequest6({ code: 1 }))),
    passes('an echo reply over IPv6', build.frame(away, build.ipv6(away6), build.echoReply6())),
    passes('a payload length below 8', withBytes(ping6, 18, 0, 7)),
    passes('a payload length beyond the frame', withBytes(ping6, 18, 0, 65)),
    passes(
      'a ping behind an extension header',
      build.frame(away, build.ipv6(away6), build.dstopts(), build.echoRequest6()),
    ),
    passes(
      'ICMPv6 over IPv4',
      build.frame(away, build.ipv4({ ...away4, protocol: 58 }), build.echoRequest()),
    ),
    passes(
      'ICMP over IPv6',
      build.frame(away, build.ipv6({ ...away6, nextHeader: 1 }), build.echoRequest6()),
    ),
  ];
}
