/** Inputs that are drawn for an answer that no input can choose. */
import { describe, expect, it } from 'vitest';
import { Machine } from '../../sim/ebpf/machine.ts';
import { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { Answer, PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import type { Term } from '../../sim/ebpf/symbolic/term.ts';
import { TermPool } from '../../sim/ebpf/symbolic/term-pool.ts';
import { testMap, testObject } from '../../sim/ebpf/test-support/assemble.ts';
import { askedAnew, unknownsIn } from './asking-anew.ts';
import type { Witness } from './witness.ts';

const object = testObject({ main: 'exit' }, [testMap('flows', 'HASH')]);
const pool = new TermPool();
const inputs = new Inputs(pool, new Machine(object, {}), 'xdp', object.programs[0]!);
const byte = (at: number): Term => inputs.frameByte(at);
const unknown = (name: string, width = 8): Term => pool.unknown(width, name);

function answer(more: Partial<Answer>): Answer {
  return {
    ...{ helper: 'bpf_strtol', name: 'text.0', question: { shape: '', numbers: [], read: [] }, ordinal: 0 },
    ...{ result: undefined, read: [], written: [], arguments: [], open: { through: [] }, ...more },
  };
}

/** What is drawn for a path, given what it knows and the answer that it missed. */
function drawn(missed: Answer, edit: (state: PathState) => void = () => {}): Witness[] {
  const state = inputs.start(0);
  state.answers = [missed];
  edit(state);
  return [...askedAnew(inputs, state, state.values!, [missed])];
}
const bytesAt = (witnesses: readonly Witness[], at: number): Set<number> =>
  new Set(witnesses.map(({ stimulus }) => stimulus.packet[at]!));

describe('drawn anew are', () => {
  const text = answer({ read: [[byte(20), byte(21)]], arguments: [unknown('p22')] });

  it('bytes that the helper read, and its arguments, each time some of them', () => {
    const witnesses = drawn(text);
    expect(witnesses).toHaveLength(48);
    for (const at of [20, 21, 22]) {
      const values = bytesAt(witnesses, at);
      expect(values.size).toBeGreaterThan(10);
      // Half of the time it stays as it was.
      const same = witnesses.filter(({ stimulus }) => stimulus.packet[at] === 0).length;
      expect([same > 15, same < 40]).toEqual([true, true]);
    }
    for (const at of [0, 19, 23]) expect([...bytesAt(witnesses, at)]).toEqual([0]);
  });

  it('often such as stand in numbers', () => {
    const values = drawn(text).flatMap(({ stimulus: { packet } }) => [packet[20]!, packet[21]!, packet[22]!]);
    const letters = new Set([...'\0 +-0179Aafxz\xff'].map((one) => one.charCodeAt(0)));
    const others = values.filter((one) => one !== 0);
    const share = others.filter((one) => letters.has(one)).length / others.length;
    expect([share > 0.4, share < 0.75]).toEqual([true, true]);
    expect(letters.size).toBe(14);
    const wide = answer({ read: [Array.from({ length: 30 }, (_, at) => byte(14 + at))] });
    const many = drawn(wide).flatMap(({ stimulus: { packet } }) => [...packet.subarray(14, 44)]);
    // Each a good two dozen times, and any other byte once or twice.
    const times = (byte: number): number => many.filter((one) => one === byte).length;
    for (const letter of letters) if (times(letter) < 8) expect.fail(`${letter} ${times(letter)} times`);
    expect([...Array(256).keys()].filter((byte) => !letters.has(byte) && times(byte) >= 8)).toEqual([]);
  });

  it('the same each time', () => {
    expect(drawn(text).map(({ stimulus }) => stimulus)).toEqual(drawn(text).map(({ stimulus }) => stimulus));
  });

  it('nothing that an answer left open, and nothing at all where that is all', () => {
    const open = answer({
      read: [[byte(20), unknown('text.0.1')]],
      written: [[unknown('text.0.1')]],
      open: { number: byte(20), through: [] },
    });
    expect(drawn(open)).toEqual([]);
    expect(drawn(answer({}))).toEqual([]);
    expect(drawn(answer({ read: [[pool.constant(8, 1)]] }))).toEqual([]);
  });

  it('what follows from other conditions, as they want it', () => {
    const witnesses = drawn(text, ({ knowledge }) => {
      knowledge.add(pool.less(byte(20), pool.constant(8, 100)), undefined);
      knowledge.add(pool.equal(byte(30), pool.xor(byte(21), pool.constant(8, 5))), undefined);
    });
    expect(witnesses.length).toBeGreaterThan(20);
    for (const {
      stimulus: { packet },
    } of witnesses) {
      if (packet[20]! >= 100) expect.fail('a condition is broken');
      if (packet[30] !== (packet[21]! ^ 5)) expect.fail('another one is broken');
    }
  });

  it('whatever conditions say of the answer itself', () => {
    const result = unknown('text.0', 32);
    const missed = answer({ read: [[byte(20)]], open: { number: result, through: [] } });
    const witnesses = drawn(missed, ({ knowledge }) => {
      knowledge.add(pool.equal(pool.extract(result, 0, 8), byte(20)), undefined);
      knowledge.add(pool.equal(result, pool.constant(32, 7)), undefined);
    });
    expect(witnesses).toHaveLength(48);
    expect(bytesAt(witnesses, 20).size).toBeGreaterThan(10);
  });

  it('keys of entries that a walk has met, where the path walks', () => {
    const key = [unknown('walk0.key.0'), unknown('walk0.key.1'), byte(20), unknown('walk0.key.3')];
    const met =
      (walks: number) =>
      (state: PathState): void => {
        state.walks = walks;
        state.entries = [{ map: 0, key, wasThere: pool.true, isThere: pool.true, block: 0 }];
      };
    expect(drawn(answer({}), met(0))).toEqual([]);
    const witnesses = drawn(answer({}), met(1));
    const keys = witnesses.map(({ world }) => world.maps!.flows![0]!.key);
    for (const [at, isDrawn] of [true, true, false, true].entries())
      expect([at, new Set(keys.map((one) => one[at])).size > 5]).toEqual([at, isDrawn]);
  });
});

it('an answer leaves open the number, whether it is null, what lies behind it, and what was written', () => {
  const [number, isNull, behind, written] = ['a', 'b', 'c', 'd'].map((name) => unknown(name, 1)) as [
    Term,
    Term,
    Term,
    Term,
  ];
  const open = { number, isNull, behind: [behind], through: [] };
  expect(unknownsIn(answer({ open, written: [[written], []] }))).toEqual([number, isNull, behind, written]);
  expect(unknownsIn(answer({}))).toEqual([]);
});
