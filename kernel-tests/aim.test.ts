/**
 * Guidance leads to lines that nothing else reaches: the short form, on some of the programs. `npm run aim` takes all of
 * them.
 */
import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { createEngine } from '../cli/engines.ts';
import { guide } from '../verify/guide/guide.ts';
import { verify } from '../verify/run.ts';
import { buildGuarded, firstThatReaches, GUARDED_PROGRAMS } from './aim/programs.ts';
import { describeKernel } from './test-support/require-kernel.ts';

/** A constant, a composite key, four packets in a row, two tail calls, a tunnel, variables for user space to fill, a list. */
const SHORT = ['port', 'composite', 'knock', 'tail', 'tunnel', 'filled', 'elements'];

/** A tenth of what a run spends by default, and the seed at hand. */
const EFFORT = 1_000_000;

describeKernel('guidance without hints', ['compiler'], () => {
  for (const guarded of GUARDED_PROGRAMS.filter(({ name }) => SHORT.includes(name))) {
    it(`reaches the guarded line of ${guarded.name}`, async () => {
      const program = buildGuarded(guarded);
      const { cases } = guide(program, { seed: 'guarded', effort: EFFORT });
      expect(await firstThatReaches(program, guarded, cases)).toBeDefined();
    });
  }

  it('fills variables that nothing in the program writes, and only these', () => {
    const program = buildGuarded(GUARDED_PROGRAMS.find(({ name }) => name === 'filled')!);
    const { cases, missing } = guide(program, { seed: 'guarded', effort: EFFORT });
    const filled = cases.flatMap(({ world }) => Object.keys(world.globals ?? {}));
    expect(new Set(filled)).toEqual(new Set(['enabled', 'watched', 'limit']));
    expect(missing.map(({ line }) => line)).toEqual([18]);
  });

  it('fills none where a model says what the program does', () => {
    const program = buildGuarded(GUARDED_PROGRAMS.find(({ name }) => name === 'filled')!);
    const definition = {
      ...{ name: 'filled', summary: '', description: '', entries: [], maps: [], examples: [], hints: {} },
      worlds: [{ name: 'empty', world: {} }],
    };
    const { cases } = guide({ ...program, definition }, { seed: 'guarded', effort: EFFORT });
    expect(cases.flatMap(({ world }) => Object.keys(world.globals ?? {}))).toEqual([]);
  });
});

describeKernel('guided cases in the kernel', ['compiler', 'testrun'], () => {
  it('do there what they do in the machine: states, worlds and filled slots', async () => {
    for (const guarded of GUARDED_PROGRAMS.filter(({ name }) =>
      ['knock', 'tail', 'filled', 'elements', 'made'].includes(name),
    )) {
      const program = buildGuarded(guarded);
      const guidance = guide(program, { seed: 'kernel', effort: EFFORT });
      const engines = [createEngine('wasm'), createEngine('testrun')];
      const report = await verify({ program, engines, seed: 'kernel', runs: 4_096, guidance });
      expect(report.divergences.map(({ summary }) => summary)).toEqual([]);
      expect(report.engines.map(({ status }) => status)).toEqual(['ran', 'ran']);
      expect(report.actions.XDP_TX, guarded.name).toBeGreaterThan(0);
    }
  });
});

it('lists every program of the folder', () => {
  const files = readdirSync(new URL('aim', import.meta.url)).filter((name) => name.endsWith('.bpf.c'));
  expect(files.map((name) => name.slice(0, -'.bpf.c'.length)).sort()).toEqual(
    GUARDED_PROGRAMS.map(({ name }) => name).sort(),
  );
});
