/** The corpora that are kept: each reaches what it is said to reach, and `verify` replays it. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Case, casesFromCapture } from '../../corpus/cases/case.ts';
import { exampleAt, reasonsForPacket } from '../../corpus/cases/kept.ts';
import { packageFile } from '../../kernel/package-file.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { worldToJson } from '../../sim/runtime/world-json.ts';
import { exampleCases } from '../../verify/run.ts';
import { builtInPrograms } from '../input/program-source.ts';
import { casesOf } from '../verify/saved-cases.ts';
import { type CorpusRecord, RECORD_FILE, recordOf } from './corpora.ts';
import { corpusFile } from './corpus-file.ts';
import { ReachReader } from './reach.ts';

const records = JSON.parse(readFileSync(packageFile(RECORD_FILE), 'utf8')) as Record<string, CorpusRecord>;
const programs = builtInPrograms();

async function corpusOf(program: Program): Promise<Case[]> {
  const cases: Case[] = [];
  for await (const one of casesFromCapture(corpusFile(program.name), { program: 'none' })) cases.push(one);
  return cases;
}

describe('the corpora of the built-in programs', () => {
  it('are there for every program, and for no other', () => {
    expect(Object.keys(records)).toEqual(programs.map(({ name }) => name));
    const files = readdirSync(packageFile('corpus/packets')).filter((name) => name.endsWith('.pcapng'));
    expect(files.sort()).toEqual(programs.map(({ name }) => `${name}.pcapng`).sort());
  });

  it.each(programs.map((program) => [program.name, program] as const))(
    'of %s reaches what is recorded (npm run corpora), with few packets',
    async (name, program) => {
      const cases = await corpusOf(program);
      expect(await recordOf(program, cases)).toEqual(records[name]);
      expect(records[name]!.packets).toBeLessThanOrEqual(300);
      expect(statSync(corpusFile(name)).size).toBeLessThan(600_000);
      // Written for this program, each with the reason for which it was kept.
      for (const one of cases) {
        expect(one.program).toBe(name);
        expect(one.note?.kept?.length).toBeGreaterThan(0);
      }
    },
  );

  it.each(programs.map((program) => [program.name, program] as const))(
    'of %s hold packets in one case only where each goes the way that it goes by itself',
    async (_, program) => {
      const reader = new ReachReader(program);
      for (const one of await corpusOf(program)) {
        const alone: string[] = [];
        for (const stimulus of one.stimuli)
          alone.push(...(await reader.waysOf({ ...one, stimuli: [stimulus] })));
        // A packet without a reason of its own is there for the one behind it.
        const isNeeded = alone.some((_, at) => reasonsForPacket(one.note, at + 1, alone.length).length === 0);
        if (!isNeeded) expect(await reader.waysOf(one)).toEqual(alone);
      }
      await reader.close();
    },
  );

  it('reach every branch of most programs', () => {
    const whole = Object.values(records).filter(({ branches: [reached, total] }) => reached === total);
    expect(whole.length).toBeGreaterThanOrEqual(14);
  });

  it.each(programs.map((program) => [program.name, program] as const))(
    'of %s has each of the examples, in its world and under its name',
    async (_, program) => {
      const kept = new Map<string, unknown>();
      for (const { world, stimuli, note } of await corpusOf(program)) {
        for (const [at, stimulus] of stimuli.entries()) {
          const name = exampleAt(note, at + 1, stimuli.length);
          if (name !== undefined) kept.set(name, asRead(world, stimulus));
        }
      }
      const examples = exampleCases(program);
      expect([...kept.keys()].sort()).toEqual(examples.map(({ path }) => path).sort());
      for (const { path, case: one } of examples)
        expect(kept.get(path), path).toEqual(asRead(one.world, one.stimuli[0]!));
    },
  );

  it('are replayed by verify in the place of the examples', async () => {
    const program = programs.find(({ name }) => name === 'router')!;
    const pathsOf = async (one: Program): Promise<string[]> => {
      const paths: string[] = [];
      for await (const { path } of casesOf(one, [])) paths.push(path);
      return paths;
    };
    const own = await pathsOf(program);
    expect(own.filter((path) => path === corpusFile('router')).length).toBe(records.router!.cases);
    expect(own.filter((path) => path.startsWith('example: '))).toEqual([]);
    const definition = { ...program.definition!, summary: 'a router of somebody else' };
    const others = await pathsOf({ ...program, definition });
    expect(others).not.toContain(corpusFile('router'));
    expect(others.filter((path) => path.startsWith('example: ')).length).toBe(definition.examples.length);
  });
});

/** What a stimulus does not say, a file does not say either. */
function asRead(world: World, stimulus: Stimulus): unknown {
  const { packet, metadata = new Uint8Array(), entry = 0, ingressIfindex = 1, ...rest } = stimulus;
  const bytes = [packet, metadata].map((one) => Buffer.from(one).toString('hex'));
  return { world: worldToJson(world), bytes, entry, ingressIfindex, ...rest };
}
