import { expect, it } from 'vitest';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { XDP_PASS } from '../../sim/runtime/actions.ts';
import { EngineSide } from '../engine-side.ts';
import { type Behaviour, FAKE_PROGRAM, fakeEngine } from '../test-support/engines.ts';
import { bytes, data, ethernet, ipv4, ipv6, tcp, udp, V6_A, V6_B } from '../test-support/packets.ts';
import { RewrittenWords } from './rewritten.ts';
import { ChecksumRepair } from './sweep-packets.ts';
import { zeroSums } from './zero-sums.ts';

const UDP_FIELD = 14 + 20 + 6;
const withoutSum = (): Uint8Array => {
  const packet = ethernet(0x0800, ipv4(17, udp(data(20))));
  packet.fill(0, UDP_FIELD, UDP_FIELD + 2);
  return packet;
};
const SEGMENT = ethernet(0x0800, ipv4(6, tcp(data(20))));
const OUTER = 14 + 40;

const repair = new ChecksumRepair();

/** The right checksum, with 0 as `zero`. */
function summed(packet: Uint8Array, field: number, zero: number): Uint8Array {
  packet.set([0xab, 0xcd], field);
  repair.apply(packet, 0, packet.length, 0, (packet[0]! << 8) | packet[1]!, -1);
  if (packet[field] === 0xff && packet[field + 1] === 0xff) packet.fill(zero, field, field + 2);
  return packet;
}

const filling =
  (zero: number): Behaviour =>
  ({ packet }) => {
    const isNone = packet[UDP_FIELD] === 0 && packet[UDP_FIELD + 1] === 0;
    return { action: XDP_PASS, packet: isNone ? summed(packet.slice(), UDP_FIELD, zero) : packet };
  };

/** In UDP over IPv6, on a port that nobody knows. @param zero undefined: without a checksum */
const wrapping =
  (zero: number | undefined): Behaviour =>
  ({ packet }) => {
    const inner = bytes(0x9c, 0x40, 0x9c, 0x40, 0, 0, 0, 0, packet.subarray(14));
    inner.set([inner.length >> 8, inner.length & 0xff], 4);
    const left = ethernet(0x86dd, ipv6(17, inner, V6_A, V6_B));
    return { action: XDP_PASS, packet: zero === undefined ? left : summed(left, OUTER + 6, zero) };
  };

async function found(behaviour: Behaviour, packet: Uint8Array): Promise<string[]> {
  const engine = fakeEngine('wasm', behaviour);
  const words = new RewrittenWords(['xdp']);
  const input = new PacketBatch(1);
  input.push({ packet });
  const side = new EngineSide(engine, FAKE_PROGRAM, 1);
  expect(await side.run({}, input)).toBe(true);
  words.observe({}, input, side);
  await side.close();
  return (await zeroSums(FAKE_PROGRAM, engine, words.driving)).map(
    ({ breach }) => `${breach.invariant} at ${breach.at}`,
  );
}

it('a computed 0 is 0xffff where a checksum is filled in', async () => {
  expect(await found(filling(0), withoutSum())).toEqual([`checksum/udp-zero-lost at ${UDP_FIELD}`]);
  expect(await found(filling(0xff), withoutSum())).toEqual([]);
});

it('a computed 0 is 0xffff in a new header, which may do without a checksum', async () => {
  expect(await found(wrapping(0), SEGMENT)).toEqual([`checksum/udp-zero-lost at ${OUTER + 6}`]);
  expect(await found(wrapping(0xff), SEGMENT)).toEqual([]);
  expect(await found(wrapping(undefined), SEGMENT)).toEqual([]);
});
