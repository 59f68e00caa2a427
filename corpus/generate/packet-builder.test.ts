import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import '../../sim/packet/test-support/arbitraries.ts';
import { sum } from '../../sim/packet/checksum.ts';
import { packetBuilder } from './packet-builder.ts';

describe('packetBuilder', () => {
  const { bytes } = packetBuilder;

  it('sums what it wrote as the checksum does, whatever lies behind', () => {
    const byte = fc.oneof(fc.constantFrom(0x00, 0xff, 0x01, 0xfe), fc.integer({ min: 0, max: 255 }));
    const data = fc.array(byte, { maxLength: 200, size: 'max' }).map((all) => Uint8Array.from(all));
    fc.assert(
      fc.property(data, fc.nat(9), fc.integer({ min: 0, max: 0xffff }), (written, at, initial) => {
        bytes.fill(0x5a, 0, 300);
        bytes.set(written, at);
        expect(packetBuilder.sum(at, written.length, initial)).toBe(sum(written, 0, written.length, initial));
      }),
    );
  });

  it('sums 64 KiB of ones without an overflow', () => {
    bytes.fill(0xff, 0, 65_536);
    expect(packetBuilder.sum(0, 65_536, 0xffff)).toBe(0xffff);
  });

  it('copies addresses of all sizes as they lie in words', () => {
    packetBuilder.open(0, 100);
    packetBuilder.put4(0x04030201);
    packetBuilder.put6(0x08070605, 0x0a09);
    packetBuilder.put16(0x0e0d0c0b, 0x1211100f, 0x16151413, 0x1a191817);
    expect(packetBuilder.length).toBe(26);
    expect([...bytes.subarray(0, 26)]).toEqual(Array.from({ length: 26 }, (_, index) => index + 1));
  });
});
