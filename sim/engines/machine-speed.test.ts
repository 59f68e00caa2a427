import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Program } from '../runtime/program.ts';
import { type MachineMode, machineRacer } from './machine-speed.ts';

const program: Program = {
  name: 'xdp_pass',
  entries: [{ function: 'xdp_pass', hook: 'xdp' }],
  object: new Uint8Array(readFileSync(new URL('../../bpf/built/xdp_pass.o', import.meta.url))),
};

/** A clock on which every look takes so many milliseconds. */
function clock(step: number): () => number {
  let now = 100;
  return () => {
    now += step;
    return now;
  };
}

describe('nanoseconds of a packet', () => {
  it.each<[mode: MachineMode, packets: number, nanoseconds: number]>([
    // Batches of 4096: 1 is as long as that, 4097 is two.
    ['vm', 1, 1e6 / 4096],
    ['wasm', 0, 1e6 / 4096],
    ['wasm', 1, 1e6 / 4096],
    ['wasm', 4096, 1e6 / 4096],
    ['wasm', 4097, 1e6 / 8192],
    ['wasm-copied', 1, 1e6],
    ['wasm-copied', 10, 1e5],
  ])('in mode %s, of %i packets that took a millisecond', async (mode, packets, nanoseconds) => {
    const racer = await machineRacer(mode, program, new Uint8Array(60));
    expect(await racer.nanoseconds(packets, clock(1))).toBeCloseTo(nanoseconds, 6);
  });

  it('are of the clock on the wall unless another is given', async () => {
    for (const mode of ['wasm', 'wasm-copied'] as const) {
      const racer = await machineRacer(mode, program, new Uint8Array(60));
      expect(await racer.nanoseconds(10)).toBeGreaterThan(0);
    }
  });

  it('are of no program that cannot run', async () => {
    const { object: _object, ...none } = program;
    for (const mode of ['vm', 'wasm', 'wasm-copied'] as const)
      await expect(machineRacer(mode, none, new Uint8Array(60))).rejects.toThrow('no compiled object');
  });
});
