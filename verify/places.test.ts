/** What a run makes small, where somebody says which place is to blame. */
import { describe, expect, it } from 'vitest';
import { XDP_DROP, XDP_PASS } from '../sim/runtime/actions.ts';
import type { Divergence, ProgramReport } from './report.ts';
import { type Places, verify } from './run.ts';
import type { Found } from './segment.ts';
import { FAKE_PROGRAM, fakeEngine } from './test-support/engines.ts';
import { data } from './test-support/packets.ts';

async function run(places: Partial<Places>): Promise<ProgramReport> {
  const all: Places = {
    placeOf: async () => undefined,
    isKnown: async () => false,
    hasStrayed: () => false,
    ...places,
  };
  return verify({
    ...{ program: FAKE_PROGRAM, seed: 'places', runs: 40, batchSize: 10, maxDivergences: 9, places: all },
    engines: [
      fakeEngine('vm', () => ({ action: XDP_PASS })),
      fakeEngine('wasm', ({ packet }) => ({ action: packet.length > 30 ? XDP_DROP : XDP_PASS })),
    ],
    source: {
      fill: (batch, _seed, first, count) =>
        Array.from({ length: count }, (_, at) => batch.push({ packet: data(40 + first + at) })),
    },
  });
}

const states = ({ divergences }: ProgramReport): string[] =>
  divergences.map(({ state }: Divergence) => state);

describe('a finding', () => {
  it('is made small where nobody knows its place', async () => {
    expect(states(await run({}))).toEqual(['shrunk']);
  });

  it('stays as it was found where its place is known: nobody asks then what became of it', async () => {
    let asked = 0;
    const hasStrayed = (): boolean => {
      asked++;
      return true;
    };
    const report = await run({ isKnown: async () => true, hasStrayed });
    expect(states(report)).toEqual(['found']);
    expect(report.divergences[0]!.case.stimuli[0]!.packet.length).toBe(40);
    expect(asked).toBe(0);
  });

  it('stays as it was found where it became another one, small', async () => {
    const seen: [found: number, small: number][] = [];
    const report = await run({
      hasStrayed: ({ case: shown }: Found, small) => {
        seen.push([shown.stimuli[0]!.packet.length, small.case.stimuli[0]!.packet.length]);
        return true;
      },
    });
    expect(states(report)).toEqual(['found']);
    expect(report.divergences[0]!.case.stimuli[0]!.packet.length).toBe(40);
    expect(seen).toEqual([[40, 31]]);
  });
});
