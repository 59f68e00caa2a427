import { expect, it } from 'vitest';
import { packageFile } from '../../kernel/package-file.ts';
import { placeOfError } from './error-place.ts';

const MODULE = 'file:///home/me/my.model.ts';

function errorWith(...frames: string[]): Error {
  const error = new Error('no');
  error.stack = ['Error: no', ...frames.map((frame) => `    at ${frame}`)].join('\n');
  return error;
}

it('leaves out places in xdpsim, also those that name the folder where it was built', () => {
  const own = packageFile('cli/input/program-module.ts');
  const bundles = ['bundle.cjs', 'verify-bundle.cjs'].map(
    (name) => `/build/xdpsim/dist/bin/${name}:5509:126`,
  );
  const frames = [`importDefault (${own}:1:2)`, ...bundles.map((place) => `x (${place})`)];
  expect(placeOfError(errorWith(...frames), MODULE)).toBeUndefined();
  expect(placeOfError(errorWith(...frames, 'y (/home/me/my.model.ts:3:7)'), MODULE)).toBe('line 3, column 7');
});

it('names a place in another file of the user’s, whatever it is called', () => {
  expect(placeOfError(errorWith('y (/home/me/bundle.cjs:3:7)'), MODULE)).toBe('/home/me/bundle.cjs:3:7');
});
