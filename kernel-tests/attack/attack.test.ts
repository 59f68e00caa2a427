/** A little of the attack on inputs, in every run of the tests: `npm run attack` has the rest. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { toFailure } from '../../cli/failure.ts';
import { Random, seedFromText } from '../../corpus/generate/random.ts';
import { kindsNamed } from './input-kinds.ts';
import type { InputKind } from './kinds/input-kind.ts';

const scratch = mkdtempSync(join(tmpdir(), 'attack-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Those of which one input takes tens of milliseconds get fewer. */
const SLOW: ReadonlySet<string> = new Set(['check', 'prove', 'prove with z3', 'link types', 'checksums']);
const SEED = seedFromText('attack');
const random = new Random();

it.each(kindsNamed('').map((kind) => [kind.name, kind] as const))(
  'damaged inputs are taken, or refused with a sentence: %s',
  async (name, { seeds, damage, read }) => {
    const before = seeds.map((seed) => seed.slice());
    for (let index = 0; index < (SLOW.has(name) ? 3 : 20); index++) {
      random.start(SEED, index);
      const bytes = damage(random, seeds[random.below(seeds.length)]!, seeds[random.below(seeds.length)]!);
      try {
        await read(bytes, scratch);
      } catch (error) {
        if (toFailure(error) === undefined) throw error;
        expect(toFailure(error)!.message).not.toMatch(/undefined|\[object /);
      }
    }
    expect(seeds, 'inputs that others start from').toEqual(before);
    expect(await isTaken(read, seeds), 'an input without damage').toBe(true);
  },
);

async function isTaken(read: InputKind['read'], seeds: readonly Uint8Array[]): Promise<boolean> {
  for (const seed of seeds.slice(0, 3)) {
    try {
      await read(seed, scratch);
      return true;
    } catch (error) {
      if (toFailure(error) === undefined) throw error;
    }
  }
  return false;
}
