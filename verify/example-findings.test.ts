import { expect, it } from 'vitest';
import type { EngineName } from '../sim/engines/register.ts';
import type { Hook } from '../sim/runtime/actions.ts';
import { TC_ACT_OK, TC_ACT_SHOT, XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX } from '../sim/runtime/actions.ts';
import type { Example, Program } from '../sim/runtime/program.ts';
import type { Divergence } from './report.ts';
import { reportToJson } from './report.ts';
import { heldExamples, verify } from './run.ts';
import { type Behaviour, FAKE_PROGRAM, type FakeOptions, fakeEngine } from './test-support/engines.ts';
import { data } from './test-support/packets.ts';

const FRAME = data(20);
const CHANGED = FRAME.with(5, 77);

function programWith(examples: readonly Example[], hook: Hook = 'xdp'): Program {
  const entries = [{ function: 'fake', hook, model: () => 0 }];
  const definition = {
    name: 'fake',
    summary: '',
    description: '',
    entries,
    maps: [],
    worlds: [{ name: 'empty', world: {} }],
    examples,
    hints: {},
  };
  return { ...FAKE_PROGRAM, entries, definition };
}

/** What a run of examples alone finds where each engine does the same to every packet. */
async function findingsOf(
  program: Program,
  does: Partial<Record<EngineName, ReturnType<Behaviour>>>,
  options: FakeOptions = {},
): Promise<readonly Divergence[]> {
  const report = await verify({
    program,
    engines: Object.entries(does).map(([name, outcome]) =>
      fakeEngine(name as EngineName, () => outcome, options),
    ),
    seed: 'a seed',
    cases: heldExamples(program),
    runs: 0,
    maxDivergences: 9,
  });
  return report.divergences;
}

const summaries = (found: readonly Divergence[]): string[] => found.map(({ summary }) => summary);

const DROPS: Example = { name: 'drops it', stimulus: { packet: FRAME }, action: XDP_DROP };

it('finds what neither model nor program does, and says that they agree', async () => {
  const found = await findingsOf(programWith([DROPS]), {
    model: { action: XDP_PASS },
    testrun: { action: XDP_PASS },
    wasm: { action: XDP_PASS },
  });
  expect(summaries(found)).toEqual([
    'fake: example “drops it”: action: expected XDP_DROP, got XDP_PASS (model, testrun and wasm): the model and the program agree with each other: both are wrong, or the example is',
  ]);
  expect(found[0]).toMatchObject({
    engines: ['example', 'model'],
    field: 'action',
    state: 'shrunk',
    seen: { file: 'example: drops it' },
  });
});

it('says who is wrong where one of both does what the example says, before it tells how they differ', async () => {
  const program = programWith([DROPS]);
  const [model] = await findingsOf(program, { model: { action: XDP_PASS }, wasm: { action: XDP_DROP } });
  expect(model!.summary).toMatch(
    /got XDP_PASS \(model\): the program does what it says, the model does not$/,
  );
  const [object] = await findingsOf(program, { model: { action: XDP_DROP }, wasm: { action: XDP_PASS } });
  expect(object!.summary).toMatch(
    /got XDP_PASS \(wasm\): the model does what it says, the program does not$/,
  );
  const [kernel] = await findingsOf(program, {
    model: { action: XDP_DROP },
    testrun: { action: XDP_PASS },
    wasm: { action: XDP_DROP },
  });
  expect(kernel!.summary).toMatch(/\(testrun\): the model and wasm do what it says, testrun does not$/);
  const [alone] = await findingsOf(program, { wasm: { action: XDP_PASS } });
  expect(alone!.summary).toMatch(/\(wasm\): the program is wrong, or the example is$/);
});

it('holds frames that leave to the one that is stated, and to the one that came where none is', async () => {
  const plain: Example = { name: 'leaves it', stimulus: { packet: FRAME }, action: XDP_TX };
  const changes: Example = { ...plain, name: 'changes it', packet: CHANGED };
  const asItCame = { model: { action: XDP_TX }, wasm: { action: XDP_TX } };
  expect(await findingsOf(programWith([plain]), asItCame)).toEqual([]);
  expect(await findingsOf(programWith([changes]), asItCame)).toMatchObject([
    { part: 'packet', engines: ['example', 'model'] },
  ]);
  const changed = { wasm: { action: XDP_TX, packet: CHANGED } };
  expect(await findingsOf(programWith([changes]), changed)).toEqual([]);
  expect(await findingsOf(programWith([plain]), changed)).toMatchObject([{ part: 'packet' }]);
});

it('asks nothing of a frame that does not leave, and no more of an engine than it can show', async () => {
  const program = programWith([DROPS]);
  expect(await findingsOf(program, { wasm: { action: XDP_DROP, packet: CHANGED } })).toEqual([]);
  const aborts = { veth: { action: XDP_ABORTED } };
  expect(await findingsOf(program, aborts, { observes: { action: 'delivery' } })).toEqual([]);
  expect(await findingsOf(program, aborts)).toHaveLength(1);
});

it('tells of every example that is not kept', async () => {
  const program = programWith([DROPS, { ...DROPS, name: 'drops it again' }]);
  const found = await findingsOf(program, { model: { action: XDP_PASS } });
  expect(found.map(({ finding }) => finding.example?.name)).toEqual(['drops it', 'drops it again']);
});

it('takes a frame with the tag that the kernel puts beside it as stated with it, or without', async () => {
  const tagged = new Uint8Array(40);
  tagged.set([0x81, 0, 0, 5, 0x08, 0], 12);
  const bare = new Uint8Array(36);
  bare.set([0x08, 0], 12);
  const example: Example = { name: 'passes it', stimulus: { packet: tagged }, action: TC_ACT_OK };
  const passes = { wasm: { action: TC_ACT_OK } };
  for (const packet of [undefined, tagged, bare]) {
    const stated = packet === undefined ? example : { ...example, packet };
    expect(await findingsOf(programWith([stated], 'tc-ingress'), passes)).toEqual([]);
  }
  const other = { ...example, packet: tagged.with(30, 1) };
  expect(await findingsOf(programWith([other], 'tc-ingress'), passes)).toHaveLength(1);
  const shot = { ...example, action: TC_ACT_SHOT };
  expect(await findingsOf(programWith([shot], 'tc-ingress'), passes)).toHaveLength(1);
});

it('names the example in JSON', async () => {
  const program = programWith([DROPS]);
  const report = await verify({
    program,
    engines: [fakeEngine('model', () => ({ action: XDP_PASS }))],
    seed: 'a seed',
    cases: heldExamples(program),
    runs: 0,
  });
  expect(reportToJson(report).divergences).toMatchObject([
    {
      engines: ['example', 'model'],
      field: 'action',
      example: { name: 'drops it', differing: ['model'], keeping: [] },
    },
  ]);
});
