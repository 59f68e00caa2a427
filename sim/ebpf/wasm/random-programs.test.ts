import { describe, expect, it } from 'vitest';
import { PacketBatch } from '../../packet/packet-batch.ts';
import { testObject } from '../test-support/assemble.ts';
import { RANDOM_MAPS, RANDOM_PACKET_BYTES, randomProgram } from '../test-support/random-program.ts';
import { comparable, compileAndRun, interpret } from '../test-support/run-both.ts';

/** `npm run soundness` compares twenty times as many. */
const PROGRAMS = 75 * Number(process.env.XDPSIM_RANDOM_SCALE ?? 1);

function packets(seed: number): PacketBatch {
  const batch = new PacketBatch(4);
  for (const length of [RANDOM_PACKET_BYTES - 1, RANDOM_PACKET_BYTES, 120, 300]) {
    batch.push({
      packet: Uint8Array.from({ length }, (_, index) => (index * 37 + seed * 101 + length) & 0xff),
    });
  }
  return batch;
}

describe('random programs', () => {
  it(`do the same in the interpreter and in WebAssembly: outcomes, maps, coverage (${PROGRAMS} programs)`, () => {
    for (let seed = 0; seed < PROGRAMS; seed++) {
      const { text } = randomProgram(seed);
      const object = testObject({ main: text }, RANDOM_MAPS);
      const batch = packets(seed);
      const judged = interpret(object, batch);
      // What the generator makes, the verifier takes.
      expect(judged.outcomes.map((outcome) => outcome.reason)).toEqual([
        undefined,
        undefined,
        undefined,
        undefined,
      ]);
      expect(comparable(compileAndRun(object, batch)), `seed ${seed}:\n${text}`).toEqual(comparable(judged));
    }
  });

  it('are the same for the same seed', () => {
    expect(randomProgram(5)).toEqual(randomProgram(5));
    expect(randomProgram(5).text).not.toBe(randomProgram(6).text);
  });
});
