/**
 * What two hosts say and send about frames of all kinds, whole and damaged, to a host and to one that forwards, from a neighbour
 * that is known or not. Recorded; that this is what Linux does, `kernel-tests/` shows for the kinds.
 */
import { expect, it } from 'vitest';
import { changed, fingerprint } from '../../../verify/test-support/recorded.ts';
import { RIGHT_PACKETS } from '../../../verify/test-support/right-packets.ts';
import { createVmEngine } from '../../engines/vm.ts';
import { toHex } from '../../packet/bytes.ts';
import { stepText } from '../render.ts';
import { simulate } from '../run.ts';
import { mac, pair } from '../test-support/programs.ts';

const hex = (text: string): number[] => text.split(':').map((byte) => Number.parseInt(byte, 16));

/** The frame as the client would send it to the server; IPv4 and IPv6 addresses are those of both. */
function addressed(packet: Uint8Array): Uint8Array {
  const frame = packet.slice();
  frame.set(hex(mac(1, 1)), 0);
  frame.set(hex(mac(1, 2)), 6);
  return frame;
}

/** The packet with source and destination exchanged, which no checksum notices: the server is who sends in the samples. */
function toServer(packet: Uint8Array): Uint8Array {
  const frame = addressed(packet);
  const type = (frame[12]! << 8) | frame[13]!;
  const [at, size] = type === 0x86dd ? [22, 16] : [26, 4];
  if ((type !== 0x86dd && type !== 0x0800) || frame.length < at + 2 * size) return frame;
  frame.copyWithin(at, at + size, at + 2 * size);
  frame.set(packet.subarray(at, at + size), at + size);
  return frame;
}

/** Frames in one scenario: enough for many, and few enough for what a host limits. */
const AT_ONCE = 40;

async function said(server: object, frames: readonly (readonly [string, Uint8Array])[]): Promise<string[]> {
  const lines: string[] = [];
  for (let from = 0; from < frames.length; from += AT_ONCE) {
    const some = frames.slice(from, from + AT_ONCE);
    const steps = some.map(([, bytes]) => ({ frame: { device: 'client:veth0', hex: toHex(bytes) } }));
    const { steps: ran } = await simulate(pair(steps, server), createVmEngine(), new Map());
    for (const [index, step] of ran.entries()) lines.push(`## ${some[index]![0]}`, ...stepText(step));
  }
  return lines;
}

it.each([
  ['a host', {}],
  ['a router', { forwarding: true }],
])('%s', async (name, server) => {
  const packets = Object.entries(RIGHT_PACKETS).filter(
    ([, packet]) => packet.length >= 14 && packet.length <= 200,
  );
  const whole = await said(
    server,
    packets.map(([what, packet]) => [what, toServer(packet)]),
  );
  const foreign = await said(
    server,
    packets.map(([what, packet]) => [what, addressed(packet)]),
  );
  const damaged: (readonly [string, Uint8Array])[] = [];
  for (const [what, packet] of packets.filter((_, index) => index % 5 === 0))
    for (const [change, bytes] of changed(toServer(packet), 25)) damaged.push([`${what}, ${change}`, bytes]);
  const text = [
    ...whole,
    `to others: ${fingerprint(`${name} foreign`, foreign)}`,
    `damaged: ${fingerprint(`${name} damaged`, await said(server, damaged))}`,
    '',
  ];
  await expect(text.join('\n')).toMatchFileSnapshot(`recorded/${name.replace('a ', '')}.txt`);
});
