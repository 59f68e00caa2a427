import { expect, it } from 'vitest';
import { isOldKernel } from './testrun-kernel.ts';

it.each([
  ['4.19.0-27-amd64', true],
  ['5.9.16', true],
  ['5.10.0-30-amd64', false],
  ['5.15', false],
  ['6.1.0-50-amd64', false],
  ['10.0', false],
])('tells kernels from before 5.10: %s', (release, old) => {
  expect(isOldKernel(release)).toBe(old);
});
