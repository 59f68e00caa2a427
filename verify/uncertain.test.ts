/** How far the kernel's outcomes are certain, and the pieces of a case. */
import { describe, expect, it } from 'vitest';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import { fakeEngine } from './test-support/engines.ts';
import { outcomes } from './test-support/outcomes.ts';
import { certainPackets, packetsBetween } from './uncertain.ts';

describe('packets whose outcomes are certain', () => {
  const of = (name: 'wasm' | 'testrun', from?: number) => {
    const output = outcomes({}, {}, {});
    if (from !== undefined) output.uncertainFrom = from;
    return { engine: fakeEngine(name, () => ({ action: 2 })), output };
  };

  it('are all without a kernel, and those before anybody is uncertain with one', () => {
    expect(certainPackets([of('wasm', 1)], 3)).toBe(3);
    expect(certainPackets([of('wasm'), of('testrun')], 3)).toBe(3);
    expect(certainPackets([of('wasm', 2), of('testrun')], 3)).toBe(2);
    expect(certainPackets([of('wasm', 2), of('testrun', 0)], 3)).toBe(0);
    expect(certainPackets([of('wasm', 9), of('testrun')], 3)).toBe(3);
  });
});

describe('a piece of a case', () => {
  const whole = new PacketBatch(4);
  for (const size of [20, 30, 40, 50])
    whole.push({ packet: new Uint8Array(size).fill(size), ingressIfindex: size });

  it('has these packets, with all that is known of them', () => {
    const piece = packetsBetween(whole, 1, 3);
    expect(piece.count).toBe(2);
    expect([piece.stimulus(0), piece.stimulus(1)]).toEqual([whole.stimulus(1), whole.stimulus(2)]);
    expect(piece.capacity).toBe(2);
    expect(packetsBetween(whole, 0, 4).count).toBe(4);
    expect(packetsBetween(whole, 2, 2).count).toBe(0);
    expect(packetsBetween(whole, 3, 4).stimulus(0)).toEqual(whole.stimulus(3));
  });
});
