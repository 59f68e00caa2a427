import { describe, expect, it } from 'vitest';
import { AbstractState, joinStates } from './abstract-state.ts';
import {
  ANY,
  DATA_ID,
  KIND,
  mapValue,
  notNull,
  packetPointer,
  SOMEWHERE,
  samplePointer,
  scalar,
  stackPointer,
  UNSET,
  type Value,
  withOffset,
} from './abstract-value.ts';

describe('a frame', () => {
  it('has bytes that certainly were written, one by one', () => {
    const state = AbstractState.atEntry();
    state.initialise(-512, 1);
    state.initialise(-8, 4);
    state.initialise(-1, 1);
    const may = (offset: number, size: number): boolean => state.mayBeUnwritten(offset, size);
    expect([may(-512, 1), may(-511, 1), may(-8, 4), may(-8, 5), may(-9, 1), may(-1, 1), may(-2, 2)]).toEqual([
      false,
      true,
      false,
      true,
      true,
      false,
      true,
    ]);
    // Nothing outside of the frame is ever written, however far away it is.
    state.initialise(2 ** 31, 8);
    state.initialise(-(2 ** 31), 8);
    const outside: [number, number][] = [
      [-513, 2],
      [-1, 2],
      [0, 1],
      [2 ** 31, 8],
      [-8, Infinity],
      [-Infinity, 8],
    ];
    for (const [offset, size] of outside) expect(may(offset, size), `${offset}`).toBe(true);
    const copy = state.copy();
    copy.initialise(-4, 3);
    expect([copy.mayBeUnwritten(-8, 8), may(-8, 8)]).toEqual([false, true]);
  });

  it('forgets what a store overlaps, and nothing else', () => {
    const offsets = (offset: number, size: number): number[] => {
      const state = AbstractState.atEntry();
      for (const [at, bytes] of [
        [-24, 8],
        [-16, 4],
        [-12, 4],
        [-8, 8],
      ] as const)
        state.store(at, bytes, scalar(at, at));
      state.store(offset, size, undefined);
      return [...state.cells.keys()].sort((a, b) => a - b);
    };
    expect(offsets(-32, 8)).toEqual([-24, -16, -12, -8]);
    expect(offsets(-17, 1)).toEqual([-16, -12, -8]);
    expect(offsets(-16, 1)).toEqual([-24, -12, -8]);
    expect(offsets(-13, 1)).toEqual([-24, -12, -8]);
    expect(offsets(-12, 8)).toEqual([-24, -16]);
    expect(offsets(-1, 1)).toEqual([-24, -16, -12]);
  });

  it('keeps the last store to a place, and its copies what they had', () => {
    const state = AbstractState.atEntry();
    state.store(-8, 8, scalar(1, 1));
    const copy = state.copy();
    state.store(-8, 8, scalar(2, 2));
    expect([state.cells.get(-8)?.value.min, copy.cells.get(-8)?.value.min]).toEqual([2, 1]);
    expect(state.cells.get(-8)?.size).toBe(8);
  });
});

describe('bases of packet pointers', () => {
  const MANY = 100;
  const isOf = (id: number): Value => packetPointer(KIND.packet, id, 0);

  /** Each base compared up to as many bytes as its number. */
  function compared(change: (state: AbstractState) => void = () => {}): AbstractState {
    const state = AbstractState.atEntry();
    change(state);
    for (let id = 1; id <= MANY; id++) state.setRange(id, { min: id, max: id });
    return state;
  }

  it('are forgotten where there are many, but for those that something points into', () => {
    const state = compared((one) => {
      one.registers[3] = isOf(7);
      one.store(-8, 8, isOf(12));
      one.setRange(DATA_ID, { min: 34, max: 34 });
    });
    expect(state.ranges.size).toBeLessThan(MANY / 3);
    expect([7, 12].map((id) => state.range(isOf(id)))).toEqual([
      { min: 7, max: 7 },
      { min: 12, max: 12 },
    ]);
    expect(state.ranges.get(DATA_ID)).toEqual({ min: 34, max: 34 });
    // That something reached further than anything that is left.
    expect(Math.max(...[...state.ranges.values()].map(({ max }) => max))).toBe(MANY);
  });

  it('stay as long as something was moved from them', () => {
    const state = compared((one) => {
      one.registers[3] = isOf(9);
      one.origins = new Map([
        [9, { of: 8, least: 4 }],
        [8, { of: 5, least: 4 }],
        [99, { of: 98, least: 4 }],
      ]);
    });
    expect([5, 8, 9].map((id) => state.ranges.get(id)?.min)).toEqual([5, 8, 9]);
    expect([...state.origins!.keys()]).toEqual([9, 8]);
  });

  it('are forgotten where paths meet, too', () => {
    const one = AbstractState.atEntry();
    const other = AbstractState.atEntry();
    for (let id = 1; id <= 20; id++) {
      one.setRange(id, { min: 1, max: 1 });
      other.setRange(20 + id, { min: 1, max: 1 });
    }
    expect(joinStates(one, other, 1000, false).ranges.size).toBe(1);
  });
});

describe('where two paths meet', () => {
  const BASE = 500;
  const value = mapValue(1, 0, 9);
  const sample = samplePointer(16, 9);

  /** What r3 is where one path has this and the other that, the second time round a loop perhaps. */
  function met(one: Value, other: Value, widen = false): Value {
    const [a, b] = [AbstractState.atEntry(), AbstractState.atEntry()];
    a.registers[3] = one;
    b.registers[3] = other;
    return joinStates(a, b, BASE, widen).registers[3]!;
  }

  it('numbers are in an interval that has both, and which bits are unknown, if it is the same ones', () => {
    expect(met(scalar(1, 5, 6n), scalar(3, 9, 3n))).toMatchObject({ min: 1, max: 9, unknown: 2n });
    expect(met(scalar(1, 5, 4n), scalar(3, 9, 3n))).toMatchObject({ unknown: SOMEWHERE });
    expect(met(scalar(1, 5, 4n), scalar(3, 9))).toMatchObject({ unknown: 0n });
  });

  it('an interval that grows in a loop is given up on the side where it grows', () => {
    expect(met(scalar(1, 5), scalar(1, 6), true)).toMatchObject({ min: 1, max: Infinity });
    expect(met(scalar(1, 5), scalar(1, 5, 1n), true)).toMatchObject({ min: 1, max: 5 });
    expect(met(scalar(1, 5), scalar(0, 5), true)).toMatchObject({ min: 0, max: 5 });
    expect(met(scalar(1, 5), scalar(-1, 5), true)).toMatchObject({ min: -Infinity, max: 5 });
  });

  it('pointers to the frame are in an interval, as long as it has ends', () => {
    expect(met(stackPointer(-8, -8), stackPointer(-16, -16))).toMatchObject({
      kind: KIND.stack,
      min: -16,
      max: -8,
    });
    expect(met(stackPointer(-8, -8), stackPointer(-8, -4), true)).toBe(ANY);
    expect(met(stackPointer(-8, -8), stackPointer(-16, -8), true)).toBe(ANY);
  });

  it('values of one map stay its values, null where one of them may be', () => {
    expect(met(value, notNull(value))).toMatchObject({ kind: KIND.mapValue, nullable: true, id: BASE + 3 });
    expect(met(value, withOffset(value, 0, 4))).toMatchObject({ nullable: true, id: 9, min: 0, max: 4 });
    expect(met(notNull(value), withOffset(notNull(value), 4, 4))).toMatchObject({ nullable: false, id: 0 });
    expect(met(value, mapValue(2, 0, 9))).toBe(ANY);
    expect(met(withOffset(value, 0, 0), withOffset(value, 0, 4), true)).toBe(ANY);
    expect(met(mapValue(1, 0, 9, true), mapValue(1, 0, 8, true))).toMatchObject({
      certain: true,
      id: BASE + 3,
    });
    expect(met(mapValue(1, 0, 9, true), mapValue(1, 0, 8))).toMatchObject({ certain: false });
    expect(met(sample, notNull(sample))).toMatchObject({ kind: KIND.sample, nullable: true, id: BASE + 3 });
    expect(met(sample, samplePointer(32, 9))).toBe(ANY);
  });

  it('a value and the null that it starts with are a value that may be null, and anything else is anything', () => {
    const zero = scalar(0, 0);
    for (const [one, other] of [
      [notNull(value), zero],
      [zero, notNull(value)],
    ] as const)
      expect(met(one, other)).toMatchObject({
        kind: KIND.mapValue,
        nullable: true,
        certain: false,
        id: BASE + 3,
      });
    expect(met(notNull(value), scalar(0, 1))).toBe(ANY);
    expect(met(withOffset(notNull(value), 4, 4), zero)).toBe(ANY);
    expect(met(notNull(sample), zero)).toBe(ANY);
    expect(met(stackPointer(-8, -8), UNSET)).toBe(ANY);
  });

  it('packet pointers share a base from which both have been compared', () => {
    const state = (offset: number, min: number, max: number): AbstractState => {
      const one = AbstractState.atEntry();
      one.registers[3] = packetPointer(KIND.packet, 7, offset);
      one.setRange(7, { min, max });
      return one;
    };
    const joined = joinStates(state(4, 20, 30), state(10, 20, 40), BASE, false);
    expect(joined.registers[3]).toMatchObject({ kind: KIND.packet, id: BASE + 3, min: 4 });
    // 16 and 10 bytes behind the pointers at least, 26 and 30 at most.
    expect(joined.ranges.get(BASE + 3)).toEqual({ min: 14, max: 34 });
    expect(joined.ranges.get(7)).toEqual({ min: 20, max: 40 });
    expect(joinStates(state(4, 20, 30), state(4, 24, 24), BASE, false).registers[3]).toMatchObject({
      id: 7,
      min: 4,
    });
    expect(joinStates(state(-1, 20, 30), state(4, 20, 30), BASE, false).registers[3]).toBe(ANY);
    const none = AbstractState.atEntry();
    expect(joinStates(state(0, 20, 30), none, BASE, false).ranges.get(7)).toEqual({ min: 0, max: 30 });
    expect(joinStates(none, state(0, 20, 30), BASE, false).ranges.get(7)).toEqual({ min: 0, max: 30 });
    expect(joinStates(state(0, 20, 30), state(0, 19, 31), BASE, true).ranges.get(7)).toEqual({
      min: 0,
      max: Infinity,
    });
    expect(joinStates(state(0, 20, 30), state(0, 20, 30), BASE, true).ranges.get(7)).toEqual({
      min: 20,
      max: 30,
    });
  });

  it('only what both frames have is there, in cells of one size', () => {
    const [a, b] = [AbstractState.atEntry(), AbstractState.atEntry()];
    a.initialise(-8, 8);
    b.initialise(-4, 4);
    for (const [state, last] of [
      [a, 4],
      [b, 2],
    ] as const) {
      state.store(-8, 8, scalar(last, last));
      state.store(-16, last, scalar(1, 1));
    }
    a.store(-24, 8, scalar(1, 1));
    b.store(-32, 8, scalar(1, 1));
    const joined = joinStates(a, b, BASE, false);
    expect([...joined.cells].map(([at, cell]) => [at, cell.size, cell.value.min, cell.value.max])).toEqual([
      [-8, 8, 2, 4],
    ]);
    expect([joined.mayBeUnwritten(-4, 4), joined.mayBeUnwritten(-8, 4)]).toEqual([false, true]);
    a.open = true;
    expect([joinStates(a, b, BASE, false).open, joinStates(b, b, BASE, false).open]).toEqual([true, false]);
  });
});
