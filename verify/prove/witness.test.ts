/** From values to an input: packet, context and world, piece by piece, of paths that are put together by hand. */
import { describe, expect, it } from 'vitest';
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { Machine } from '../../sim/ebpf/machine.ts';
import { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import { PathMemory } from '../../sim/ebpf/symbolic/path-memory.ts';
import type { Answer, PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import type { Assignment, Term } from '../../sim/ebpf/symbolic/term.ts';
import { TermPool } from '../../sim/ebpf/symbolic/term-pool.ts';
import { testMap, testObject } from '../../sim/ebpf/test-support/assemble.ts';
import type { SkbTunnel } from '../../sim/packet/packet-batch.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import { flowHash, nextRandomState, randomOf } from '../../sim/runtime/chance.ts';
import {
  isInPieces,
  isWitness,
  notInCases,
  onlyInMachine,
  usualValues,
  type Witness,
  witnessFor,
  witnessOf,
} from './witness.ts';

const section: BpfMap = {
  ...testMap('.data', 'ARRAY', { valueSize: 8, maxEntries: 1 }),
  global: { bytes: Uint8Array.of(1, 2, 3, 0, 0, 0, 0, 0), readOnly: false, variables: new Map() },
};
const MAPS = {
  flows: testMap('flows', 'HASH'),
  slots: testMap('slots', 'ARRAY'),
  counts: testMap('counts', 'PERCPU_ARRAY', { valueSize: 8 }),
  last: testMap('last', 'STACK'),
  jobs: testMap('jobs', 'QUEUE'),
  ports: testMap('ports', 'DEVMAP'),
  cpus: testMap('cpus', 'CPUMAP'),
  events: testMap('events', 'RINGBUF'),
  section,
  nets: testMap('nets', 'LPM_TRIE', { keySize: 8, valueSize: 4 }),
  flags: testMap('flags', 'HASH', { keySize: 1, maxEntries: 300 }),
  large: testMap('large', 'HASH', { maxEntries: 100_001 }),
  outer: testMap('outer', 'HASH_OF_MAPS', { inner: testMap('inner', 'HASH') }),
} as const;
const number = (name: keyof typeof MAPS): number => Object.keys(MAPS).indexOf(name);

const object = testObject({ main: 'exit' }, Object.values(MAPS));
const machine = new Machine(object, {});
const pool = new TermPool();
const inputsAt = (hook: Hook): Inputs =>
  new Inputs(pool, machine, hook, object.programs[0]!, { shortest: 0, longest: 80, mostMetadata: 8 });
const XDP = inputsAt('xdp');
const TC = inputsAt('tc-ingress');

const unknown = (name: string, width = 8): Term => pool.unknown(width, name);
const constant = (value: number, width = 8): Term => pool.constant(width, value);
const LENGTH = unknown('length', 16);

type Values = readonly (readonly [term: Term, value: number | bigint])[];
const assigned = (values: Values): Assignment =>
  new Map(values.map(([term, value]) => [term, BigInt(value)]));
/** A path over frames of 20 bytes, with whatever is done to it. */
function path(edit: (state: PathState) => void = () => {}, inputs = XDP): PathState {
  const state = inputs.start(0);
  edit(state);
  return state;
}
const uses = (state: PathState, ...terms: readonly Term[]): void => {
  for (const one of terms)
    state.knowledge.constraints.push({
      condition: pool.equal(one, unknown(`other ${one.id}`, one.width)),
      origin: undefined,
    });
};

function made(state: PathState, values: Values, inputs = XDP): Witness {
  const witness = witnessFor(inputs, state, assigned([[LENGTH, 20], [unknown('ifindex', 32), 3], ...values]));
  if (!isWitness(witness)) throw new Error(witness.reason);
  return witness;
}
function refused(state: PathState, values: Values, inputs = XDP): string | undefined {
  const witness = witnessFor(inputs, state, assigned([[LENGTH, 20], [unknown('ifindex', 32), 3], ...values]));
  return isWitness(witness) ? undefined : witness.reason;
}

describe('a packet', () => {
  it('has the bytes, the length and the device of the values', () => {
    const values: Values = [
      [unknown('p0'), 7],
      [unknown('p19'), 9],
      [unknown('p20'), 5],
    ];
    const { stimulus, world, context, rings, socket } = made(path(), values);
    expect(stimulus).toEqual({
      packet: Uint8Array.from({ length: 20 }, (_, at) => (at === 0 ? 7 : at === 19 ? 9 : 0)),
      ingressIfindex: 3,
    });
    expect([world, context, rings, socket]).toEqual([{}, [], [], []]);
  });

  it('has metadata in words, the last byte before the frame', () => {
    const values: Values = [
      [unknown('metadata', 6), 2],
      [unknown('before1'), 1],
      [unknown('before8'), 8],
    ];
    expect(made(path(), values).stimulus.metadata).toEqual(Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 1));
    expect('metadata' in made(path(), []).stimulus).toBe(false);
  });

  it('has the Ethernet header alone in one piece where slices are to be copies: at TC, as XDP frames this short never lie so', () => {
    const pieces = unknown('fixed.in_pieces', 1);
    const asking = (inputs = TC): PathState => path((state) => uses(state, pieces), inputs);
    const witness = made(asking(), [[pieces, 1]], TC);
    expect(witness.stimulus.skb).toEqual({ linear: 14 });
    expect(isInPieces(witness)).toBe(true);
    const marked: Values = [
      [pieces, 1],
      [unknown('skb.mark', 32), 5],
    ];
    expect(made(asking(), marked, TC).stimulus.skb).toEqual({ mark: 5, linear: 14 });
    const whole = made(asking(), [[pieces, 0]], TC);
    expect(['skb' in whole.stimulus, isInPieces(whole)]).toEqual([false, false]);
    expect(refused(asking(XDP), [[pieces, 1]])).toBe('only frames that do not lie in one piece go this way');
  });

  it('has a receive queue where it is not the first one', () => {
    expect(made(path(), [[unknown('rx_queue', 32), 4]]).stimulus.rxQueueIndex).toBe(4);
    expect('rxQueueIndex' in made(path(), []).stimulus).toBe(false);
  });

  it.each([
    ['mark', 32, { mark: 5 }],
    ['priority', 32, { priority: 5 }],
    ['tstamp', 64, { tstamp: 5n }],
    ['hwtstamp', 64, { hwtstamp: 5n }],
    ['gso_segs', 16, { gsoSegs: 5 }],
    ['gso_size', 32, { gsoSize: 5 }],
    ['cb0', 32, { cb: [5, 0, 0, 0, 0] }],
    ['cb4', 32, { cb: [0, 0, 0, 0, 5] }],
    ['wire_extra', 31, { wireLen: 25 }],
    ['queue_mapping', 16, { queueMapping: 5 }],
    ['tc_index', 16, { tcIndex: 5 }],
    ['tc_classid', 16, { tcClassid: 5 }],
    ['hash', 32, { hash: 5 }],
  ] as const)('has %s at TC alone, where it is not 0', (name, width, skb) => {
    const values: Values = [[unknown(`skb.${name}`, width), 5]];
    expect(made(path(), values, TC).stimulus.skb).toEqual(skb);
    expect('skb' in made(path(), [], TC).stimulus).toBe(false);
    expect('skb' in made(path(), values).stimulus).toBe(false);
  });
});

describe('the tag beside a frame', () => {
  const present = unknown('skb.vlan_present', 1);
  const tci = unknown('skb.vlan_tci', 16);
  const service = unknown('skb.vlan_service', 1);
  const type = (value: number): Values => [
    [unknown('p12'), value >> 8],
    [unknown('p13'), value & 0xff],
  ];
  const tagOf = (state: PathState, values: Values, inputs = TC): unknown =>
    made(state, values, inputs).stimulus.skb?.vlan;

  it('is there where the path wants one, of either kind', () => {
    const tag: Values = [
      [present, 1],
      [tci, 77],
    ];
    expect(tagOf(path(), tag)).toEqual({ tci: 77 });
    expect(tagOf(path(), [...tag, [service, 1]])).toEqual({ proto: 0x88a8, tci: 77 });
    expect(tagOf(path(), [[tci, 77]])).toBeUndefined();
    expect(tagOf(path(), tag, XDP)).toBeUndefined();
  });

  it('is there at ingress where another one is in the bytes, unless the path says that there is none', () => {
    expect(tagOf(path(), type(0x8100))).toEqual({ tci: 0 });
    expect(tagOf(path(), type(0x88a8))).toEqual({ tci: 0 });
    expect(tagOf(path(), type(0x0800))).toBeUndefined();
    const without = path((one) => uses(one, present));
    expect(tagOf(without, type(0x8100))).toBeUndefined();
  });
});

describe('what the machine alone can give a frame', () => {
  // Offsets in `struct __sk_buff` (include/uapi/linux/bpf.h).
  it.each([['napi_id', 32, 84]])('%s', (name, width, offset) => {
    const { context } = made(
      path(),
      [
        [unknown(`given.${name}`, width), 1],
        [unknown('given.other'), 1],
      ],
      TC,
    );
    expect(context).toContainEqual([offset, 1]);
    expect(made(path(), [[unknown(`given.${name}`, width), 0]], TC).context).toEqual([]);
    expect(made(path(), [[unknown(`given.${name}`, width), 1]]).context).toEqual([]);
  });

  it('no socket', () => {
    const one = made(path(), [[unknown('given.no_socket', 1), 1]], TC);
    expect(one).toMatchObject({ context: [], stimulus: { skb: { noSocket: true } } });
    expect(onlyInMachine(one)).toBe('no test run can make such a frame');
    expect(notInCases(one)).toBeUndefined();
  });

  it('bytes of its socket that the path looks at, zeros included', () => {
    const [a, b] = [unknown('given.socket.12'), unknown('given.socket.16')];
    const state = path((one) => uses(one, a, b, unknown('given.sockets.9')));
    expect(made(state, [[a, 7]], TC).socket).toEqual([
      [12, 7],
      [16, 0],
    ]);
    expect(made(path(), [[a, 7]], TC).socket).toEqual([]);
  });

  it('unread bytes of a ring buffer, in words', () => {
    const { rings } = made(path(), [[unknown(`ring${number('events')}`, 9), 3]]);
    expect(rings).toEqual([{ map: number('events'), unread: 24 }]);
  });

  it('is the reason why no other engine runs it', () => {
    const stimulus = { packet: Uint8Array.of(0) };
    const none = { context: [], rings: [], socket: [], stimulus } as unknown as Witness;
    const frame = 'no test run can make such a frame';
    expect(onlyInMachine(none)).toBeUndefined();
    expect(onlyInMachine({ ...none, context: [[20, 1]] })).toBe(frame);
    expect(onlyInMachine({ ...none, socket: [[12, 0]] })).toBe(frame);
    expect(onlyInMachine({ ...none, rings: [{ map: 0, unread: 8 }] })).toBe(
      'only programs fill ring buffers',
    );
    expect(onlyInMachine({ ...none, rings: [{ map: 0, unread: 8 }], context: [[20, 1]] })).toBe(frame);
    const outOf = (tunnel: SkbTunnel): Witness => ({ ...none, stimulus: { ...stimulus, skb: { tunnel } } });
    expect(onlyInMachine(outOf({ id: 5, options: '00000000' }))).toBeUndefined();
    expect(onlyInMachine(outOf({ flags: 0x0004 }))).toBe(frame);
  });
});

describe('the tunnel that a frame came out of', () => {
  const present = unknown('skb.tunnel_present', 1);
  const flags = unknown('skb.tunnel_flags', 16);
  const words = unknown('skb.tunnel_option_words', 6);
  const id = unknown('skb.tunnel_id', 32);
  const tunnelOf = (state: PathState, values: Values): unknown =>
    made(state, [[id, 9], ...values], TC).stimulus.skb?.tunnel;

  it('is there where the path wants one, of the family that it wants', () => {
    expect(tunnelOf(path(), [])).toBeUndefined();
    expect(tunnelOf(path(), [[present, 1]])).toEqual({ id: 9 });
    expect(
      tunnelOf(path(), [
        [present, 1],
        [unknown('skb.tunnel_remote_ipv4', 32), 0x0a000001],
        [unknown('skb.tunnel_label', 20), 7],
      ]),
    ).toEqual({ id: 9, remote: '10.0.0.1' });
    expect(
      tunnelOf(path(), [
        [present, 1],
        [unknown('skb.tunnel_ipv6', 1), 1],
        [unknown('skb.tunnel_local_ipv6.12', 32), 0x05000000],
        [unknown('skb.tunnel_label', 20), 7],
      ]),
    ).toEqual({ id: 9, remote: '::', local: '::5', label: 7 });
  });

  it('has flags and options where the path asks for them', () => {
    const asking = path((one) => uses(one, flags), TC);
    const outOf = (value: number): unknown =>
      tunnelOf(asking, [
        [present, 1],
        [flags, value],
        [words, 1],
        [unknown('skb.tunnel_options.0'), 0xab],
      ]);
    expect(outOf(0x2005)).toEqual({ id: 9 });
    expect(outOf(0xf805)).toEqual({ id: 9, options: 'ab000000' });
    expect(outOf(0x0804)).toEqual({ id: 9, flags: 0x0804, options: 'ab000000' });
    expect(outOf(0x0004)).toEqual({ id: 9, flags: 0x0004 });
  });

  it('is such that a program can set it, where the path leaves that open', () => {
    const state = path((one) => uses(one, flags, words), TC);
    const usual = usualValues(TC, state, assigned([[present, 1]]))!;
    expect(usual.get(flags)).toBe(0x2005n);
    expect(usual.get(words)).toBe(1n);
  });
});

describe('what nobody can make', () => {
  it('fields that are 0 in every engine, where the path looks at them', () => {
    const family = unknown('fixed.family', 32);
    const state = path((one) => uses(one, family));
    expect(refused(state, [[family, 2]], TC)).toBe(
      'only a frame whose family is not 0 takes it, and no engine can make one',
    );
    expect(refused(state, [[family, 0]], TC)).toBeUndefined();
    expect(refused(path(), [[family, 2]], TC)).toBeUndefined();
  });

  it('bytes before metadata, where the path looks at them', () => {
    const [four, five] = [unknown('before4'), unknown('before5')];
    const state = path((one) => uses(one, four, five));
    const words: Values = [[unknown('metadata', 6), 1]];
    expect(refused(state, [...words, [five, 1]])).toBe(
      'bytes in the headroom before the frame would have to be other than 0',
    );
    expect(refused(state, [...words, [four, 1]])).toBeUndefined();
    expect(refused(state, [...words, [five, 0]])).toBeUndefined();
    expect(refused(path(), [...words, [five, 1]])).toBeUndefined();
  });

  it('bytes of the stack that differ from each other', () => {
    const [a, b] = [unknown('unwritten.0.8'), unknown('unwritten.0.16')];
    const state = path((one) => uses(one, a, b));
    const reason = 'unwritten bytes of the stack would have to differ from each other';
    expect(refused(state, [[a, 5]])).toBe(reason);
    expect(
      refused(state, [
        [a, 5],
        [b, 6],
      ]),
    ).toBe(reason);
    expect(
      made(state, [
        [a, 5],
        [b, 5],
      ]).world,
    ).toEqual({ stackFill: 5 });
    expect(made(state, []).world).toEqual({});
    expect(
      made(
        path((one) => uses(one, a)),
        [
          [a, 5],
          [b, 6],
        ],
      ).world,
    ).toEqual({ stackFill: 5 });
  });
});

describe('maps', () => {
  /** Asks for an entry: its key, and whether it was there. */
  function asks(state: PathState, map: keyof typeof MAPS, key: readonly number[], was = pool.true): void {
    const block = state.blocks.length;
    state.blocks.push({
      what: 'map value',
      map: number(map),
      size: 8,
      writable: true,
      name: '',
      memory: new PathMemory(),
    });
    const entry = {
      map: number(map),
      key: key.map((one) => constant(one)),
      wasThere: was,
      isThere: was,
      block,
    };
    state.entries = [...state.entries, entry];
  }
  const bytes = (map: keyof typeof MAPS, ordinal: number, ...values: readonly number[]): Values =>
    values.map((value, at) => [unknown(`map${number(map)}.${ordinal}.${at}`), value] as const);
  const eight = (...first: readonly number[]): Uint8Array =>
    Uint8Array.from({ length: 8 }, (_, at) => first[at] ?? 0);

  it('hold the entries that were there, each with its value', () => {
    const there = unknown('there', 1);
    const state = path((one) => {
      asks(one, 'flows', [1, 0, 0, 0]);
      asks(one, 'slots', [2, 0, 0, 0]);
      asks(one, 'flows', [3, 0, 0, 4], there);
      asks(one, 'flows', [5, 0, 0, 0], pool.false);
    });
    const values = [
      ...bytes('flows', 0, 7),
      ...bytes('flows', 1, 8, 9),
      ...bytes('slots', 0, 6),
      ...bytes('flows', 2, 5),
    ];
    const first = { key: Uint8Array.of(1, 0, 0, 0), value: eight(7) };
    const slots = [{ key: Uint8Array.of(2, 0, 0, 0), value: eight(6) }];
    expect(made(state, values).world.maps).toEqual({ flows: [first], slots });
    const second = { key: Uint8Array.of(3, 0, 0, 4), value: eight(8, 9) };
    expect(made(state, [...values, [there, 1]]).world.maps).toEqual({ flows: [first, second], slots });
  });

  it('of zeros are left out of arrays, which hold them anyway', () => {
    const state = path((one) => {
      for (const map of ['flows', 'slots', 'counts'] as const) asks(one, map, [1, 0, 0, 0]);
    });
    expect(Object.keys(made(state, []).world.maps!)).toEqual(['flows']);
    const values = [...bytes('slots', 0, 0, 1), ...bytes('counts', 0, 0, 0, 0, 0, 0, 0, 0, 1)];
    expect(Object.keys(made(state, values).world.maps!)).toEqual(['flows', 'slots', 'counts']);
  });

  it('of maps hold one of the object’s in each slot that was filled', () => {
    const inner = (ordinal: number): Term => unknown(`map${number('outer')}.${ordinal}.inner`, 16);
    const state = path((one) => {
      for (const key of [1, 2, 3, 4]) asks(one, 'outer', [key, 0, 0, 0], key === 2 ? pool.false : pool.true);
    });
    const values: Values = [
      [inner(0), number('large')],
      [inner(1), number('flows')],
      [inner(2), number('flows')],
      [inner(3), 999],
    ];
    const { slots, maps } = made(state, values).world;
    expect(slots).toEqual({
      outer: [
        { key: Uint8Array.of(1, 0, 0, 0), name: 'large' },
        { key: Uint8Array.of(3, 0, 0, 0), name: 'flows' },
      ],
    });
    expect(maps).toBeUndefined();
  });

  it('that give back first what was put there last are filled the other way round', () => {
    const state = path((one) => {
      for (const map of ['last', 'jobs'] as const) for (const _ of [0, 1]) asks(one, map, []);
    });
    const { last, jobs } = made(state, [
      ...bytes('last', 0, 1),
      ...bytes('last', 1, 2),
      ...bytes('jobs', 0, 1),
      ...bytes('jobs', 1, 2),
    ]).world.maps!;
    expect(last!.map(({ value }) => value[0])).toEqual([2, 1]);
    expect(jobs!.map(({ value }) => value[0])).toEqual([1, 2]);
  });

  it('of variables hold what they are to start with, where it is something else', () => {
    const state = path((one) =>
      one.blocks.push({
        what: 'globals',
        map: number('section'),
        size: 8,
        writable: true,
        name: undefined,
        memory: new PathMemory(),
      }),
    );
    const at = (index: number): Term => unknown(`global${number('section')}.${index}`);
    const same: Values = [
      [at(0), 1],
      [at(1), 2],
      [at(2), 3],
    ];
    expect(made(state, same).world).toEqual({});
    expect(made(state, [...same, [at(7), 9]]).world.maps).toEqual({
      '.data': [{ key: new Uint8Array(4), value: Uint8Array.of(1, 2, 3, 0, 0, 0, 0, 9) }],
    });
    expect(made(path(), [[at(7), 9]]).world).toEqual({});
  });

  describe('that are full', () => {
    const full = (map: keyof typeof MAPS, more: string): Term => unknown(`full${number(map)}.${more}`, 1);
    const filled = (
      map: keyof typeof MAPS,
      more: string,
      edit: (state: PathState) => void = () => {},
      values: Values = [],
    ) => {
      const term = full(map, more);
      const state = path((one) => {
        edit(one);
        uses(one, term);
      });
      return { state, values: [[term, 1], ...values] as Values };
    };
    const keys = (map: keyof typeof MAPS, one: ReturnType<typeof filled>): number[][] =>
      (made(one.state, one.values).world.maps?.[map] ?? []).map(({ key }) => [...key]);

    it('hold as many entries as there is room for, less what the path has put in', () => {
      expect(keys('flows', filled('flows', '0'))).toEqual([1, 2, 3, 4].map((index) => [index, 0, 0, 0]));
      expect(keys('flows', filled('flows', '1'))).toHaveLength(3);
      expect(keys('flows', filled('flows', '4'))).toHaveLength(0);
      for (const { value } of made(filled('flows', '0').state, filled('flows', '0').values).world.maps!
        .flows!)
        expect(value).toEqual(new Uint8Array(8));
    });

    it('are so where the path says it, and what it says is true', () => {
      const { state } = filled('flows', '0');
      expect(made(state, []).world).toEqual({});
      expect(made(path(), [[full('flows', '0'), 1]]).world).toEqual({});
    });

    it('hold other keys than those that the path asked for', () => {
      const one = filled('flows', '0', (state) => {
        asks(state, 'flows', [1, 0, 0, 0]);
        asks(state, 'flows', [3, 0, 0, 0], pool.false);
      });
      expect(keys('flows', one)).toEqual([1, 2, 4, 5].map((index) => [index, 0, 0, 0]));
    });

    it('of prefixes hold whole addresses', () => {
      expect(keys('nets', filled('nets', '2'))).toEqual([
        [32, 0, 0, 0, 1, 0, 0, 0],
        [32, 0, 0, 0, 2, 0, 0, 0],
      ]);
    });

    it('of queues hold entries without keys', () => {
      const { jobs } = made(filled('jobs', '1').state, filled('jobs', '1').values).world.maps!;
      expect(jobs).toEqual(Array(3).fill({ key: new Uint8Array(0), value: eight() }));
    });

    it('and are larger than anybody fills, or have too few keys, are no input', () => {
      const large = filled('large', '0');
      expect(refused(large.state, large.values)).toBe(
        'map large with its 100001 entries would have to be full',
      );
      const flags = filled('flags', '0');
      expect(refused(flags.state, flags.values)).toBe('map flags cannot be filled with other keys');
      const fewer = filled('flags', '44');
      expect(keys('flags', fewer)).toHaveLength(256);
    });
  });
});

describe('the world around', () => {
  const answer = (helper: string, result: Term | undefined): Answer => ({
    ...{ helper, name: `${helper}.0`, question: { shape: '', numbers: [], read: [] }, ordinal: 0, result },
    ...{ read: [], written: [], arguments: [], open: { through: [] } },
  });
  const world = (values: Values, ...answers: readonly Answer[]) =>
    made(
      path((one) => {
        one.answers = answers;
      }),
      values,
    ).world;
  const wide = (value: number): Term => constant(value, 64);

  it.each(['bpf_ktime_get_ns', 'bpf_ktime_get_boot_ns', 'bpf_ktime_get_coarse_ns', 'bpf_ktime_get_tai_ns'])(
    'shows the time that %s is to answer, the first one',
    (helper) => {
      expect(world([], answer(helper, wide(5)), answer('bpf_ktime_get_ns', wide(9)))).toEqual({ time: 5n });
      expect(world([], answer(helper, wide(0)))).toEqual({ time: 0n });
      expect(world([], answer(helper, undefined))).toEqual({});
    },
  );

  it('has a CPU where it is not the first one', () => {
    expect(world([], answer('bpf_get_smp_processor_id', wide(3)))).toEqual({ cpu: 3 });
    expect(world([], answer('bpf_get_smp_processor_id', wide(0)))).toEqual({});
  });

  it('has a seed under which the frame’s hash is the one that the path wants', () => {
    for (const byte of [1, 2, 77])
      for (const wanted of [0x1234_5678, 0xffff_ffff, 1]) {
        const values: Values = [[unknown('p12'), byte]];
        const state = path((one) => {
          one.answers = [answer('bpf_get_hash_recalc', wide(wanted))];
        });
        const { world: around, stimulus } = made(state, values);
        const { packet } = stimulus;
        const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
        expect(flowHash(view, 0, packet.length, around.hashSeed!) >>> 0).toBe(wanted);
      }
  });

  it('has the seed of random numbers that the values name', () => {
    expect(world([[unknown('world.random_seed', 32), 7]])).toEqual({ randomSeed: 7 });
  });
});

describe('values that an input can be made of', () => {
  const random = (ordinal: number): Answer => ({
    ...{
      helper: 'bpf_get_prandom_u32',
      name: `random.${ordinal}`,
      question: { shape: '', numbers: [], read: [] },
      ordinal,
    },
    ...{
      result: pool.zeroExtend(64, unknown(`random.${ordinal}`, 32)),
      read: [],
      written: [],
      arguments: [],
      open: { through: [] },
    },
  });
  const draws = (state: PathState, count: number): void => {
    state.answers = Array.from({ length: count }, (_, ordinal) => random(ordinal));
  };
  const knows = (state: PathState, condition: Term): void => state.knowledge.add(condition, undefined);

  it('give random numbers that one seed gives, one after the other', () => {
    const low = (ordinal: number, value: number): Term =>
      pool.equal(pool.extract(unknown(`random.${ordinal}`, 32), 0, 4), constant(value, 4));
    const state = path((one) => {
      draws(one, 2);
      knows(one, low(0, 5));
      knows(one, low(1, 9));
    });
    const values = usualValues(XDP, state, state.values!)!;
    const seed = Number(values.get(unknown('world.random_seed', 32)));
    const first = nextRandomState(seed);
    const numbers = [randomOf(first), randomOf(nextRandomState(first))];
    expect(numbers.map((one) => one & 15)).toEqual([5, 9]);
    expect([0, 1].map((ordinal) => Number(values.get(unknown(`random.${ordinal}`, 32))))).toEqual(numbers);
    const witness = witnessOf(XDP, state);
    expect(isWitness(witness) && witness.world.randomSeed).toBe(seed);
  });

  it('are none where no seed gives the numbers', () => {
    const state = path((one) => {
      draws(one, 1);
      knows(one, pool.equal(unknown('random.0', 32), constant(randomOf(nextRandomState(20_000)), 32)));
    });
    expect(usualValues(XDP, state, state.values!)).toBeUndefined();
    expect(witnessOf(XDP, state)).toEqual({
      reason: 'no seed was found that gives the random numbers of this path',
    });
    const last = path((one) => {
      draws(one, 1);
      knows(one, pool.equal(unknown('random.0', 32), constant(randomOf(nextRandomState(19_999)), 32)));
    });
    expect(usualValues(XDP, last, last.values!)!.get(unknown('world.random_seed', 32))).toBe(19_999n);
  });

  it('are not asked of a path without values', () => {
    const state = path((one) => {
      one.values = undefined;
    });
    expect(() => witnessOf(XDP, state)).toThrow(RangeError);
  });

  it('are 0 where no engine gives a frame anything else, and the path leaves the choice', () => {
    const [fixed, given, other] = [unknown('fixed.family', 32), unknown('given.hash', 32), unknown('p5')];
    const state = path((one) => {
      knows(one, pool.less(fixed, constant(9, 32)));
      knows(one, pool.less(given, constant(9, 32)));
      knows(one, pool.less(other, constant(9)));
    });
    const from: Values = [
      [fixed, 3],
      [given, 4],
      [other, 5],
    ];
    const usual = usualValues(XDP, state, assigned(from))!;
    expect([fixed, given, other].map((one) => usual.get(one) ?? 0n)).toEqual([0n, 0n, 5n]);
    const bound = path((one) => knows(one, pool.less(constant(2, 32), given)));
    expect(usualValues(XDP, bound, assigned(from))!.get(given)).toBe(4n);
  });

  it('have one time for all clocks, where the path leaves the choice', () => {
    const [a, b] = [unknown('clock.a', 64), unknown('clock.b', 64)];
    const clock = (helper: string, result: Term): Answer => ({ ...random(0), helper, result });
    const state = path((one) => {
      one.answers = [clock('bpf_ktime_get_ns', a), clock('bpf_ktime_get_boot_ns', b)];
      knows(one, pool.less(a, constant(100, 64)));
    });
    const usual = usualValues(
      XDP,
      state,
      assigned([
        [a, 5],
        [b, 7],
      ]),
    )!;
    expect(usual.get(a) ?? 0n).toBe(usual.get(b) ?? 0n);
    expect(usual.get(a)! < 100n).toBe(true);
  });

  it.each(['ports', 'cpus'] as const)(
    'name a device that there is, where the path leaves it to %s',
    (map) => {
      const name = XDP.entryName(number(map), 0);
      const at = (index: number): Term => unknown(`${name}.${index}`);
      const state = (...conditions: readonly Term[]): PathState =>
        path((one) => {
          const entry = { map: number(map), key: [], wasThere: pool.true, isThere: pool.true, block: 0 };
          one.entries = [entry];
          for (const condition of conditions) knows(one, condition);
        });
      const device = (one: PathState, from: Values = []): number[] => {
        const usual = usualValues(XDP, one, assigned(from))!;
        return [0, 1, 2, 3].map((index) => Number(usual.get(at(index)) ?? 0n));
      };
      expect(device(state())).toEqual([3, 0, 0, 0]);
      expect(device(state(), [[at(3), 9]])).toEqual([3, 0, 0, 0]);
      expect(device(state(pool.not(pool.equal(at(0), constant(3)))))).toEqual([2, 0, 0, 0]);
      expect(device(state(pool.less(constant(3), at(0))), [[at(0), 77]])).toEqual([4, 0, 0, 0]);
      expect(device(state(pool.less(constant(4), at(0))), [[at(0), 77]])).toEqual([77, 0, 0, 0]);
    },
  );
});
