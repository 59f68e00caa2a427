import { describe, expect, it } from 'vitest';
import { PacketBatch } from '../../packet/packet-batch.ts';
import type { BpfObject } from '../bpf-object.ts';
import { testObject } from '../test-support/assemble.ts';
import { damage } from '../test-support/damage.ts';
import { RANDOM_MAPS, RANDOM_PACKET_BYTES, randomProgram } from '../test-support/random-program.ts';
import { comparable, compileAndRun, interpret, possible } from '../test-support/run-both.ts';
import { DISPROVEN } from './function-writer.ts';

/** `npm run soundness` tries more; `XDPSIM_FIRST_SEED=1500` others. */
const PROGRAMS = Number(process.env.XDPSIM_DAMAGED_PROGRAMS ?? 150);
const FIRST_SEED = Number(process.env.XDPSIM_FIRST_SEED ?? 0);
const BUDGET = 20_000;

function packets(seed: number): PacketBatch {
  const batch = new PacketBatch(4);
  for (const length of [RANDOM_PACKET_BYTES, RANDOM_PACKET_BYTES + 1, 120, 300]) {
    batch.push({
      packet: Uint8Array.from({ length }, (_, index) => (index * 37 + seed * 101 + length) & 0xff),
    });
  }
  return batch;
}

/** A linear congruential generator. */
function drawer(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % limit;
  };
}

function damaged(seed: number): BpfObject | undefined {
  const object = testObject({ main: randomProgram(seed).text }, RANDOM_MAPS);
  const program = object.programs[0]!;
  const instructions = damage(program.instructions, drawer(seed));
  return instructions === undefined ? undefined : { ...object, programs: [{ ...program, instructions }] };
}

describe('programs damaged at random', () => {
  it(
    'never do what was proven that they would not, and run to their end wherever the interpreter lets them',
    () => {
      let ran = 0;
      let stopped = 0;
      for (let seed = FIRST_SEED; seed < FIRST_SEED + PROGRAMS; seed++) {
        const object = damaged(seed);
        if (object === undefined) continue;
        const batch = packets(seed);
        const judged = interpret(object, batch, { budget: BUDGET });
        const compiled = compileAndRun(object, batch, { budget: BUDGET, distrustful: true });
        for (const [packet, outcome] of compiled.outcomes.entries()) {
          const place = `seed ${seed}, packet ${packet}, slot ${(outcome.stoppedAt ?? 0) % DISPROVEN}`;
          expect(outcome.stoppedAt ?? 0, place).toBeLessThan(DISPROVEN);
          if (judged.outcomes[packet]!.stoppedAt === undefined)
            expect(outcome.stoppedAt, place).toBeUndefined();
        }
        const clean = judged.outcomes.every((outcome) => outcome.stoppedAt === undefined);
        // What the interpreter stops, and with it the kernel, may go anywhere in WebAssembly.
        if (clean) possible([...compiled.coverage]);
        if (clean) expect(comparable(compiled), `seed ${seed}`).toEqual(comparable(judged));
        if (clean) ran++;
        else stopped++;
      }
      // Both kinds are there in numbers.
      expect(ran).toBeGreaterThan(PROGRAMS / 10);
      expect(stopped).toBeGreaterThan(PROGRAMS / 10);
    },
    // The work is fixed: how long it takes says something of the machine, and nothing of the code.
    600_000 + PROGRAMS * 20,
  );
});
