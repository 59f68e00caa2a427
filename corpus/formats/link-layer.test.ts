import { describe, expect, it } from 'vitest';
import { bytesOf } from '../test-support/captures.ts';
import { ADDRESSES, LINK_FRAMES, SNAP_IPV4 } from '../test-support/link-frames.ts';
import { LinkHeader, NEXT } from './link-header.ts';
import { isReadable, readLinkHeader } from './link-layer.ts';
import { LINKTYPE } from './link-type.ts';

const PACKET = '45000014';
const IPV4 = 0x0800;

/** What a header leads to, and how much of the frame is left behind it. */
function read(linkType: number, hex: string): { next: number; rest: string; reason: string } {
  const packet = bytesOf(hex);
  // In the middle of an arena: places are not offsets from 0.
  const arena = new Uint8Array(packet.length + 11);
  arena.set(packet, 5);
  const found = new LinkHeader();
  expect(readLinkHeader(arena, 5, 5 + packet.length, linkType, found)).toBe(true);
  const rest = Buffer.from(arena.subarray(found.at, found.end)).toString('hex');
  return { next: found.next, rest, reason: found.reason };
}

const leadTo = (next: number, rest: string = PACKET) => ({ next, rest, reason: '' });

describe('link-layer headers', () => {
  it.each(LINK_FRAMES)('%s', (_name, linkType, header, next) => {
    expect(read(linkType, `${header} ${PACKET}`)).toEqual(leadTo(next));
  });

  it('leaves a frame check sequence out that radiotap or PPI announce', () => {
    const frame = `0801 0000 ${ADDRESSES} 0000 ${SNAP_IPV4} ${PACKET} 01020304`;
    expect(read(LINKTYPE.IEEE802_11_RADIOTAP, `0000 0900 02000000 10 ${frame}`)).toEqual(leadTo(IPV4));
    const common = `0200 1400 0000000000000000 0100 ${'00'.repeat(10)}`;
    expect(read(LINKTYPE.PPI, `0000 2000 69000000 ${common} ${frame}`)).toEqual(leadTo(IPV4));
  });

  it('leaves out what stands behind the length of a PPPoE payload', () => {
    expect(read(LINKTYPE.PPP_ETHER, `110000010006 0021 ${PACKET} 0000`)).toEqual(leadTo(IPV4));
  });

  it('says why a complete frame cannot be read', () => {
    const reasons = (['encrypted', 'several', 'fragment'] as const).map((_, index) => {
      const control = ['0841', '8801', '0805'][index]!;
      return read(LINKTYPE.IEEE802_11, `${control} 0000 ${ADDRESSES} 0000 8000 ${SNAP_IPV4}`).reason;
    });
    expect(reasons).toEqual([
      'encrypted 802.11 frames',
      '802.11 frames that hold several packets (A-MSDU)',
      '802.11 fragments',
    ]);
    expect(read(LINKTYPE.PPP, 'ff03002d 0000').reason).toBe('compressed PPP');
  });

  it('leads nowhere for frames that carry no packet', () => {
    for (const [linkType, frame] of [
      [LINKTYPE.IEEE802_11, `8000 0000 ${ADDRESSES} 0000`],
      [LINKTYPE.IEEE802_11, `4801 0000 ${ADDRESSES} 0000`],
      [LINKTYPE.PPP, 'ff03c021 01010004'],
      [LINKTYPE.NULL, '07000000 00'],
      [LINKTYPE.FDDI, `41 020000000001 020000000002 ${SNAP_IPV4}`],
    ] as const) {
      expect(read(linkType, frame)).toMatchObject({ next: NEXT.nothing, reason: '' });
    }
  });

  it('stays within the packet, whatever it says about itself', () => {
    const found = new LinkHeader();
    let state = 12345;
    const random = (): number => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return state >>> 16;
    };
    for (const linkType of Object.values(LINKTYPE).filter(isReadable)) {
      for (let round = 0; round < 300; round++) {
        const size = random() % 80;
        const bytes = Uint8Array.from(
          { length: size },
          () => (random() % 3 === 0 ? random() % 4 : random()) & 0xff,
        );
        readLinkHeader(bytes, 0, size, linkType, found);
        expect(found.at).toBeGreaterThanOrEqual(0);
        expect(found.at).toBeLessThanOrEqual(found.end);
        expect(found.end).toBeLessThanOrEqual(size);
      }
    }
  });

  it('refuses link types that carry no IP', () => {
    expect(readLinkHeader(new Uint8Array(20), 0, 20, LINKTYPE.USB_LINUX, new LinkHeader())).toBe(false);
  });
});
