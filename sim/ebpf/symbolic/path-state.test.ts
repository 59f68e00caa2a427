/** A path that becomes two: each goes on with everything that it was, and neither changes the other. */
import { describe, expect, it } from 'vitest';
import { Machine } from '../machine.ts';
import { testObject } from '../test-support/assemble.ts';
import { Evaluator } from './evaluate.ts';
import { enumerate, split } from './explore.ts';
import { Feasibility } from './feasibility.ts';
import { Inputs } from './inputs.ts';
import { Knowledge } from './knowledge.ts';
import type { PathState } from './path-state.ts';
import type { Solver } from './solver.ts';
import type { Term } from './term.ts';
import { TermPool } from './term-pool.ts';

function startOf(hook: 'xdp' | 'tc-ingress' = 'tc-ingress'): PathState {
  const object = testObject({ main: 'r0 = 0\nexit' });
  return new Inputs(new TermPool(), new Machine(object, {}), hook, object.programs[0]!).start(0);
}

describe('a copy of a path', () => {
  /** Every field holds something that no new path has. */
  function used(): PathState {
    const state = startOf();
    const { pool } = state;
    const term = pool.unknown(64, 'somewhere');
    state.values = new Map([[term, 5n]]);
    state.doubt = 'nobody knows';
    state.slot = 7;
    state.registers[3] = { term, region: undefined };
    state.frames.push({ program: 0, returnTo: 9, saved: [], callback: undefined });
    state.foretold = [];
    state.decisions = { program: 0, slot: 2, taken: true, before: undefined };
    state.steps = 11;
    state.splits = 12;
    state.tailCalls = 13;
    state.redirect = term;
    state.via = { what: 'peer', flags: term };
    state.refusal = { returned: 2, reason: 'flags' };
    state.pushed.set(1, [[term]]);
    state.rings.set(2, term);
    state.walks = 14;
    state.wholly = new Set([3]);
    state.networkOffset = pool.constant(64, 18);
    state.macLength = pool.constant(64, 18);
    state.front = { room: 12, transport: 13, isLarger: true };
    state.encapsulated = true;
    state.checkedSums = 2;
    state.tunnel = { ipv6: true, key: [term], flags: term };
    state.hash = 'known';
    state.assumptions = ['it is so'];
    state.readsUnwritten = { program: 0, slot: 4 };
    state.leaks = true;
    state.terms = 7;
    state.unlimited = new Knowledge(pool);
    state.isLonger = true;
    state.firstCall = { program: 0, slot: 5 };
    state.foremost = term;
    return state;
  }

  it('has all that the path has', () => {
    const state = used();
    const copy = state.copy();
    for (const [name, value] of Object.entries(state))
      expect(copy[name as keyof PathState], name).toEqual(value);
    // Nothing above is what a new path has anyway.
    const fresh = Object.entries(startOf());
    const same = fresh
      .filter(([name, value]) => value === state[name as keyof PathState])
      .map(([name]) => name);
    expect(same.sort()).toEqual(['end', 'hook', 'program']);
  });

  it('goes its own way', () => {
    const state = used();
    const copy = state.copy();
    const { pool } = state;
    copy.registers[3] = undefined;
    copy.frames.pop();
    copy.pushed.delete(1);
    copy.rings.delete(2);
    copy.knowledge.add(pool.equal(pool.unknown(8, 'byte'), pool.constant(8, 1)), copy.origin);
    copy.packet.end = pool.constant(64, 1);
    copy.assume('and so');
    expect(state.registers[3]).toBeDefined();
    expect(state.frames).toHaveLength(1);
    expect([state.pushed.size, state.rings.size]).toEqual([1, 1]);
    expect(state.constraints.length).toBe(copy.constraints.length - 1);
    expect(state.packet.end).not.toBe(copy.packet.end);
    expect([state.assumptions, copy.assumptions]).toEqual([['it is so'], ['it is so', 'and so']]);
  });
});

type Status = 'satisfiable' | 'unsatisfiable' | 'unknown';

/** Answers as it is told, and counts how often it was asked. */
class Scripted implements Solver {
  asked = 0;
  readonly #answer: (conditions: readonly Term[]) => Status;

  constructor(answer: (conditions: readonly Term[]) => Status) {
    this.#answer = answer;
  }

  check(conditions: readonly Term[]): ReturnType<Solver['check']> {
    this.asked++;
    const status = this.#answer(conditions);
    if (status === 'satisfiable') return Promise.resolve({ status, values: new Map() });
    return Promise.resolve(status === 'unknown' ? { status, reason: 'no time' } : { status });
  }
}

describe('a path that is split', () => {
  it('goes both ways, with doubts where nobody found out, which jumps remember', async () => {
    const state = startOf();
    state.values = undefined;
    state.slot = 6;
    const condition = state.pool.equal(state.pool.unknown(8, 'byte'), state.pool.constant(8, 1));
    for (const isJump of [true, false]) {
      const doubts = new Map<string, string>();
      const children = await split(
        state,
        condition,
        new Feasibility(new Scripted(() => 'unknown')),
        isJump,
        doubts,
      );
      expect(children.map(({ doubt, splits, values }) => ({ doubt, splits, values }))).toEqual([
        { doubt: 'no time', splits: 1, values: undefined },
        { doubt: 'no time', splits: 1, values: undefined },
      ]);
      expect([...doubts]).toEqual(
        isJump
          ? [
              ['0:6:taken', 'no time'],
              ['0:6:not taken', 'no time'],
            ]
          : [],
      );
    }
    const doubts = new Map<string, string>();
    const sure = await split(
      state,
      condition,
      new Feasibility(new Scripted(() => 'satisfiable')),
      true,
      doubts,
    );
    expect(sure.map(({ doubt }) => doubt)).toEqual([undefined, undefined]);
    expect(doubts.size).toBe(0);
    expect(
      await split(state, condition, new Feasibility(new Scripted(() => 'unsatisfiable')), true, doubts),
    ).toEqual([]);
  });
});

describe('a number that only a solver bounds', () => {
  /** From 0 to `most`, by a relation to another unknown: all numbers are tried. */
  async function enumerated(
    most: bigint,
  ): Promise<{ readonly values: bigint[] | string; readonly asked: number }> {
    const state = startOf();
    const { pool } = state;
    // What else is known holds for these.
    const others = [...state.values!];
    state.values = undefined;
    const term = pool.unknown(16, 'size');
    const limit = pool.unknown(16, 'limit');
    const solver = new Scripted((conditions) => {
      for (let value = 0n; value <= most; value++) {
        const evaluator = new Evaluator(new Map([...others, [term, value], [limit, most]]));
        if (conditions.every((one) => evaluator.isTrue(one))) return 'satisfiable';
      }
      return 'unsatisfiable';
    });
    state.knowledge.add(pool.not(pool.less(limit, term)), state.origin);
    const children = await enumerate(state, term, new Feasibility(solver));
    if (typeof children === 'string') return { values: children, asked: solver.asked };
    return { values: children.map(({ knowledge }) => knowledge.only(term)!), asked: solver.asked };
  }

  it('is each of those that it may be, of which the highest is found by halving', async () => {
    for (const [most, questions] of [
      [0n, 17],
      [9n, 17],
      [100n, 17],
      [159n, 17],
    ] as const) {
      const { values, asked } = await enumerated(most);
      expect(values).toEqual(Array.from({ length: Number(most) + 1 }, (_, value) => BigInt(value)));
      expect(asked - Number(most)).toBeLessThanOrEqual(questions);
    }
  });

  it('is not followed where it may be too many', async () => {
    expect((await enumerated(160n)).values).toBe('an address or a size that may be more than 160 numbers');
    // One question shows it, and three find out whether the rest of what is known can hold.
    expect(await enumerated(4097n)).toEqual({ values: 'an address or a size without bounds', asked: 4 });
  });
});
