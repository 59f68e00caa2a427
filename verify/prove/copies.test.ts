/** Copies that a path sends are frames that no proof looks at: what is said of frames stays open. */
import { expect, it } from 'vitest';
import { Machine } from '../../sim/ebpf/machine.ts';
import { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { Answer } from '../../sim/ebpf/symbolic/path-state.ts';
import { TermPool } from '../../sim/ebpf/symbolic/term-pool.ts';
import { testObject } from '../../sim/ebpf/test-support/assemble.ts';
import { PropertyJudge } from './properties.ts';

const object = testObject({ main: 'exit' });
const pool = new TermPool();
const inputs = new Inputs(pool, new Machine(object, {}), 'tc-ingress', object.programs[0]!);

/** What is said of a path that drops the packet after it has called these helpers. */
async function saidAfter(...helpers: string[]): Promise<Record<string, string>> {
  const judge = new PropertyJudge(inputs, undefined as never, undefined as never, () => undefined);
  const state = inputs.start(0);
  state.end = { kind: 'exit', action: pool.constant(64, 2) };
  state.answers = helpers.map((helper) => ({ helper, read: [], arguments: [] }) as unknown as Answer);
  await judge.judge(state, undefined);
  return Object.fromEntries(judge.properties(undefined).map(({ invariant, status }) => [invariant, status]));
}

it('a path that sends a copy leaves properties of frames undecided', async () => {
  const open = { lengths: 'undecided', fragments: 'undecided', 'checksum/other': 'undecided' };
  expect(await saidAfter('bpf_clone_redirect')).toMatchObject(open);
});

it('a path without one does not', async () => {
  expect(Object.values(await saidAfter('bpf_skb_pull_data'))).not.toContain('undecided');
});
