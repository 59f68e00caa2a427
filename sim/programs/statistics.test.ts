import { describe, expect, it } from 'vitest';
import { createModelEngine } from '../engines/model.ts';
import { OutcomeBatch } from '../engines/outcome-batch.ts';
import { readU64le } from '../packet/bytes.ts';
import { PacketBatch } from '../packet/packet-batch.ts';
import type { ModelContext } from '../runtime/context.ts';
import type { ProgramDefinition } from '../runtime/program.ts';
import { statisticsMap, withStatistics } from './statistics.ts';

async function countsOf(
  model: (context: ModelContext) => number,
  ...lengths: number[]
): Promise<[number[], bigint[][]]> {
  const definition: ProgramDefinition = {
    name: 'counted',
    summary: '',
    description: '',
    entries: [{ function: 'counted', hook: 'xdp', model: withStatistics(model) }],
    maps: [statisticsMap],
    worlds: [],
    examples: [],
    hints: {},
  };
  const session = await createModelEngine().open(
    { name: 'counted', entries: definition.entries, definition },
    {},
  );
  const input = new PacketBatch(lengths.length);
  for (const length of lengths) input.push({ packet: new Uint8Array(length) });
  const output = new OutcomeBatch(lengths.length);
  await session.run(input, output);
  expect(output.notes.size).toBe(0);
  const counts = session
    .maps()[0]!
    .list()
    .map(({ value }) => [readU64le(value, 0), readU64le(value, 8)]);
  return [[...output.action], counts];
}

describe('statistics', () => {
  it('count packets and bytes under the action returned', async () => {
    const [actions, counts] = await countsOf(
      (context) => (context.frame.dataEnd - context.frame.data) % 5,
      60,
      61,
      66,
      63,
    );
    expect(actions).toEqual([0, 1, 1, 3]);
    expect(counts).toEqual([
      [1n, 60n],
      [2n, 127n],
      [0n, 0n],
      [1n, 63n],
      [0n, 0n],
    ]);
  });

  it('count the length as it is when the program returns', async () => {
    const [, counts] = await countsOf((context) => {
      context.adjustTail(-10);
      return 2;
    }, 100);
    expect(counts[2]).toEqual([1n, 90n]);
  });

  it('make XDP_ABORTED of an action above XDP_REDIRECT, and count nothing', async () => {
    const [actions, counts] = await countsOf(() => 5, 60);
    expect(actions).toEqual([0]);
    expect(counts.flat().every((value) => value === 0n)).toBe(true);
  });
});
