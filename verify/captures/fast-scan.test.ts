import { describe, expect, it } from 'vitest';
import { AnyCaptureDecoder } from '../../corpus/formats/capture.ts';
import { LINKTYPE } from '../../corpus/formats/link-type.ts';
import { PcapEncoder } from '../../corpus/formats/pcap.ts';
import { PacketGenerator } from '../../corpus/generate/generator.ts';
import { TEST_RUN_LIMITS } from '../../corpus/generate/packet-limits.ts';
import { Random, seedFromText } from '../../corpus/generate/random.ts';
import { bytesOf } from '../../corpus/test-support/captures.ts';
import { ethernet, type LayerStack, packet } from '../../sim/packet/build.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { CHECKSUM_LAYERS } from '../oracle/found.ts';
import {
  bytes,
  data,
  ethernet as ethernetFrame,
  ipv4,
  ipv6,
  tcp,
  udp,
  V4_A,
  V4_B,
  V6_A,
  V6_B,
} from '../test-support/packets.ts';
import { CaptureChecker, type CheckOptions } from './checker.ts';
import { FastScan } from './fast-scan.ts';
import { REPORTED_STATUSES } from './fault.ts';

const fast = new FastScan();

/** Every number of a report. */
function numbers(checker: CaptureChecker): unknown {
  const counts = CHECKSUM_LAYERS.map((layer) =>
    REPORTED_STATUSES.map((status) => checker.count(layer, status)),
  );
  const { packets, faults, faultCount, largePackets, reassembled, incompleteFragments, unexamined, skipped } =
    checker;
  return {
    flows: checker.flows.list(),
    faulty: Array.from({ length: packets + 1 }, (_, packet) => packet).filter((packet) =>
      checker.faulty.has(packet),
    ),
    counts,
    packets,
    faults,
    faultCount,
    largePackets,
    reassembled,
    incompleteFragments,
    unexamined,
    skipped,
  };
}

function captureOf(frames: readonly Uint8Array[], linkType: number): Uint8Array {
  const encoder = new PcapEncoder({ linkType });
  for (const frame of frames) encoder.packet(frame, 0, frame.length, 0, 0);
  return encoder.take().slice();
}

/** Checks a capture that comes in pieces. @returns the numbers, and how many packets were counted without the scanner */
function check(
  capture: Uint8Array,
  how: 'slow' | 'copied' | 'in place',
  pieceSize: number,
  options: CheckOptions = {},
): [unknown, number] {
  fast.release();
  const checker = new CaptureChecker({ mtu: 200, ...options, ...(how === 'slow' ? {} : { fast }) });
  const decoder = new AnyCaptureDecoder(how === 'in place' ? fast : undefined);
  let plain = 0;
  const take = (): void => {
    for (let batch = decoder.next(); batch !== undefined; batch = decoder.next()) {
      if (how !== 'slow') {
        if (fast.scan(batch, { mtu: 200, leavesFragments: true })) plain += batch.count - fast.leftCount;
      }
      checker.check(batch);
    }
  };
  for (let at = 0; at < capture.length; at += pieceSize) {
    decoder.push(capture.slice(at, at + pieceSize));
    take();
  }
  decoder.end();
  take();
  checker.end();
  return [numbers(checker), plain];
}

/** Whole numbers below the argument, always the same ones. */
function random(seed: string): (below: number) => number {
  const generator = new Random();
  generator.start(seedFromText(seed), 0);
  return (below) => (generator.bits() >>> 0) % below;
}

/** What the generator makes: plain packets, mutated ones, and everything between. */
function generated(count: number): Uint8Array[] {
  const batch = new PacketBatch(count);
  new PacketGenerator(undefined, ['xdp']).fill(batch, seedFromText('fast scan'), 0, count, TEST_RUN_LIMITS);
  return Array.from({ length: count }, (_, index) => {
    const at = batch.offset[index]!;
    return batch.bytes.slice(at, at + batch.length[index]!);
  });
}

describe('the fast scan', () => {
  const frames = generated(6000);
  const capture = captureOf(frames, LINKTYPE.ETHERNET);

  it.each(['copied', 'in place'] as const)(
    'comes to the scanner’s numbers on generated packets, %s',
    (how) => {
      const [slow] = check(capture, 'slow', 100_000);
      const [quick, plain] = check(capture, how, 100_000);
      expect(quick).toEqual(slow);
      // Not by leaving everything to the scanner.
      expect(plain).toBeGreaterThan(1000);
    },
  );

  // Plain packets in a row are judged by another function than those between others.
  it('comes to the scanner’s numbers where runs of plain packets end in one that is not', () => {
    const plain = ethernet()
      .ipv4({})
      .udp({ sourcePort: 4000, destinationPort: 5000 })
      .payload(Uint8Array.of(1, 2))
      .bytes();
    const wrong = plain.slice();
    wrong[wrong.length - 1]!++;
    const mixed = Array.from({ length: 40 }, (_, run) => [
      ...new Array<Uint8Array>(run).fill(plain),
      wrong,
    ]).flat();
    const file = captureOf(mixed, LINKTYPE.ETHERNET);
    const [slow] = check(file, 'slow', 100_000);
    expect(slow).toMatchObject({ packets: 820, faultCount: 40 });
    expect(check(file, 'copied', 100_000)).toEqual([slow, 820]);
    expect(check(file, 'in place', 1000)).toEqual([slow, 820]);
  });

  // Whatever a byte can say: headers that lie, protocols by the dozen, packets that end anywhere.
  it('comes to the scanner’s numbers on damaged packets, whatever is asked for', () => {
    const next = random('damaged');
    const damaged = frames.flatMap((frame) =>
      Array.from({ length: 3 }, () => {
        const out = frame.slice(0, next(8) === 0 ? next(frame.length + 1) : frame.length);
        // Where headers are, rather than data.
        for (let times = next(4); times > 0 && out.length > 0; times--) {
          out[next(Math.min(out.length, 90))] = next(3) === 0 ? next(8) : next(256);
        }
        return out;
      }),
    );
    const bytes = captureOf(damaged, LINKTYPE.ETHERNET);
    const asked: readonly CheckOptions[] = [
      {},
      { reassemble: false, strict: true, keepFaulty: true },
      { reassemble: false, maxFaults: 3, layers: new Set(['udp', 'icmpv6']) },
      { maxFaults: 5 },
    ];
    for (const options of asked) {
      const [slow] = check(bytes, 'slow', 300_000, options);
      const [quick, plain] = check(bytes, 'in place', 300_000, options);
      expect(quick).toEqual(slow);
      expect(plain).toBeGreaterThan(damaged.length * 0.6);
    }
  });

  it('counts what is left to the network card, and the faults of one conversation, as the scanner does', () => {
    const pseudo = (sum: number) => (frame: Uint8Array, at: number) => {
      frame.set([sum >> 8, sum & 0xff], at);
      return frame;
    };
    const stack = ethernet().ipv4({ source: '10.0.0.1', destination: '10.0.0.2' });
    const frames = [20, 1500].flatMap((size) => {
      const data = new Uint8Array(size).fill(7);
      const udp = stack.udp({ sourcePort: 4000, destinationPort: 4001 }).payload(data).bytes();
      const tcp = stack.tcp({}).payload(data).bytes();
      // The addresses’ sum, the protocol, and the length, which may be left out where the card divides.
      const [forUdp, forTcp] = [0x1403 + 17, 0x1403 + 6];
      return [
        pseudo(forUdp + size + 8)(udp.slice(), 40),
        pseudo(forUdp)(udp.slice(), 40),
        pseudo(forTcp + size + 20)(tcp.slice(), 50),
        pseudo(forTcp)(tcp.slice(), 50),
        pseudo(forTcp + 1)(tcp.slice(), 50),
        // A further fault of the same conversation, wrong by another amount.
        pseudo(forTcp + 2)(tcp.slice(), 50),
        pseudo(0x1234)(stack.echoRequest({ sequence: 1 }).payload(data).bytes(), 36),
      ];
    });
    const bytes = captureOf([...frames, ...frames], LINKTYPE.ETHERNET);
    for (const options of [{ maxFaults: 0 }, { maxFaults: 0, strict: true }, { maxFaults: 4 }]) {
      const [slow] = check(bytes, 'slow', 1_000_000, options);
      const [quick, plain] = check(bytes, 'in place', 1_000_000, options);
      expect(quick).toEqual(slow);
      expect(plain).toBe(frames.length * 2);
    }
    const checker = new CaptureChecker({ maxFaults: 0, fast });
    const decoder = new AnyCaptureDecoder();
    decoder.push(bytes);
    checker.check(decoder.next()!);
    expect(checker.count('udp', 'offload')).toBe(2 * 3);
    expect(checker.count('tcp', 'offload')).toBe(2 * 3);
    expect(checker.count('tcp', 'bad')).toBe(2 * 5);
  });

  it('judges nearly all generated packets itself', () => {
    const [, plain] = check(capture, 'in place', 1_000_000);
    expect(plain / frames.length).toBeGreaterThan(0.85);
  });

  it.each([
    ['RAW', LINKTYPE.RAW, 14],
    ['SLL', LINKTYPE.LINUX_SLL, -2],
  ])('does so behind other link-layer headers: %s', (_name, linkType, shift) => {
    const others = frames.map((frame) =>
      shift > 0 ? frame.subarray(shift) : Uint8Array.from([0, 0, ...frame]),
    );
    const bytes = captureOf(others, linkType);
    const [slow] = check(bytes, 'slow', 50_000);
    const [quick, plain] = check(bytes, 'copied', 50_000);
    expect(quick).toEqual(slow);
    expect(plain).toBeGreaterThan(800);
  });

  it('comes to the scanner’s numbers for every length, and for each bit that is wrong', () => {
    const data = (size: number): Uint8Array =>
      Uint8Array.from({ length: size }, (_, at) => (at * 131 + 7) & 0xff);
    const stacks: ((size: number) => LayerStack)[] = [
      (size) => ethernet().ipv4({}).tcp({ sequence: 5 }).payload(data(size)),
      (size) => ethernet().vlan({ id: 3 }).ipv6({}).tcp({}).payload(data(size)),
      (size) => ethernet().ipv4({}).udp({ sourcePort: 4000, destinationPort: 53 }).payload(data(size)),
      (size) => ethernet().ipv6({}).udp({ sourcePort: 4000, destinationPort: 4001 }).payload(data(size)),
      (size) => ethernet().ipv4({}).echoRequest({ sequence: 3 }).payload(data(size)),
      (size) =>
        ethernet().vlan({ service: true }).vlan({}).ipv6({}).echoReply6({ sequence: 3 }).payload(data(size)),
    ];
    const right = stacks.flatMap((stack) => Array.from({ length: 70 }, (_, size) => stack(size).bytes()));
    const [slow] = check(captureOf(right, LINKTYPE.ETHERNET), 'slow', 10_000);
    const [quick, plain] = check(captureOf(right, LINKTYPE.ETHERNET), 'in place', 10_000);
    expect(quick).toEqual(slow);
    expect(plain).toBe(right.length);
    const wrong = stacks.flatMap((stack) => {
      const frame = stack(9).bytes();
      return Array.from({ length: frame.length * 8 }, (_, bit) => {
        const out = frame.slice();
        out[bit >> 3]! ^= 1 << (bit & 7);
        return out;
      });
    });
    const bytes = captureOf(wrong, LINKTYPE.ETHERNET);
    expect(check(bytes, 'in place', 10_000)[0]).toEqual(check(bytes, 'slow', 10_000)[0]);
  });

  it.each([
    ['Ethernet', LINKTYPE.ETHERNET, '020000000001020000000002 0800'],
    ['Linux cooked', LINKTYPE.LINUX_SLL, '0000 0001 0006 0200000000010000 0800'],
    ['Linux cooked 2', LINKTYPE.LINUX_SLL2, '0800 0000 00000001 0001 00 06 0200000000010000'],
    ['Cisco HDLC', LINKTYPE.C_HDLC, '0f000800'],
    ['raw IP', LINKTYPE.RAW, ''],
    ['raw IP as DLT_RAW', LINKTYPE.DLT_RAW, ''],
    ['raw IP as OpenBSD has it', LINKTYPE.DLT_RAW_OPENBSD, ''],
  ])('judges every packet itself behind the header of %s', (_what, linkType, header) => {
    const link = bytesOf(header);
    const right = ipv4(6, tcp(data(30)));
    const wrong = right.slice();
    wrong[50]! ^= 1;
    const frames = [right, wrong, right].map((one) => bytes(link, one));
    const [slow] = check(captureOf(frames, linkType), 'slow', 10_000);
    expect(slow).toMatchObject({ packets: 3, faultCount: 1 });
    expect(check(captureOf(frames, linkType), 'copied', 10_000)).toEqual([slow, 3]);
  });

  /** Datagrams to the address in the header, and to that in an option or a routing header. */
  const sent = (of: (datagram: Uint8Array) => Uint8Array, own: number[], other: number[]): Uint8Array[] => {
    const from = own.length === 4 ? V4_A : V6_A;
    return [own, other].map((to) =>
      ethernetFrame(own.length === 4 ? 0x0800 : 0x86dd, of(udp(data(20), from, to))),
    );
  };

  it('comes to the scanner’s numbers with every option before a source route', () => {
    const first: readonly number[][] = [
      [],
      [1],
      [0],
      [7, 0],
      [7, 1],
      [7, 2],
      [7, 3, 0],
      [7, 4, 0, 0],
      [130, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      [2, 2, 2, 2],
    ];
    const frames = first.flatMap((before) =>
      [131, 137, 136, 7, 3].flatMap((type) =>
        [4, 8, 12].flatMap((pointer) => {
          const options = [...before, type, 7, pointer, 10, 9, 8, 7];
          while (options.length % 4 !== 0) options.push(0);
          return sent((datagram) => ipv4(17, datagram, { options }), [...V4_B], [10, 9, 8, 7]);
        }),
      ),
    );
    const file = captureOf(frames, LINKTYPE.ETHERNET);
    expect(check(file, 'copied', 100_000)[0]).toEqual(check(file, 'slow', 100_000)[0]);
  });

  it('comes to the scanner’s numbers with every routing header, and home addresses wherever they stand', () => {
    const other = V6_B.map((byte, at) => (at === 15 ? 0x77 : byte));
    const routing = [0, 1, 2, 3, 4, 5, 253].flatMap((type) =>
      [0, 1, 2].flatMap((count) =>
        [0, 1, 2].map(
          (left) =>
            [
              43,
              [17, 2 * count, type, left, 0, 0, 0, 0, ...Array.from({ length: count }, () => other).flat()],
            ] as const,
        ),
      ),
    );
    const pads: readonly number[][] = [[], [0], [0, 0], [1, 0], [1, 1, 0], [1, 2, 0, 0]];
    const home = pads.flatMap((pad) =>
      [0xc9, 0xc8, 0x04].map((type) => {
        const options = [...pad, type, 16, ...other];
        while (options.length % 8 !== 6) options.push(0);
        return [60, [17, (options.length + 2) / 8 - 1, ...options]] as const;
      }),
    );
    const frames = [...routing, ...home].flatMap(([kind, header]) =>
      sent((datagram) => ipv6(kind, bytes(header, datagram)), [...V6_B], other),
    );
    const file = captureOf(frames, LINKTYPE.ETHERNET);
    expect(check(file, 'copied', 100_000)[0]).toEqual(check(file, 'slow', 100_000)[0]);
  });

  it('takes packets to where it can read them, in as many pieces as they need', () => {
    const large = ethernetFrame(0x0800, ipv4(17, udp(data(60_000))));
    const wrong = large.slice();
    wrong[5000]! ^= 1;
    const frames = Array.from({ length: 40 }, (_, index) => (index % 3 === 0 ? wrong : large));
    const batch = { bytes: bytes(...frames), count: frames.length, mayHaveFcs: false };
    const places = Uint32Array.from(frames, (_, index) => index * large.length);
    const lengths = new Uint32Array(frames.length).fill(large.length);
    const section = { interfaces: [{ linkType: LINKTYPE.ETHERNET }] };
    const whole = { ...batch, offset: places, length: lengths, section } as unknown as Parameters<
      FastScan['scan']
    >[0];
    expect(fast.scan(whole, { mtu: 1500, leavesFragments: true })).toBe(true);
    expect([fast.leftCount, fast.large, fast.faultCount]).toEqual([0, 40, 14]);
    expect(Array.from({ length: 14 }, (_, index) => fast.faults.packetOf(index))).toEqual(
      Array.from({ length: 14 }, (_, index) => 3 * index),
    );
  });

  it('sums payloads of nothing but ones up to the longest packet', () => {
    const ones = new Uint8Array(65_535 - 28).fill(0xff);
    const frames = [ones, ones.subarray(1), ones.subarray(0, 40_001)].map((data) =>
      packet.ethernet().ipv4({}).udp({ sourcePort: 9, destinationPort: 9 }).payload(data).bytes(),
    );
    const bytes = captureOf(frames, LINKTYPE.ETHERNET);
    const [quick, plain] = check(bytes, 'copied', bytes.length);
    expect(quick).toEqual(check(bytes, 'slow', bytes.length)[0]);
    expect(plain).toBe(3);
  });

  it('has room for more than it can hold, and says so', () => {
    fast.release();
    expect(fast.allocate(1000)).toHaveLength(1000);
    expect(fast.allocate(64 * 1024 * 1024)).toBeUndefined();
  });
});
