/** What a path knows of a frame's checksums, asked of frames that are all known, and compared with what the oracle finds. */
import { describe, expect, it } from 'vitest';
import { CHECKSUM_LAYERS, CHECKSUM_STATUSES, verifyChecksums } from '../oracle/checksums.ts';
import { HEADER_FLAG, HEADER_NAMES } from '../oracle/found.ts';
import { bytes } from '../test-support/packets.ts';
import { changed, fingerprint } from '../test-support/recorded.ts';
import { RIGHT_PACKETS } from '../test-support/right-packets.ts';
import { type Layout, layoutOf } from './frame-layout.ts';
import { frameOf, guide, value } from './test-support/known-frames.ts';

function text(layout: Layout): string {
  const { checksums, ips, transports, isBroken, rest, open, transport } = layout;
  return [
    ...checksums.map(
      ({ layer, start, size, header, at, isAbsent, pseudo, overIpv6 }) =>
        `${layer}@${start}+${value(size)} header ${header} field ${at}${isAbsent ? ' absent' : ''}` +
        `${overIpv6 ? ' over IPv6' : ''}${pseudo.length === 0 ? '' : ` with ${pseudo.map((one) => value(one)).join('.')}`}`,
    ),
    ...ips.map(({ version, start, end }) => `IPv${version} ${start}-${value(end)}`),
    ...transports.map(
      ({ start, stated, available }) =>
        `transport ${start}: ${stated === undefined ? 'nothing' : value(stated)} of ${value(available)}`,
    ),
    ...(isBroken ? ['broken'] : []),
    ...(rest === undefined ? [] : [rest]),
    ...(open === undefined ? [] : [`open ${open.addresses} ${open.payload}`]),
    ...(transport === undefined ? [] : [`${value(transport.protocol)} at ${transport.start}`]),
  ].join('; ');
}

describe('the layout of a frame', () => {
  it('has the checksums that the oracle finds, as far as it says that it looked', () => {
    let compared = 0;
    for (const [name, packet] of Object.entries(RIGHT_PACKETS))
      for (const [change, copy] of [['', packet] as const, ...changed(packet, 50)]) {
        const { checksums, rest } = layoutOf(guide, frameOf(copy));
        const found: string[] = [];
        let isQuoted = false;
        verifyChecksums(copy, 0, copy.length, {
          header: ({ headerFlags, headerKind }) => {
            isQuoted ||= (headerFlags & HEADER_FLAG.quoted) !== 0 || HEADER_NAMES[headerKind] === 'gre';
          },
          checksum: ({ layer, start, end, status }) => {
            if (isQuoted || CHECKSUM_STATUSES[status] === 'unverifiable') return;
            const absent = ['absent', 'illegal'].includes(CHECKSUM_STATUSES[status]!) ? ' absent' : '';
            found.push(`${CHECKSUM_LAYERS[layer]}@${start}+${end - start}${absent}`);
          },
        });
        const laid = checksums.map(
          ({ layer, start, size, isAbsent }) =>
            `${layer}@${start}+${value(size)}${isAbsent ? ' absent' : ''}`,
        );
        const wanted = found.slice(0, laid.length);
        // What UDP and ICMP carry is not looked into, and what says `rest` gave up on the way.
        if (laid.join() !== wanted.join()) expect(laid, `${name} ${change}: ${rest}`).toEqual(wanted);
        if (rest === undefined && laid.length > 0) compared++;
      }
    expect(compared).toBeGreaterThan(3000);
  });

  it('is as recorded for every kind of packet, cut off and changed', async () => {
    const lines = Object.entries(RIGHT_PACKETS).map(([name, packet]) => {
      const all: string[] = [];
      for (let length = 0; length < Math.min(80, packet.length); length += 3)
        all.push(text(layoutOf(guide, frameOf(packet.subarray(0, length)))));
      for (const [, copy] of changed(packet, 40)) all.push(text(layoutOf(guide, frameOf(copy))));
      const whole = text(layoutOf(guide, frameOf(packet)));
      return `${name}: ${whole} (${fingerprint(`layout ${name}`, all)})`;
    });
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/layouts.txt');
  });

  it('leaves out what stayed as it came', async () => {
    const lines: string[] = [];
    for (const name of ['TCP', 'one VLAN tag', 'two VLAN tags', 'UDP over IPv6', 'IP in IP', '4in6', 'ARP'])
      for (const kept of [0, 11, 12, 13, 14, 18, 22, 26, 30, 34, 38, 54, 58])
        for (const wantsKept of [false, true]) {
          const layout = layoutOf(guide, frameOf(RIGHT_PACKETS[name]!, kept), wantsKept);
          lines.push(`${name}, kept from ${kept}${wantsKept ? ', wanted' : ''}: ${text(layout)}`);
        }
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('recorded/kept-layouts.txt');
  });

  it('goes through three tags and three packets in packets, and no further', () => {
    const tags = (count: number): Uint8Array =>
      bytes(
        RIGHT_PACKETS.TCP!.subarray(0, 12),
        Array.from({ length: count }, () => [0x81, 0, 0, 1]).flat(),
        RIGHT_PACKETS.TCP!.subarray(12),
      );
    expect(text(layoutOf(guide, frameOf(tags(3))))).toMatch(/^ipv4@26.*tcp@46/);
    expect(text(layoutOf(guide, frameOf(tags(4))))).toBe('no IP packet');
    const nested = (count: number): Uint8Array => {
      let packet = RIGHT_PACKETS.TCP!.subarray(14);
      for (let level = 0; level < count; level++) {
        const header = packet.slice(0, 20);
        header[9] = 4;
        header[2] = (packet.length + 20) >> 8;
        header[3] = (packet.length + 20) & 0xff;
        packet = bytes(header, packet);
      }
      return bytes(RIGHT_PACKETS.TCP!.subarray(0, 14), packet);
    };
    expect(text(layoutOf(guide, frameOf(nested(2))))).toMatch(/tcp@74/);
    expect(text(layoutOf(guide, frameOf(nested(3))))).toMatch(
      /a protocol without a checksum that is known here/,
    );
  });
});
