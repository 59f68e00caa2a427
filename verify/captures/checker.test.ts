import { describe, expect, it } from 'vitest';
import { LINKTYPE } from '../../corpus/formats/link-type.ts';
import { frame, packet } from '../../sim/packet/build.ts';
import { readU16, writeU16 } from '../../sim/packet/bytes.ts';
import { bytes, data, ethernet, icmp, ipv4, ipv6, tcp, udp } from '../test-support/packets.ts';
import { CaptureChecker, type CheckOptions } from './checker.ts';

const A = { source: '10.0.0.1', destination: '10.0.0.2' };
const B = { source: '2001:db8::1', destination: '2001:db8::2' };

function check(
  frames: readonly Uint8Array[],
  options: CheckOptions = {},
  linkType: number = LINKTYPE.ETHERNET,
): CaptureChecker {
  const checker = new CaptureChecker(options);
  for (const frame of frames) checker.checkPacket(frame, 0, frame.length, linkType);
  checker.end();
  return checker;
}

/** Bytes of a payload, so that no sum is a round number. */
const payload = (size: number): Uint8Array =>
  Uint8Array.from({ length: size }, (_, at) => (at * 37 + 11) & 0xff);

function udp4(size = 100): Uint8Array {
  return packet
    .ethernet()
    .ipv4(A)
    .udp({ sourcePort: 1024, destinationPort: 53 })
    .payload(payload(size))
    .bytes();
}

/** The sum of a pseudo-header, folded: what a stack leaves to the network card. */
function pseudoSum(frame: Uint8Array, from: number, to: number, protocol: number, length: number): number {
  let sum = protocol + length;
  for (let at = from; at < to; at += 2) sum += readU16(frame, at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

describe('checksums that are not filled in yet', () => {
  const tcp6 = packet.ethernet().ipv6(B).tcp({ destinationPort: 80 }).payload(payload(33)).bytes();
  writeU16(tcp6, 14 + 40 + 16, pseudoSum(tcp6, 14 + 8, 14 + 40, 6, 20 + 33));
  const udp = udp4();
  writeU16(udp, 14 + 20 + 6, pseudoSum(udp, 14 + 12, 14 + 20, 17, 8 + 100));

  it('are counted apart and are no faults', () => {
    const checker = check([tcp6, udp]);
    expect([checker.count('tcp', 'offload'), checker.count('udp', 'offload')]).toEqual([1, 1]);
    expect([checker.count('tcp', 'bad'), checker.faultCount]).toEqual([0, 0]);
  });

  it('are bad where one asks for it, with the reason', () => {
    const checker = check([tcp6, udp], { strict: true });
    expect([checker.count('tcp', 'offload'), checker.count('tcp', 'bad')]).toEqual([0, 1]);
    expect(checker.faults).toMatchObject([
      {
        packet: 1,
        layer: 'tcp',
        status: 'bad',
        cause: { id: 'offload' },
        destination: '2001:db8::2',
        destinationPort: 80,
      },
      {
        packet: 2,
        layer: 'udp',
        status: 'bad',
        cause: { id: 'offload' },
        source: '10.0.0.1',
        sourcePort: 1024,
      },
    ]);
  });

  it('may leave the length out where the segment is one that the network card divides', () => {
    const large = packet.ethernet().ipv4(A).tcp({}).payload(payload(4000)).bytes();
    writeU16(large, 14 + 20 + 16, pseudoSum(large, 14 + 12, 14 + 20, 6, 0));
    const checker = check([large]);
    expect([checker.count('tcp', 'offload'), checker.largePackets]).toEqual([1, 1]);
    const small = packet.ethernet().ipv4(A).tcp({}).payload(payload(40)).bytes();
    writeU16(small, 14 + 20 + 16, pseudoSum(small, 14 + 12, 14 + 20, 6, 0));
    expect(check([small]).count('tcp', 'bad')).toBe(1);
  });

  it('are 0 where SCTP has a CRC', () => {
    const sctp = packet.ethernet().ipv4(A).sctp({ checksum: 0 }).payload(payload(20)).bytes();
    expect(check([sctp]).count('sctp', 'offload')).toBe(1);
    const wrong = packet.ethernet().ipv4(A).sctp({ checksum: 1 }).payload(payload(20)).bytes();
    expect(check([wrong]).faults).toMatchObject([{ layer: 'sctp', status: 'bad', got: 1 }]);
  });

  it('are nothing that differs from that sum by one', () => {
    const off = udp.slice();
    writeU16(off, 40, readU16(off, 40) + 1);
    expect(check([off]).count('udp', 'bad')).toBe(1);
  });
});

describe('big TCP segments', () => {
  it.each([
    ['IPv4 with a total length of 0', packet.ethernet().ipv4(A).tcp({}).payload(payload(3001)).bytes(), 16],
    ['IPv6 with a payload length of 0', packet.ethernet().ipv6(B).tcp({}).payload(payload(3001)).bytes(), 18],
  ])('%s end with the frame', (_what, frame, lengthAt) => {
    const header = readU16(frame, 24);
    if (lengthAt === 16)
      writeU16(
        frame,
        24,
        header + readU16(frame, lengthAt) - (header + readU16(frame, lengthAt) > 0xffff ? 0xffff : 0),
      );
    writeU16(frame, lengthAt, 0);
    const checker = check([frame]);
    expect([checker.count('tcp', 'good'), checker.count('ipv4', 'bad'), checker.faultCount]).toEqual([
      1, 0, 0,
    ]);
    expect(checker.largePackets).toBe(1);
    frame[frame.length - 1]! ^= 1;
    expect(check([frame]).count('tcp', 'bad')).toBe(1);
  });
});

/** The frame's IPv4 payload in fragments of 8 × n bytes. */
function fragments4(frame: Uint8Array, size: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  const end = 14 + readU16(frame, 16);
  for (let at = 34; at < end; at += size) {
    const last = at + size >= end;
    const data = frame.subarray(at, Math.min(end, at + size));
    const part = Uint8Array.from([...frame.subarray(0, 34), ...data]);
    writeU16(part, 16, 20 + data.length);
    writeU16(part, 20, ((at - 34) >> 3) | (last ? 0 : 0x2000));
    writeU16(part, 24, 0);
    writeU16(part, 24, ~pseudoSum(part, 14, 34, 0, 0) & 0xffff);
    parts.push(part);
  }
  return parts;
}

describe('fragments', () => {
  const parts = fragments4(udp4(100), 48);
  const wrong = udp4(100);
  wrong[80]! ^= 0x10;
  const wrongParts = fragments4(wrong, 48);

  it('are put together, and the datagram judged once', () => {
    const checker = check(parts);
    expect([
      checker.count('ipv4', 'good'),
      checker.count('udp', 'good'),
      checker.count('udp', 'unverifiable'),
    ]).toEqual([3, 1, 0]);
    expect([checker.reassembled, checker.incompleteFragments]).toEqual([1, 0]);
  });

  it('show the fault with the packet that makes the datagram whole', () => {
    const checker = check([...wrongParts].reverse());
    expect(checker.faults).toMatchObject([
      {
        packet: 3,
        layer: 'udp',
        depth: 0,
        status: 'bad',
        reassembled: true,
        source: '10.0.0.1',
        sourcePort: 1024,
      },
    ]);
  });

  it('are unverifiable where some are missing, are cut off, or are not to be put together', () => {
    for (const [frames, options] of [
      [parts.slice(1), {}],
      [parts.map((part) => part.subarray(0, part.length - 2)), {}],
      [parts, { reassemble: false }],
      [wrongParts, { reassemble: false }],
    ] as const) {
      const checker = check(frames, options);
      expect([
        checker.count('udp', 'unverifiable'),
        checker.count('udp', 'good'),
        checker.faultCount,
      ]).toEqual([frames.length, 0, 0]);
    }
  });

  it('count what is inside of a tunnel once', () => {
    const inner = packet
      .ethernet()
      .ipv4(A)
      .udp({ sourcePort: 7, destinationPort: 4789 })
      .vxlan({ vni: 5 })
      .ethernet()
      .ipv4(B4)
      .udp({})
      .payload(payload(61))
      .bytes();
    const checker = check(fragments4(inner, 80));
    expect([checker.count('udp', 'good'), checker.count('ipv4', 'good'), checker.faultCount]).toEqual([
      2, 3, 0,
    ]);
    const checkerOfFirst = check(fragments4(inner, 80).slice(0, 1));
    expect([checkerOfFirst.count('udp', 'unverifiable'), checkerOfFirst.count('ipv4', 'good')]).toEqual([
      2, 2,
    ]);
  });

  it('are put together to segments longer than a packet can state', () => {
    const segment = tcp(data(65_508));
    const [first, second] = [32_768, segment.length - 32_768].map((size, index) =>
      ethernet(
        0x0800,
        ipv4(6, segment.slice(index * 32_768, index * 32_768 + size), {
          fragment: index === 0 ? 0x2000 : 32_768 >> 3,
        }),
      ),
    );
    const checker = check([first!, second!], { mtu: 65_535 });
    expect([checker.count('tcp', 'good'), checker.reassembled, checker.faultCount]).toEqual([1, 1, 0]);
  });

  it('of IPv6 have no addresses of an IPv4 packet around them', () => {
    const sctp = packet.ethernet().ipv6(B).sctp({ checksum: 1 }).payload(payload(20)).bytes().subarray(54);
    const [first, second] = [sctp.slice(0, 16), sctp.slice(16)].map((part, index) => {
      const header = bytes([132, 0, 0, index === 0 ? 1 : 16, 0, 0, 0, 9]);
      return ethernet(0x0800, ipv4(41, ipv6(44, bytes(header, part))));
    });
    const { faults, reassembled } = check([first!, second!]);
    expect(reassembled).toBe(1);
    expect(faults).toMatchObject([{ layer: 'sctp', status: 'bad', reassembled: true }]);
    expect(faults[0]).not.toHaveProperty('source');
  });

  it('of which some are missing keep their faults: those of headers behind the first', () => {
    const inner = ipv4(17, udp(data(40)));
    inner[10]! ^= 1;
    const tunnel = ethernet(0x0800, ipv4(4, inner));
    const [first] = fragments4(tunnel, 48);
    const checker = new CaptureChecker({ keepFaulty: true });
    checker.checkPacket(first!, 0, first!.length, LINKTYPE.ETHERNET);
    // Nobody knows yet whether the datagram becomes whole.
    expect([checker.count('ipv4', 'good'), checker.count('ipv4', 'bad'), checker.faultCount]).toEqual([
      1, 0, 0,
    ]);
    checker.end();
    expect([checker.count('ipv4', 'bad'), checker.count('udp', 'unverifiable'), checker.faultCount]).toEqual([
      1, 1, 1,
    ]);
    expect(checker.incompleteFragments).toBe(1);
    expect(checker.faults).toMatchObject([{ packet: 1, layer: 'ipv4', depth: 1, status: 'bad' }]);
    expect(checker.faults[0]).not.toHaveProperty('reassembled');
    expect(checker.faulty.has(1)).toBe(true);
    expect(checker.flows.list()).toMatchObject([{ layer: 'ipv4', faults: 1, firstPacket: 1 }]);
  });

  it('name what is not looked into once for each datagram', () => {
    const eigrp = ethernet(0x0800, ipv4(88, data(64)));
    const parts = fragments4(eigrp, 32);
    expect([...check(parts).unexamined]).toEqual([['eigrp', 1]]);
    expect([...check(parts.slice(0, 1)).unexamined]).toEqual([['eigrp', 1]]);
  });

  it('are all marked where their datagram is wrong, and it is handed on', () => {
    const seen: number[][] = [];
    const checker = check([udp4(20), ...wrongParts], {
      keepFaulty: true,
      onFaultyDatagram: ({ origins }) => seen.push(origins.map(({ packet }) => packet)),
    });
    expect([1, 2, 3, 4].filter((number) => checker.faulty.has(number))).toEqual([2, 3, 4]);
    expect(seen).toEqual([[2, 3, 4]]);
    expect(check(parts, { onFaultyDatagram: () => seen.push([]) }).faultCount).toBe(0);
    expect(seen.length).toBe(1);
    expect(check(wrongParts).faulty.size).toBe(0);
  });

  it('have depths that count from the outermost header', () => {
    const tunnelled = wrongParts.map((part) =>
      frame(packet.ethernet().ipv4({ ...B4, protocol: 4 }), part.subarray(14)),
    );
    expect(check(tunnelled).faults).toMatchObject([{ layer: 'udp', depth: 0, packet: 3 }]);
  });
});

const B4 = { source: '192.0.2.1', destination: '192.0.2.2' };

describe('packets that cannot be looked into', () => {
  it('are counted by link type, and do not stop the others', () => {
    const checker = new CaptureChecker();
    checker.checkPacket(udp4(), 0, 142, LINKTYPE.ETHERNET);
    expect(checker.count('udp', 'good')).toBe(1);
  });

  it('are counted by protocol where that has a checksum', () => {
    const eigrp = packet
      .ethernet()
      .ipv4({ ...A, protocol: 88 })
      .payload(payload(40))
      .bytes();
    const arp = packet.ethernet().arp({}).bytes();
    expect([...check([eigrp, eigrp, arp]).unexamined]).toEqual([['eigrp', 2]]);
  });
});

describe('causes', () => {
  it.each<[id: string, damage: (frame: Uint8Array) => void, layer: string]>([
    ['not filled in', (frame) => writeU16(frame, 24, 0), 'ipv4'],
    [
      'bytes swapped',
      (frame) => writeU16(frame, 40, ((readU16(frame, 40) & 0xff) << 8) | (readU16(frame, 40) >> 8)),
      'udp',
    ],
    ['ttl not updated', (frame) => frame.fill(frame[22]! - 1, 22, 23), 'ipv4'],
    ['carry lost', (frame) => writeU16(frame, 40, readU16(frame, 40) - 1), 'udp'],
    ['one bit', (frame) => frame.fill(frame[100]! ^ 0x10, 100, 101), 'udp'],
  ])('%s', (id, damage, layer) => {
    const frame = udp4();
    damage(frame);
    expect(check([frame]).faults).toMatchObject([{ layer, cause: { id } }]);
  });

  it('are the same for a whole flow where every fault has the same difference', () => {
    // An address was rewritten, and the IP header's checksum with it, but not UDP's.
    const frames = [10, 20, 30].map((size) => {
      const frame = udp4(size);
      frame[29] = 77;
      writeU16(frame, 24, 0);
      writeU16(frame, 24, ~pseudoSum(frame, 14, 34, 0, 0) & 0xffff);
      return frame;
    });
    const [flow, ...others] = check(frames).flows.list();
    expect(others).toEqual([]);
    expect(flow).toMatchObject({
      layer: 'udp',
      faults: 3,
      firstPacket: 1,
      flow: '10.0.0.77:1024 → 10.0.0.2:53',
      difference: 76,
    });
  });
});

it('lists faults of some layers only, and as many as asked for', () => {
  const both = udp4();
  both[22]! ^= 1;
  both[100]! ^= 1;
  expect(check([both, both]).faultCount).toBe(4);
  const checker = check([both, both], { layers: new Set(['udp']), maxFaults: 1 });
  expect([checker.faultCount, checker.faults.map(({ layer }) => layer)]).toEqual([2, ['udp']]);
});

describe('what is looked at', () => {
  it('is what the filter takes: packets keep their numbers', () => {
    const wrong = udp4();
    wrong[100]! ^= 1;
    const filter = (all: Uint8Array, from: number, to: number, linkType: number): boolean =>
      linkType === LINKTYPE.ETHERNET && from === 0 && to === all.length && to === wrong.length;
    const checker = check([udp4(30), wrong, udp4(31), wrong], { filter });
    expect([checker.packets, checker.filteredOut, checker.faultCount]).toEqual([4, 2, 2]);
    expect(checker.faults.map(({ packet: number }) => number)).toEqual([2, 4]);
    expect(checker.count('ipv4', 'good')).toBe(2);
  });

  it('is large above the MTU, and no packet is counted twice', () => {
    const of = (size: number, options: CheckOptions = {}): number =>
      check([udp4(size - 28)], options).largePackets;
    expect([of(1500), of(1501)]).toEqual([0, 1]);
    expect([of(100, { mtu: 100 }), of(101, { mtu: 100 })]).toEqual([0, 1]);
    const tunnel = ethernet(0x0800, ipv4(4, ipv4(17, udp(data(1600)))));
    expect(check([tunnel, tunnel]).largePackets).toBe(2);
    const quoted = ethernet(0x0800, ipv4(1, icmp(3, 3, [0, 0, 0, 0], udp4(1600).subarray(14, 54))));
    expect(check([quoted]).largePackets).toBe(0);
  });

  it('is marked where it is faulty and one asks for it', () => {
    const wrong = udp4();
    wrong[100]! ^= 1;
    const unready = udp4();
    writeU16(unready, 40, pseudoSum(unready, 26, 34, 17, 108));
    const marked = (
      keepFaulty: CheckOptions['keepFaulty'],
      more: CheckOptions = {},
      which: 'faulty' | 'unfinished' = 'faulty',
    ): number[] => {
      const checker = check([udp4(), wrong, unready], {
        ...(keepFaulty === undefined ? {} : { keepFaulty }),
        ...more,
      });
      return [1, 2, 3].filter((number) => checker[which].has(number));
    };
    expect(marked(undefined)).toEqual([]);
    expect(marked(false)).toEqual([]);
    expect(marked(true)).toEqual([2]);
    expect(marked('and unfinished')).toEqual([2]);
    expect(marked('and unfinished', {}, 'unfinished')).toEqual([3]);
    expect(marked(true, {}, 'unfinished')).toEqual([]);
    expect(marked(true, { strict: true })).toEqual([2, 3]);
    expect(marked(true, { layers: new Set(['tcp']) })).toEqual([]);
  });

  it('is listed as far as asked for, with causes, and counted beyond', () => {
    const wrong = udp4();
    writeU16(wrong, 40, 0x1234);
    const checker = check([wrong, wrong, wrong], { maxFaults: 2 });
    expect([checker.faults.length, checker.faultCount]).toEqual([2, 3]);
    expect(checker.flows.list()).toMatchObject([{ faults: 3, firstPacket: 1 }]);
  });

  it('is of link types that are known: others are counted', () => {
    const checker = new CaptureChecker();
    const section = { interfaces: [{ linkType: 9999 }, { linkType: LINKTYPE.ETHERNET }] };
    const frame = udp4();
    const batch = {
      ...{ bytes: frame, count: 3, section, mayHaveFcs: false, frameLength: () => frame.length },
      ...{
        offset: new Uint32Array(3),
        length: new Uint32Array(3).fill(frame.length),
        interface: Uint32Array.of(0, 1, 0),
      },
    } as unknown as Parameters<CaptureChecker['check']>[0];
    checker.check(batch);
    expect([...checker.skipped]).toEqual([[9999, 2]]);
    expect([checker.packets, checker.count('udp', 'good')]).toEqual([3, 1]);
    // As far as asked for.
    checker.check(batch, 2);
    expect([checker.packets, checker.count('udp', 'good')]).toEqual([5, 2]);
  });
});
