/** In what the ends of two paths differ, and for which inputs: ends that are put together by hand, one thing at a time. */
import { describe, expect, it } from 'vitest';
import type { BpfMap } from '../../../sim/ebpf/bpf-object.ts';
import { Machine } from '../../../sim/ebpf/machine.ts';
import { Evaluator } from '../../../sim/ebpf/symbolic/evaluate.ts';
import { Inputs } from '../../../sim/ebpf/symbolic/inputs.ts';
import { PathMemory } from '../../../sim/ebpf/symbolic/path-memory.ts';
import type { PathState } from '../../../sim/ebpf/symbolic/path-state.ts';
import type { Term } from '../../../sim/ebpf/symbolic/term.ts';
import { TermPool } from '../../../sim/ebpf/symbolic/term-pool.ts';
import { testMap, testObject } from '../../../sim/ebpf/test-support/assemble.ts';
import type { Hook } from '../../../sim/runtime/actions.ts';
import { namingAfter } from './map-names.ts';
import {
  type Ended,
  isUnwritten,
  NotCompared,
  type OutcomeDifference,
  outcomeDifferences,
} from './outcome-differences.ts';

const LIMITS = { shortest: 0, longest: 64, mostMetadata: 8 };
const pool = new TermPool();
const constant = (value: number | bigint, width = 64): Term => pool.constant(width, value);
const byte = (value: number): Term => constant(value, 8);
const unknown = (name: string, width = 8): Term => pool.unknown(width, name);

function section(
  name: string,
  readOnly: boolean,
  variables: Readonly<Record<string, readonly [offset: number, size: number]>>,
): BpfMap {
  const all = new Map(
    Object.entries(variables).map(([one, [offset, size]]) => [one, { offset, size, typeId: undefined }]),
  );
  return {
    ...testMap(name, 'ARRAY', { valueSize: 16, maxEntries: 1 }),
    global: { bytes: new Uint8Array(16), readOnly, variables: all },
  };
}

const FLOWS = testMap('flows', 'HASH');
const JOBS = testMap('jobs', 'QUEUE');
const OLD = [
  FLOWS,
  JOBS,
  section('.data', false, { a: [0, 4], b: [4, 8] }),
  section('.rodata', true, { c: [0, 4] }),
  testMap('mine', 'HASH'),
];
/** The same maps at other places, a variable at another, and one map that only the other has. */
const NEW = [
  testMap('yours', 'HASH'),
  section('.data', false, { b: [0, 8], a: [8, 4], d: [12, 4] }),
  JOBS,
  FLOWS,
  section('.rodata', true, { c: [0, 4] }),
];

function machineOf(maps: readonly BpfMap[]): Machine {
  return new Machine(testObject({ main: 'exit' }, maps), {});
}

/** Edits of a path at its end; `inputs` are those of its program. */
type Edit = (state: PathState, inputs: Inputs) => void;

interface Ends {
  readonly hook?: Hook;
  readonly action?: number | Term;
  readonly maps?: readonly (readonly BpfMap[])[];
}

function found(
  first: Edit,
  second: Edit,
  { hook = 'xdp', action = hook === 'xdp' ? 2 : 0, maps = [OLD, OLD] }: Ends = {},
): OutcomeDifference[] {
  const [a, b] = maps.map(machineOf) as [Machine, Machine];
  const layout = (machine: Machine): Machine['object']['programs'][number] => machine.object.programs[0]!;
  const one = new Inputs(pool, a, hook, layout(a), LIMITS);
  const other = new Inputs(pool, b, hook, layout(b), LIMITS, namingAfter(a, b));
  const ended = (inputs: Inputs, edit: Edit): Ended => {
    const state = inputs.start(0);
    state.end = { kind: 'exit', action: typeof action === 'number' ? constant(action) : action };
    edit(state, inputs);
    return { inputs, state };
  };
  return outcomeDifferences(ended(one, first), ended(other, second));
}

const NONE: Edit = () => {};
const what = (differences: readonly OutcomeDifference[]): string[] => differences.map((one) => one.what);
const holds = ({ condition }: OutcomeDifference, ...values: readonly (readonly [Term, number])[]): boolean =>
  new Evaluator(new Map(values.map(([term, value]) => [term, BigInt(value)]))).isTrue(condition);

const LENGTH = unknown('length', 16);
/** Another byte at an offset of the frame. */
const writes =
  (at: number, value: Term): Edit =>
  (state, inputs) =>
    state.packet.bytes.setByte(inputs.data + at, value);
const ends =
  (action: number | bigint): Edit =>
  (state) => {
    state.end = { kind: 'exit', action: constant(action) };
  };

describe('ends', () => {
  const violation: Edit = (state) => {
    state.end = { kind: 'violation', reason: 'out of bounds' };
  };
  const open: Edit = (state) => {
    state.end = { kind: 'not followed', reason: 'nobody knows' };
  };

  it('are alike where nothing was done', () => expect(found(NONE, NONE)).toEqual([]));

  it('of a program that is stopped are told from one that is not', () => {
    for (const [a, b] of [
      [violation, NONE],
      [NONE, violation],
    ] as const) {
      const [only, ...rest] = found(a, b);
      expect([only!.what, rest.length]).toEqual(['whether the machine stops the program', 0]);
      expect(only!.condition).toBe(pool.true);
    }
    expect(found(violation, violation)).toEqual([]);
  });

  it('that nobody followed are not compared', () => {
    for (const [a, b] of [
      [open, NONE],
      [NONE, open],
      [violation, open],
    ] as const)
      expect(() => found(a, b)).toThrow(new NotCompared('nobody knows'));
  });

  it('at which an address leaves as a number are not compared', () => {
    const leaks: Edit = (state) => {
      state.leaks = true;
    };
    for (const [a, b] of [
      [leaks, NONE],
      [NONE, leaks],
    ] as const)
      expect(() => found(a, b)).toThrow('an address leaves as a number');
  });

  it('without an end at all are alike', () => {
    const none: Edit = (state) => {
      state.end = undefined;
    };
    expect(found(none, none)).toEqual([]);
  });

  it('differ in the action, and for which inputs', () => {
    expect(what(found(NONE, ends(1)))).toContain('action');
    const chosen = unknown('p5');
    const [action] = found((state) => {
      state.end = { kind: 'exit', action: pool.zeroExtend(64, chosen) };
    }, ends(2));
    expect([holds(action!, [chosen, 2]), holds(action!, [chosen, 3])]).toEqual([false, true]);
  });

  it('that are known to be the same are so, in whatever form', () => {
    const chosen = unknown('p5');
    const same: Edit = (state) => {
      state.end = { kind: 'exit', action: pool.zeroExtend(64, chosen) };
      state.knowledge.add(pool.equal(chosen, byte(2)), undefined);
    };
    expect(found(ends(2), same)).toEqual([]);
  });
});

describe('frames', () => {
  it('differ in a byte, for inputs that have it and where it is another one', () => {
    const [only, ...rest] = found(writes(12, byte(7)), NONE);
    expect([only!.what, rest.length]).toEqual(['byte 12 of the packet', 0]);
    const p12 = unknown('p12');
    const inside = pool.less(constant(12), pool.zeroExtend(64, LENGTH));
    expect(only!.condition).toBe(pool.and(inside, pool.not(pool.equal(byte(7), p12))));
    expect(holds(only!, [LENGTH, 13], [p12, 8])).toBe(true);
    expect(holds(only!, [LENGTH, 12], [p12, 8])).toBe(false);
    expect(holds(only!, [LENGTH, 13], [p12, 7])).toBe(false);
  });

  it('differ in neighbouring bytes at once as far as all of them are surely there, up to eight', () => {
    const twelve: Edit = (state, inputs) => {
      for (let at = 10; at < 22; at++) writes(at, byte(at))(state, inputs);
    };
    const long: Edit = (state) =>
      state.knowledge.add(pool.not(pool.less(LENGTH, constant(20, 16))), undefined);
    const all = found(twelve, long);
    expect(what(all)).toEqual([
      'byte 10 of the packet',
      'byte 18 of the packet',
      'byte 20 of the packet',
      'byte 21 of the packet',
    ]);
    const right = Array.from({ length: 12 }, (_, index) => [unknown(`p${index + 10}`), index + 10] as const);
    const short = [LENGTH, 20] as const;
    expect(all.map((one) => holds(one, short, ...right))).toEqual([false, false, false, false]);
    for (const [index, [term]] of right.entries()) {
      const wrong = all.map((one) => holds(one, [LENGTH, 22], ...right, [term, 99]));
      const at = index < 8 ? 0 : index - 7 < 3 ? 1 : index - 8;
      expect(wrong).toEqual([0, 1, 2, 3].map((one) => one === at));
    }
    // What a frame of twenty bytes does not have.
    expect(holds(all[2]!, short, ...right, [unknown('p20'), 99])).toBe(false);
  });

  it('are the same where a byte was written that was there', () => {
    expect(found(writes(12, unknown('p12')), NONE)).toEqual([]);
    expect(what(found(writes(12, unknown('p13')), writes(12, unknown('p12'))))).toEqual([
      'byte 12 of the packet',
    ]);
  });

  it('differ up to the longest there can be', () => {
    expect(what(found(writes(63, byte(1)), NONE))).toEqual(['byte 63 of the packet']);
    expect(found(writes(64, byte(1)), NONE)).toEqual([]);
    expect(what(found(writes(0, byte(1)), NONE))).toEqual(['byte 0 of the packet']);
  });

  it.each([
    ['xdp', 0, false],
    ['xdp', 1, false],
    ['xdp', 2, true],
    ['xdp', 3, true],
    ['xdp', 4, true],
    ['xdp', 9, false],
    ['tc-ingress', 0, true],
    ['tc-ingress', 2, false],
    ['tc-ingress', 4, false],
    ['tc-ingress', 7, true],
    ['tc-ingress', 0xffff_ffff, true],
  ] as const)('at %s with the action %i: are bytes compared? %s', (hook, action, is) => {
    expect(what(found(writes(12, byte(7)), NONE, { hook, action }))).toEqual(
      is ? ['byte 12 of the packet'] : [],
    );
  });

  it('are compared where the action may be any', () => {
    expect(what(found(writes(12, byte(7)), NONE, { action: unknown('any', 64) }))).toEqual([
      'byte 12 of the packet',
    ]);
  });

  it('differ where a computed action lets somebody see them', () => {
    const action = unknown('any', 32);
    for (const [hook, seen] of [
      ['xdp', [2, 3, 4]],
      ['tc-ingress', [-1, 0, 1, 3, 6, 7, 9]],
    ] as const) {
      const [only] = found(writes(12, byte(7)), NONE, { hook, action });
      const shows = [-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9].filter((one) =>
        holds(only!, [unknown('p12'), 1], [action, one >>> 0], [LENGTH, 40]),
      );
      expect(shows).toEqual(seen);
    }
    // 0 and 1 drop the frame.
    const dropped = pool.zeroExtend(64, pool.extract(unknown('any', 32), 0, 1));
    expect(found(writes(12, byte(7)), NONE, { action: dropped })).toEqual([]);
  });

  /** Moves the begin of the frame. */
  const head =
    (by: number): Edit =>
    (state) => {
      state.knowledge.add(pool.not(pool.less(LENGTH, constant(by, 16))), undefined);
      state.packet.data = pool.addConst(state.packet.data, by);
    };
  const tail =
    (by: number | Term): Edit =>
    (state) => {
      state.packet.end =
        typeof by === 'number' ? pool.addConst(state.packet.end, by) : pool.add(state.packet.end, by);
    };

  it('differ in length, where they are cut', () => {
    const by = pool.zeroExtend(64, unknown('p3'));
    const [length] = found(tail(by), NONE);
    expect(length!.what).toBe('the length of the packet');
    expect([holds(length!, [unknown('p3'), 0]), holds(length!, [unknown('p3'), 1])]).toEqual([false, true]);
    expect(what(found(tail(2), NONE))).toContain('the length of the packet');
    expect(what(found(NONE, tail(2)))).toContain('the length of the packet');
  });

  it('are compared from where each begins', () => {
    // Both take four bytes off the head; one writes a byte before, the other behind that.
    const both =
      (more: Edit): Edit =>
      (state, inputs) => {
        more(state, inputs);
        head(4)(state, inputs);
        state.packet.meta = state.packet.data;
      };
    expect(what(found(both(writes(3, byte(1))), both(NONE)))).toEqual([]);
    const [only] = found(both(writes(5, byte(1))), both(NONE));
    expect(only!.what).toBe('byte 1 of the packet');
    expect(holds(only!, [LENGTH, 6], [unknown('p5'), 2])).toBe(true);
    expect(holds(only!, [LENGTH, 5], [unknown('p5'), 2])).toBe(false);
  });

  it('that begin nobody knows where are not compared', () => {
    const somewhere: Edit = (state) => {
      state.packet.data = pool.add(state.packet.data, pool.zeroExtend(64, unknown('p1')));
    };
    for (const [a, b] of [
      [somewhere, NONE],
      [NONE, somewhere],
    ] as const)
      expect(() => found(a, b)).toThrow('the frame begins at a place that is not known');
    // Of those that are dropped nobody asks.
    expect(found(somewhere, NONE, { action: 1 })).toEqual([]);
  });
});

describe('metadata', () => {
  const meta =
    (size: number): Edit =>
    (state) => {
      state.packet.meta = pool.addConst(state.packet.data, -size);
    };
  const ahead =
    (at: number, value: Term): Edit =>
    (state, inputs) => {
      meta(8)(state, inputs);
      state.packet.bytes.setByte(inputs.data - at, value);
    };

  it('differs in length and in bytes, the last one first', () => {
    expect(what(found(meta(4), meta(8)))).toContain('the length of the metadata');
    expect(found(meta(8), meta(8))).toEqual([]);
    for (const at of [1, 8]) {
      const [only, ...rest] = found(ahead(at, byte(5)), meta(8));
      expect([only!.what, rest.length]).toEqual(['metadata', 0]);
      expect([holds(only!, [unknown(`before${at}`), 5]), holds(only!, [unknown(`before${at}`), 6])]).toEqual([
        false,
        true,
      ]);
    }
    expect(found(ahead(9, byte(5)), meta(8))).toEqual([]);
  });

  it('is nothing at TC, where the context is', () => {
    expect(found(meta(4), meta(8), { hook: 'tc-ingress' })).toEqual([]);
  });
});

describe('the context at TC', () => {
  const field =
    (at: number, ...bytes: readonly Term[]): Edit =>
    (state) => {
      for (const [index, one] of bytes.entries()) state.context.setByte(at + index, one);
    };
  const MARK = 8;

  it('differs in fields, whoever wrote them', () => {
    for (const [a, b] of [
      [field(MARK, byte(5)), NONE],
      [NONE, field(MARK + 3, byte(5))],
    ] as const) {
      const [only, ...rest] = found(a, b, { hook: 'tc-ingress' });
      expect([only!.what, rest.length]).toEqual(['__sk_buff.mark', 0]);
      expect(holds(only!)).toBe(true);
    }
    expect(found(field(MARK, byte(5)), field(MARK, byte(5)), { hook: 'tc-ingress' })).toEqual([]);
    expect(found(field(MARK, byte(5)), NONE, { hook: 'tc-ingress', action: 2 })).toEqual([]);
  });

  it('is compared by whole words', () => {
    const mark = unknown('skb.mark', 32);
    const bytes = [0, 1, 2, 3].map((index) => pool.extract(mark, 8 * index, 8));
    expect(found(field(MARK, ...bytes), NONE, { hook: 'tc-ingress' })).toEqual([]);
    const changed = [...bytes.slice(0, 3), byte(1)];
    const [only] = found(field(MARK, ...changed), NONE, { hook: 'tc-ingress' });
    expect([holds(only!, [mark, 0x0100_0000]), holds(only!, [mark, 0x0200_0000])]).toEqual([false, true]);
  });
});

describe('redirects', () => {
  const to =
    (target: number | Term, more: Partial<NonNullable<PathState['via']>> = {}): Edit =>
    (state) => {
      state.redirect = typeof target === 'number' ? constant(target, 32) : target;
      state.via = { what: 'device', flags: undefined, ...more };
    };

  it('differ in their target', () => {
    const which = unknown('which', 32);
    const [only, ...rest] = found(to(which), to(4), { action: 4 });
    expect([only!.what, rest.length]).toEqual(['the target of the redirect', 0]);
    expect([holds(only!, [which, 4]), holds(only!, [which, 5])]).toEqual([false, true]);
    expect(found(to(4), to(4), { action: 4 })).toEqual([]);
    expect(found(NONE, NONE, { action: 4 })).toEqual([]);
  });

  it('and none differ for all inputs', () => {
    for (const [a, b] of [
      [to(4), NONE],
      [NONE, to(4)],
    ] as const) {
      const [only] = found(a, b, { action: 4 });
      expect([only!.what, only!.condition]).toEqual(['the target of the redirect', pool.true]);
    }
  });

  it('matter where the action redirects, or may', () => {
    expect(found(to(3), to(4), { action: 2 })).toEqual([]);
    expect(what(found(to(3), to(4), { action: unknown('any', 64) }))).toEqual(['the target of the redirect']);
    expect(found(to(3), to(4), { hook: 'tc-ingress', action: 0 })).toEqual([]);
    expect(what(found(to(3), to(4), { hook: 'tc-ingress', action: 7 }))).toEqual([
      'the target of the redirect',
    ]);
    // −1 leaves the frame to whatever comes next.
    expect(found(to(3), to(4), { hook: 'tc-ingress', action: 0xffff_ffff })).toEqual([]);
  });

  it('to something else of the same number are not compared', () => {
    expect(() => found(to(3), to(3, { what: 'CPU' }), { action: 4 })).toThrow(NotCompared);
    // One that leads nowhere is another matter.
    expect(what(found(NONE, to(3, { what: 'CPU' }), { action: 4 }))).toEqual(['the target of the redirect']);
  });

  it('differ in flags that both know', () => {
    const flags = unknown('flags', 64);
    const [only] = found(to(3, { flags }), to(3, { flags: constant(1) }), { action: 4 });
    expect([only!.what, holds(only!, [flags, 1]), holds(only!, [flags, 0])]).toEqual([
      'flags of the redirect',
      false,
      true,
    ]);
    expect(found(to(3, { flags }), to(3), { action: 4 })).toEqual([]);
    expect(found(to(3), to(3, { flags }), { action: 4 })).toEqual([]);
  });
});

describe('entries of maps', () => {
  interface Entry {
    readonly there?: Term;
    readonly was?: Term;
    /** Bytes of the value that were written, from the first one on. */
    readonly value?: readonly Term[];
  }
  /** Asks a map for an entry, the next one of those that were asked for. */
  const entry =
    (map: number, { was = pool.unknown(1, 'map0.0.there'), there = was, value = [] }: Entry = {}): Edit =>
    (state, inputs) => {
      const ordinal = state.entries.filter((one) => one.map === map).length;
      const memory = new PathMemory();
      for (const [at, one] of value.entries()) memory.setByte(at, one);
      const name = inputs.entryName(map, ordinal);
      state.blocks.push({ what: 'map value', map, size: 8, writable: true, name, memory });
      const key = [0, 1, 2, 3].map((at) => byte(at));
      state.entries = [
        ...state.entries,
        { map, key, wasThere: was, isThere: there, block: state.blocks.length - 1 },
      ];
    };
  const many =
    (...edits: readonly Edit[]): Edit =>
    (state, inputs) => {
      for (const one of edits) one(state, inputs);
    };

  it('differ in being there', () => {
    const was = pool.unknown(1, 'map0.0.there');
    const [only, ...rest] = found(entry(0), entry(0, { there: pool.true }));
    expect([only!.what, rest.length]).toEqual(['an entry of map flows', 0]);
    expect([holds(only!, [was, 1]), holds(only!, [was, 0])]).toEqual([false, true]);
    expect(found(entry(0), entry(0))).toEqual([]);
    // One that the first did not ask for is as it was.
    expect(what(found(NONE, entry(0, { there: pool.true })))).toEqual(['an entry of map flows']);
    expect(found(NONE, entry(0))).toEqual([]);
  });

  it('differ in their values, where they are there', () => {
    const there = { there: pool.true };
    const [only] = found(entry(0, { ...there, value: [byte(7)] }), entry(0, there));
    const first = unknown('map0.0.0');
    expect(only!.what).toBe('a value of map flows');
    expect([holds(only!, [first, 7]), holds(only!, [first, 8])]).toEqual([false, true]);
    const last = Array.from({ length: 8 }, (_, at) => (at === 7 ? byte(7) : unknown(`map0.0.${at}`)));
    expect(what(found(entry(0, there), entry(0, { ...there, value: last })))).toEqual([
      'a value of map flows',
    ]);
    // A value that is gone is nobody's.
    const gone = { there: pool.false };
    expect(found(entry(0, { ...gone, value: [byte(7)] }), entry(0, gone))).toEqual([]);
  });

  it('that the first did not ask for have the value that they had', () => {
    const was = { was: pool.true, there: pool.true };
    const [only] = found(NONE, entry(0, { ...was, value: [byte(7)] }));
    expect([
      only!.what,
      holds(only!, [unknown('map0.0.0'), 7]),
      holds(only!, [unknown('map0.0.0'), 8]),
    ]).toEqual(['a value of map flows', false, true]);
    expect(found(NONE, entry(0, was))).toEqual([]);
  });

  it('are held against each other one by one, those of each map by themselves', () => {
    const there = { there: pool.true };
    const seven = { ...there, value: [byte(7)] };
    const both = [OLD, NEW];
    // The map is the first of the old, and the fourth of the new.
    expect(
      found(many(entry(0, seven), entry(0, there)), many(entry(3, seven), entry(3, there)), { maps: both }),
    ).toEqual([]);
    expect(
      what(
        found(many(entry(0, seven), entry(0, there)), many(entry(3, there), entry(3, seven)), { maps: both }),
      ),
    ).toEqual(['a value of map flows', 'a value of map flows']);
  });

  it('of maps that one alone has matter where they were changed', () => {
    const maps = [OLD, NEW];
    const own = (name: string): string => `map ${name} (only one has it)`;
    const changed: Entry = { value: [byte(1)] };
    const [mine, yours] = [4, 0];
    expect(found(entry(mine), NONE, { maps })).toEqual([]);
    expect(what(found(entry(mine, changed), NONE, { maps }))).toEqual([own('mine')]);
    expect(what(found(entry(mine, { there: pool.true }), NONE, { maps }))).toEqual([own('mine')]);
    expect(found(NONE, entry(yours), { maps })).toEqual([]);
    const [only] = found(NONE, entry(yours, changed), { maps });
    expect([only!.what, only!.condition]).toEqual([own('yours'), pool.true]);
    expect(what(found(NONE, entry(yours, { there: pool.false }), { maps }))).toEqual([own('yours')]);
  });

  it('of maps that both have, but declare differently, do, too', () => {
    const wider = OLD.map((map) => ({ ...map, valueSize: map.valueSize + 8 }));
    const name = OLD[4]!.name;
    const changed: Entry = { value: [byte(1)] };
    expect(what(found(entry(4, changed), NONE, { maps: [OLD, wider] }))).toEqual([
      `map ${name} (declared differently)`,
    ]);
  });

  const push =
    (map: number, ...values: readonly (readonly Term[])[]): Edit =>
    (state) =>
      state.pushed.set(map, values);

  it('of queues are what was put in, and how much', () => {
    const maps = [OLD, NEW];
    const [a, b] = [
      [unknown('p1'), byte(2)],
      [byte(1), byte(2)],
    ] as const;
    const [only] = found(push(1, a), push(2, b), { maps });
    expect([only!.what, holds(only!, [unknown('p1'), 1]), holds(only!, [unknown('p1'), 2])]).toEqual([
      'what is put into a queue',
      false,
      true,
    ]);
    expect(found(push(1, a, b), push(2, a, b), { maps })).toEqual([]);
    for (const [first, second] of [
      [push(1, a), NONE],
      [NONE, push(2, a)],
      [push(1, a), push(2, a, a)],
    ] as const) {
      const [more] = found(first, second, { maps });
      expect([more!.what, more!.condition]).toEqual(['what is put into a queue', pool.true]);
    }
  });
});

describe('variables', () => {
  const maps = [OLD, NEW];
  /** Writes bytes of a section of variables. */
  const sets =
    (map: number, at: number, ...values: readonly Term[]): Edit =>
    (state) => {
      const memory = new PathMemory();
      for (const [index, value] of values.entries()) memory.setByte(at + index, value);
      state.blocks.push({ what: 'globals', map, size: 16, writable: true, name: undefined, memory });
    };

  it('are the same by name, wherever they lie', () => {
    expect(found(sets(2, 0, byte(5)), sets(1, 8, byte(5)), { maps })).toEqual([]);
    const [only, ...rest] = found(sets(2, 0, byte(5)), sets(1, 8, byte(6)), { maps });
    expect([only!.what, rest.length, holds(only!)]).toEqual(['.data: a', 0, true]);
    expect(what(found(sets(2, 4, byte(5)), sets(1, 4, byte(5)), { maps }))).toEqual(['.data: b', '.data: b']);
  });

  it('are what they were where one does not touch them', () => {
    for (const [a, b] of [
      [sets(2, 3, byte(5)), NONE],
      [NONE, sets(1, 11, byte(5))],
    ] as const) {
      const [only] = found(a, b, { maps });
      expect([
        only!.what,
        holds(only!, [unknown('global2.3'), 5]),
        holds(only!, [unknown('global2.3'), 6]),
      ]).toEqual(['.data: a', false, true]);
    }
  });

  it('that one alone has, or has of another size, are said to differ once one sets them', () => {
    const what = (...all: ReturnType<typeof found>): string[] => all.map((one) => one.what);
    expect(what(...found(NONE, sets(1, 12, byte(5)), { maps }))).toEqual(['variable d (only one has it)']);
    const wider = [OLD[0]!, OLD[1]!, section('.data', false, { a: [0, 8] })];
    expect(what(...found(sets(2, 0, byte(5)), NONE, { maps: [OLD, wider] }))).toEqual([
      'variable a (declared differently)',
    ]);
    expect(what(...found(sets(2, 0, byte(5)), NONE, { maps: [OLD, [FLOWS]] }))).toEqual([
      'variable a (only one has it)',
    ]);
    expect(found(NONE, NONE, { maps: [OLD, wider] })).toEqual([]);
    expect(found(NONE, NONE, { maps: [OLD, [FLOWS]] })).toEqual([]);
  });
});

it('bytes of the stack that nobody wrote are in a condition or are not', () => {
  const [stack, other] = [unknown('unwritten.0.8'), unknown('p1')];
  expect(isUnwritten(pool.equal(stack, other))).toBe(true);
  expect(isUnwritten(pool.equal(unknown('written.unwritten.0'), other))).toBe(false);
  expect(isUnwritten(pool.true)).toBe(false);
});
