import { describe, expect, it } from 'vitest';
import { createModelEngine } from '../engines/model.ts';
import { OutcomeBatch, STATUS } from '../engines/outcome-batch.ts';
import { toHex } from '../packet/bytes.ts';
import { PacketBatch } from '../packet/packet-batch.ts';
import { actionName } from '../runtime/actions.ts';
import type { Example, ProgramDefinition } from '../runtime/program.ts';
import { programByName, programs } from './index.ts';

async function outcomeOf(definition: ProgramDefinition, example: Example): Promise<OutcomeBatch> {
  const world = definition.worlds.find(({ name }) => name === (example.world ?? definition.worlds[0]!.name));
  if (world === undefined) throw new Error(`no world ${example.world}`);
  const program = { name: definition.name, entries: definition.entries, definition };
  const session = await createModelEngine().open(program, world.world);
  const input = new PacketBatch(1);
  input.push(example.stimulus);
  const output = new OutcomeBatch(1);
  await session.run(input, output);
  return output;
}

describe.each(programs.map((program) => [program.name, program] as const))('%s', (_name, program) => {
  it.each(program.examples.map((example) => [example.name, example] as const))(
    '%s',
    async (_sentence, example) => {
      const output = await outcomeOf(program, example);
      const { hook } = program.entries[example.stimulus.entry ?? 0]!;
      expect(output.status[0]).toBe(STATUS.ran);
      expect(actionName(hook, output.action[0]!)).toBe(actionName(hook, example.action));
      expect(toHex(output.packet(0))).toBe(toHex(example.packet ?? example.stimulus.packet));
    },
  );

  it('has worlds, examples with names of their own, and maps with names of their own', () => {
    expect(program.worlds.length).toBeGreaterThan(0);
    for (const list of [
      program.worlds,
      program.examples,
      program.maps,
      program.entries.map(({ function: name, after = '' }) => ({ name: name + after })),
    ]) {
      const names = list.map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
    }
    expect(program.summary).not.toMatch(/\n/);
  });

  it('is found by its name', () => {
    expect(programByName(program.name)).toBe(program);
  });
});

describe('the register', () => {
  it('has no two programs of one name, and no program of no name', () => {
    expect(new Set(programs.map(({ name }) => name)).size).toBe(programs.length);
    expect(programByName('')).toBeUndefined();
  });
});
