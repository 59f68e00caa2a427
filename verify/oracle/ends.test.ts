/** What lies behind a packet, or in front of it, has no part in what is found in it, wherever it ends. */
import { describe, expect, it } from 'vitest';
import { LINKTYPE } from '../../corpus/formats/link-type.ts';
import { bytes, data } from '../test-support/packets.ts';
import { RIGHT_PACKETS } from '../test-support/right-packets.ts';
import { ChecksumScanner } from './checksums.ts';
import { CHECKSUM, type ChecksumSink } from './found.ts';

const scanner = new ChecksumScanner();
/** What looks like headers, so that reading on would find some. */
const BEHIND: readonly Uint8Array[] = [
  new Uint8Array(80),
  new Uint8Array(80).fill(0xff),
  bytes([0x45, 0, 0, 60, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], data(60)),
  bytes([0x60, 0, 0, 0, 0, 40, 17, 64], data(72)),
  bytes([8, 0, 0x45, 0], data(76)),
];

/** Everything that is found, in a line. */
function scanned(arena: Uint8Array, at: number, length: number): string {
  const found: string[] = [];
  const sink: ChecksumSink = {
    checksum: ({ layer, depth, status, at: place, got, expected, sum, start, end, ...pseudo }) => {
      const { addressLength, source, destination, protocol, length: of } = pseudo;
      const own = addressLength === 0 ? [] : [addressLength, source, destination, protocol, of];
      found.push([layer, depth, status, place, got, expected, sum, start, end, ...own].join());
    },
    header: ({ headerKind, headerStart, headerEnd, claimedEnd, room, part, fragment, headerFlags }) =>
      void found.push(
        `header ${[headerKind, headerStart, headerEnd, claimedEnd, room, part, fragment, headerFlags].join()}`,
      ),
    unknown: (space, number) => void found.push(`unknown ${space} ${number}`),
    unreadable: (reason) => void found.push(reason),
  };
  scanner.scan(arena, at, length, sink, LINKTYPE.ETHERNET);
  return found.join('\n');
}

describe('a packet', () => {
  it.each(Object.entries(RIGHT_PACKETS))('ends where it ends: %s', (_name, packet) => {
    const differing: string[] = [];
    for (let length = 0; length <= Math.min(packet.length, 160); length++) {
      const own = packet.slice(0, length);
      const alone = scanned(own, 0, length);
      // Two of them at each length, so that all come up around each header.
      for (const turn of [2 * length, 2 * length + 1]) {
        const behind = BEHIND[turn % BEHIND.length]!;
        const at = turn % 3;
        if (scanned(bytes(data(at), own, behind), at, length) !== alone)
          differing.push(`${length} bytes, ${turn}`);
      }
    }
    expect(differing).toEqual([]);
  });

  it('has no right checksum any more where the end of what it covers is missing', () => {
    const wrong: string[] = [];
    for (const [name, packet] of Object.entries(RIGHT_PACKETS)) {
      if (!/^(UDP|TCP|ICMP)( over IPv6)?$/.test(name)) continue;
      for (let length = 15; length < packet.length; length++)
        scanner.scan(packet.slice(0, length), 0, length, {
          checksum: ({ status, end, at }) => {
            if (status === CHECKSUM.good && at > 24 && end > length) wrong.push(`${name} of ${length}`);
          },
        });
    }
    expect(wrong).toEqual([]);
  });
});
