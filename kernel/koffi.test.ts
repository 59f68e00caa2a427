import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { KOFFI_VERSION, loadKoffi } from './koffi.ts';
import { packageFile } from './package-file.ts';

it('is of the version that package.json asks for', () => {
  const { dependencies, optionalDependencies } = JSON.parse(
    readFileSync(packageFile('package.json'), 'utf8'),
  ) as Record<string, Record<string, string> | undefined>;
  expect({ ...dependencies, ...optionalDependencies }.koffi).toBe(KOFFI_VERSION);
  // Where it cannot be loaded, the commands say so.
  expect([undefined, KOFFI_VERSION]).toContain(loadKoffi()?.version);
});
