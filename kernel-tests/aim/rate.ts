/** What guidance costs: packets made, run in model and machine, and compared, guided over unguided, in interleaved rounds. */
import { createModelEngine } from '../../sim/engines/model.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { DEFAULT_EFFORT, guide } from '../../verify/guide/guide.ts';
import { verify } from '../../verify/run.ts';

const ROUNDS = 5;

export interface GuidedRate {
  /** Packets per second of each round, without and with guidance; the search itself not counted. */
  readonly plain: readonly number[];
  readonly guided: readonly number[];
  /** Seconds that the search takes, once. */
  readonly search: number;
}

/** @param packets of each round */
export async function guidedRate(program: Program, seed: string, packets: number): Promise<GuidedRate> {
  const start = performance.now();
  const guidance = guide(program, { seed, effort: DEFAULT_EFFORT });
  const search = (performance.now() - start) / 1000;
  const plain: number[] = [];
  const guided: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    for (const isGuided of [false, true]) {
      const before = performance.now();
      await verify({
        program,
        engines: [createModelEngine(), createWasmEngine()],
        seed: `${seed} ${round}`,
        runs: packets,
        ...(isGuided ? { guidance } : {}),
      });
      const rate = packets / ((performance.now() - before) / 1000);
      // The first round warms the compiler up.
      if (round > 0) (isGuided ? guided : plain).push(rate);
    }
  }
  return { plain, guided, search };
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}
