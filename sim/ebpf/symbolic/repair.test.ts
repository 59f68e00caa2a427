/** Values that are found nearby, against trying all that two bytes may be; and who is asked whether a path may go on. */
import { describe, expect, it } from 'vitest';
import { Evaluator } from './evaluate.ts';
import { Feasibility, type Feasible } from './feasibility.ts';
import { Knowledge } from './knowledge.ts';
import { connected, repair } from './repair.ts';
import type { Solver, SolverAnswer } from './solver.ts';
import { type Assignment, isConst, type Term, termText } from './term.ts';
import { TermPool } from './term-pool.ts';

const pool = new TermPool();
const [x, y] = [pool.unknown(8, 'x'), pool.unknown(8, 'y')];
const byte = (value: number): Term => pool.constant(8, value);
const word = pool.concat([x, y]);
const both = (a: number, b: number): Map<Term, bigint> =>
  new Map([
    [x, BigInt(a)],
    [y, BigInt(b)],
  ]);
/** Far more when written out than there are: each stands in the next one twice. */
function nested(rounds: number): Term {
  let one = pool.multiply(x, y);
  for (let round = 0; round < rounds; round++)
    one = pool.multiply(one, pool.xor(one, round % 2 === 0 ? x : y));
  return one;
}

const STARTS = [both(0, 0), both(0x12, 0xf4), both(0xff, 0x80)];

/** Terms of a byte that lead anywhere by changing one input. */
const TERMS: readonly Term[] = [
  x,
  pool.not(x),
  pool.xor(x, byte(0x5a)),
  pool.and(x, byte(0x0f)),
  pool.and(x, byte(0xf0)),
  pool.addConst(x, 7),
  pool.add(x, y),
  pool.subtract(x, y),
  pool.negate(x),
  pool.extract(word, 4, 8),
  pool.extract(pool.addConst(word, 0x123), 4, 8),
  pool.ite(pool.extract(y, 0, 1), x, byte(9)),
];
const NUMBERS = [0, 1, 2, 7, 0x0f, 0x10, 0x7f, 0x80, 0xfe, 0xff];

function conditionsOf(term: Term): Term[] {
  return NUMBERS.flatMap((number) => {
    const other = byte(number);
    const asked = [pool.equal(term, other), pool.less(term, other), pool.less(other, term)];
    const signed = [pool.lessSigned(term, other), pool.lessSigned(other, term)];
    return [...asked, ...signed].flatMap((one) => [one, pool.not(one)]).filter((one) => !isConst(one));
  });
}

/** Is there any input for which it holds? */
function canHold(condition: Term): boolean {
  for (let a = 0; a < 256; a += 1)
    for (const b of [0, 1, 0x0f, 0x80, 0xf4, 0xff])
      if (new Evaluator(both(a, b)).isTrue(condition)) return true;
  return false;
}

describe('values that are found nearby', () => {
  it('make a condition true, wherever any values do', () => {
    const missed: string[] = [];
    for (const term of TERMS)
      for (const condition of conditionsOf(term))
        for (const start of STARTS) {
          const found = repair([], condition, start);
          if (found !== undefined)
            expect(new Evaluator(found).isTrue(condition), termText(condition)).toBe(true);
          else if (canHold(condition))
            missed.push(`${termText(condition)} from ${[...start.values()].join()}`);
        }
    // Signed comparisons are tried at their borders alone, and the other branch of a choice is not looked into.
    const others = missed.filter((one) => !/slt|ite/.test(one));
    expect(others).toEqual([]);
  });

  it('hold all that is known, if need be by changing more', () => {
    const limit = pool.not(pool.less(byte(20), pool.add(x, y)));
    const constraints = [{ condition: limit, origin: undefined }];
    const found = repair(constraints, pool.equal(x, byte(15)), both(3, 17))!;
    expect([found.get(x), new Evaluator(found).isTrue(limit)]).toEqual([15n, true]);
    expect(repair(constraints, pool.equal(x, byte(15)), both(3, 2))).toEqual(both(15, 2));
    // What was chosen for the condition is not changed again.
    const fixed = [{ condition: pool.equal(x, byte(3)), origin: undefined }];
    expect(repair(fixed, pool.equal(x, byte(4)), both(3, 0))).toBeUndefined();
  });

  it('hold two conditions, or one of two', () => {
    const [a, b] = [pool.equal(x, byte(5)), pool.equal(y, byte(6))];
    expect(repair([], pool.and(a, b), both(0, 0))).toEqual(both(5, 6));
    expect(repair([], pool.or(a, b), both(0, 0))).toEqual(both(5, 0));
    expect(repair([], pool.not(pool.or(a, b)), both(5, 6))).toEqual(both(6, 7));
    expect(repair([], pool.not(pool.and(a, b)), both(5, 6))).toEqual(both(6, 6));
  });

  it('are asked of what hangs together with a condition, through others too', () => {
    const [z, w] = [pool.unknown(8, 'z'), pool.unknown(8, 'w')];
    const constraints = [pool.less(z, y), pool.less(w, byte(9)), pool.less(y, x), pool.less(byte(2), w)].map(
      (condition) => ({ condition, origin: undefined }),
    );
    const near = connected(constraints, pool.equal(x, byte(1)));
    expect(near).toEqual([constraints[0], constraints[2]]);
    expect(connected(constraints, pool.equal(w, byte(1)))).toEqual([constraints[1], constraints[3]]);
    expect(connected(constraints, pool.unknown(1, 'alone'))).toEqual([]);
  });
});

class Told implements Solver {
  readonly asked: string[][] = [];
  readonly #answer: SolverAnswer;
  constructor(answer: SolverAnswer) {
    this.#answer = answer;
  }
  check(conditions: readonly Term[]): Promise<SolverAnswer> {
    this.asked.push(conditions.map(termText));
    return Promise.resolve(this.#answer);
  }
}

describe('whether a path may go on', () => {
  const hard = (a: Term, b: Term): Term => pool.equal(pool.multiply(a, b), byte(77));
  const knowledgeOf = (...conditions: Term[]): Knowledge => {
    const knowledge = new Knowledge(pool);
    for (const condition of conditions) knowledge.add(condition, undefined);
    return knowledge;
  };

  it('is known, found nearby, or asked of the solver, in this order', async () => {
    const solver = new Told({ status: 'satisfiable', values: both(7, 11) });
    let clock = 0;
    const feasibility = new Feasibility(solver, () => 5 * clock++);
    const knowledge = knowledgeOf(pool.less(x, byte(10)));
    const values: Assignment = both(3, 1);
    expect(await feasibility.ask(knowledge, pool.less(x, byte(20)), values)).toEqual({
      answer: 'yes',
      values,
    });
    expect(await feasibility.ask(knowledge, pool.less(byte(20), x), values)).toEqual({ answer: 'no' });
    expect(await feasibility.ask(knowledge, pool.less(byte(2), x), values)).toEqual({
      answer: 'yes',
      values,
    });
    expect(await feasibility.ask(knowledge, pool.less(byte(4), x), values)).toMatchObject({ answer: 'yes' });
    expect(solver.asked).toEqual([]);
    expect(await feasibility.ask(knowledge, hard(x, y), values)).toEqual({
      answer: 'yes',
      values: both(7, 11),
    });
    expect(feasibility.counts).toEqual({
      known: 2,
      nearby: 2,
      repeated: 0,
      queries: 1,
      unknown: 0,
      solverTime: 5,
    });
    // Of the same shape: the answer is for other unknowns.
    const [z, w] = [pool.unknown(8, 'other x'), pool.unknown(8, 'other y')];
    const other = await feasibility.ask(knowledgeOf(pool.less(z, byte(10))), hard(z, w), new Map());
    expect(other).toEqual({
      answer: 'yes',
      values: new Map([
        [z, 7n],
        [w, 11n],
      ]),
    });
    expect([feasibility.counts.repeated, feasibility.counts.queries]).toEqual([1, 1]);
  });

  it('asks about what hangs together', async () => {
    const solver = new Told({ status: 'unsatisfiable' });
    const knowledge = knowledgeOf(pool.less(x, byte(10)), pool.less(pool.unknown(8, 'apart'), byte(3)));
    expect(await new Feasibility(solver).ask(knowledge, hard(x, y), both(0, 0))).toEqual({ answer: 'no' });
    expect(solver.asked.map((one) => one.length)).toEqual([2]);
  });

  it('asks about everything where nobody has values, and of what does not hang together one by one and once', async () => {
    const apart = pool.unknown(8, 'apart');
    const knowledge = knowledgeOf(pool.less(x, byte(10)), hard(apart, pool.unknown(8, 'far')));
    const answers = new Map<number, SolverAnswer>([
      [2, { status: 'satisfiable', values: both(7, 11) }],
      [1, { status: 'unknown', reason: 'too hard' }],
    ]);
    const asked: number[] = [];
    const solver: Solver = {
      check: (conditions) => {
        asked.push(conditions.length);
        return Promise.resolve(answers.get(conditions.length)!);
      },
    };
    const feasibility = new Feasibility(solver);
    const ask = (condition: Term): Promise<Feasible> => feasibility.ask(knowledge, condition, undefined);
    const doubt = { answer: 'unknown', reason: 'too hard' } as const;
    expect(await ask(hard(x, y))).toEqual(doubt);
    expect(await ask(pool.equal(pool.multiply(x, y), byte(78)))).toEqual(doubt);
    expect(asked).toEqual([2, 1, 2]);
    // What cannot hold by itself cannot hold whatever the rest is.
    answers.set(2, { status: 'unsatisfiable' });
    expect(await ask(pool.equal(pool.multiply(x, y), byte(79)))).toEqual({ answer: 'no' });
    expect(asked).toEqual([2, 1, 2, 2]);
    // And where all of it can, each has the values that it was found with.
    const values = new Map([[apart, 77n]]);
    answers.set(1, { status: 'satisfiable', values });
    answers.set(2, { status: 'satisfiable', values: both(7, 11) });
    expect(await new Feasibility(solver).ask(knowledge, hard(x, y), undefined)).toEqual({
      answer: 'yes',
      values: new Map([...both(7, 11), ...values]),
    });
    answers.set(1, { status: 'unsatisfiable' });
    const refused = await new Feasibility(solver).ask(knowledge, hard(x, y), undefined);
    expect(refused).toEqual({ answer: 'no' });
  });

  it('remembers what nobody found out, and that nothing can hold', async () => {
    for (const answer of [{ status: 'unknown', reason: 'too hard' }, { status: 'unsatisfiable' }] as const) {
      const solver = new Told(answer);
      const feasibility = new Feasibility(solver);
      for (const rest of [0, 1, 2]) {
        const result = await feasibility.ask(knowledgeOf(), hard(x, y), both(0, 0));
        expect(result, `${rest}`).toEqual(
          answer.status === 'unknown' ? { answer: 'unknown', reason: 'too hard' } : { answer: 'no' },
        );
      }
      expect(solver.asked).toHaveLength(1);
      expect(feasibility.counts).toMatchObject({
        queries: 1,
        repeated: 2,
        unknown: answer.status === 'unknown' ? 1 : 0,
      });
    }
  });
});

describe('what is large', () => {
  const large = pool.equal(pool.add(nested(3_000), x), byte(7));
  const small = pool.equal(pool.add(nested(3), x), byte(7));

  it('is left to the solver', () => {
    expect(repair([], small, both(0, 0))).toBeDefined();
    expect(repair([], large, both(0, 0))).toBeUndefined();
  });

  it('is settled once, however often it occurs', () => {
    let condition = pool.less(x, y);
    for (let round = 1; round < 200; round++) {
      condition = pool.or(
        pool.xor(condition, pool.less(y, byte(round))),
        pool.and(condition, pool.less(x, byte(round))),
      );
    }
    expect(isConst(new Knowledge(pool).settle(condition))).toBe(false);
  });
});

describe('the time that there is for answers', () => {
  const condition = pool.equal(pool.multiply(x, y), byte(7));

  it('is what the solver gets, and is not waited for once it is over', async () => {
    let time = 0;
    const given: (number | undefined)[] = [];
    const solver: Solver = {
      check: (_, most) => {
        given.push(most);
        time = 100;
        return Promise.resolve({ status: 'unknown', reason: 'slow' });
      },
    };
    const feasibility = new Feasibility(solver, () => time);
    feasibility.deadline = 60;
    expect(await feasibility.solve([condition])).toEqual({ status: 'unknown', reason: 'the time was up' });
    expect(await feasibility.solve([condition])).toEqual({ status: 'unknown', reason: 'the time was up' });
    expect(given).toEqual([60]);
    // With more time it is asked again, and what it says then stays.
    feasibility.deadline = 500;
    expect(await feasibility.solve([condition])).toEqual({ status: 'unknown', reason: 'slow' });
    expect(await feasibility.solve([condition])).toEqual({ status: 'unknown', reason: 'slow' });
    expect(given).toEqual([60, 400]);
  });
});

it('gives up where each sum inside another doubles the ways', () => {
  let sum = word;
  for (let round = 0; round < 40; round++)
    sum = pool.add(pool.xor(sum, pool.constant(16, 0x55aa)), pool.xor(sum, pool.constant(16, 0x3c3c)));
  const isOdd = pool.equal(sum, pool.constant(16, 0x1235));
  expect(repair([], isOdd, both(1, 2))).toBeUndefined();
}, 5_000);
