import { describe, expect, it } from 'vitest';
import { ethernet, frame } from '../packet/build.ts';
import { toHex } from '../packet/bytes.ts';
import { PacketBatch, type Stimulus } from '../packet/packet-batch.ts';
import {
  TC_ACT_REDIRECT,
  TC_ACT_SHOT,
  XDP_ABORTED,
  XDP_DROP,
  XDP_PASS,
  XDP_REDIRECT,
  XDP_TX,
} from '../runtime/actions.ts';
import type { ModelContext } from '../runtime/context.ts';
import { EACCES, EINVAL } from '../runtime/errno.ts';
import type { MapDefinition } from '../runtime/maps.ts';
import { addU64 } from '../runtime/model-map.ts';
import type { Program, ProgramDefinition } from '../runtime/program.ts';
import type { World } from '../runtime/world.ts';
import { EngineError, type Session } from './engine.ts';
import { createModelEngine } from './model.ts';
import { OutcomeBatch, STATUS } from './outcome-batch.ts';

const engine = createModelEngine();
const packet = frame(ethernet(), Uint8Array.of(1, 2, 3, 4, 5, 6));

const counter: MapDefinition = { name: 'counter', type: 'ARRAY', keySize: 4, valueSize: 8, maxEntries: 1 };
const ports: MapDefinition = { name: 'ports', type: 'DEVMAP', keySize: 4, valueSize: 4, maxEntries: 4 };

function programOf(model: (context: ModelContext) => number, hook: 'xdp' | 'tc-ingress' = 'xdp'): Program {
  const definition: ProgramDefinition = {
    name: 'test',
    summary: 'a test',
    description: 'A test.',
    entries: [{ function: 'test', hook, model }],
    maps: [ports, counter],
    worlds: [{ name: 'default', world: {} }],
    examples: [],
    hints: {},
  };
  return { name: 'test', entries: definition.entries, definition };
}

async function run(session: Session, ...stimuli: Stimulus[]): Promise<OutcomeBatch> {
  const input = new PacketBatch(stimuli.length);
  for (const stimulus of stimuli) input.push(stimulus);
  const output = new OutcomeBatch(stimuli.length);
  await session.run(input, output);
  return output;
}

async function once(
  model: (context: ModelContext) => number,
  stimulus: Stimulus = { packet },
  world: World = {},
  hook: 'xdp' | 'tc-ingress' = 'xdp',
): Promise<OutcomeBatch> {
  return run(await engine.open(programOf(model, hook), world), stimulus);
}

describe('the model engine', () => {
  it('runs what has a model, and says what to do where there is none', () => {
    expect(engine.availability(programOf(() => XDP_PASS))).toEqual({ available: true });
    expect(engine.availability({ name: 'other', entries: [] })).toMatchObject({
      available: false,
      reason: 'no model for other',
    });
  });

  it('hands bytes, metadata, device and queue over, and takes what the model made of them', async () => {
    const metadata = Uint8Array.of(9, 8, 7, 6);
    let seen: unknown;
    const output = await once(
      (context) => {
        const { bytes, dataMeta, data, dataEnd } = context.frame;
        seen = [
          toHex(bytes, dataMeta, data - dataMeta),
          dataEnd - data,
          context.ingressIfindex,
          context.rxQueueIndex,
        ];
        bytes[dataMeta] = 0;
        bytes[data] = 0xff;
        return XDP_TX;
      },
      { packet, metadata, ingressIfindex: 5, rxQueueIndex: 2 },
    );
    expect(seen).toEqual(['09080706', 20, 5, 2]);
    expect(output.action[0]).toBe(XDP_TX);
    expect(toHex(output.metadata(0))).toBe('00080706');
    expect(toHex(output.packet(0))).toBe(`ff${toHex(packet).slice(2)}`);
  });

  it('carries state from packet to packet and from run to run, until it is reset', async () => {
    const session = await engine.open(
      programOf((context) => {
        addU64(context.map('counter').lookupIndex(0)!, 0, 1);
        return XDP_PASS;
      }),
      { maps: { counter: [{ key: new Uint8Array(4), value: Uint8Array.of(40, 0, 0, 0, 0, 0, 0, 0) }] } },
    );
    const count = (): number =>
      session
        .maps()
        .find(({ definition }) => definition === counter)!
        .list()[0]!.value[0]!;
    await run(session, { packet }, { packet });
    await run(session, { packet });
    expect(count()).toBe(43);
    expect(session.maps().map(({ definition }) => definition.name)).toEqual(['counter', 'ports']);
    await session.reset();
    expect(count()).toBe(40);
    await session.close();
  });

  it('surrounds a packet with zeros, whatever was there before', async () => {
    const around: number[] = [];
    const session = await engine.open(
      programOf((context) => {
        const { bytes, dataMeta, dataEnd } = context.frame;
        around.push(bytes[dataMeta - 1]!, bytes[dataEnd]!, bytes[dataEnd + 40]!);
        context.adjustHead(-8);
        bytes.fill(0xff, context.frame.data, dataEnd);
        return XDP_PASS;
      }),
      {},
    );
    await run(
      session,
      { packet: new Uint8Array(100) },
      { packet: new Uint8Array(20) },
      { packet: new Uint8Array(300) },
    );
    expect(around).toEqual(new Array(9).fill(0));
  });

  it('makes a model that throws a fault, and goes on', async () => {
    const session = await engine.open(
      programOf((context) => {
        if (context.frame.dataEnd - context.frame.data < 18) throw new TypeError('no such map');
        return XDP_DROP;
      }),
      {},
    );
    const output = await run(session, { packet: packet.subarray(0, 14) }, { packet });
    expect([...output.status]).toEqual([STATUS.fault, STATUS.ran]);
    expect(output.notes.get(0)?.message).toBe('the model failed: no such map');
    expect(output.action[1]).toBe(XDP_DROP);
  });

  it('says which maps there are where the model asks for another', async () => {
    const asks = programOf((context) => {
      context.map('hits');
      return XDP_DROP;
    });
    const output = await run(await engine.open(asks, {}), { packet });
    expect(output.notes.get(0)?.message).toMatch(
      /^the model failed: it asks for a map “hits”, and its definition lists .+$/,
    );
  });

  it('takes what is no action for a fault of the model, not for XDP_ABORTED', async () => {
    const wrong: readonly [unknown, string][] = [
      [undefined, 'undefined'],
      [null, 'null'],
      [Promise.resolve(XDP_PASS), 'a promise'],
      [1.5, '1.5'],
      [Number.NaN, 'NaN'],
      ['XDP_PASS', 'XDP_PASS'],
      [2 ** 32, '4294967296'],
      [{}, 'an object'],
    ];
    for (const [returned, text] of wrong) {
      const output = await once(() => returned as number);
      expect(output.status[0], text).toBe(STATUS.fault);
      expect(output.notes.get(0)?.message).toBe(`the model returned ${text} where an action is expected`);
    }
    for (const minusOne of [-1, 0xffff_ffff]) {
      const output = await once(() => minusOne, { packet }, {}, 'tc-ingress');
      expect([output.status[0], output.action[0]]).toEqual([STATUS.ran, -1]);
    }
  });

  it('collects trace lines by packet', async () => {
    const session = await engine.open(
      programOf((context) => {
        if (context.ingressIfindex === 2) {
          context.trace('one');
          context.trace('two');
        }
        return XDP_PASS;
      }),
      {},
    );
    const output = await run(session, { packet }, { packet, ingressIfindex: 2 });
    expect([...output.trace]).toEqual([[1, ['one', 'two']]]);
  });

  it('shows what TC programs set in the __sk_buff, from zero for each packet', async () => {
    const session = await engine.open(
      programOf((context) => {
        context.skb.mark += 7;
        context.skb.priority += 1;
        context.skb.cb[4]! += 3;
        return -1;
      }, 'tc-ingress'),
      {},
    );
    const output = await run(session, { packet }, { packet });
    expect([...output.mark]).toEqual([7, 7]);
    expect([...output.priority]).toEqual([1, 1]);
    expect([...output.cb]).toEqual([0, 0, 0, 0, 3, 0, 0, 0, 0, 3]);
    expect(output.action[0]).toBe(-1);
  });

  it('reads globals as little-endian numbers, with a default', async () => {
    const seen: unknown[] = [];
    await once(
      (context) => {
        seen.push(context.global('port', 80), context.global('other', 80), context.globalBytes('other'));
        return XDP_PASS;
      },
      { packet },
      { globals: { port: Uint8Array.of(0x90, 0x1f) } },
    );
    expect(seen).toEqual([8080, 80, undefined]);
  });

  it('shows a program 3520 bytes of a longer XDP frame, and keeps the rest (net/bpf/test_run.c)', async () => {
    const long = Uint8Array.from({ length: 5000 }, (_, index) => index & 0xff);
    let visible = 0;
    const output = await once(
      (context) => {
        visible = context.frame.dataEnd - context.frame.data;
        return XDP_PASS;
      },
      { packet: long },
    );
    expect(visible).toBe(3520);
    expect(output.packet(0)).toEqual(long);
  });

  it('refuses entries that are not there and metadata of odd length', async () => {
    const batch = new PacketBatch(3);
    batch.push({ packet });
    batch.push({ packet, metadata: new Uint8Array(3) });
    expect(
      engine.refuses(
        programOf(() => XDP_PASS),
        batch,
      ),
    ).toMatchObject({ packet: 1 });
    batch.clear();
    batch.push({ packet, entry: 1 });
    expect(
      engine.refuses(
        programOf(() => XDP_PASS),
        batch,
      ),
    ).toMatchObject({ packet: 0 });
  });

  it('refuses worlds that the program cannot have', async () => {
    const open = (world: World): Promise<Session> =>
      engine.open(
        programOf(() => XDP_PASS),
        world,
      );
    const entry = { key: new Uint8Array(4), value: new Uint8Array(8) };
    for (const world of [
      { maps: { nothing: [entry] } },
      { maps: { counter: [{ ...entry, value: new Uint8Array(4) }] } },
      { maps: { counter: [{ ...entry, key: Uint8Array.of(1, 0, 0, 0) }] } },
      { neighbours: [{ ifindex: 1, address: '10.0.0.256', mac: new Uint8Array(6) }] },
    ]) {
      await expect(open(world)).rejects.toThrow(EngineError);
    }
  });
});

describe('redirects', () => {
  it('lead to the ifindex, if the action says so', async () => {
    const output = await once((context) => context.redirect(12));
    expect([output.action[0], output.redirect[0]]).toEqual([XDP_REDIRECT, 12]);
    const ignored = await once((context) => {
      context.redirect(12);
      return XDP_PASS;
    });
    expect(ignored.redirect[0]).toBe(0);
  });

  it('abort for flags that XDP does not know, and shoot in TC', async () => {
    expect((await once((context) => context.redirect(12, 1))).action[0]).toBe(XDP_ABORTED);
    const tc = await once((context) => context.redirect(12, 1), { packet }, {}, 'tc-ingress');
    expect([tc.action[0], tc.redirect[0]]).toEqual([TC_ACT_REDIRECT, 12]);
    expect((await once((context) => context.redirect(12, 2), { packet }, {}, 'tc-ingress')).action[0]).toBe(
      TC_ACT_SHOT,
    );
  });

  it('take the device from a map, or the flags’ action where the slot is empty', async () => {
    const world = { maps: { ports: [{ key: Uint8Array.of(1, 0, 0, 0), value: Uint8Array.of(9, 0, 0, 0) }] } };
    const via = (key: number, flags: number): Promise<OutcomeBatch> =>
      once((context) => context.redirectMap('ports', key, flags), { packet }, world);
    const hit = await via(1, XDP_PASS);
    expect([hit.action[0], hit.redirect[0]]).toEqual([XDP_REDIRECT, 9]);
    expect((await via(0, XDP_PASS)).action[0]).toBe(XDP_PASS);
    expect((await via(0, 0)).action[0]).toBe(XDP_ABORTED);
    expect((await via(7, XDP_DROP)).action[0]).toBe(XDP_DROP);
    expect((await via(1, 4)).action[0]).toBe(XDP_ABORTED);
  });
});

describe('bpf_xdp_adjust_head', () => {
  const adjust = (delta: number, metadata?: Uint8Array): Promise<OutcomeBatch> =>
    once((context) => -context.adjustHead(delta), { packet, ...(metadata ? { metadata } : {}) });

  it('grows into the headroom and shrinks down to an Ethernet header', async () => {
    const grown = await adjust(-216);
    expect([grown.action[0], grown.length[0]]).toEqual([0, 236]);
    expect(toHex(grown.packet(0))).toBe('00'.repeat(216) + toHex(packet));
    expect((await adjust(-217)).action[0]).toBe(EINVAL);
    const shrunk = await adjust(6);
    expect(toHex(shrunk.packet(0))).toBe(toHex(packet.subarray(6)));
    const refused = await adjust(7);
    expect([refused.action[0], toHex(refused.packet(0))]).toEqual([EINVAL, toHex(packet)]);
  });

  it('takes metadata along', async () => {
    const metadata = Uint8Array.of(1, 2, 3, 4);
    for (const delta of [-8, 4]) {
      const output = await adjust(delta, metadata);
      expect(toHex(output.metadata(0))).toBe('01020304');
      expect(output.length[0]).toBe(20 - delta);
    }
  });
});

describe('bpf_xdp_adjust_tail', () => {
  const adjust = (delta: number): Promise<OutcomeBatch> => once((context) => -context.adjustTail(delta));

  it('grows with zeros up to the end of the page, and shrinks down to an Ethernet header', async () => {
    const grown = await adjust(3500);
    expect([grown.action[0], grown.length[0]]).toEqual([0, 3520]);
    expect(toHex(grown.packet(0).subarray(0, 24))).toBe(`${toHex(packet)}00000000`);
    expect((await adjust(3501)).action[0]).toBe(EINVAL);
    expect(toHex((await adjust(-6)).packet(0))).toBe(toHex(packet.subarray(0, 14)));
    expect((await adjust(-7)).action[0]).toBe(EINVAL);
  });
});

describe('bpf_xdp_adjust_tail of a frame in several buffers', () => {
  // 3520 linear bytes, a page, and 480 bytes of a third buffer.
  const long = new Uint8Array(8096).fill(7);
  const adjust = (delta: number): Promise<OutcomeBatch> =>
    once((context) => -context.adjustTail(delta), { packet: long });

  it('grows as far as the last page reaches, with zeros', async () => {
    const grown = await adjust(3616);
    expect([grown.action[0], grown.length[0]]).toEqual([0, 11_712]);
    expect([...grown.packet(0).subarray(8095, 8098)]).toEqual([7, 0, 0]);
    expect((await adjust(3617)).action[0]).toBe(EINVAL);
  });

  it('gives whole buffers back, and then takes from the linear part', async () => {
    expect((await adjust(-480)).length[0]).toBe(7616);
    expect((await adjust(-4577)).length[0]).toBe(3519);
    expect((await adjust(14 - 8096)).length[0]).toBe(14);
    expect((await adjust(13 - 8096)).action[0]).toBe(EINVAL);
  });
});

describe('bpf_xdp_adjust_meta', () => {
  const adjust = (delta: number): Promise<OutcomeBatch> => once((context) => -context.adjustMeta(delta));

  it('makes room in multiples of 4 within the headroom, and not beyond the packet', async () => {
    expect([(await adjust(-4)).metaLength[0], (await adjust(-216)).metaLength[0]]).toEqual([4, 216]);
    expect((await adjust(-220)).action[0]).toBe(EINVAL);
    expect((await adjust(-3)).action[0]).toBe(EACCES);
    expect((await adjust(4)).action[0]).toBe(EINVAL);
  });
});
