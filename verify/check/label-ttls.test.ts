/** What is said of programs that change labels, with functions in place of programs. */
import { describe, expect, it } from 'vitest';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX } from '../../sim/runtime/actions.ts';
import { EngineSide } from '../engine-side.ts';
import { type Behaviour, FAKE_PROGRAM, fakeEngine } from '../test-support/engines.ts';
import { bytes, data, ethernet, ipv4, udp } from '../test-support/packets.ts';
import { LabelTtls } from './label-ttls.ts';

const LABEL = 14;
const TTL = LABEL + 3;
const labels = (ttl: number, ...more: readonly number[]): Uint8Array =>
  ethernet(0x8847, bytes([0, 1, more.length === 0 ? 0x41 : 0x40, ttl], more, ipv4(17, udp(data(8)))));
const ONE = labels(64);
/** With another label below it. */
const TWO = labels(64, 0, 1, 0x51, 64);
/** Of which none says that it is the last. */
const OPEN = ethernet(0x8847, bytes([0, 1, 0x40, 64], new Uint8Array(40)));

interface Swap {
  /** The TTL that it leaves with. */
  readonly to: (ttl: number) => number;
  readonly action?: number;
  /** The least TTL that it takes. */
  readonly least?: number;
  readonly label?: number;
}

const swaps =
  ({ to, action = XDP_TX, least = 0, label = 9 }: Swap): Behaviour =>
  ({ packet }) => {
    if (packet[TTL]! < least) return { action: XDP_DROP };
    const left = packet.slice();
    left[LABEL + 1] = label;
    left[TTL] = to(packet[TTL]!);
    return { action, packet: left };
  };

/** The label that the last packet left with which was shown. */
let shownLabel: number | undefined;

async function found(behaviour: Behaviour, packet: Uint8Array = ONE): Promise<string[]> {
  const engine = fakeEngine('wasm', behaviour);
  const ttls = new LabelTtls(FAKE_PROGRAM, false);
  const input = new PacketBatch(1);
  input.push({ packet });
  const side = new EngineSide(engine, FAKE_PROGRAM, 1);
  expect(await side.run({}, input)).toBe(true);
  ttls.observe({}, input, side);
  await side.close();
  const seen = await ttls.find(engine);
  expect(engine.log.closed).toBe(engine.log.opened);
  return seen.map(({ breach, stimuli, got }) => {
    shownLabel = got.packet[LABEL + 1];
    const came = stimuli[0]!.packet[breach.at];
    return `${breach.invariant} ${came} ${got.packet[breach.at]}`;
  });
}

const lowered = (ttl: number): number => (ttl - 1) & 0xff;

describe('a label that is swapped', () => {
  it.each([
    ['one', ONE],
    ['one above another', TWO],
    ['one of a stack that ends nowhere', OPEN],
  ])('goes on with TTL 0, or with 255, where all TTLs are lowered: %s', async (_, packet) => {
    const every = await found(swaps({ to: lowered }), packet);
    expect(every).toEqual(['mpls/expired 1 0', 'mpls/wrapped 0 255']);
    expect(await found(swaps({ to: lowered, action: XDP_PASS }), packet)).toEqual(every);
    expect(await found(swaps({ to: lowered, least: 1 }), packet)).toEqual(['mpls/expired 1 0']);
    expect(await found(swaps({ to: lowered, least: 2 }), packet)).toEqual([]);
  });

  it('goes on with 255 where the only packet that was seen came with TTL 0', async () => {
    const skipsOne = (ttl: number): number => (ttl === 1 ? ttl : lowered(ttl));
    expect(await found(swaps({ to: skipsOne }), labels(0))).toEqual(['mpls/wrapped 0 255']);
  });

  it('keeps its TTL where none is lowered', async () => {
    const keeps = { to: (ttl: number) => ttl };
    expect(await found(swaps(keeps))).toEqual(['mpls/not-lowered 64 64']);
    expect(await found(swaps({ ...keeps, least: 2 }), TWO)).toEqual(['mpls/not-lowered 64 64']);
    // The stack lowers it; and a label that is the same was carried through.
    expect(await found(swaps({ ...keeps, action: XDP_PASS }))).toEqual([]);
    expect(await found(swaps({ ...keeps, label: 1 }))).toEqual([]);
  });

  it('is shown with a packet that the program swaps', async () => {
    const swap = swaps({ to: (ttl) => ttl });
    const others =
      (action: number): Behaviour =>
      (stimulus, state) =>
        stimulus.packet[LABEL + 1] === 1 ? swap(stimulus, state) : { action };
    expect(await found(others(XDP_TX))).toEqual(['mpls/not-lowered 64 64']);
    expect(shownLabel).toBe(9);
    expect(await found(others(XDP_PASS))).toEqual(['mpls/not-lowered 64 64']);
    expect(shownLabel).toBe(9);
  });

  it('has a TTL of the program’s own', async () => {
    expect(await found(swaps({ to: () => 64 }))).toEqual([]);
    expect(await found(swaps({ to: () => 63 }))).toEqual([]);
    expect(await found(swaps({ to: () => 255 }))).toEqual([]);
  });

  it('is redirected, or nothing that is not changed', async () => {
    expect(await found(swaps({ to: (ttl) => ttl, action: XDP_REDIRECT }))).toEqual([
      'mpls/not-lowered 64 64',
    ]);
    expect(await found(() => ({ action: XDP_TX }))).toEqual([]);
  });
});
