/** What hangs on a place in a packet, and what on a hash of other bytes: with functions in place of programs. */
import { describe, expect, it } from 'vitest';
import { hashBytes } from '../../sim/runtime/chance.ts';
import type { World } from '../../sim/runtime/world.ts';
import { data, ethernet, ipv4, ipv6, udp, V4_A, V4_B, V6_A, V6_B } from '../test-support/packets.ts';
import { partsRelatives } from './relatives.ts';

const FRAGMENT = 44;
const UDP = 17;
const V4 = ethernet(0x0800, ipv4(UDP, udp(data(40), V4_A, V4_B)));
const V6 = ethernet(0x86dd, ipv6(UDP, udp(data(40), V6_A, V6_B)));
/** The second part of a datagram, behind IPv6's header of fragments. */
const LATER6 = ethernet(
  0x86dd,
  ipv6(FRAGMENT, Uint8Array.of(UDP, 0, 0, 0xb9, 0x12, 0x34, 0x56, 0x78, ...data(40))),
);

type Decides = (packet: Uint8Array, world: World) => unknown;

/** Do the first bytes behind the header decide, as far as frames say that differ elsewhere? */
function parts(packet: Uint8Array, at: number, decides: Decides): Promise<boolean> {
  const other = packet.slice();
  other[at]! ^= 0xff;
  const fate = async (world: World, one: Uint8Array): Promise<unknown> => decides(one, world);
  return partsRelatives({}, [packet, other], { at, size: 4 }, fate, (a, b) => a === b);
}

const hash = (packet: Uint8Array, from: number, size: number): number =>
  hashBytes(new DataView(packet.buffer, packet.byteOffset, packet.length), from, size);

describe('two packets part', () => {
  it.each<readonly [string, Uint8Array, number]>([
    ['IPv4', V4, 54],
    ['IPv6', V6, 70],
    ['a later fragment in IPv6', LATER6, 62],
  ])('where a byte of them decides: %s', async (_what, packet, at) => {
    expect(await parts(packet, at, (one) => one[at])).toBe(true);
  });

  it.each<readonly [string, Uint8Array, number, Decides]>([
    ['of the IPv4 header', V4, 54, (one) => hash(one, 14, 44) & 3],
    ['of the IPv6 header', V6, 70, (one) => hash(one, 14, 60) & 3],
    ['in which the TTL alone is other than that of a flow', V6, 70, (one) => hash(one, 21, 53) & 3],
    ['of a later fragment', LATER6, 62, (one) => hash(one, 54, 16) & 3],
    [
      'that one packet alone is held to, in a map',
      LATER6,
      62,
      (one) => hash(one, 14, 52) === hash(LATER6, 14, 52),
    ],
    ['that the kernel makes', V4, 54, (one, { hashSeed = 0 }) => (one[54]! ^ hashSeed) & 1],
  ])('not by a hash %s', async (_what, packet, at, decides) => {
    expect(await parts(packet, at, decides)).toBe(false);
  });

  it('where addresses and ports of the flow count, too', async () => {
    const flow = (one: Uint8Array): number => (hash(one, 26, 8) ^ one[54]!) & 0xff;
    expect(await parts(V4, 54, flow)).toBe(true);
  });
});
