/** Masks in the wrong byte order: with functions in place of programs. */
import { describe, expect, it } from 'vitest';
import { packet } from '../../sim/packet/build.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { XDP_DROP, XDP_PASS } from '../../sim/runtime/actions.ts';
import type { World } from '../../sim/runtime/world.ts';
import { EngineSide } from '../engine-side.ts';
import { type Behaviour, FAKE_PROGRAM, fakeEngine } from '../test-support/engines.ts';
import { data } from '../test-support/packets.ts';
import type { Seen } from './probe.ts';
import { SwappedMasks } from './swapped-masks.ts';

const FRAGMENT = 14 + 6;
const FRAGMENT_6 = 14 + 40 + 2;
const TRANSPORT = 14 + 20;

const udp = packet.ethernet().ipv4().udp({ destinationPort: 9 }).payload(data(8)).bytes();
const dns = packet.ethernet().ipv4().udp({ destinationPort: 53 }).dns().bytes();
const response = packet.ethernet().ipv4().udp({ sourcePort: 53, destinationPort: 4000 }).dns().bytes();
const gre = packet.ethernet().ipv4().gre().ipv4().udp().bytes();
const pptp = gre
  .with(TRANSPORT, 0x30)
  .with(TRANSPORT + 1, 1)
  .with(TRANSPORT + 2, 0x88)
  .with(TRANSPORT + 3, 0x0b);
const tcp = packet.ethernet().ipv4().tcp().bytes();
const fragment6 = Uint8Array.from([
  ...packet.ethernet().ipv6().udp().bytes().slice(0, 54).with(20, 44),
  ...[17, 0, 0, 0, 0, 0, 0, 7, 0, 9, 0, 9, 0, 8, 0, 0],
]).with(19, 16);

const misread = (frame: Uint8Array, at: number): number => frame[at]! | (frame[at + 1]! << 8);
const meant = (frame: Uint8Array, at: number): number => (frame[at]! << 8) | frame[at + 1]!;
const drops =
  (condition: (frame: Uint8Array) => boolean): Behaviour =>
  ({ packet: frame }) => ({ action: condition(frame) ? XDP_DROP : XDP_PASS });

async function seenOf(
  behaviour: Behaviour,
  frame: Uint8Array,
  world: World = {},
  isGiven = false,
): Promise<Seen[]> {
  const engine = fakeEngine('wasm', behaviour);
  const side = new EngineSide(engine, FAKE_PROGRAM, 1);
  const input = new PacketBatch(1);
  input.push({ packet: frame });
  await side.run(world, input);
  const probe = new SwappedMasks(FAKE_PROGRAM, isGiven);
  probe.observe(world, input, { output: side.output });
  await side.close();
  return probe.find(engine);
}

const masks = async (condition: (frame: Uint8Array) => boolean, frame: Uint8Array): Promise<string[]> =>
  (await seenOf(drops(condition), frame)).map(({ breach }) => `${breach.expected}, ${breach.got}`);

describe('a mask in the wrong byte order', () => {
  it.each<readonly [string, (frame: Uint8Array) => boolean, Uint8Array]>([
    ['mask 0x1fff, mask 0xff1f', (one) => (misread(one, FRAGMENT) & 0x1fff) !== 0, udp],
    ['mask 0x3fff, mask 0xff3f', (one) => (misread(one, FRAGMENT) & 0x3fff) !== 0, udp],
    ['mask 0x2000, mask 0x0020', (one) => (misread(one, FRAGMENT) & 0x2000) !== 0, udp],
    ['mask 0x1fff, mask 0xff1f', (one) => (misread(one, FRAGMENT) & 0x1fff) !== 0, udp.with(FRAGMENT, 0x40)],
    ['mask 0x1fff, mask 0xff1f', (one) => (misread(one, FRAGMENT) & 0x1fff) === 0 && one[37] === 9, udp],
    ['mask 0xfff8, mask 0xf8ff', (one) => (misread(one, FRAGMENT_6) & 0xfff8) !== 0, fragment6],
    ['mask 0x2000, mask 0x0020', (one) => (misread(one, TRANSPORT) & 0x2000) !== 0, gre],
    ['mask 0x8000, mask 0x0080', (one) => (misread(one, TRANSPORT + 10) & 0x8000) !== 0, dns],
    ['mask 0x0002, mask 0x0200', (one) => (misread(one, TRANSPORT + 12) & 0x0002) !== 0, tcp],
  ])('%s', async (expected, condition, frame) => {
    expect(await masks(condition, frame)).toEqual([expected]);
  });

  it('is shown by a bit that decides and is not meant', async () => {
    const [seen] = await seenOf(
      drops((one) => (misread(one, FRAGMENT) & 0x1fff) !== 0),
      udp,
    );
    expect(seen?.breach).toMatchObject({
      ...{ invariant: 'number/compared', at: FRAGMENT, size: 0 },
      sentence:
        'for flags and fragment offset 0x2000 the program returns XDP_DROP instead of XDP_PASS, and the bits of 0xff1f decide, which is 0x1fff with its two bytes swapped: the mask lacks `bpf_htons`',
    });
  });

  it('is a warning where the bit of responses is the one that offers recursion', async () => {
    const severities = async (mask: number): Promise<unknown[]> =>
      (
        await seenOf(
          drops((one) => (misread(one, TRANSPORT + 10) & mask) !== 0),
          dns,
        )
      ).map((one) => one.severity);
    expect(await severities(0x8000)).toEqual(['warning']);
    expect(await severities(0x7800)).toEqual([undefined]);
  });

  it('is a warning where the version of GRE is the recursion control of RFC 1701', async () => {
    const seen = await seenOf(
      drops((one) => (meant(one, TRANSPORT) & 0x0700) !== 0),
      gre,
    );
    expect(seen.map(({ severity }) => severity)).toEqual(['warning']);
  });

  it('shows in what is counted', async () => {
    const counts: Behaviour = ({ packet: frame }, state) => {
      if ((misread(frame, FRAGMENT) & 0x1fff) !== 0) state.counts.set(1, 1);
      return { action: XDP_PASS };
    };
    expect(await seenOf(counts, udp)).toHaveLength(1);
  });

  it.each<readonly [string, (frame: Uint8Array) => boolean, Uint8Array]>([
    ['where it is right', (one) => (meant(one, FRAGMENT) & 0x1fff) !== 0, udp],
    ['where all bits decide', (one) => meant(one, FRAGMENT) !== 0, udp],
    ['where one flag does', (one) => (meant(one, FRAGMENT) & 0x4000) !== 0, udp],
    ['where the lower byte does', (one) => one[FRAGMENT + 1] !== 0, udp],
    [
      'where recursion is asked for of responses',
      (one) => (meant(one, TRANSPORT + 10) & 0x8080) === 0x8080,
      dns,
    ],
    [
      'where recursion is looked for in what comes from a server',
      (one) => (meant(one, TRANSPORT + 10) & 0x0080) !== 0,
      response,
    ],
    ['where PPTP acknowledges (RFC 2637)', (one) => (meant(one, TRANSPORT) & 0x0080) !== 0, pptp],
    ['where TCP’s AE flag decides (RFC 9768)', (one) => (meant(one, TRANSPORT + 12) & 0x0100) !== 0, tcp],
    ['where nothing depends on it', () => true, udp],
    ['where its bits are counted', (one) => (one[FRAGMENT]! ^ one[FRAGMENT + 1]!) % 3 === 0, udp],
    [
      'where a hash of more decides',
      (one) => Math.imul(meant(one, FRAGMENT) ^ (one[29]! << 16), 0x9e3779b1) >>> 28 < 4,
      udp,
    ],
    [
      'where the lower byte of another number counts as well',
      (one) => (misread(one, FRAGMENT) & 0x1fff) !== 0 && one[19]! % 2 === 0,
      udp,
    ],
  ])('is none %s', async (_what, condition, frame) => {
    expect(await masks(condition, frame)).toEqual([]);
  });

  it('is none where a map that a test filled holds it', async () => {
    const value = Uint8Array.of(0xff, 0x1f, 0, 0);
    const world: World = { maps: { counts: [{ key: new Uint8Array(4), value }] } };
    const byMap: Behaviour = ({ packet: frame }, state) => ({
      action:
        state.world.maps !== undefined && (misread(frame, FRAGMENT) & 0x1fff) !== 0 ? XDP_DROP : XDP_PASS,
    });
    expect(await seenOf(byMap, udp, world)).toEqual([]);
    expect(await seenOf(byMap, udp, world, true)).toHaveLength(1);
  });
});
