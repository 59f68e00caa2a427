/** Models that ask for time, chance, CPU and flow hash, held against machine and kernel: all see the same. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { compileBpf } from '../bpf/compile.ts';
import { chooseEngines } from '../cli/engines.ts';
import { type EngineName, inOrderOfRank } from '../sim/engines/register.ts';
import type { ProgramDefinition } from '../sim/runtime/program.ts';
import type { ProgramReport } from '../verify/report.ts';
import { verify } from '../verify/run.ts';
import limiter from './fixtures/limiter.model.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const folder = mkdtempSync(join(tmpdir(), 'xdpsim-model-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ENGINES: readonly EngineName[] = ['model', 'vm', 'wasm', 'testrun'];

function hold(definition: ProgramDefinition): Promise<ProgramReport> {
  const object = join(folder, 'limiter.o');
  compileBpf('kernel-tests/fixtures/limiter.bpf.c', object);
  const { name, entries } = definition;
  return verify({
    program: { name, entries, definition, object: new Uint8Array(readFileSync(object)), objectPath: object },
    engines: chooseEngines(ENGINES.join(',')).engines,
    seed: 'chance',
    runs: 20_000,
  });
}

const sampler: ProgramDefinition = {
  ...limiter,
  name: 'sampler',
  entries: [
    {
      function: 'sampler',
      hook: 'tc-ingress',
      model: (context) => {
        if (context.random() % 4 === 0) context.skb.mark = context.flowHash();
        context.skb.priority = context.cpu;
        return 0;
      },
    },
  ],
  maps: [],
  worlds: [
    { name: 'first', world: { randomSeed: 1, hashSeed: 7 } },
    { name: 'second', world: { randomSeed: 0xffff_ffff } },
  ],
  examples: [],
};

describeKernel('models with clock and chance', ['compiler', 'testrun'], () => {
  it.each([limiter, sampler])('$name does the same in model, machine and kernel', async (definition) => {
    const report = await hold(definition);
    expect(report.divergences.map(({ summary }) => summary)).toEqual([]);
    expect(report.engines.map(({ name, status }) => `${name} ${status}`)).toEqual(
      inOrderOfRank(ENGINES).map((name) => `${name} ran`),
    );
    // Nothing of it was left out because of clock or chance.
    expect(JSON.stringify(report.notCompared)).not.toMatch(/clock|chance|map /);
  });

  it('a model with another burst is found out', async () => {
    const [entry] = limiter.entries;
    let calls = 0;
    const report = await hold({
      ...limiter,
      entries: [{ ...entry!, model: (context) => (++calls % 5000 === 0 ? 1 : entry!.model(context)) }],
    });
    expect(report.divergences).not.toEqual([]);
  });

  it('the limiter limits', async () => {
    const { actions } = await hold(limiter);
    expect(actions.XDP_DROP).toBeGreaterThan(100);
    expect(actions.XDP_PASS).toBeGreaterThan(100);
  });
});

it('is the example that docs/your-own-program.md shows', () => {
  const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
  const shown = read('fixtures/limiter.model.ts').replace('../../cli/library.ts', 'xdpsim');
  expect(read('../docs/your-own-program.md')).toContain(shown);
});
