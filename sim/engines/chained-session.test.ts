import { describe, expect, it } from 'vitest';
import { readU32le, writeU32le } from '../packet/bytes.ts';
import { PacketBatch, type Stimulus } from '../packet/packet-batch.ts';
import {
  TC_ACT_OK,
  TC_ACT_PIPE,
  TC_ACT_REDIRECT,
  TC_ACT_SHOT,
  XDP_ABORTED,
  XDP_DROP,
  XDP_PASS,
  XDP_TX,
} from '../runtime/actions.ts';
import type { ModelContext } from '../runtime/context.ts';
import type { MapDefinition } from '../runtime/maps.ts';
import type { ModelEntry, Program } from '../runtime/program.ts';
import { singleFunctions } from './chained-session.ts';
import { createModelEngine } from './model.ts';
import { OutcomeBatch, STATUS } from './outcome-batch.ts';

const counter: MapDefinition = { name: 'counter', type: 'ARRAY', keySize: 4, valueSize: 4, maxEntries: 1 };

/** The first byte of the packet says what XDP does. */
const DROP = 1;
const SEND_BACK = 2;
const SEND_ON = 3;
const ABORT = 4;
const FAIL = 5;
/** … and that TC prints nothing. */
const QUIET = 8;

/** Counts in one map at both hooks: the count shows in which order functions have run. */
function count(context: ModelContext): number {
  const slot = context.map('counter').lookupIndex(0)!;
  const number = readU32le(slot, 0) + 1;
  writeU32le(slot, 0, number);
  return number;
}

function xdp(context: ModelContext): number {
  const number = count(context);
  context.trace(`xdp ${number}`);
  context.adjustMeta(-4);
  const { bytes, dataMeta, data } = context.frame;
  writeU32le(bytes, dataMeta, number);
  bytes[data + 1] = 0xee;
  switch (bytes[data]) {
    case DROP:
      return XDP_DROP;
    case SEND_BACK:
      return XDP_TX;
    case SEND_ON:
      return context.redirect(77);
    case ABORT:
      return XDP_ABORTED;
    case FAIL:
      throw new Error('on purpose');
    default:
      return XDP_PASS;
  }
}

function tc(context: ModelContext): number {
  const { bytes, dataMeta, data } = context.frame;
  const number = count(context);
  if (bytes[data] !== QUIET) context.trace(`tc ${number}`);
  context.skb.priority = 77;
  for (let word = 0; word < 5; word++) context.skb.cb[word] = 900 + word;
  context.skb.mark = data > dataMeta ? readU32le(bytes, dataMeta) : 1000 + context.ingressIfindex;
  return bytes[data] === 9 ? TC_ACT_PIPE : TC_ACT_OK;
}

const entries: readonly ModelEntry[] = [
  { function: 'tc', hook: 'tc-ingress', after: 'xdp', model: tc },
  { function: 'xdp', hook: 'xdp', model: xdp },
  { function: 'tc', hook: 'tc-ingress', model: tc },
];
const CHAIN = 0;
const XDP = 1;
const TC = 2;

const program: Program = {
  name: 'test',
  entries,
  definition: {
    name: 'test',
    summary: 'a test',
    description: 'A test.',
    entries,
    maps: [counter],
    worlds: [{ name: 'default', world: {} }],
    examples: [],
    hints: {},
  },
};

async function run(...stimuli: Stimulus[]): Promise<OutcomeBatch> {
  const session = await createModelEngine().open(program, {});
  const input = new PacketBatch(stimuli.length);
  for (const stimulus of stimuli) input.push(stimulus);
  const output = new OutcomeBatch(stimuli.length);
  await session.run(input, output);
  return output;
}

function packet(first: number, entry: number, length: number = 20): Stimulus {
  const bytes = new Uint8Array(length);
  bytes[0] = first;
  return { packet: bytes, entry, ingressIfindex: 5 };
}

describe('a chained entry', () => {
  it('hands TC the bytes and the metadata that XDP left', async () => {
    const output = await run(packet(0, CHAIN));
    expect(output.action[0]).toBe(TC_ACT_OK);
    expect(output.mark[0]).toBe(1);
    expect(output.packet(0)[1]).toBe(0xee);
    expect(output.metadata(0)).toEqual(Uint8Array.of(1, 0, 0, 0));
    expect(output.trace.get(0)).toEqual(['xdp 1', 'tc 2']);
    expect(output.notes.size).toBe(0);
  });

  it('has the lines of XDP where TC prints none', async () => {
    expect((await run(packet(QUIET, CHAIN))).trace.get(0)).toEqual(['xdp 1']);
  });

  it('has all that TC left in the sk_buff', async () => {
    const output = await run(packet(0, CHAIN), packet(0, CHAIN));
    expect([...output.priority.subarray(0, 2)]).toEqual([77, 77]);
    expect([...output.cb.subarray(0, 10)]).toEqual([900, 901, 902, 903, 904, 900, 901, 902, 903, 904]);
  });

  it('has the action of TC where XDP passes', async () => {
    expect((await run(packet(9, CHAIN))).action[0]).toBe(TC_ACT_PIPE);
  });

  it.each([
    ['drops', DROP, TC_ACT_SHOT, 0],
    ['aborts', ABORT, TC_ACT_SHOT, 0],
    ['sends back', SEND_BACK, TC_ACT_REDIRECT, 0],
    ['redirects', SEND_ON, TC_ACT_REDIRECT, 77],
  ])('does not come to TC where XDP %s', async (_, first, action, redirect) => {
    const output = await run(packet(first, CHAIN));
    expect([output.action[0], output.redirect[0], output.mark[0]]).toEqual([action, redirect, 0]);
    expect(output.trace.get(0)).toEqual(['xdp 1']);
    expect(output.packet(0)[1]).toBe(0xee);
  });

  it('keeps the order of packets whatever entry each has, for programs have state', async () => {
    const stimuli = [XDP, CHAIN, TC, TC, CHAIN, CHAIN, XDP].map((entry, index) =>
      packet(0, entry, 20 + index),
    );
    const output = await run(...stimuli);
    expect([...stimuli.keys()].map((index) => output.trace.get(index))).toEqual([
      ['xdp 1'],
      ['xdp 2', 'tc 3'],
      ['tc 4'],
      ['tc 5'],
      ['xdp 6', 'tc 7'],
      ['xdp 8', 'tc 9'],
      ['xdp 10'],
    ]);
    expect([...output.length]).toEqual(stimuli.map((stimulus) => stimulus.packet.length));
    expect([...output.mark]).toEqual([0, 2, 1005, 1005, 6, 8, 0]);
  });

  it('fails where XDP fails, and goes on with the next packet', async () => {
    const output = await run(packet(FAIL, CHAIN), packet(0, CHAIN));
    expect([...output.status]).toEqual([STATUS.fault, STATUS.ran]);
    expect(output.notes.get(0)?.message).toBe('the model failed: on purpose');
  });

  it('needs a model of the XDP function, too', async () => {
    const alone = entries.slice(0, 1);
    const definition = { ...program.definition!, entries: alone };
    const open = createModelEngine().open({ ...program, entries: alone, definition }, {});
    await expect(open).rejects.toThrow('no function xdp');
  });

  it('hands TC, and not XDP, what the frame comes with beside its bytes', async () => {
    const seen: unknown[] = [];
    const look = ({ skb, hook, ingressIfindex, rxQueueIndex }: ModelContext): number => {
      seen.push([hook, skb.mark, ingressIfindex, rxQueueIndex]);
      return hook === 'xdp' ? XDP_PASS : TC_ACT_OK;
    };
    const looking = entries.map((entry) => ({ ...entry, model: look }));
    const definition = { ...program.definition!, entries: looking };
    const session = await createModelEngine().open({ ...program, entries: looking, definition }, {});
    const input = new PacketBatch(2);
    const from = { ingressIfindex: 4, rxQueueIndex: 3 };
    input.push({ packet: new Uint8Array(20), entry: CHAIN, skb: { mark: 6 }, ...from });
    input.push({ packet: new Uint8Array(20), entry: TC, skb: { mark: 7 }, ...from });
    await session.run(input, new OutcomeBatch(2));
    expect(seen).toEqual([
      ['xdp', 0, 4, 3],
      ['tc-ingress', 6, 4, 3],
      ['tc-ingress', 7, 4, 3],
    ]);
    await expect(session.run(input, new OutcomeBatch(1))).rejects.toThrow('2 packets do not fit');
  });

  it('faults a packet whose entry is not there', async () => {
    const output = await run(packet(0, 7), packet(0, CHAIN));
    expect([...output.status]).toEqual([STATUS.fault, STATUS.ran]);
  });
});

describe('singleFunctions', () => {
  it('names each function once, an XDP function of a chain that is no entry by itself among them', () => {
    expect(singleFunctions(entries)).toEqual([
      { function: 'xdp', hook: 'xdp' },
      { function: 'tc', hook: 'tc-ingress' },
    ]);
    expect(singleFunctions([entries[0]!])).toHaveLength(2);
    expect(singleFunctions([{ function: 'big', hook: 'xdp', frags: true }])).toEqual([
      { function: 'big', hook: 'xdp', frags: true },
    ]);
  });
});
