import { expect, it } from 'vitest';
import type { Divergence } from '../../verify/report.ts';
import { SavedOnce } from './saved-once.ts';

/** What is saved, under a name of what it was seen in and of its run, if that is told. */
function saving(): { readonly cases: SavedOnce; readonly files: Map<string, string> } {
  const files = new Map<string, string>();
  const cases = new SavedOnce(async ({ field, run = 'none', state }) => {
    files.set(`${field} ${run}`, state);
    return { file: `${field} ${run}` };
  });
  return { cases, files };
}

function seen(field: string, run: string, state: Divergence['state'] = 'found'): Divergence {
  const one = {
    program: 'p',
    engines: ['oracle', 'wasm'],
    field,
    seen: { seed: '7', packet: 3 },
    run,
    state,
  };
  return one as unknown as Divergence;
}

it('a case of another run with the same name takes nobody’s place', async () => {
  const { cases, files } = saving();
  expect(await cases.save(seen('sum', 'run-0'))).toEqual({ file: 'sum none' });
  expect(await cases.save(seen('sum', 'run-2', 'shrunk'))).toEqual({ file: 'sum run-2' });
  expect(Object.fromEntries(files)).toEqual({ 'sum none': 'found', 'sum run-2': 'shrunk' });
});

it('a case that has become smaller does, and other names have no run', async () => {
  const { cases, files } = saving();
  await cases.save(seen('sum', 'run-1'));
  await cases.save(seen('sum', 'run-1', 'shrunk'));
  await cases.save(seen('length', 'run-4'));
  expect(Object.fromEntries(files)).toEqual({ 'sum none': 'shrunk', 'length none': 'found' });
});
