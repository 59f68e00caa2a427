/** What is entered of runs to their end: paths that are put together by hand, and the rows that come of them. */
import { describe, expect, it } from 'vitest';
import { Machine } from '../../sim/ebpf/machine.ts';
import { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import { PathMemory } from '../../sim/ebpf/symbolic/path-memory.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import type { Term } from '../../sim/ebpf/symbolic/term.ts';
import { TermPool } from '../../sim/ebpf/symbolic/term-pool.ts';
import { testMap, testObject } from '../../sim/ebpf/test-support/assemble.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { Property } from './property.ts';
import { PropertyRows } from './property-rows.ts';
import { judgeRun, mayLeave } from './run-properties.ts';
import type { Witness } from './witness.ts';

const object = testObject({ main: 'exit' }, [testMap('flows', 'HASH')]);
const machine = new Machine(object, {});
const pool = new TermPool();
const inputsAt = (hook: Hook): Inputs => new Inputs(pool, machine, hook, object.programs[0]!);
const behind = (map: 'devmap' | 'cpumap'): Inputs =>
  new Inputs(pool, machine, 'xdp', { ...object.programs[0]!, behindRedirect: map });
const INPUTS = {
  ...{ xdp: inputsAt('xdp'), 'tc-ingress': inputsAt('tc-ingress') },
  ...{ devmap: behind('devmap'), cpumap: behind('cpumap') },
} as const;
const WITNESS = { stimulus: { packet: new Uint8Array(60) } } as unknown as Witness;
const STACK = pool.unknown(8, 'unwritten.0.8');
const unknown = (name: string, width = 64): Term => pool.unknown(width, name);

type Edit = (state: PathState) => void;
interface Run {
  readonly hook?: keyof typeof INPUTS;
  readonly action?: number | bigint | Term;
  readonly witness?: Witness | undefined;
}

/** The rows of a path with this end. */
function judged(edit: Edit, { hook = 'xdp', action = 2, ...rest }: Run = {}): Record<string, Property> {
  const inputs = INPUTS[hook];
  const state = inputs.start(0);
  state.end = { kind: 'exit', action: typeof action === 'object' ? action : pool.constant(64, action) };
  edit(state);
  const rows = new PropertyRows();
  judgeRun(inputs, state, 'witness' in rest ? rest.witness : WITNESS, rows);
  return Object.fromEntries(rows.properties(undefined).map((one) => [one.invariant, one]));
}
const said = (all: Record<string, Property>, name: string): string => {
  const one = all[name];
  return one === undefined
    ? 'not asked'
    : [one.status, ...(one.reason === undefined ? [] : [one.reason])].join(': ');
};
const nothing: Edit = () => {};

describe('an action', () => {
  it.each([
    ['xdp', 0, 'proved'],
    ['xdp', 4, 'proved'],
    ['xdp', 5, 'refuted: the program returns 5'],
    ['xdp', 0xffff_ffff, 'refuted: the program returns -1'],
    ['devmap', 2, 'proved'],
    ['devmap', 4, 'refuted: the program returns 4'],
    ['cpumap', 4, 'proved'],
    ['cpumap', 3, 'refuted: the program returns 3'],
    ['xdp', 0x1_0000_0002n, 'proved'],
    ['tc-ingress', 0xffff_ffff, 'proved'],
    ['tc-ingress', 0xffff_fffe, 'refuted: the program returns -2'],
    ['tc-ingress', 8, 'proved'],
    ['tc-ingress', 9, 'refuted: the program returns 9'],
  ] as const)('at %s: %i', (hook, action, expected) => {
    expect(said(judged(nothing, { hook, action }), 'action/unknown')).toBe(expected);
    const none = judged(nothing, { hook, action, witness: undefined });
    const open = expected
      .replace('refuted', 'undecided')
      .concat(expected === 'proved' ? '' : '; no packet was made that shows it');
    expect(said(none, 'action/unknown')).toBe(open);
  });

  it('that is not known stays open', () => {
    expect(said(judged(nothing, { action: unknown('any') }), 'action/unknown')).toBe(
      'undecided: a path returns a number that is not known',
    );
  });

  it('is not asked about on paths without an end', () => {
    expect(
      judged((state) => {
        state.end = { kind: 'violation', reason: 'x' };
      }),
    ).toEqual({});
  });

  it.each([
    ['xdp', 0, false],
    ['xdp', 1, false],
    ['xdp', 2, true],
    ['xdp', 4, true],
    ['tc-ingress', 2, false],
    ['tc-ingress', 0xffff_ffff, true],
  ] as const)('at %s: %i may leave: %s', (hook, action, is) => {
    expect(mayLeave(INPUTS[hook], pool.constant(64, action))).toBe(is);
    expect(mayLeave(INPUTS[hook], unknown('any'))).toBe(true);
  });
});

describe('a redirect', () => {
  const target: Edit = (state) => {
    state.redirect = pool.constant(32, 3);
  };
  const refused =
    (returned: number): Edit =>
    (state) => {
      state.refusal = { returned, reason: 'the flags are unknown' };
    };

  it.each([
    ['xdp', 4, 'XDP_REDIRECT'],
    ['tc-ingress', 7, 'TC_ACT_REDIRECT'],
  ] as const)('at %s needs a target that a helper has stored', (hook, action, name) => {
    const row = 'redirect/no-target';
    expect(said(judged(nothing, { hook, action }), row)).toBe(
      `refuted: the program returns ${name}, and no helper has stored a target`,
    );
    expect(said(judged(target, { hook, action }), row)).toBe('proved');
    expect(said(judged(nothing, { hook, action: 2 }), row)).toBe('not asked');
    expect(said(judged(nothing, { hook, action: unknown('any') }), row)).toBe(
      'undecided: a path may return a redirect, for which no helper has stored a target',
    );
    expect(said(judged(target, { hook, action: unknown('any') }), row)).toBe('not asked');
    // 0 or 2, of which neither is a redirect.
    const masked = pool.and(unknown('any'), pool.constant(64, 2));
    expect(said(judged(nothing, { hook, action: masked }), row)).toBe('not asked');
  });

  it('is refused where the program returns what the helper did', () => {
    const row = 'redirect/refused';
    expect(said(judged(refused(1), { action: 1 }), row)).toBe('refuted: the flags are unknown');
    expect(said(judged(refused(0xffff), { action: 1 }), row)).toBe('proved');
    expect(said(judged(refused(-1), { action: 0xffff_ffff }), row)).toBe('refuted: the flags are unknown');
    expect(said(judged(target, { action: 1 }), row)).toBe('proved');
    expect(said(judged(refused(1), { action: unknown('any') }), row)).toBe(
      'undecided: a path may return what a helper refused: the flags are unknown',
    );
    expect(said(judged(nothing, { action: 1 }), row)).toBe('not asked');
  });
});

describe('bytes that nobody wrote', () => {
  const reads: Edit = (state) => {
    state.readsUnwritten = { program: 0, slot: 3 };
  };
  const both =
    (...edits: readonly Edit[]): Edit =>
    (state) => {
      for (const edit of edits) edit(state);
    };
  const decides: Edit = (state) => state.knowledge.add(pool.equal(STACK, pool.constant(8, 5)), undefined);
  const sends: Edit = (state) => state.packet.bytes.setByte(INPUTS.xdp.data + 3, STACK);

  it('decide in a condition, or as the action', () => {
    const row = 'uninitialized/decision';
    const reason = 'refuted: bytes of the stack that nobody wrote decide';
    expect(said(judged(both(reads, decides)), row)).toBe(reason);
    expect(said(judged(reads, { action: pool.zeroExtend(64, STACK) }), row)).toBe(reason);
    expect(said(judged(reads), row)).toBe('proved');
    // They are read where an instruction did.
    expect(said(judged(decides), row)).toBe('proved');
  });

  it('leave with a frame that does', () => {
    const row = 'uninitialized/frame';
    expect(said(judged(both(reads, sends)), row)).toBe(
      'refuted: bytes of the stack that nobody wrote leave with the frame',
    );
    expect(said(judged(both(reads, sends), { action: 1 }), row)).toBe('proved');
    expect(said(judged(sends), row)).toBe('proved');
    expect(said(judged(both(reads, sends), { witness: undefined }), row)).toBe(
      'undecided: bytes of the stack that nobody wrote leave with the frame; no packet was made that shows it',
    );
  });

  const entry =
    (was: Term, key: readonly Term[], ...value: readonly Term[]): Edit =>
    (state) => {
      const memory = new PathMemory();
      for (const [at, one] of value.entries()) memory.setByte(at, one);
      state.blocks.push({ what: 'map value', map: 0, size: 8, writable: true, name: '', memory });
      state.entries = [{ map: 0, key, wasThere: was, isThere: pool.true, block: state.blocks.length - 1 }];
    };

  it('go into a map: into the key of an entry that is new, or into a value', () => {
    const row = 'uninitialized/map';
    const known = pool.constant(8, 1);
    const into = (part: string): string =>
      `refuted: bytes of the stack that nobody wrote go into ${part} of map flows`;
    expect(said(judged(both(reads, entry(pool.false, [STACK], known))), row)).toBe(into('a key'));
    expect(said(judged(both(reads, entry(unknown('there', 1), [known, STACK], known))), row)).toBe(
      into('a key'),
    );
    expect(said(judged(both(reads, entry(pool.true, [STACK], known))), row)).toBe('proved');
    expect(said(judged(both(reads, entry(pool.true, [known], known, STACK))), row)).toBe(into('a value'));
    expect(said(judged(both(reads, entry(pool.true, [known], known))), row)).toBe('proved');
    // An entry that was looked at alone.
    expect(said(judged(both(reads, entry(pool.false, [STACK]))), row)).toBe('not asked');
    expect(said(judged(entry(pool.false, [STACK], known)), row)).toBe('proved');
  });

  describe('lie in the room that is made in front of a frame', () => {
    const row = 'uninitialized/frame';
    const { data } = INPUTS.xdp;
    const room =
      (by: number, ...written: readonly (readonly [at: number, value: Term])[]): Edit =>
      (state) => {
        state.packet.data = pool.addConst(state.packet.data, -by);
        for (const [at, value] of written) state.packet.bytes.setByte(data - by + at, value);
      };
    const one = pool.constant(8, 1);
    const leaves = (at: number): string => `refuted: byte ${at} of the frame leaves as nobody wrote it`;

    it('until they are written', () => {
      expect(said(judged(room(2)), row)).toBe(leaves(0));
      expect(said(judged(room(2, [0, one])), row)).toBe(leaves(1));
      expect(said(judged(room(2, [1, one])), row)).toBe(leaves(0));
      expect(said(judged(room(2, [0, one], [1, one])), row)).toBe('proved');
      expect(said(judged(room(2), { action: 1 }), row)).toBe('proved');
      expect(said(judged(room(2), { witness: undefined }), row)).toBe(
        'undecided: byte 0 of the frame may leave as nobody wrote it',
      );
      expect(said(judged(room(-2)), row)).toBe('proved');
    });

    it('also where they are written with themselves', () => {
      const before = pool.unknown(8, 'before1');
      expect(said(judged(room(2, [0, one], [1, before])), row)).toBe(leaves(1));
      expect(said(judged(room(2, [0, pool.unknown(8, 'p1')], [1, pool.add(before, one)])), row)).toBe(
        'proved',
      );
    });

    it('of a size that is not known', () => {
      const some: Edit = (state) => {
        const by = pool.zeroExtend(64, pool.unknown(2, 'by'));
        state.packet.data = pool.subtract(state.packet.data, by);
      };
      expect(said(judged(some), row)).toBe(
        'undecided: room in front of the frame may leave as nobody wrote it',
      );
      const filled: Edit = (state) => {
        some(state);
        for (let at = 1; at <= 3; at++) state.packet.bytes.setByte(data - at, one);
      };
      expect(said(judged(filled), row)).toBe(
        'undecided: room in front of the frame may leave as nobody wrote it',
      );
    });
  });
});

describe('rows', () => {
  it('say of each property what is known, and of how many paths', () => {
    const rows = new PropertyRows();
    rows.row('action/unknown').paths = 3;
    rows.row('lengths').paths = 2;
    rows.row('checksum/ipv4').undecided = 'who knows';
    rows.refute('ttl/expired', WITNESS, 'first');
    rows.refute('ttl/expired', WITNESS, 'second');
    const all = (open: string | undefined) =>
      rows
        .properties(open)
        .map(({ invariant, status, reason, paths, witness, confirmedBy }) => [
          invariant,
          status,
          reason,
          paths,
          witness === WITNESS,
          confirmedBy,
        ]);
    expect(all(undefined)).toEqual([
      ['action/unknown', 'proved', undefined, 3, false, []],
      ['lengths', 'proved', undefined, 2, false, []],
      ['checksum/ipv4', 'undecided', 'who knows', 0, false, []],
      ['ttl/expired', 'refuted', 'first', 0, true, ['vm']],
    ]);
    expect(all('cut off').map(([, status, reason]) => [status, reason])).toEqual([
      ['undecided', 'cut off'],
      ['undecided', 'cut off'],
      ['undecided', 'who knows'],
      ['refuted', 'first'],
    ]);
    expect(new Set(rows.properties(undefined).map(({ severity }) => severity)).has('error')).toBe(true);
  });

  it('of groups are refuted by their parts, which say it better', () => {
    const rows = new PropertyRows();
    rows.row('lengths').undecided = 'open';
    rows.row('length').undecided = 'open';
    expect([rows.isRefuted('lengths'), rows.isRefuted('lengths/total')]).toEqual([false, false]);
    rows.refute('lengths/total', WITNESS, 'wrong');
    expect([
      rows.isRefuted('lengths'),
      rows.isRefuted('lengths/total'),
      rows.isRefuted('length'),
      rows.isRefuted('lengths/tot'),
    ]).toEqual([true, true, false, false]);
    expect(rows.properties(undefined).map(({ invariant, status }) => `${invariant} ${status}`)).toEqual([
      'length undecided',
      'lengths/total refuted',
    ]);
  });

  it('are left open in groups', () => {
    const rows = new PropertyRows();
    for (const name of ['ttl/step', 'ttl/expired', 'ttls/other', 'ttl']) rows.row(name);
    rows.row('ttl/step').undecided = 'before';
    rows.leaveOpen('ttl', 'later');
    expect(rows.properties(undefined).map(({ invariant, reason }) => `${invariant} ${reason}`)).toEqual([
      'ttl/step before',
      'ttl/expired later',
      'ttls/other undefined',
      'ttl undefined',
    ]);
  });

  it('are left open where they are asked later, and by the first reason', () => {
    const rows = new PropertyRows();
    rows.leaveOpen('ttl', 'first');
    rows.leaveOpen('ttl', 'second');
    rows.row('ttl/step');
    rows.refute('ttl/expired', WITNESS, 'a packet');
    rows.row('lengths');
    expect(rows.properties(undefined).map(({ invariant, reason }) => `${invariant} ${reason}`)).toEqual([
      'ttl/step first',
      'ttl/expired a packet',
      'lengths undefined',
    ]);
  });

  it('are there of every group that is left open', () => {
    const rows = new PropertyRows();
    for (const group of ['checksum', 'ttl', 'reply', 'other']) rows.leaveOpen(group, 'not looked at');
    rows.row('checksum/udp');
    expect(rows.properties(undefined).map(({ invariant, status }) => `${invariant} ${status}`)).toEqual([
      'checksum/udp undecided',
      'ttl/expired undecided',
      'reply/zero-source undecided',
    ]);
  });

  it('have the severity of their rule', () => {
    const rows = new PropertyRows();
    const severity = (name: string): string => {
      rows.row(name);
      return rows.properties(undefined).find(({ invariant }) => invariant === name)!.severity;
    };
    expect([
      severity('verifier/stopped'),
      severity('checksum/ipv4'),
      severity('lengths'),
      severity('nobody/knows'),
    ]).toEqual(Array(4).fill('error'));
    expect(severity('ttl/step')).toBe('warning');
  });
});
