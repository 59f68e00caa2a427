import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const ROOMS = ['sim', 'corpus', 'verify', 'kernel', 'cli', 'kernel-tests'];
const sources = (): string[] =>
  ROOMS.flatMap((room) =>
    readdirSync(room, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${room}/${name}`),
  );

/** The longest of some values: what a property of the default length sees. */
const longest = (arbitrary: fc.Arbitrary<{ readonly length: number }>): number =>
  Math.max(...fc.sample(arbitrary, { numRuns: 300, seed: 1 }).map(({ length }) => length));

describe('properties', () => {
  it('reach the maximum that they name', () => {
    expect(longest(fc.array(fc.nat(3), { maxLength: 60 }))).toBe(60);
    expect(longest(fc.uint8Array({ maxLength: 64 }))).toBe(64);
    expect(longest(fc.string({ unit: 'binary-ascii', maxLength: 40 }))).toBe(40);
    expect(longest(fc.uniqueArray(fc.nat(), { maxLength: 30 }))).toBe(30);
  });

  it('stay small where they name none', () => {
    expect(longest(fc.array(fc.nat(3)))).toBeLessThanOrEqual(10);
  });

  it('try the same values in every run', () => {
    expect(fc.sample(fc.nat(), 5)).toEqual(fc.sample(fc.nat(), 5));
  });

  it('are configured nowhere else: configureGlobal replaces all settings', () => {
    // The mutation tester adds one setting to these.
    const files = sources().filter((file) => /\bfc\.configureGlobal\(\{/.test(readFileSync(file, 'utf8')));
    expect(files).toEqual(['kernel-tests/mutation/worker.ts', 'kernel-tests/test-support/properties.ts']);
  });
});
