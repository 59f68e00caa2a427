import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import { CHECKSUM, CHECKSUM_LAYERS, verifyChecksums } from '../../verify/oracle/checksums.ts';
import { PACKET_KINDS, PacketGenerator } from './generator.ts';
import { packetBuilder } from './packet-builder.ts';
import { NO_LIMITS, TEST_RUN_LIMITS, withinLimits } from './packet-limits.ts';
import { seedFromText } from './random.ts';

const SEED = seedFromText('generator');

function filled(
  generator: PacketGenerator,
  from: number,
  count: number,
  limits = TEST_RUN_LIMITS,
): PacketBatch {
  const batch = new PacketBatch(count);
  generator.fill(batch, SEED, from, count, limits);
  return batch;
}

function digest(batch: PacketBatch): string {
  const hash = createHash('sha256');
  for (let index = 0; index < batch.count; index++) {
    const { packet, metadata, ...rest } = batch.stimulus(index);
    hash.update(`${packet.length} ${metadata?.length ?? 0} ${JSON.stringify(rest)}`);
    hash.update(packet);
    if (metadata !== undefined) hash.update(metadata);
  }
  return hash.digest('hex');
}

describe('the packet generator', () => {
  it('makes the same bytes from the same seed, in this version, on every machine', () => {
    const generator = new PacketGenerator(
      { metadata: true, ports: [80], addresses: ['10.0.0.1', 'fc00::1'], ingressIfindexes: [1, 7] },
      ['xdp', 'tc-ingress'],
    );
    expect(digest(filled(generator, 0, 20_000))).toMatchInlineSnapshot(
      `"cbc132b89cfdf291a925ef2c325f2805642e7ba6f9c75a50691b5db939c4b39a"`,
    );
    expect(digest(filled(generator, 0, 20_000, NO_LIMITS))).toMatchInlineSnapshot(
      `"8d047058dd89c20bcfbf780619a9bb736d88c9b188e1565f1fe72d2e3fe59459"`,
    );
  });

  it('writes every byte: what earlier packets left on the stage shows nowhere', () => {
    for (const kinds of [{}, { 'ip-other': 6, 'ethernet-other': 6, noise: 0.5 }]) {
      const generator = new PacketGenerator({ kinds, tcpOptions: [19], vlans: [5], metadata: true });
      const digests = [0x00, 0xff].map((left) => {
        const batch = new PacketBatch(20_000, 4_000_000);
        for (let index = 0; index < 20_000; index += 20) {
          packetBuilder.bytes.fill(left);
          generator.fill(batch, SEED, index, 20);
        }
        return digest(batch);
      });
      expect(digests[0]).toBe(digests[1]);
    }
  });

  it('makes other bytes from another seed', () => {
    const generator = new PacketGenerator();
    const other = new PacketBatch(100);
    generator.fill(other, seedFromText('another'), 0, 100);
    expect(digest(other)).not.toBe(digest(filled(generator, 0, 100)));
  });

  it('fills in one go what it fills in pieces, in any order, by several generators, and one by one', () => {
    const hints = { metadata: true };
    const whole = filled(new PacketGenerator(hints), 0, 3000);
    const pieces = [2000, 0, 1000, 2500].map((from) => ({
      from,
      batch: filled(new PacketGenerator(hints), from, 500),
    }));
    for (const { from, batch } of pieces) {
      for (let index = 0; index < batch.count; index++) {
        expect(batch.stimulus(index)).toEqual(whole.stimulus(from + index));
      }
    }
    const single = new PacketGenerator(hints);
    for (let index = 2999; index >= 0; index -= 7) {
      expect(single.single(SEED, index)).toEqual(whole.stimulus(index));
    }
  });

  it('writes every byte of a packet, whatever stage and arena held before', () => {
    const generator = new PacketGenerator({ metadata: true });
    const clean = filled(generator, 0, 5000, NO_LIMITS);
    const dirty = new PacketBatch(5000);
    dirty.bytes.fill(0xa5);
    for (let index = 0; index < 5000; index++) {
      packetBuilder.bytes.fill(index, 0, 8192);
      generator.fill(dirty, SEED, index, 1, NO_LIMITS);
    }
    expect(digest(dirty)).toBe(digest(clean));
  });

  it('makes what each generator makes when several take turns', () => {
    const one = new PacketGenerator({ metadata: true, ports: [80] });
    const other = new PacketGenerator({
      addresses: ['10.9.8.0/24'],
      contents: [{ bytes: Uint8Array.of(1, 2) }],
    });
    const batches = [new PacketBatch(400), new PacketBatch(400)] as const;
    for (let index = 0; index < 400; index++) {
      one.fill(batches[0], SEED, index, 1);
      other.fill(batches[1], SEED, index, 1);
    }
    expect(digest(batches[0])).toBe(digest(filled(one, 0, 400)));
    expect(digest(batches[1])).toBe(digest(filled(other, 0, 400)));
  });

  it('appends behind what a batch holds and refuses more than it takes', () => {
    const generator = new PacketGenerator();
    const batch = new PacketBatch(10);
    generator.fill(batch, SEED, 0, 4);
    generator.fill(batch, SEED, 4, 4);
    expect(digest(batch)).toBe(digest(filled(generator, 0, 8)));
    expect(() => generator.fill(batch, SEED, 8, 3)).toThrow(RangeError);
    expect(batch.count).toBe(8);
  });

  it('goes on beyond 2^32 packets', () => {
    const generator = new PacketGenerator();
    const far = filled(generator, 2 ** 32 + 1, 50);
    expect(digest(far)).not.toBe(digest(filled(generator, 1, 50)));
    expect(generator.single(SEED, 2 ** 32 + 3)).toEqual(far.stimulus(2));
  });
});

describe('limits', () => {
  const hooks: Hook[] = ['xdp', 'tc-ingress', 'tc-egress'];

  it('of BPF_PROG_TEST_RUN hold for every entry, and both ends are reached', () => {
    const generator = new PacketGenerator({ metadata: true }, hooks);
    const batch = filled(generator, 0, 60_000);
    const lengths = new Set<number>();
    for (let index = 0; index < batch.count; index++) {
      const stimulus = batch.stimulus(index);
      const { packet, metadata, entry } = stimulus;
      const limits = TEST_RUN_LIMITS[hooks[entry!]!];
      if (!withinLimits(limits, stimulus))
        expect.fail(`packet ${index}: ${packet.length} bytes at entry ${entry}`);
      expect((metadata?.length ?? 0) % 4).toBe(0);
      expect(metadata?.length ?? 0).toBeLessThanOrEqual(limits.maxMetadata);
      lengths.add(packet.length);
    }
    expect(lengths).toContain(14);
    expect(lengths).toContain(3520);
  });

  it('of TC are 34 bytes where the EtherType says IPv4, 54 where it says IPv6, and reached', () => {
    const batch = filled(new PacketGenerator({}, ['tc-ingress']), 0, 60_000);
    const least = new Map<number, number>();
    for (let index = 0; index < batch.count; index++) {
      const { packet } = batch.stimulus(index);
      const etherType = (packet[12]! << 8) | packet[13]!;
      least.set(etherType, Math.min(least.get(etherType) ?? 1e9, packet.length));
    }
    expect(least.get(0x0800)).toBe(34);
    expect(least.get(0x86dd)).toBe(54);
    expect(least.get(0x0806)).toBe(14);
  });

  it('none: frames of no byte at all upward', () => {
    const batch = filled(new PacketGenerator(), 0, 60_000, NO_LIMITS);
    const lengths = new Set(batch.length.subarray(0, batch.count));
    for (let length = 0; length <= 80; length++) expect(lengths).toContain(length);
  });
});

describe('packets without a mutation', () => {
  it('have only right checksums, says the oracle that shares no code with the generator', () => {
    const generator = new PacketGenerator();
    const good = new Map<string, number>();
    let ordinary = 0;
    for (let index = 0; index < 30_000; index++) {
      const { kind, mutations, repeats } = generator.provenance(SEED, index);
      // Bytes without meaning are in no order.
      if (mutations.length > 0 || repeats !== undefined) continue;
      if (kind === 'noise') continue;
      ordinary++;
      const { packet } = generator.single(SEED, index);
      verifyChecksums(packet, 0, packet.length, {
        checksum: ({ layer, depth, status, at, got, expected }) => {
          const name = CHECKSUM_LAYERS[layer]!;
          if (status === CHECKSUM.good) good.set(name, (good.get(name) ?? 0) + 1);
          // The upper layer of a quoted packet may be cut off.
          else if (!(status === CHECKSUM.unverifiable && kind.endsWith('-other'))) {
            // Data on a tunnel's port is no tunnel.
            if (depth > 0 && !kind.endsWith('-other')) return;
            expect.fail(`packet ${index} (${kind}): ${name} at ${at} is ${got}, expected ${expected}`);
          }
        },
      });
    }
    expect(ordinary).toBeGreaterThan(7000);
    expect([...good.keys()].sort()).toEqual([...CHECKSUM_LAYERS].sort());
  });

  it('stay right with tags, options, extension headers, special addresses, padding and steered checksums', () => {
    const harmless = new Set([
      'mac',
      'tags',
      'options',
      'flags',
      'lifetime',
      'source',
      'destination',
      'padding',
    ]);
    for (const more of ['steer', 'uniform', 'long']) harmless.add(more);
    const generator = new PacketGenerator({
      kinds: onlyKinds('icmp-echo', 'icmpv6-echo', 'tcp', 'udp', 'tcp6', 'udp6'),
    });
    let good = 0;
    for (let index = 0; index < 30_000; index++) {
      const { kind, mutations, repeats } = generator.provenance(SEED, index);
      if (
        repeats !== undefined ||
        mutations.length === 0 ||
        !mutations.every((mutation) => harmless.has(mutation))
      )
        continue;
      const { packet } = generator.single(SEED, index);
      verifyChecksums(packet, 0, packet.length, {
        checksum: ({ layer, depth, status }) => {
          if (depth > 0) return;
          // A source route among random IPv4 options would change the pseudo-header.
          if (status === CHECKSUM.bad && !(mutations.includes('options') && !kind.includes('6'))) {
            expect.fail(`packet ${index} (${kind}, ${mutations}): ${CHECKSUM_LAYERS[layer]} is wrong`);
          }
          if (status === CHECKSUM.good) good++;
        },
      });
    }
    expect(good).toBeGreaterThan(10_000);
  });
});

function onlyKinds(...kinds: (typeof PACKET_KINDS)[number][]): Record<string, number> {
  return Object.fromEntries(PACKET_KINDS.map((kind) => [kind, kinds.includes(kind) ? 1 : 0]));
}

describe('hints', () => {
  it('weigh the kinds: 0 is never, absent is 1', () => {
    const generator = new PacketGenerator({ kinds: { tcp: 12, noise: 0 } });
    const counts = new Map<string, number>();
    for (let index = 0; index < 24_000; index++) {
      const { kind } = generator.provenance(SEED, index);
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
    expect(counts.get('noise')).toBeUndefined();
    expect(counts.get('tcp')! / 24_000).toBeCloseTo(12 / 23, 1);
    expect(counts.get('arp')! / 24_000).toBeCloseTo(1 / 23, 1);
  });

  it('refuse weights that leave nothing to draw, and addresses that are none', () => {
    expect(() => new PacketGenerator({ kinds: onlyKinds() })).toThrow(
      'no kind of packet has a weight above 0',
    );
    expect(() => new PacketGenerator({ addresses: ['10.0.0'] })).toThrow(SyntaxError);
    expect(() => new PacketGenerator({ macs: [new Uint8Array(5)] })).toThrow(RangeError);
    expect(() => new PacketGenerator({}, [])).toThrow(RangeError);
  });

  it('bring ports, addresses and MACs into a third of the packets at least', () => {
    const mac = Uint8Array.of(0x02, 0xab, 0xcd, 0, 0, 1);
    const generator = new PacketGenerator({
      kinds: onlyKinds('udp'),
      ports: [4242],
      addresses: ['203.0.113.77'],
      macs: [mac],
    });
    const counts = { port: 0, swappedPort: 0, address: 0, mac: 0 };
    for (let index = 0; index < 3000; index++) {
      const hex = Buffer.from(generator.single(SEED, index).packet).toString('hex');
      if (hex.includes('1092')) counts.port++;
      if (hex.includes('9210')) counts.swappedPort++;
      if (hex.includes('cb00714d')) counts.address++;
      if (hex.startsWith('02abcd000001') || hex.startsWith('02abcd000001', 12)) counts.mac++;
    }
    expect(counts.port).toBeGreaterThan(1000);
    expect(counts.swappedPort).toBeGreaterThan(250);
    expect(counts.address).toBeGreaterThan(1000);
    expect(counts.mac).toBeGreaterThan(1000);
  });

  it('choose ingress devices and entries, and bring metadata only where hinted', () => {
    const generator = new PacketGenerator({ ingressIfindexes: [3, 9], metadata: true }, ['xdp', 'tc-egress']);
    const batch = filled(generator, 0, 4000);
    const seen = new Set<string>();
    for (let index = 0; index < batch.count; index++) {
      seen.add(`${batch.entry[index]} ${batch.ingressIfindex[index]} ${batch.metaLength[index]! > 0}`);
    }
    expect([...seen].sort()).toEqual([
      '0 3 false',
      '0 3 true',
      '0 9 false',
      '0 9 true',
      '1 3 false',
      '1 9 false',
    ]);
    const bare = filled(new PacketGenerator(), 0, 1000);
    expect(Math.max(...bare.metaLength)).toBe(0);
    expect(new Set(bare.ingressIfindex)).toEqual(new Set([1]));
  });
});

describe('repeats', () => {
  it('are an earlier packet again, or nearly: one in 32', () => {
    const generator = new PacketGenerator();
    const batch = filled(generator, 0, 20_000);
    let repeats = 0;
    let exact = 0;
    for (let index = 0; index < batch.count; index++) {
      const { repeats: source } = generator.provenance(SEED, index);
      if (source === undefined) continue;
      repeats++;
      expect(source).toBeLessThan(index);
      if (Buffer.compare(batch.stimulus(index).packet, batch.stimulus(source).packet) === 0) exact++;
    }
    expect(repeats / 20_000).toBeCloseTo(1 / 32, 2);
    expect(exact / repeats).toBeGreaterThan(0.4);
    expect(exact / repeats).toBeLessThan(0.65);
  });
});

describe('simplicity', () => {
  it('takes away mutations, level by level, and keeps the kind', () => {
    const generator = new PacketGenerator();
    for (let index = 0; index < 2000; index++) {
      const lengths = [0, 1, 2, 3].map((level) => generator.single(SEED, index, level).packet.length);
      const { kind } = generator.provenance(SEED, index);
      if (kind === 'icmp-echo') expect(lengths[3]).toBe(42);
      if (kind === 'tcp6') expect([74, 86, 94]).toContain(lengths[3]);
    }
  });
});
