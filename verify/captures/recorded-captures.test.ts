/** What `checksum` finds in captures of every kind of packet, right and damaged, and what it makes of two captures. */
import { describe, expect, it } from 'vitest';
import { LINKTYPE } from '../../corpus/formats/link-type.ts';
import { toHex } from '../../sim/packet/bytes.ts';
import { CHECKSUM_LAYERS, UNKNOWN } from '../oracle/found.ts';
import { bytes, data, icmp, ipv4, slowSum, tcp, u16, udp, V6_A, V6_B } from '../test-support/packets.ts';
import { changed, fingerprint } from '../test-support/recorded.ts';
import { eth4, eth6, RIGHT_PACKETS } from '../test-support/right-packets.ts';
import { BeforeAfter } from './before-after.ts';
import { CaptureChecker, type CheckOptions } from './checker.ts';
import { REPORTED_STATUSES } from './fault.ts';
import { FlowFaults } from './flow-faults.ts';
import { frameCheckSequence } from './frame-check.ts';
import { identify } from './packet-identity.ts';
import { PacketSet } from './packet-set.ts';
import { type PairedPacket, Pairing } from './pairing.ts';
import { PacketRepair } from './repair.ts';
import { namedNumbers, unexaminedName } from './unexamined.ts';

/** Checks frames that lie in one arena, and says everything that a report says. */
function report(frames: readonly Uint8Array[], options: CheckOptions = {}, linkType?: number): string[] {
  const checker = new CaptureChecker({ keepFaulty: true, ...options });
  for (const frame of frames) {
    const arena = bytes(data(5), frame, data(3));
    checker.checkPacket(arena, 5, frame.length, linkType ?? LINKTYPE.ETHERNET);
  }
  checker.end();
  const { packets, filteredOut, faults, faultCount, skipped, unexamined, largePackets } = checker;
  const { reassembled, incompleteFragments, flows, faulty } = checker;
  const counts = CHECKSUM_LAYERS.flatMap((layer) =>
    REPORTED_STATUSES.flatMap((status) => {
      const count = checker.count(layer, status);
      return count === 0 ? [] : [`${layer} ${status} ${count}`];
    }),
  );
  const numbers = frames.map((_, index) => index + 1).filter((packet) => faulty.has(packet));
  return [
    `packets ${packets}, left out ${filteredOut}, faults ${faultCount}, large ${largePackets}, ` +
      `put together ${reassembled}, incomplete ${incompleteFragments}, faulty ${faulty.size}: ${numbers}`,
    counts.join(', '),
    ...faults.map((fault) => JSON.stringify(fault)),
    ...[...skipped].map(([type, count]) => `skipped ${type}: ${count}`),
    ...[...unexamined].map(([name, count]) => `unexamined ${name}: ${count}`),
    ...flows.list().map((flow) => `flow ${JSON.stringify(flow)}`),
    `other flows ${flows.others}`,
  ];
}

/** The frame with a byte in the middle, and each of its last 8, changed. */
const damaged = (packet: Uint8Array): Uint8Array[] =>
  [packet.length >> 1, ...Array.from({ length: 8 }, (_, index) => packet.length - 1 - index)].map((at) => {
    const copy = packet.slice();
    copy[at]! ^= 1 << (at & 7);
    return copy;
  });

/** An IPv4 packet's payload in fragments of `size` bytes. */
function fragmentsOf(packet: Uint8Array, size: number): Uint8Array[] {
  const payload = packet.subarray(34);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < payload.length; at += size) {
    const more = at + size < payload.length ? 0x2000 : 0;
    parts.push(eth4(packet[23]!, payload.slice(at, at + size), { fragment: more | (at >> 3) }));
  }
  return parts;
}

/** An IPv6 packet's payload in fragments of `size` bytes; `from` replaces the first byte of the source. */
function fragmentsOf6(packet: Uint8Array, size: number, from = packet[22]!, more = 0): Uint8Array[] {
  const payload = packet.subarray(54);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < payload.length; at += size) {
    const rest = at + size < payload.length ? 1 : more;
    const part = eth6(
      44,
      bytes([packet[20]!, 0], u16(at | rest), [0, 0, 0, 7], payload.slice(at, at + size)),
    );
    part[22] = from;
    parts.push(part);
  }
  return parts;
}

const partial = (packet: Uint8Array, field: number, protocol: number, length: number): Uint8Array => {
  const copy = packet.slice();
  copy.set(u16(slowSum([...packet.subarray(26, 34), ...u16(protocol), ...u16(length)])), field);
  return copy;
};

const CAPTURES: Readonly<Record<string, [frames: readonly Uint8Array[], options?: CheckOptions]>> = {
  'every right packet': [Object.values(RIGHT_PACKETS)],
  'every right packet, fragments left alone': [Object.values(RIGHT_PACKETS), { reassemble: false }],
  'UDP, damaged': [damaged(RIGHT_PACKETS.UDP!)],
  'UDP, damaged, of which two are listed': [damaged(RIGHT_PACKETS.UDP!), { maxFaults: 2 }],
  'UDP, damaged, of which none is listed': [damaged(RIGHT_PACKETS.UDP!), { maxFaults: 0 }],
  'UDP, damaged, of which only TCP counts': [damaged(RIGHT_PACKETS.UDP!), { layers: new Set(['tcp']) }],
  'VXLAN, damaged': [damaged(RIGHT_PACKETS.VXLAN!)],
  'fragments of UDP': [fragmentsOf(eth4(17, udp(data(100))), 48)],
  'fragments of damaged UDP': [fragmentsOf(damaged(eth4(17, udp(data(100))))[0]!, 48)],
  'fragments of UDP, one missing': [fragmentsOf(eth4(17, udp(data(100))), 48).slice(1)],
  'fragments of an ICMP error, damaged inside': [
    fragmentsOf(damaged(eth4(1, icmp(3, 1, [0, 0, 0, 0], ipv4(17, udp(data(60))))))[0]!, 48),
  ],
  'fragments of a tunnel, damaged inside': [fragmentsOf(damaged(RIGHT_PACKETS['IPv4 in IPv4']!)[3]!, 32)],
  'fragments in a tunnel whose own header is wrong': [
    fragmentsOf(damaged(eth4(17, udp(data(100))))[0]!, 48).map((part) => {
      const outer = eth4(4, part.slice(14));
      outer[24]! ^= 1;
      return outer;
    }),
  ],
  'fragments in a tunnel': [
    fragmentsOf(damaged(eth4(17, udp(data(100))))[0]!, 48).map((part) => eth4(4, part.slice(14))),
  ],
  'fragments over IPv6': [fragmentsOf6(eth6(17, udp(data(100), V6_A, V6_B)), 48)],
  'fragments over IPv6, damaged': [fragmentsOf6(damaged(eth6(17, udp(data(100), V6_A, V6_B)))[0]!, 48)],
  'fragments over IPv6, one missing': [fragmentsOf6(eth6(17, udp(data(100), V6_A, V6_B)), 48).slice(1)],
  'fragments over IPv6 without an end': [fragmentsOf6(eth6(17, udp(data(88), V6_A, V6_B)), 48, undefined, 1)],
  'fragments of two hosts, whose addresses begin differently': [
    [0x20, 0x30].flatMap((from, index) =>
      fragmentsOf6(eth6(17, udp(data(100), V6_A, V6_B)), 48, from).filter((_, part) => part % 2 === index),
    ),
  ],
  'fragments with a fault in the first, one missing': [
    fragmentsOf(eth4(4, bytes(ipv4(17, udp(data(60))).fill(9, 8, 9))), 48).slice(0, 1),
  ],
  'what the network card has to finish': [
    [
      partial(RIGHT_PACKETS.TCP!, 50, 6, RIGHT_PACKETS.TCP!.length - 34),
      partial(RIGHT_PACKETS.UDP!, 40, 17, RIGHT_PACKETS.UDP!.length - 34),
      partial(eth4(6, tcp(data(1379))), 50, 6, 0),
      partial(eth4(6, tcp(data(1380))), 50, 6, 0),
    ],
  ],
  'what the network card has to finish, strictly': [
    [partial(RIGHT_PACKETS.TCP!, 50, 6, RIGHT_PACKETS.TCP!.length - 34)],
    { strict: true },
  ],
  'unfinished ones kept': [
    [partial(RIGHT_PACKETS.TCP!, 50, 6, RIGHT_PACKETS.TCP!.length - 34), RIGHT_PACKETS.TCP!],
    { keepFaulty: 'and unfinished' },
  ],
  'packets of 1500 bytes, and longer': [
    [
      eth4(17, udp(data(1472))),
      eth4(17, udp(data(1473))),
      eth6(17, udp(data(1452), V6_A, V6_B)),
      eth6(17, udp(data(1453), V6_A, V6_B)),
    ],
  ],
  'packets of 100 bytes, and longer': [[eth4(17, udp(data(72))), eth4(17, udp(data(73)))], { mtu: 100 }],
};

describe('what is found in captures', () => {
  it.each(Object.entries(CAPTURES))('%s', async (name, [frames, options]) => {
    const file = `recorded/${name.replaceAll(/\W+/g, '-')}.txt`;
    await expect(`${report(frames, options).join('\n')}\n`).toMatchFileSnapshot(file);
  });

  it('is as recorded for every kind of packet, damaged, and can be repaired', async () => {
    const repair = new PacketRepair();
    const lines = Object.entries(RIGHT_PACKETS).map(([name, packet]) => {
      const frames = [...damaged(packet), ...[...changed(packet, 22)].map(([, copy]) => copy)];
      const all = report(frames);
      for (const frame of frames) {
        const fcs = frameCheckSequence(frame);
        const patches = repair.packet(frame, LINKTYPE.ETHERNET, fcs);
        all.push(JSON.stringify(patches));
        const repaired = bytes(frame, fcs);
        for (const { at, value } of patches) repaired[at] = value;
        const right = repaired.subarray(0, frame.length);
        // What is right needs nothing more, and a sequence that was wrong stays so.
        const others = repair.packet(frame, LINKTYPE.ETHERNET, Uint8Array.of(1, 2, 3, 4));
        if (
          toHex(frameCheckSequence(right)) !== toHex(repaired.subarray(frame.length)) ||
          repair.packet(right, LINKTYPE.ETHERNET).length > 0 ||
          JSON.stringify(others) !== JSON.stringify(patches.filter(({ at }) => at < frame.length))
        )
          expect.fail(`${name}: ${toHex(frame)} was not repaired`);
      }
      return `${name}: ${fingerprint(`captured ${name}`, all)}`;
    });
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/damaged-packets.txt');
  });

  it('is the same behind other link layers', async () => {
    const ip = RIGHT_PACKETS.UDP!.subarray(14);
    const broken = damaged(ip);
    const lines = [
      ...report([ip, ...broken], {}, LINKTYPE.RAW),
      ...report(
        [bytes(data(14), 8, 0, ip), ...broken.map((one) => bytes(data(14), 8, 0, one))],
        {},
        LINKTYPE.LINUX_SLL,
      ),
    ];
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/link-layers.txt');
  });
});

describe('protocols that are not looked into', () => {
  it('are as recorded', async () => {
    const lines = Object.values(UNKNOWN).flatMap((space) =>
      [...namedNumbers(space)]
        .sort((a, b) => a - b)
        .map((number) => `${space} ${number}: ${unexaminedName(space, number)}`),
    );
    expect(unexaminedName(UNKNOWN.etherType, 0x0806)).toBeUndefined();
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/unexamined.txt');
  });
});

describe('packets before and behind a device', () => {
  /** What devices do to packets. */
  const DEVICES: Readonly<Record<string, (frame: Uint8Array) => Uint8Array>> = {
    'nothing is done': (frame) => frame,
    'a tag is pushed': (frame) => bytes(frame.subarray(0, 12), 0x81, 0, 0, 5, frame.subarray(12)),
    'a TTL is lowered': (frame) => bytes(frame.subarray(0, 22), frame[22]! - 1, frame.subarray(23)),
    'an address is changed': (frame) => bytes(frame.subarray(0, 29), 77, frame.subarray(30)),
    'data are changed': (frame) => bytes(frame.subarray(0, frame.length - 1), 77),
  };

  it('are known again as recorded', async () => {
    const lines = Object.entries(RIGHT_PACKETS).map(([name, packet]) => {
      const all: string[] = [];
      for (let length = 12; length < packet.length; length += 5)
        all.push(JSON.stringify(identify(packet.subarray(0, length)) ?? null));
      for (const [, copy] of changed(packet, 40)) all.push(JSON.stringify(identify(copy) ?? null));
      return `${name}: ${JSON.stringify(identify(packet) ?? null)}, ${fingerprint(`identity ${name}`, all)}`;
    });
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/identities.txt');
  });

  it.each(Object.entries(DEVICES))('are paired and judged as recorded where %s', async (device, apply) => {
    const lines: string[] = [];
    const before = Object.values(RIGHT_PACKETS);
    for (const limit of [64 * 1024, 3000]) {
      const judge = new BeforeAfter({ strict: false, maxFaults: 9 });
      const pairs: string[] = [];
      const pairing = new Pairing((one: PairedPacket, other: PairedPacket) => {
        pairs.push(`${one.packet}-${other.packet}`);
        judge.judge(one, other);
      }, limit);
      // They do not leave in the order in which they came.
      const after = before.map((frame, index) => [index + 1, apply(frame)] as const).reverse();
      for (const [index, frame] of before.entries()) {
        pairing.add('before', index + 1, frame);
        if (index % 3 !== 2) continue;
        for (const [packet, left] of after.splice(-2)) pairing.add('after', packet, left);
      }
      for (const [packet, left] of after) pairing.add('after', packet, left);
      pairing.end();
      const { paired, withoutIp, alone } = pairing;
      const { faultCount, faults, unfinished, unjudged } = judge;
      lines.push(
        JSON.stringify({ limit, paired, withoutIp, alone, faultCount, unfinished, unjudged }),
        pairs.join(' '),
        ...faults.map((fault) => JSON.stringify(fault)),
      );
    }
    const file = `recorded/device-${device.replaceAll(/\W+/g, '-')}.txt`;
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(file);
  });

  it('are not blamed for what the network card finishes, unless that is asked for', () => {
    const came = { packet: 1, frame: RIGHT_PACKETS.UDP!, identity: identify(RIGHT_PACKETS.UDP!)! };
    const frame = partial(RIGHT_PACKETS.UDP!, 40, 17, RIGHT_PACKETS.UDP!.length - 34);
    const left = { packet: 2, frame, identity: came.identity };
    for (const strict of [false, true]) {
      const judge = new BeforeAfter({ strict, maxFaults: 9 });
      judge.judge(came, left);
      expect([judge.unfinished, judge.faultCount, judge.faults.length]).toEqual(
        strict ? [0, 1, 1] : [1, 0, 0],
      );
    }
    const none = new BeforeAfter({ strict: true, maxFaults: 0 });
    none.judge(came, left);
    expect([none.faultCount, none.faults]).toEqual([1, []]);
  });
});

describe('conversations with faults', () => {
  it('are counted one by one, up to ten thousand', () => {
    const flows = new FlowFaults();
    expect(flows.list()).toEqual([]);
    for (let index = 0; index < 10_001; index++) {
      // Many share a slot.
      const key = { low: index & 0xff, high: index >> 8 };
      expect(flows.count(key, 'udp', 5, 3)).toBe(index === 10_000);
      if (index < 10_000) flows.open(key, `flow ${index}`, 'udp', index + 1, 5, 3);
    }
    expect([flows.size, flows.others]).toEqual([10_000, 1]);
    expect(flows.count({ low: 7, high: 1 }, 'udp', 5, 3)).toBe(true);
    expect(flows.count({ low: 9, high: 0 }, 'udp', 6, 3)).toBe(true);
    expect(flows.count({ low: 9, high: 0 }, 'udp', 6, 3)).toBe(true);
    expect(flows.others).toBe(1);
    expect(flows.list(3)).toEqual([
      { flow: 'flow 9', layer: 'udp', faults: 3, firstPacket: 10, difference: -1 },
      { flow: 'flow 263', layer: 'udp', faults: 2, firstPacket: 264, difference: 2 },
      { flow: 'flow 0', layer: 'udp', faults: 1, firstPacket: 1, difference: 2 },
    ]);
  });

  it('have a difference in ones’ complement, except with a CRC', () => {
    for (const [layer, got, expected, difference] of [
      ['udp', 1, 2, 0xfffe],
      ['udp', 3, 0xffff, 3],
      ['udp', 0xffff, 0, 0],
      ['tcp', 0x1234, 0x1233, 1],
      ['sctp', 5, 3, -1],
    ] as const) {
      const flows = new FlowFaults();
      flows.open({ low: 1, high: 2 }, '', layer, 1, got, expected);
      expect(flows.list()[0]!.difference).toBe(difference);
    }
  });
});

describe('a set of packet numbers', () => {
  it('holds what was added, on both sides of its pages', () => {
    const set = new PacketSet();
    const numbers = [0, 1, 7, 8, 32_767, 32_768, 32_769, 1_000_000];
    for (const number of [...numbers, ...numbers]) set.add(number);
    expect(set.size).toBe(numbers.length);
    for (const number of numbers) expect(set.has(number)).toBe(true);
    for (const number of [2, 6, 9, 15, 16, 32_766, 32_770, 65_536, 1_000_001, 999_999, 5_000_000])
      expect(set.has(number)).toBe(false);
  });
});
