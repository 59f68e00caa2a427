/** What a model may do with a frame and ask the kernel for, over all sizes and on kernels of several versions. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { behaviourOf, type KernelVersion } from '../ebpf/kernel-versions.ts';
import { PacketBatch, type Stimulus } from '../packet/packet-batch.ts';
import {
  type Hook,
  TC_ACT_REDIRECT,
  TC_ACT_SHOT,
  XDP_ABORTED,
  XDP_DROP,
  XDP_PASS,
  XDP_REDIRECT,
  XDP_TX,
} from '../runtime/actions.ts';
import { flowHash, nextRandomState, randomOf } from '../runtime/chance.ts';
import { createModelMap } from '../runtime/create-model-map.ts';
import { EACCES, EINVAL } from '../runtime/errno.ts';
import { indexKey } from '../runtime/map-snapshot.ts';
import type { MapType } from '../runtime/maps.ts';
import type { World } from '../runtime/world.ts';
import { ModelRun } from './model-run.ts';

const COUNT = Uint8Array.from({ length: 65_536 }, (_, index) => 1 + (index % 250));

const counting = (length: number, first = 1): Uint8Array => COUNT.slice(first - 1, first - 1 + length);

function begin(run: ModelRun, stimulus: Stimulus, hook: Hook = 'xdp'): ModelRun {
  const batch = new PacketBatch(2);
  // Not at the arena's start.
  batch.push({ packet: counting(5), metadata: counting(4) });
  run.begin(hook, batch, batch.push(stimulus));
  return run;
}

const stimulusOf = (length: number, meta: number): Stimulus => ({
  packet: counting(length),
  ...(meta > 0 ? { metadata: counting(meta, 101) } : {}),
});

/** Metadata and frame as they are now; nothing beside them is written. */
function leaving(run: ModelRun): Buffer {
  const size = run.frame.data - run.frame.dataMeta + run.length;
  const to = Buffer.alloc(size + 8, 0xee);
  run.copyOut(to, 3);
  if (!to.subarray(0, 3).equals(AROUND.subarray(0, 3)) || !to.subarray(-5).equals(AROUND))
    throw new Error('bytes beside the frame were written');
  return to.subarray(3, -5);
}

const AROUND = Buffer.alloc(5, 0xee);

/** A frame as the kernel has it, in few words: 256 bytes in front, 3520 in the first buffer, pages behind. */
class Plain {
  readonly memory: Buffer = Buffer.alloc(256 + 20_000);
  from: number;
  data = 256;
  end: number;
  linear: number;

  constructor(length: number, meta: number) {
    this.from = 256 - meta;
    this.end = 256 + length;
    this.linear = Math.min(length, 3520);
    this.memory.set(counting(meta, 101), this.from);
    this.memory.set(counting(length), 256);
  }

  /** net/core/filter.c, `bpf_xdp_adjust_head`: 40 bytes are the kernel's, 14 remain in the first buffer. */
  head(delta: number): number {
    if (this.from + delta < 40 || this.linear - delta < 14) return -EINVAL;
    this.memory.copyWithin(this.from + delta, this.from, this.data);
    this.from += delta;
    this.data += delta;
    this.linear -= delta;
    return 0;
  }

  /** `bpf_xdp_adjust_tail`, `bpf_xdp_frags_increase_tail`, `bpf_xdp_frags_shrink_tail`. */
  tail(delta: number): number {
    const length = this.end - this.data;
    const hidden = length - this.linear;
    const most = hidden > 0 ? (4096 - (hidden % 4096)) % 4096 : 256 + 3520 - this.end;
    if (delta > most || length + delta < 14) return -EINVAL;
    if (delta > 0) this.memory.fill(0, this.end, this.end + delta);
    this.end += delta;
    this.linear = hidden > 0 ? Math.min(this.linear, length + delta) : length + delta;
    return 0;
  }

  leaving(): Buffer {
    return this.memory.subarray(this.from, this.end);
  }
}

describe('a frame', () => {
  const LENGTHS = [0, 1, 3, 4, 13, 14, 60, 1019, 1020, 1021, 1023, 1024, 1025, 3519, 3520, 3521, 7616, 9000];
  const run = new ModelRun({}, new Map());

  it.each([0, 4, 252])('is taken in and given out whole, with %i bytes of metadata', (meta) => {
    for (const length of LENGTHS) {
      begin(run, stimulusOf(length, meta));
      const { dataMeta, data, dataEnd } = run.frame;
      expect([data - dataMeta, dataEnd - data, run.length]).toEqual([meta, Math.min(length, 3520), length]);
      expect(leaving(run).equals(new Plain(length, meta).leaving())).toBe(true);
      begin(run, stimulusOf(length, 0), 'tc-egress');
      expect(run.frame.dataEnd - run.frame.data).toBe(length);
    }
  });

  it.each([
    [100, 0, 0, 0],
    [100, 252, 0, 0],
    [100, 0, -216, 0],
    [100, 0, 50, 0],
    [100, 4, -20, 30],
    [60, 0, 0, 3000],
    [3520, 0, 0, -3000],
    [9000, 8, -100, 2700],
    [9000, 0, 30, -8900],
    [65_000, 0, 0, 0],
  ])(
    'of %i bytes, %i of metadata, moved by %i and %i, leaves nothing around the next',
    (length, meta, head, tail) => {
      for (const next of [0, 1, 14, 99, 101, 1100, 3520, 9000]) {
        begin(run, stimulusOf(length, meta));
        run.adjustHead(head);
        run.adjustTail(tail);
        run.adjustMeta(-8);
        run.frame.bytes.fill(0xff, run.frame.dataMeta, run.frame.data + run.length);
        begin(run, { packet: counting(next) });
        const { bytes, data } = run.frame;
        const before = bytes.subarray(0, data).findLastIndex((byte) => byte !== 0);
        const behind = bytes.subarray(data + next).findIndex((byte) => byte !== 0);
        expect([before, behind], `${next}`).toEqual([-1, -1]);
      }
    },
  );

  it('grows and shrinks at either end as far as the kernel allows, and no further', () => {
    const wrong: unknown[] = [];
    for (const meta of [0, 4, 252])
      for (const length of [14, 15, 60, 3519, 3520, 3521, 7615, 7616, 7617, 8096])
        for (const edge of [
          0,
          meta - 216,
          14 - length,
          14 - 3520,
          3520 - length,
          3616,
          4096,
          length - 14,
          3520 - 14,
        ])
          for (const delta of [edge - 1, edge, edge + 1])
            for (const side of ['head', 'tail'] as const) {
              begin(run, stimulusOf(length, meta));
              const plain = new Plain(length, meta);
              const answer = side === 'head' ? run.adjustHead(delta) : run.adjustTail(delta);
              if (answer !== plain[side](delta) || !leaving(run).equals(plain.leaving()))
                wrong.push([meta, length, delta, side, answer]);
            }
    expect(wrong).toEqual([]);
  });

  it('is what it should be after any number of such changes', () => {
    const delta = fc.oneof(fc.integer({ min: -60, max: 60 }), fc.integer({ min: -4200, max: 4200 }));
    const steps = fc.array(fc.tuple(fc.constantFrom('head', 'tail'), delta));
    fc.assert(
      fc.property(
        fc.constantFrom(60, 3500, 3600, 8000),
        fc.constantFrom(0, 8),
        steps,
        (length, meta, all) => {
          begin(run, stimulusOf(length, meta));
          const plain = new Plain(length, meta);
          const answers = all.map(([side, by]) =>
            side === 'head' ? run.adjustHead(by) : run.adjustTail(by),
          );
          expect(answers).toEqual(all.map(([side, by]) => plain[side as 'head' | 'tail'](by)));
          expect(leaving(run).equals(plain.leaving())).toBe(true);
        },
      ),
    );
  });
});

describe('metadata', () => {
  /** What becomes of the metadata of a frame that starts at `data`. */
  function adjusted(data: number, delta: number, version?: KernelVersion): readonly number[] {
    const run = new ModelRun({}, new Map(), version && behaviourOf(version));
    begin(run, { packet: counting(600) });
    run.adjustHead(data - 256);
    return [run.adjustMeta(delta), run.frame.data - run.frame.dataMeta];
  }

  it.each<[KernelVersion | undefined, number, number, number, number]>([
    [undefined, 256, -216, 0, 216],
    [undefined, 256, -217, -EINVAL, 0],
    [undefined, 256, -220, -EINVAL, 0],
    [undefined, 256, -1, -EACCES, 0],
    [undefined, 256, -2, -EACCES, 0],
    [undefined, 256, 0, 0, 0],
    [undefined, 256, 1, -EINVAL, 0],
    [undefined, 300, -252, 0, 252],
    [undefined, 300, -256, -EACCES, 0],
    ['6.8', 300, -252, 0, 252],
    ['6.7', 300, -32, 0, 32],
    ['6.7', 300, -36, -EACCES, 0],
  ])(
    'on Linux %s, of a frame at %i, moved by %i: %i, and %i bytes',
    (version, data, delta, answer, length) => {
      expect(adjusted(data, delta, version)).toEqual([answer, length]);
    },
  );
});

it('a frame grows at its end since Linux 5.8', () => {
  const answers = (['5.7', '5.8'] as const).map((version) => {
    const run = new ModelRun({}, new Map(), behaviourOf(version));
    return [1, 0, -1].map((delta) => begin(run, { packet: counting(60) }).adjustTail(delta));
  });
  expect(answers).toEqual([
    [-EINVAL, -EINVAL, 0],
    [0, 0, 0],
  ]);
});

describe('a redirect by a map', () => {
  function via(type: MapType, flags: number, key: number, version?: KernelVersion): readonly number[] {
    const map = createModelMap({ name: 'm', type, keySize: 4, valueSize: 4, maxEntries: 8 });
    map.update(indexKey(3), indexKey(0x0102_0304));
    const run = new ModelRun({}, new Map([['m', map]]), version && behaviourOf(version));
    begin(run, { packet: counting(60) });
    return [run.redirectMap('m', key, flags), run.redirectTarget];
  }

  it.each<[MapType, number]>([
    ['DEVMAP', 0x0102_0304],
    ['CPUMAP', 3],
    ['XSKMAP', 3],
  ])('of type %s leads to %i', (type, target) => {
    expect(via(type, 0, 3)).toEqual([XDP_REDIRECT, target]);
  });

  it.each([XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX])(
    'answers %i for an empty slot where flags say so',
    (action) => {
      expect(via('DEVMAP', action, 2)).toEqual([action, 0]);
    },
  );

  it('broadcasts since Linux 5.14, and knows no other flags', () => {
    const answers = (version?: KernelVersion): number[] =>
      Array.from({ length: 40 }, (_, flags) => via('DEVMAP', flags, 2, version)[0]!);
    const expected = (broadcasts: boolean): number[] =>
      Array.from({ length: 40 }, (_, flags) => {
        if (flags >= 32 || (flags & 4) !== 0 || (!broadcasts && flags > 3)) return XDP_ABORTED;
        return (flags & 8) !== 0 ? XDP_REDIRECT : flags & 3;
      });
    expect(answers('5.13')).toEqual(expected(false));
    expect(answers('5.14')).toEqual(expected(true));
    expect(answers()).toEqual(expected(true));
  });

  it('names the map that is not there', () => {
    const run = begin(new ModelRun({}, new Map()), { packet: counting(60) });
    expect(() => run.redirectMap('other', 0)).toThrow('other');
  });
});

it.each<[Hook, number, number, number]>([
  ['xdp', 0, XDP_REDIRECT, 9],
  ['xdp', 1, XDP_ABORTED, 0],
  ['tc-ingress', 0, TC_ACT_REDIRECT, 9],
  ['tc-egress', 1, TC_ACT_REDIRECT, 9],
  ['tc-ingress', 2, TC_ACT_SHOT, 0],
  ['tc-ingress', 3, TC_ACT_SHOT, 0],
])('bpf_redirect at %s with flags %i: %i, to %i', (hook, flags, action, target) => {
  const run = begin(new ModelRun({}, new Map()), { packet: counting(60) }, hook);
  expect([run.redirect(9, flags), run.redirectTarget]).toEqual([action, target]);
  expect(begin(run, { packet: counting(60) }, hook).redirectTarget).toBe(0);
});

it.each<[hook: Hook, length: number, answer: number]>([
  // TC asks for the frame's length where a program gives none: 1400 bytes, an Ethernet header and a tag fit.
  ['tc-ingress', 1418, 0],
  ['tc-ingress', 1419, 8],
  ['tc-egress', 1419, 8],
  ['xdp', 1419, 0],
])('a lookup of a route at %s, for a frame of %i bytes: %i', (hook, length, answer) => {
  const device = { ifindex: 3, name: 'eth0', mac: new Uint8Array(6), mtu: 1400, forwarding: true };
  const world: World = {
    devices: [{ ...device, addresses: ['10.0.0.1/24'] }],
    neighbours: [{ ifindex: 3, address: '10.0.0.2', mac: new Uint8Array(6) }],
  };
  const run = begin(new ModelRun(world, new Map()), { packet: counting(length) }, hook);
  const [sourceMac, destinationMac] = [new Uint8Array(6), new Uint8Array(6)];
  const [source, destination] = [Uint8Array.of(10, 0, 0, 2), Uint8Array.of(10, 0, 0, 2)];
  const question = {
    family: 2,
    l4Protocol: 6,
    sport: 0,
    dport: 0,
    totalLength: 0,
    tos: 0,
    mtu: 0,
    metric: 0,
  } as const;
  const lookup = { ...question, ifindex: 3, source, destination, sourceMac, destinationMac };
  expect(run.fibLookup(lookup)).toBe(answer);
});

describe('time and chance', () => {
  it.each([
    [{}, [0n, 0n, 0n]],
    [{ time: 50n }, [50n, 50n, 50n]],
    [{ time: 50n, tick: 3n }, [50n, 53n, 56n]],
    [{ tick: 3n }, [0n, 3n, 6n]],
    [{ time: 2n ** 64n - 1n, tick: 1n }, [2n ** 64n - 1n, 0n, 1n]],
  ])('the clock of %o shows %o, and the same anew', (world: World, expected) => {
    const run = new ModelRun(world, new Map());
    const times = (): bigint[] => expected.map(() => begin(run, { packet: counting(14) }).time);
    expect(times()).toEqual(expected);
    run.restart(new Map());
    expect(times()).toEqual(expected);
  });

  it('random numbers go on from packet to packet, and begin anew', () => {
    for (const randomSeed of [undefined, 0, 77]) {
      const run = new ModelRun(randomSeed === undefined ? {} : { randomSeed, cpu: 5 }, new Map());
      expect(run.cpu).toBe(randomSeed === undefined ? 0 : 5);
      const numbers = (): number[] => [1, 2, 3].map(() => begin(run, { packet: counting(14) }).random());
      let state = randomSeed ?? 0;
      const expected = [1, 2, 3].map(() => {
        state = nextRandomState(state);
        return randomOf(state);
      });
      expect(numbers()).toEqual(expected);
      run.restart(new Map());
      expect(numbers()).toEqual(expected);
    }
  });

  it('the flow hash is of the whole frame, stays until it is forgotten, and is no other frame’s', () => {
    const run = new ModelRun({ hashSeed: 3 }, new Map());
    const hashOf = (packet: Uint8Array): number =>
      flowHash(new DataView(packet.buffer, packet.byteOffset, packet.length), 0, packet.length, 3);
    const long = counting(3560);
    begin(run, { packet: long });
    // 14 bytes are left in the first buffer, and 40 behind it.
    run.adjustHead(3506);
    const rest = long.slice(3506);
    expect(run.flowHash()).toBe(hashOf(rest));
    run.frame.bytes[run.frame.data + 12]! ^= 1;
    expect(run.flowHash()).toBe(hashOf(rest));
    run.forgetHash();
    rest[12]! ^= 1;
    expect(run.flowHash()).toBe(hashOf(rest));
    for (const hash of [0, 5, 0xffff_fffe]) {
      run.setHash(hash);
      expect(run.flowHash()).toBe(hash);
    }
    begin(run, { packet: counting(40, 7) });
    expect(run.flowHash()).toBe(hashOf(counting(40, 7)));
    expect(begin(new ModelRun({}, new Map()), { packet: counting(40) }).flowHash()).not.toBe(run.flowHash());
  });
});

it.each([
  [[], 0],
  [[0xfe], 0xfe],
  [[1, 0xff], 0xff01],
  [[1, 2, 0x80], 0x80_0201],
  [[1, 2, 3, 0xff], 0xff03_0201],
  [[1, 2, 3, 4, 5], 0x0403_0201],
])('the global %o is the number %i', (bytes, number) => {
  const run = new ModelRun({ globals: { one: Uint8Array.from(bytes) } }, new Map());
  expect([run.global('one', 9), run.global('other', 9)]).toEqual([number, 9]);
  expect(run.globalBytes('one')).toEqual(Uint8Array.from(bytes));
});

it('what a TC frame comes with beside its bytes is there, the rest is 0, and XDP has none of it', () => {
  const run = new ModelRun({}, new Map());
  const fields = (): unknown => ({ ...run.skb, cb: [...run.skb.cb] });
  const given = { mark: 1, priority: 2, cb: [3, 4, 5, 6, 7], tstamp: 8n };
  const more = { vlan: { tci: 9 }, queueMapping: 10, tcIndex: 11, tcClassid: 12, ingressIfindex: 14 };
  const nothing = { vlan: undefined, queueMapping: 0, tcIndex: 0, tcClassid: 0, ingressIfindex: 0 };
  begin(run, { packet: counting(14), skb: { ...given, ...more, hash: 13 } }, 'tc-egress');
  expect(fields()).toEqual({ ...given, ...more });
  expect(run.flowHash()).toBe(13);
  begin(run, { packet: counting(14), skb: { cb: [9] } }, 'tc-egress');
  expect(fields()).toEqual({ mark: 0, priority: 0, cb: [9, 0, 0, 0, 0], tstamp: 0n, ...nothing });
  expect(run.flowHash()).not.toBe(13);
  begin(run, { packet: counting(14) }, 'tc-egress');
  expect(fields()).toEqual({ mark: 0, priority: 0, cb: [0, 0, 0, 0, 0], tstamp: 0n, ...nothing });
  begin(run, { packet: counting(14), ingressIfindex: 5 }, 'tc-ingress');
  expect(run.skb.ingressIfindex).toBe(5);
  begin(run, { packet: counting(14), skb: { mark: 1 } }, 'xdp');
  expect(run.skb.mark).toBe(0);
});

it('lines that were printed are those of one packet', () => {
  const run = begin(new ModelRun({}, new Map()), { packet: counting(14) });
  expect(run.lines).toBeUndefined();
  run.trace('one');
  run.trace('two');
  expect(run.lines).toEqual(['one', 'two']);
  expect(begin(run, { packet: counting(14) }).lines).toBeUndefined();
});
