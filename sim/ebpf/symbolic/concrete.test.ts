/** The symbolic reader in lockstep with the interpreter, on random programs (`test-support/lockstep.ts`). */
import { describe, expect, it } from 'vitest';
import type { Hook } from '../../runtime/actions.ts';
import { Machine } from '../machine.ts';
import { testObject } from '../test-support/assemble.ts';
import { lockstep } from '../test-support/lockstep.ts';
import {
  onPacketBytes,
  RANDOM_MAPS,
  RANDOM_PACKET_BYTES,
  randomProgram,
} from '../test-support/random-program.ts';

/** `npm run sound` compares twenty times as many. */
const PROGRAMS = 30 * Number(process.env.XDPSIM_RANDOM_SCALE ?? 1);
const LENGTHS = [RANDOM_PACKET_BYTES - 1, RANDOM_PACKET_BYTES, 127];
const MOST_STEPS = 3000;

/** @returns instructions compared */
function compare(seed: number, length: number, hook: Hook): number {
  const { text: random } = randomProgram(seed, { straight: seed % 3 === 2 });
  const text = seed % 3 === 0 ? random : onPacketBytes(random);
  const machine = new Machine(testObject({ main: hook === 'xdp' ? text : forSkb(text) }, RANDOM_MAPS), {});
  const packet = Uint8Array.from({ length }, (_, index) => (index * 37 + seed * 101 + length * 13) & 0xff);
  const { steps, left, difference } = lockstep({ machine, program: 0, hook, packet, mostSteps: MOST_STEPS });
  expect(difference, `seed ${seed}, ${length} bytes`).toBeUndefined();
  if (steps < MOST_STEPS) expect(left, `seed ${seed}, ${length} bytes`).toBeUndefined();
  return steps;
}

/** The same program on `struct __sk_buff`. */
function forSkb(text: string): string {
  return text
    .replaceAll('*(u32 *)(r6 + 0)', '*(u32 *)(r6 + 76)')
    .replaceAll('*(u32 *)(r6 + 4)', '*(u32 *)(r6 + 80)');
}

describe('paths of random programs', () => {
  it(`hold what the machine has in its registers, instruction by instruction (${PROGRAMS} programs)`, () => {
    let steps = 0;
    for (let seed = 0; seed < PROGRAMS; seed++) {
      for (const length of LENGTHS) steps += compare(seed, length, 'xdp');
    }
    expect(steps).toBeGreaterThan(PROGRAMS * 200);
  });

  it('on an sk_buff likewise', () => {
    let steps = 0;
    for (let seed = PROGRAMS; seed < 2 * PROGRAMS; seed += 3) steps += compare(seed, 127, 'tc-ingress');
    expect(steps).toBeGreaterThan(1000);
  });
});
