/** What a session of the engine `model` takes over from its models and maps, and what it refuses to open. */
import { describe, expect, it } from 'vitest';
import { PacketBatch, type Stimulus } from '../packet/packet-batch.ts';
import { type Hook, TC_ACT_OK, TC_ACT_REDIRECT, XDP_PASS, XDP_REDIRECT } from '../runtime/actions.ts';
import type { ModelContext } from '../runtime/context.ts';
import { indexKey } from '../runtime/map-snapshot.ts';
import type { MapDefinition } from '../runtime/maps.ts';
import type { Program, ProgramDefinition, ProgramEntry } from '../runtime/program.ts';
import type { World } from '../runtime/world.ts';
import { createModelEngine } from './model.ts';
import { OutcomeBatch, STATUS } from './outcome-batch.ts';

type Model = (context: ModelContext) => number;

function programOf(
  model: Model,
  hook: Hook,
  maps: readonly MapDefinition[] = [],
  entries?: ProgramEntry[],
): Program {
  const definition: ProgramDefinition = {
    name: 'test',
    summary: '',
    description: '',
    entries: [{ function: 'test', hook, model }],
    maps,
    worlds: [],
    examples: [],
    hints: {},
  };
  return { name: 'test', entries: entries ?? definition.entries, definition };
}

async function run(program: Program, world: World, ...stimuli: Stimulus[]): Promise<OutcomeBatch> {
  const session = await createModelEngine().open(program, world);
  const input = new PacketBatch(stimuli.length);
  for (const stimulus of stimuli) input.push(stimulus);
  const output = new OutcomeBatch(stimuli.length);
  await session.run(input, output);
  return output;
}

const packet = new Uint8Array(20);
const map = (more: Partial<MapDefinition>): MapDefinition => ({
  name: 'm',
  type: 'HASH',
  keySize: 4,
  valueSize: 4,
  maxEntries: 4,
  ...more,
});

describe('an outcome', () => {
  const all: Model = (context) => {
    Object.assign(context.skb, { mark: 1, priority: 2, tstamp: 0x8000_0001_fedc_ba98n });
    context.skb.cb.set([11, 12, 13, 14, 15]);
    const to = context.redirect(context.ingressIfindex);
    return context.frame.bytes[context.frame.data] === 1 ? to : context.hook === 'xdp' ? XDP_PASS : TC_ACT_OK;
  };
  const fields = (output: OutcomeBatch, index: number): unknown => [
    output.action[index],
    output.redirect[index],
    output.mark[index],
    output.priority[index],
    [...output.cb.subarray(5 * index, 5 * index + 5)],
    [...output.tstamp.subarray(2 * index, 2 * index + 2)],
  ];
  const stimuli = [0, 1].map(
    (first): Stimulus => ({ packet: Uint8Array.of(first, ...packet), ingressIfindex: 40 + first }),
  );

  it('at TC has what the model left in the sk_buff, and a target where the action is a redirect', async () => {
    for (const hook of ['tc-ingress', 'tc-egress'] as const) {
      const output = await run(programOf(all, hook), {}, ...stimuli);
      const skb = [1, 2, [11, 12, 13, 14, 15], [0xfedc_ba98, 0x8000_0001]];
      expect(fields(output, 0)).toEqual([TC_ACT_OK, 0, ...skb]);
      expect(fields(output, 1)).toEqual([TC_ACT_REDIRECT, 41, ...skb]);
    }
  });

  it('at XDP has none of it', async () => {
    const output = await run(programOf(all, 'xdp'), {}, ...stimuli);
    const none = [0, 0, [0, 0, 0, 0, 0], [0, 0]];
    expect(fields(output, 0)).toEqual([XDP_PASS, 0, ...none]);
    expect(fields(output, 1)).toEqual([XDP_REDIRECT, 41, ...none]);
  });

  it('has its place: batches of outcomes that are too small are refused', async () => {
    const session = await createModelEngine().open(programOf(all, 'xdp'), {});
    const input = new PacketBatch(2);
    for (const stimulus of stimuli) input.push(stimulus);
    await expect(session.run(input, new OutcomeBatch(1))).rejects.toThrow(
      '2 packets do not fit into a batch of 1 outcomes',
    );
  });

  it('may be another in the kernel from the packet on that crowds an LRU map, and from the first once it is crowded', async () => {
    let next = 0;
    const insert: Model = (context) => {
      context.map('m').update(indexKey(next++), indexKey(1));
      return XDP_PASS;
    };
    const session = await createModelEngine().open(programOf(insert, 'xdp', [map({ type: 'LRU_HASH' })]), {});
    const found: number[] = [];
    for (const count of [2, 3, 1]) {
      const input = new PacketBatch(count);
      for (let index = 0; index < count; index++) input.push({ packet });
      const output = new OutcomeBatch(count);
      await session.run(input, output);
      found.push(output.uncertainFrom);
    }
    // Two of four entries are surely kept.
    expect(found).toEqual([Number.POSITIVE_INFINITY, 0, 0]);
    next = 0;
    await session.reset();
    const input = new PacketBatch(4);
    for (let index = 0; index < 4; index++) input.push({ packet });
    const output = new OutcomeBatch(4);
    await session.run(input, output);
    expect(output.uncertainFrom).toBe(2);
    // Also where the first packet of the next batch does not run at all.
    input.entry[0] = 9;
    await session.run(input, output);
    expect([output.status[0], output.uncertainFrom]).toEqual([STATUS.fault, 0]);
  });
});

describe('a session', () => {
  const pass: Model = () => XDP_PASS;

  it('shows the maps that can be read, in order of their names', async () => {
    const maps = [
      map({ name: 'z' }),
      map({ name: 'queue', type: 'QUEUE', keySize: 0 }),
      map({ name: 'a', type: 'ARRAY' }),
    ];
    const session = await createModelEngine().open(programOf(pass, 'xdp', maps), {});
    expect(session.maps().map(({ definition: { name } }) => name)).toEqual(['a', 'z']);
  });

  it.each<[why: string, maps: MapDefinition[], world: World]>([
    ['the world fills a map other that test lacks', [map({})], { maps: { other: [] } }],
    [
      'map m: key and value have 4 and 4 bytes, not 3 and 4',
      [map({})],
      { maps: { m: [{ key: new Uint8Array(3), value: new Uint8Array(4) }] } },
    ],
    [
      'map m: key and value have 4 and 4 bytes, not 4 and 5',
      [map({})],
      { maps: { m: [{ key: new Uint8Array(4), value: new Uint8Array(5) }] } },
    ],
    [
      'map m refuses an entry of the world (errno 7)',
      [map({ maxEntries: 1 })],
      { maps: { m: [1, 2].map((index) => ({ key: indexKey(index), value: indexKey(1) })) } },
    ],
    ['the model of test: map m: a model cannot hold a SOCKMAP map', [map({ type: 'SOCKMAP' })], {}],
    [
      'the model of test: map m holds a map none that is not there',
      [map({ type: 'HASH_OF_MAPS', holds: [{ key: 1, map: 'none' }] })],
      {},
    ],
  ])('is not opened: %s', async (why, maps, world) => {
    await expect(createModelEngine().open(programOf(pass, 'xdp', maps), world)).rejects.toThrow(why);
  });

  it('finds maps that others hold, wherever they stand', async () => {
    const holder = map({ name: 'outer', type: 'ARRAY_OF_MAPS', holds: [{ key: 2, map: 'm' }] });
    const seen: unknown[] = [];
    const look: Model = (context) => {
      seen.push(context.map('outer').inner(2)?.definition.name, context.map('outer').inner(1));
      return XDP_PASS;
    };
    await run(programOf(look, 'xdp', [holder, map({})]), {}, { packet });
    expect(seen).toEqual(['m', undefined]);
  });

  it('takes a function by its name, or the only one there is, whatever it is called, at its own hook', async () => {
    const open = (name: string, hook: Hook): Promise<unknown> =>
      createModelEngine().open(programOf(pass, 'xdp', [], [{ function: name, hook }]), {});
    await expect(open('test', 'xdp')).resolves.toBeDefined();
    await expect(open('other', 'xdp')).resolves.toBeDefined();
    await expect(open('other', 'tc-ingress')).rejects.toThrow('the model of test has no function other');
  });

  it('has nothing to run without a definition, and says what to write', () => {
    expect(
      createModelEngine().availability({ name: 'p', entries: [{ function: 'f', hook: 'xdp' }] }),
    ).toEqual({
      available: false,
      reason: 'no model for p',
      remedy: 'write f.model.ts, then run: npx xdpsim verify ./f.model.ts',
    });
    expect(createModelEngine().availability()).toEqual({ available: true });
  });
});
