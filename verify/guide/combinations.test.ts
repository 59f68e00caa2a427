/** Ways that go together: at branches that hang on the world, with each other way of the packet. */
import { expect, it } from 'vitest';
import { binary, input, type Operand } from '../../sim/ebpf/dataflow/expression.ts';
import type { FlowBranch, FlowCall } from '../../sim/ebpf/dataflow/flow-trace.ts';
import type { InputField } from '../../sim/ebpf/dataflow/inputs.ts';
import { Combinations } from './combinations.ts';
import { edgeId, type TracedRun } from './traced-runs.ts';

const on = (field: InputField): Operand => input(field, 0n);
const PACKET = on({ kind: 'packet', packet: 0, offset: 0 });
const MAP = on({ kind: 'map', map: 0, key: new Uint8Array(4), offset: 0 });

const branch = (slot: number, taken: boolean, a: Operand, b: Operand = 0n): FlowBranch => ({
  ...{ program: 0, slot, taken, packet: 0, comparison: 'eq', bits: 64, a, b },
});
const calls = [{ needs: 0 }, { needs: 30 }] as unknown as readonly FlowCall[];

/** A run over these branches. */
function run(...branches: readonly FlowBranch[]): Pick<TracedRun, 'trace' | 'ways'> {
  const trace = { branches, calls, effects: [] } as unknown as TracedRun['trace'];
  return { trace, ways: new Set(branches.map(edgeId)) };
}

it.each([
  ['bytes of the packet', PACKET, 0n, false],
  ['a number', 5n, 7n, false],
  ['a value of a map', MAP, 0n, true],
  ['a value of a map on the right', 0n, MAP, true],
  ['what is computed from one', binary('add', 64, PACKET, MAP), PACKET, true],
  ['whether a lookup finds something', on({ kind: 'call', call: 0 }), 0n, true],
  ['whether the frame is long enough for a call', on({ kind: 'call', call: 1 }), 0n, false],
  ['a call that is not in the trace', on({ kind: 'call', call: 2 }), 0n, false],
  ['the time', on({ kind: 'time', packet: 0 }), 0n, false],
] as const)('a branch on %s: %s', (_, a, b, hangs) => {
  const combinations = new Combinations();
  expect(combinations.hasAny).toBe(false);
  expect(combinations.enter(run(branch(3, true, a, b)))).toBe(hangs);
  expect(combinations.hasAny).toBe(hangs);
});

it('are new once, each way of the branch with each of another', () => {
  const combinations = new Combinations();
  const both = (map: boolean, packet: boolean) => run(branch(3, map, MAP), branch(5, packet, PACKET));
  expect(combinations.enter(both(true, true))).toBe(true);
  expect(combinations.enter(both(true, true))).toBe(false);
  expect(combinations.enter(both(true, false))).toBe(true);
  expect(combinations.enter(both(false, true))).toBe(true);
  expect(combinations.enter(both(false, false))).toBe(true);
  for (const map of [true, false])
    for (const packet of [true, false]) expect(combinations.enter(both(map, packet))).toBe(false);
  // Less than what went together already.
  expect(combinations.enter(run(branch(3, true, MAP)))).toBe(false);
});

it('tell places and programs apart', () => {
  const combinations = new Combinations();
  combinations.enter(run(branch(3, true, MAP)));
  expect(combinations.enter(run({ ...branch(3, true, MAP), program: 1 }))).toBe(true);
  expect(combinations.enter(run(branch(4, true, MAP)))).toBe(true);
  expect(combinations.enter(run(branch(5, true, PACKET)))).toBe(false);
  // Two numbers stay two, however many ways there are in between.
  for (let slot = 6; slot < 300; slot++) combinations.enter(run(branch(slot, false, MAP)));
  for (let slot = 6; slot < 299; slot++) {
    const pair = run(branch(slot, false, MAP), branch(slot + 1, false, MAP));
    if (!combinations.enter(pair) || combinations.enter(pair)) expect.fail(`slots ${slot} and ${slot + 1}`);
  }
});

it('remember what a branch hangs on from its first run', () => {
  const combinations = new Combinations();
  expect(combinations.enter(run(branch(3, true, MAP)))).toBe(true);
  // Where the value is known in another run, its ways count all the same.
  expect(combinations.enter(run(branch(3, false, 5n)))).toBe(true);
  expect(combinations.enter(run(branch(4, false, 5n)))).toBe(false);
  expect(combinations.enter(run(branch(4, true, MAP)))).toBe(false);
});

it('are of a redirect through a map, too, whose result no branch asks about', () => {
  const combinations = new Combinations();
  const redirected = (found: boolean, packet: boolean, helper = 'bpf_redirect_map') => {
    const way = run(branch(5, packet, PACKET));
    const call = { program: 0, slot: 9, needs: 0, found, helper };
    return { ...way, trace: { ...way.trace, calls: [call] } as unknown as TracedRun['trace'] };
  };
  expect(combinations.enter(redirected(true, true, 'bpf_map_lookup_elem'))).toBe(false);
  expect(combinations.enter(redirected(true, true))).toBe(true);
  expect(combinations.enter(redirected(true, true))).toBe(false);
  expect(combinations.enter(redirected(false, true))).toBe(true);
  expect(combinations.enter(redirected(true, false))).toBe(true);
  expect(combinations.enter(redirected(false, false))).toBe(true);
  expect(combinations.enter(redirected(false, true))).toBe(false);
});
