import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { OutcomeBatch, STATUS } from '../../sim/engines/outcome-batch.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { programByName } from '../../sim/programs/index.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { summarizeCoverage } from '../coverage-summary.ts';
import { type Guidance, guide, guideInTurns } from './guide.ts';

/** An object of ours as a stranger's: no model, no worlds, no hints. */
function foreign(name: string): Program {
  const entries = programByName(name)!.entries.map(({ model: _, ...entry }) => entry);
  return { name, entries, object: readFileSync(new URL(`../../bpf/built/${name}.o`, import.meta.url)) };
}

function plain({ cases }: Guidance): unknown {
  return cases.map(({ world, stimuli }) => ({ world, stimuli }));
}

it('reaches every branch of the router, by its routes, neighbours and devices', () => {
  const { branches, missing } = guide(foreign('router'), { seed: 'router' });
  expect(missing).toEqual([]);
  expect(branches.reached).toBe(branches.total);
});

it('fills the maps that are asked: for the source address, and for the device to redirect to', () => {
  const { branches, cases } = guide(foreign('redirect_map'), { seed: 'map' });
  expect(branches.reached).toBe(branches.total);
  const maps = cases.map(({ world }) => Object.keys(world.maps ?? {}).sort());
  expect(maps).toContainEqual(['redirect_params', 'tx_port']);
});

it('finds the same for the same seed', () => {
  const program = foreign('port_filter');
  const once = guide(program, { seed: 'same', effort: 100_000 });
  expect(plain(guide(program, { seed: 'same', effort: 100_000 }))).toEqual(plain(once));
  expect(plain(guide(program, { seed: 'other', effort: 100_000 }))).not.toEqual(plain(once));
});

it('yields cases that reach in compiled programs what it says they reach', async () => {
  const program = foreign('icmp_echo');
  const { cases, branches } = guide(program, { seed: 'compiled', effort: 600_000 });
  const session = await createWasmEngine().open(program, {});
  for (const { stimuli } of cases) {
    await session.reset();
    const input = new PacketBatch(stimuli.length);
    for (const stimulus of stimuli) input.push(stimulus);
    const output = new OutcomeBatch(stimuli.length);
    await session.run(input, output);
    expect([...output.status]).not.toContain(STATUS.fault);
  }
  expect(summarizeCoverage(session.coverage!()).branches[0]).toBe(branches.reached);
  await session.close();
});

it('ends when its effort is spent', () => {
  const { instructions } = guide(foreign('icmp_echo'), { seed: 'short', effort: 50_000 });
  expect(instructions).toBeLessThan(100_000);
});

it('goes on with what it has in reserve where much is left half way, and never where little is', () => {
  const spent = { seed: 'reserve', effort: 40_000 };
  const large = foreign('icmp_echo');
  const cut = guide(large, spent);
  const whole = guide(large, { ...spent, reserve: 560_000 });
  expect(cut.instructions).toBeLessThan(80_000);
  expect(whole.branches.reached).toBeGreaterThan(cut.branches.reached);
  const simple = foreign('redirect_map');
  expect(guide(simple, { seed: 'reserve', reserve: 4_000_000 })).toEqual(guide(simple, { seed: 'reserve' }));
});

it('finds the same where others have their turn meanwhile, and ends when one of them says so', async () => {
  const program = foreign('icmp_echo');
  const options = { seed: 'turns', effort: 100_000 };
  expect(plain(await guideInTurns(program, options))).toEqual(plain(guide(program, options)));
  const stop = new AbortController();
  setImmediate(() => stop.abort());
  const { instructions } = await guideInTurns(program, {
    ...{ seed: 'turns', effort: 20_000_000, signal: stop.signal },
  });
  expect(stop.signal.aborted).toBe(true);
  expect(instructions).toBeLessThan(4_000_000);
});
