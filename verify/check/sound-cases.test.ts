/** Packets of a proof or of guidance as a network would carry them. */
import { describe, expect, it } from 'vitest';
import { verifyChecksums } from '../oracle/checksums.ts';
import { CHECKSUM } from '../oracle/found.ts';
import { HeaderList, NO_CHECKSUM } from '../oracle/header-list.ts';
import { bytes, data, ethernet, ipv4, ipv6, udp, V6_A, V6_B } from '../test-support/packets.ts';
import { soundPackets } from './sound-cases.ts';

const soundOf = (packet: Uint8Array): Uint8Array[] => soundPackets({ packet }).map((one) => one.packet);

describe('a packet with a length that is less than the frame', () => {
  const whole = ethernet(0x86dd, ipv6(17, udp(data(24), V6_A, V6_B)));
  const broken = bytes(whole, data(9));
  broken[60]! ^= 1;

  it('is tried with that length, and with that of the frame', () => {
    const lengths = new Set(soundOf(broken).map((packet) => `${packet.length} ${packet[19]}`));
    expect([...lengths].sort()).toEqual([`${whole.length} 32`, `${broken.length} 41`].sort());
    for (const packet of soundOf(broken)) {
      const headers = new HeaderList();
      verifyChecksums(packet, 0, packet.length, headers);
      for (let row = 0; row < headers.count; row++)
        expect([CHECKSUM.good, NO_CHECKSUM]).toContain(headers.status[row]);
    }
  });

  it('keeps that of the frame where its own says nothing', () => {
    const empty = ethernet(0x0800, ipv4(17, udp(data(8))));
    empty.set([0, 20], 16);
    expect(new Set(soundOf(empty).map(({ length }) => length))).toEqual(new Set([empty.length]));
  });
});
