import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { packageFile } from '../package-file.ts';
import { MAX_XDP_FRAME, MIN_FRAME, XDP_ROOM } from '../testrun/limits.ts';
import { CHUNK_ROOM } from './packet-loop.ts';

/** What harness.h defines by that name: numbers and products of numbers. */
function defined(name: string): number {
  const header = readFileSync(packageFile('kernel/native/harness.h'), 'utf8');
  const value = new RegExp(`^#define ${name} \\(?([\\d *]+)\\)?$`, 'm').exec(header)?.[1];
  return (value ?? '').split('*').reduce((product, factor) => product * Number(factor), 1);
}

it('knows the limits of test runs, and what the loop hands over, as TypeScript does', () => {
  expect(defined('HARNESS_MIN_FRAME')).toBe(MIN_FRAME);
  expect(defined('HARNESS_MAX_FRAME')).toBe(MAX_XDP_FRAME);
  expect(defined('HARNESS_ROOM')).toBe(XDP_ROOM);
  expect(defined('HARNESS_BYTES') + 2 * defined('HARNESS_ROOM')).toBe(CHUNK_ROOM);
});
