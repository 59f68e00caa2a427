import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Damage,
  damaged,
  PCAPNG_BIG_ENDIAN,
  PCAPNG_LITTLE_ENDIAN,
  type Reading,
  readAll,
} from '../test-support/captures.ts';
import { PcapEncoder } from './pcap.ts';
import { PcapngEncoder } from './pcapng-encoder.ts';

const packet = fc.record({
  bytes: fc.uint8Array({ maxLength: 70 }),
  high: fc.nat(0xffff_ffff),
  low: fc.nat(999_999),
  comments: fc.array(fc.string({ unit: 'grapheme', maxLength: 9 }), { maxLength: 2 }),
});

const pcap = fc
  .record({ littleEndian: fc.boolean(), nanoseconds: fc.boolean(), packets: fc.array(packet) })
  .map(({ packets, ...options }) => {
    const encoder = new PcapEncoder(options);
    for (const { bytes, high, low } of packets) encoder.packet(bytes, 0, bytes.length, high, low);
    return encoder.take();
  });

const section = fc.record({
  littleEndian: fc.boolean(),
  comments: fc.array(fc.string(), { maxLength: 2 }),
  interfaces: fc.array(fc.record({ linkType: fc.nat(300), name: fc.string() }), {
    minLength: 1,
    maxLength: 3,
  }),
  packets: fc.array(fc.tuple(packet, fc.nat())),
});

const pcapng = fc.array(section, { minLength: 1, maxLength: 3 }).map((sections) => {
  const encoder = new PcapngEncoder();
  for (const { littleEndian, comments, interfaces, packets } of sections) {
    encoder.section({ littleEndian, comments });
    for (const options of interfaces) encoder.interface(options);
    for (const [{ bytes, high, low, comments: own }, id] of packets) {
      encoder.packet(bytes, 0, bytes.length, high, low, bytes.length, id % interfaces.length, own);
    }
  }
  return encoder.take();
});

const capture = fc.oneof(
  pcap,
  pcapng,
  fc.constantFrom(PCAPNG_BIG_ENDIAN, PCAPNG_LITTLE_ENDIAN),
  fc.uint8Array({ maxLength: 64 }),
);

/** Words that lengths and counts are made of, and those just beside them. */
const hostileWord = fc.oneof(
  fc.constantFrom(0, 1, 4, 8, 11, 12, 16, 20, 28, 32, 0x7fff_ffff, 0x8000_0000, 0xffff_fffc, 0xffff_ffff),
  fc.constantFrom(262_144, 262_145, 16 * 1024 * 1024, 16 * 1024 * 1024 + 4, 0x0a0d0d0a, 0x1a2b3c4d, 2, 3, 6),
  fc.nat(256),
);
const place = fc.nat(4000);
const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ kind: fc.constant('cut' as const), at: place }),
  fc.record({ kind: fc.constant('bit' as const), at: place, bit: fc.nat(7) }),
  fc.record({
    kind: fc.constant('word' as const),
    at: place,
    value: hostileWord,
    littleEndian: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('delete' as const), at: place, length: fc.nat(40) }),
  fc.record({ kind: fc.constant('repeat' as const), at: place, length: fc.nat(80) }),
);
const pieces = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 5 });

/** The suite's runs are few and always the same; a campaign asks for more, and others. */
const runs = {
  numRuns: Number(process.env.XDPSIM_FUZZ_RUNS ?? 300),
  seed: Number(process.env.XDPSIM_FUZZ_SEED ?? 1),
};

function errorOf({ error }: Reading): string | undefined {
  return error?.message;
}

describe('reading any capture', () => {
  it('gives the same packets and the same fault in whatever pieces the bytes arrive', () => {
    fc.assert(
      fc.property(capture, fc.array(damage, { maxLength: 3 }), pieces, (intact, damages, sizes) => {
        const bytes = damaged(intact, damages);
        const whole = readAll(bytes);
        const inPieces = readAll(bytes, sizes);
        expect(inPieces.packets).toEqual(whole.packets);
        expect(errorOf(inPieces)).toBe(errorOf(whole));
      }),
      runs,
    );
  });

  it('says where a damaged file is wrong, inside the file, and never gives more than the file holds', () => {
    fc.assert(
      fc.property(capture, fc.array(damage, { minLength: 1, maxLength: 4 }), (intact, damages) => {
        const bytes = damaged(intact, damages);
        const { packets, error } = readAll(bytes);
        expect(packets.reduce((size, { bytes: { length } }) => size + length, 0)).toBeLessThanOrEqual(
          bytes.length,
        );
        if (error !== undefined) {
          expect(error.offset).toBeGreaterThanOrEqual(0);
          expect(error.offset).toBeLessThanOrEqual(bytes.length);
        }
      }),
      runs,
    );
  });

  it('gives every packet of a truncated file that is still whole, then the truncation', () => {
    fc.assert(
      fc.property(fc.oneof(pcap, pcapng), fc.double({ min: 0, max: 1, noNaN: true }), (intact, part) => {
        const all = readAll(intact);
        expect(all.error).toBeUndefined();
        const cut = intact.subarray(0, Math.floor(part * intact.length));
        const some = readAll(cut);
        expect(some.packets).toEqual(all.packets.slice(0, some.packets.length));
        if (some.error === undefined) return;
        expect(some.error.found).toMatch(/the end of the file|an empty file/);
        // What is missing began before the cut and has less than one record left.
        expect(cut.length - some.error.offset).toBeLessThan(400);
      }),
      runs,
    );
  });
});

describe('what was written', () => {
  it('is read back, packet by packet', () => {
    fc.assert(
      fc.property(fc.boolean(), fc.array(packet), (littleEndian, packets) => {
        const encoder = new PcapngEncoder();
        encoder.section({ littleEndian });
        encoder.interface({ ticksPerSecond: 1_000_000_000n });
        for (const { bytes, high, low, comments } of packets) {
          encoder.packet(bytes, 0, bytes.length, high, low, bytes.length + 1, 0, comments);
        }
        expect(readAll(encoder.take())).toEqual({
          packets: packets.map(({ bytes, high, low, comments }) => ({
            bytes,
            original: bytes.length + 1,
            nanoseconds: (BigInt(high) << 32n) + BigInt(low),
            linkType: 1,
            interface: 0,
            comments,
          })),
          error: undefined,
        });
      }),
      runs,
    );
  });

  it('is read back from pcap, in both byte orders and resolutions', () => {
    fc.assert(
      fc.property(fc.boolean(), fc.boolean(), fc.array(packet), (littleEndian, nanoseconds, packets) => {
        const encoder = new PcapEncoder({ littleEndian, nanoseconds });
        for (const { bytes, high, low } of packets) encoder.packet(bytes, 0, bytes.length, high, low);
        const { packets: read, error } = readAll(encoder.take());
        expect(error).toBeUndefined();
        expect(read.map(({ bytes }) => bytes)).toEqual(packets.map(({ bytes }) => bytes));
        expect(read.map((one) => one.nanoseconds)).toEqual(
          packets.map(
            ({ high, low }) => BigInt(high) * 1_000_000_000n + BigInt(low) * (nanoseconds ? 1n : 1000n),
          ),
        );
      }),
      runs,
    );
  });
});
