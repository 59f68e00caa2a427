import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Case, casesFromCapture, encodeCase } from '../../corpus/cases/case.ts';
import { minimizeCases } from '../../corpus/cases/minimize.ts';
import { PacketGenerator } from '../../corpus/generate/generator.ts';
import { seedFromText } from '../../corpus/generate/random.ts';
import { OutcomeBatch } from '../../sim/engines/outcome-batch.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { builtInPrograms } from '../input/program-source.ts';
import { openCaseTarget } from './case-target.ts';
import { ReachReader, reasonsOf } from './reach.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-minimize-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const byName = new Map(builtInPrograms().map((program) => [program.name, program]));

/** Generated packets, each a case in one world. */
function casesOf(program: Program, count: number): Case[] {
  const { definition } = program;
  const batch = new PacketBatch(count);
  const hooks = program.entries.map((entry) => entry.hook);
  new PacketGenerator(definition!.hints, hooks).fill(batch, seedFromText('minimize'), 0, count);
  const { world } = definition!.worlds[0]!;
  return Array.from({ length: count }, (_, at) => ({
    program: program.name,
    world,
    stimuli: [batch.stimulus(at)],
  }));
}

/** The old way: a session for each case, and all that its coverage says. */
async function reachedAlone(program: Program, { world, stimuli }: Case): Promise<Set<string>> {
  const session = await createWasmEngine().open(program, world);
  const input = new PacketBatch(stimuli.length);
  for (const stimulus of stimuli) input.push(stimulus);
  await session.run(input, new OutcomeBatch(input.count));
  const points = new Set<string>();
  for (const { function: name, instructions, branches } of session.coverage!().functions) {
    instructions.forEach((times, at) => void (times > 0 && points.add(`${name} ${at}`)));
    for (const { instruction, taken, notTaken } of branches) {
      if (taken > 0) points.add(`${name} ${instruction} taken`);
      if (notTaken > 0) points.add(`${name} ${instruction} not taken`);
    }
  }
  await session.close();
  return points;
}

describe('what a case reaches', () => {
  it.each(['router', 'layer_coop', 'tcp_filter'])(
    'is what it reaches in a session of its own: %s',
    async (name) => {
      const program = byName.get(name)!;
      const reader = new ReachReader(program);
      for (const one of casesOf(program, 60)) {
        const reached = [...(await reader.reachedBy(one))].filter((point) => !point.startsWith('action '));
        expect(new Set(reached)).toEqual(await reachedAlone(program, one));
      }
      await reader.close();
    },
  );

  it('is the same set for packets that go the same way', async () => {
    const program = byName.get('icmp_echo')!;
    const reader = new ReachReader(program);
    const sets = new Set<unknown>();
    for (const one of casesOf(program, 1000)) sets.add(await reader.reachedBy(one));
    await reader.close();
    expect(sets.size).toBeLessThan(400);
  });

  it('has reasons that name the line of C and the way of the branch', () => {
    const program = byName.get('router')!;
    const [reason, ...others] = reasonsOf(program, ['router 2', 'router 2 taken', 'action XDP_REDIRECT']);
    expect(reason).toBe('returns XDP_REDIRECT');
    expect(others.join()).toMatch(/^router\.bpf\.c:\d+: taken {2}\S/);
  });
});

describe('a minimised corpus', () => {
  it('reaches what all packets reach, and says what each alone does', async () => {
    const program = byName.get('router')!;
    const cases = casesOf(program, 3000);
    const reader = new ReachReader(program);
    const { kept, read } = await minimizeCases(cases, (one) => reader.reachedBy(one));
    expect(read).toBe(3000);
    const all = new Set<string>();
    for (const one of cases) for (const point of await reader.reachedBy(one)) all.add(point);
    const some = new Set<string>();
    for (const one of kept) {
      for (const point of await reader.reachedBy(one.case)) some.add(point);
      expect(one.alone.length).toBeGreaterThan(0);
    }
    await reader.close();
    expect(some).toEqual(all);
    expect(kept.length).toBeLessThan(40);
  });

  it('is made of what was read when it was interrupted', async () => {
    const program = byName.get('router')!;
    const cases = casesOf(program, 50);
    const reader = new ReachReader(program);
    const abort = new AbortController();
    const onProgress = (done: number): void => void (done === 20 && abort.abort());
    const { kept, read } = await minimizeCases(cases, (one) => reader.reachedBy(one), {
      signal: abort.signal,
      onProgress,
    });
    await reader.close();
    expect(read).toBe(20);
    expect(kept.every((one) => cases.indexOf(one.case) < 20)).toBe(true);
    expect(kept.length).toBeGreaterThan(0);
  });
});

describe('where cases go', () => {
  const one: Case = {
    program: 'p',
    world: {},
    stimuli: [{ packet: new Uint8Array(20) }],
    note: { kept: ['x'] },
  };

  it('is one file of sections, or a directory of files', async () => {
    const file = join(scratch, 'all.pcapng');
    await (await openCaseTarget(file)).save([one, { ...one, program: 'q' }]);
    const back: Case[] = [];
    for await (const each of casesFromCapture(file, { program: '' })) back.push(each);
    expect(back).toEqual([one, { ...one, program: 'q' }]);
    const directory = join(scratch, 'folder');
    await (await openCaseTarget(directory)).save([one]);
    expect(readdirSync(directory)).toEqual([expect.stringMatching(/^[0-9a-f]{32}\.pcapng$/)]);
  });

  it('is refused where it is neither', async () => {
    await expect(openCaseTarget(join(scratch, 'all.pcap'))).rejects.toThrow(
      'cases are written as .pcapng, or to a directory, not as .pcap',
    );
    const text = join(scratch, 'text');
    writeFileSync(text, encodeCase(one));
    await expect(openCaseTarget(text)).rejects.toThrow('is not a directory');
  });
});
