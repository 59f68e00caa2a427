/** Constants that a loader sets: a proof is for any values of them, and says where it is not. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Solver } from '../../sim/ebpf/symbolic/solver.ts';
import { proveAgainst } from './against/against.ts';
import { constantsText } from './constants.ts';
import { type ProgramProof, proveProgram } from './prove.ts';
import { type Asking, END, frame, programOf } from './test-support/asking-programs.ts';
import { createZ3Solver, endZ3 } from './z3-solver.ts';

let solver: Solver;

beforeAll(async () => {
  solver = (await createZ3Solver())!;
});
afterAll(endZ3);

const limits = { shortest: 0, longest: 40, mostMetadata: 8 };
const KNOB = 'r1 = map[.rodata]\nr9 = *(u32 *)(r1 + 0)';
const reading = (text: string, value: number = 0): Asking => ({
  text,
  data: { '.rodata': { knob: [value, 0, 0, 0] } },
});

/** As many rounds as the constant says. */
const ROUNDS = (more: string): Asking =>
  reading(
    `${KNOB}\nr2 = 0\nr0 = 1\nagain:\nif r2 >= r9 goto done\n${more}\nr2 += 1\ngoto again\ndone:\nexit`,
    3,
  );

const prove = (asking: Asking): Promise<ProgramProof> =>
  proveProgram(programOf('one', asking), { solver, limits, paths: 40 });

const stopped = ({ properties }: ProgramProof): string[] =>
  properties
    .filter(({ invariant }) => invariant === 'verifier/stopped')
    .map(({ status, reason }) => `${status}: ${reason}`);

describe('a proof of one program', () => {
  it('goes where a constant leads that a loader has set, with a packet whose world sets it', async () => {
    const { branches, constants, paths } = await prove(reading(`${KNOB}\nif r9 == 7 goto out\n${END}`));
    expect(branches.map(({ status }) => status)).toEqual(['reached', 'reached']);
    expect(constants).toEqual({ any: ['knob'], fixed: [] });
    expect(paths.map(({ confirmed, witness }) => [confirmed, witness?.world.globals?.knob])).toEqual(
      expect.arrayContaining([
        [true, undefined],
        [true, Uint8Array.of(7, 0, 0, 0)],
      ]),
    );
  });

  it('takes a constant as it is where it bounds a loop, and says so', async () => {
    const { constants, cut, assumptions } = await prove(ROUNDS(''));
    expect(cut).toBeUndefined();
    expect(constants).toEqual({ any: [], fixed: ['knob'] });
    expect(assumptions).toContain(
      'read-only data is as it is in the object, also what a loader may set: knob',
    );
  });

  it('keeps to its time where it has to begin again with constants as they are', async () => {
    let time = 0;
    const slow = { solver, limits, time: 5_000, now: () => (time += 5) };
    const { constants, cut, seconds } = await proveProgram(programOf('one', ROUNDS('')), slow);
    expect([constants, cut]).toEqual([{ any: [], fixed: ['knob'] }, undefined]);
    expect(seconds).toBeGreaterThan(1.2);
    expect(time).toBeLessThan(5_500);
    const against = { old: programOf('one', ROUNDS('')), new: programOf('one', ROUNDS('r3 = 5')) };
    time = 0;
    const both = await proveAgainst(against, { ...slow, longer: false });
    expect([both.isEqual, both.constants]).toEqual([true, { any: [], fixed: ['knob'] }]);
    expect(time).toBeLessThan(5_500);
  });

  it('does not count against it what a constant leads to with which no kernel loads it', async () => {
    const beyond = `if r9 != 7 goto fine\nr0 = *(u8 *)(r7 + 20)\nfine:\n${END}`;
    const proof = await prove(reading(`${frame(20)}\n${KNOB}\n${beyond}`));
    expect(stopped(proof)).toEqual([
      expect.stringMatching(
        /^proved: a kernel does not load it with knob = .*7.* \(load\/refused-constant\): the machine stops/,
      ),
    ]);
  });

  it('counts what the constants of the object itself lead to', async () => {
    const beyond = `if r9 == 7 goto fine\nr0 = *(u8 *)(r7 + 20)\nfine:\n${END}`;
    const proof = await prove(reading(`${frame(20)}\n${KNOB}\n${beyond}`));
    expect(stopped(proof)).toEqual([expect.stringMatching(/^refuted: the machine stops/)]);
  });

  it('names no constants where a program reads none', async () => {
    expect((await prove({ text: END.replace('r0 = 2', 'r0 = 2\nif r1 == 0 goto out') })).constants).toEqual({
      any: [],
      fixed: [],
    });
  });
});

describe('a proof of two builds', () => {
  const against = (old: Asking, next: Asking): ReturnType<typeof proveAgainst> =>
    proveAgainst(
      { old: programOf('old', old), new: programOf('new', next) },
      { solver, limits, paths: 40, longer: false },
    );

  it('says of which constants it holds for any values', async () => {
    const other = reading(`${KNOB}\nr9 -= 7\nif r9 == 0 goto out\n${END}`);
    const { isEqual, constants } = await against(reading(`${KNOB}\nif r9 == 7 goto out\n${END}`), other);
    expect([isEqual, constants]).toEqual([true, { any: ['knob'], fixed: [] }]);
  });

  it('says which it takes as they are: those that bound loops, and those of one build alone', async () => {
    const rounds = await against(ROUNDS(''), ROUNDS('r5 = 0'));
    expect([rounds.isEqual, rounds.constants]).toEqual([true, { any: [], fixed: ['knob'] }]);
    const alone = await against({ text: 'r0 = 2\nexit' }, reading(`${KNOB}\nif r9 == 7 goto out\n${END}`));
    expect([alone.isEqual, alone.constants]).toEqual([true, { any: [], fixed: ['knob'] }]);
  });
});

it('puts it into words', () => {
  expect(constantsText({ any: [], fixed: [] })).toBe('');
  expect(constantsText({ any: ['a'], fixed: [] })).toBe(', with any value of a');
  expect(constantsText({ any: ['a', 'b'], fixed: ['c'] })).toBe(
    ', with any values of a, b and with c as in the object',
  );
});
