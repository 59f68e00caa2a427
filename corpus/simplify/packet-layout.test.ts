/** UDP-Lite put in order: what its coverage says, and a checksum that is never 0 (RFC 3828 §3.1). */
import { describe, expect, it } from 'vitest';
import { CHECKSUM, verifyChecksums } from '../../verify/oracle/checksums.ts';
import { bytes, data, ethernet, ipv4, ipv6, u16 } from '../../verify/test-support/packets.ts';
import { repair } from './packet-layout.ts';
import { faults } from './well-formed.ts';

const UDP_LITE = 136;
const message = (coverage: number, payload: readonly number[] | Uint8Array = data(20)): Uint8Array =>
  bytes(u16(7), u16(9), u16(coverage), 0x12, 0x34, payload);
const over4 = (coverage: number, payload?: Uint8Array): Uint8Array =>
  ethernet(0x0800, ipv4(UDP_LITE, message(coverage, payload)));
const over6 = (coverage: number): Uint8Array => ethernet(0x86dd, ipv6(UDP_LITE, message(coverage)));

/** Of the checksum of the upper layer. */
function statusOf(packet: Uint8Array): number | undefined {
  let found: number | undefined;
  verifyChecksums(packet, 0, packet.length, {
    checksum({ status, length }) {
      if (length > 0) found = status;
    },
  });
  return found;
}

describe('UDP-Lite', () => {
  it.each([0, 8, 12, 28])('is right over as much as it covers (%i bytes)', (coverage) => {
    for (const packet of [over4(coverage), over6(coverage)]) {
      const before = faults(packet);
      expect(statusOf(packet)).toBe(CHECKSUM.bad);
      expect(repair(packet, 'checksum')).toBe(true);
      expect(statusOf(packet)).toBe(CHECKSUM.good);
      expect(faults(packet)).toBe(before - 1);
    }
  });

  it.each([1, 7, 29, 0xffff])('covers all of it where it says what it must not (%i bytes)', (coverage) => {
    const packet = over4(coverage);
    const before = faults(packet);
    expect(repair(packet, 'checksum')).toBe(true);
    expect([packet[38], packet[39]]).toEqual([0, 0]);
    expect([statusOf(packet), faults(packet)]).toEqual([CHECKSUM.good, before - 2]);
  });

  it('keeps its checksum where a word that it covers can give way, and only there', () => {
    const packet = over4(12);
    expect(repair(packet, 'content')).toBe(true);
    expect([packet[40], packet[41], statusOf(packet)]).toEqual([0x12, 0x34, CHECKSUM.good]);
    expect(repair(over4(8), 'content')).toBe(false);
  });

  it('has a checksum, and 0xffff for 0', () => {
    const full = over4(0);
    full.set([0xff, 0xff], 40);
    repair(full, 'content');
    const none = full.slice();
    none.set([0, 0], 40);
    // Both zeros are the same to the sum.
    expect([statusOf(none), repair(none, 'content')]).toEqual([CHECKSUM.illegal, false]);
    expect(faults(none)).toBe(faults(full) + 1);
    expect(repair(none, 'checksum')).toBe(true);
    expect(none).toEqual(full);
  });
});
