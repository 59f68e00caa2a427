import { expect, it } from 'vitest';
import { kernelIsOlderThan } from './kernel-version.ts';

it.each([
  ['4.19.0-27-amd64', true],
  ['5.9.16', true],
  ['5.10.0-30-amd64', false],
  ['5.15', false],
  ['6.1.0-50-amd64', false],
  ['10.0', false],
])('tells kernels from before 5.10: %s', (running, older) => {
  expect(kernelIsOlderThan('5.10', running)).toBe(older);
});
