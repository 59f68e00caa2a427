import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import { faults } from '../simplify/well-formed.ts';
import { caseArbitrary, packetArbitrary, sequenceArbitrary, stimulusArbitrary } from './arbitraries.ts';
import { NO_LIMITS, TEST_RUN_LIMITS, withinLimits } from './packet-limits.ts';

/** The counterexample that fast-check ends with. */
function counterexample<T>(arbitrary: fc.Arbitrary<T>, holds: (value: T) => boolean): T {
  const details = fc.check(fc.property(arbitrary, holds), { seed: 20, numRuns: 20_000 });
  if (!details.failed || details.counterexample === null) return expect.fail('the property holds');
  return details.counterexample[0];
}

describe('the packet arbitraries', () => {
  it('give the same packets for fast-check’s same seed', () => {
    const sample = (): Stimulus[] => fc.sample(stimulusArbitrary(), { seed: 5, numRuns: 50 });
    expect(sample()).toEqual(sample());
    expect(new Set(sample().map(({ packet }) => packet.join())).size).toBe(50);
  });

  it('shrink to the least whole packet that fails', () => {
    const least = counterexample(
      packetArbitrary({}, { limits: NO_LIMITS }),
      (packet) => !(packet.length > 12 && packet[12] === 0x86),
    );
    expect(least).toEqual(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x86, 0));
  });

  it('keep within the limits while they shrink', () => {
    const seen: Uint8Array[] = [];
    const least = counterexample(packetArbitrary({}, { hooks: ['tc-ingress'] }), (packet) => {
      seen.push(packet);
      return !(packet[12] === 0x86 && packet[13] === 0xdd);
    });
    expect(seen.every((packet) => withinLimits(TEST_RUN_LIMITS['tc-ingress'], { packet }))).toBe(true);
    // Ethernet, IPv6 and a message of eight bytes: shorter ones are not whole.
    expect(faults(least)).toBe(0);
    expect(least).toHaveLength(62);
  });

  it('follow hints', () => {
    const packets = fc.sample(packetArbitrary({ kinds: { arp: 1e6 } }), { seed: 1, numRuns: 100 });
    expect(packets.filter((packet) => packet[12] === 0x08 && packet[13] === 0x06).length).toBeGreaterThan(50);
  });

  it('shrink sequences in length and in each packet', () => {
    const least = counterexample(
      sequenceArbitrary({}, { limits: NO_LIMITS, maxPackets: 8 }),
      (stimuli) => stimuli.filter(({ packet }) => packet.length >= 20).length < 2,
    );
    expect(least.map(({ packet }) => packet)).toEqual([new Uint8Array(20), new Uint8Array(20)]);
  });

  it('choose among worlds for a case', () => {
    const worlds = [
      { name: 'empty', world: {} },
      { name: 'later', world: { time: 5n } },
    ];
    const cases = fc.sample(caseArbitrary({}, worlds), { seed: 3, numRuns: 30 });
    expect(new Set(cases.map(({ world }) => world))).toEqual(new Set(worlds.map(({ world }) => world)));
    expect(cases.every(({ stimuli }) => stimuli.length >= 1)).toBe(true);
  });
});
