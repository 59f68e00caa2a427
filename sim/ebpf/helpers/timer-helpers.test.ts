import { beforeEach, describe, expect, it } from 'vitest';
import { EBUSY, EINVAL } from '../../runtime/errno.ts';
import { indexKey } from '../../runtime/map-snapshot.ts';
import { Machine } from '../machine.ts';
import { BPF_F_LOCK, type LiveMap } from '../maps/live-map.ts';
import { MACHINE_WORD } from '../memory.ts';
import { testMap, testObject } from '../test-support/assemble.ts';
import { HELPERS } from './index.ts';

const MONOTONIC = 1;
const ABSOLUTE = 1;
const OFFSET = 8;

/** A machine with an array and a hash table whose values have a timer at byte 8 and a lock at byte 24. */
function machineWithTimers(): Machine {
  const size = { valueSize: 32, maxEntries: 4 };
  const maps = [
    testMap('array', 'ARRAY', size),
    testMap('hash', 'HASH', size),
    testMap('plain', 'ARRAY', size),
  ];
  const machine = new Machine(testObject({ main: 'r0 = 0\nexit' }, maps), {});
  for (const map of machine.maps.slice(0, 2)) {
    map.holdSpecialFields((name) => ({ bpf_timer: OFFSET, bpf_spin_lock: 24, bpf_res_spin_lock: -1 })[name]);
  }
  return machine;
}

describe('timers in map values', () => {
  let machine: Machine;
  let array: LiveMap;
  let hash: LiveMap;
  let scratch: number;

  beforeEach(() => {
    machine = machineWithTimers();
    [array, hash] = machine.maps as [LiveMap, LiveMap];
    scratch = machine.memory.allocate(64);
  });

  const call = (number: number, a: number, b = 0, c = 0): number => {
    machine.memory.i32.fill(0, MACHINE_WORD.argumentHigh, MACHINE_WORD.argumentHigh + 5);
    return HELPERS.get(number)!.run(machine, a, b, c, 0, 0);
  };
  const init = (timer: number, map: LiveMap, clock = MONOTONIC): number =>
    call(169, timer, map.address, clock);
  const setCallback = (timer: number): number => call(170, timer, 3);
  const start = (timer: number, flags = 0): number => call(171, timer, 1000, flags);
  const cancel = (timer: number): number => call(172, timer);

  function timerOf(map: LiveMap, index: number): number {
    machine.memory.u8.set(indexKey(index), scratch);
    return map.lookup(scratch) + OFFSET;
  }

  function update(map: LiveMap, index: number, fill: number, flags = 0): number {
    machine.memory.u8.set(indexKey(index), scratch);
    machine.memory.u8.fill(fill, scratch + 8, scratch + 40);
    return map.update(scratch, scratch + 8, flags);
  }

  it('are made once, on a clock that bpf_timer_init knows', () => {
    const timer = timerOf(array, 0);
    expect([2, 3, 8, 16].map((clock) => init(timer, array, clock))).toEqual(Array(4).fill(-EINVAL));
    expect(init(timer, array, 7)).toBe(0);
    expect(init(timer, array, 0)).toBe(-EBUSY);
  });

  it('are armed only with a callback, and cancelled with it', () => {
    const timer = timerOf(array, 1);
    expect([setCallback(timer), start(timer), cancel(timer)]).toEqual([-EINVAL, -EINVAL, -EINVAL]);
    init(timer, array);
    expect([start(timer), cancel(timer)]).toEqual([-EINVAL, 0]);
    expect([setCallback(timer), start(timer, 4), start(timer, ABSOLUTE)]).toEqual([0, -EINVAL, 0]);
    // Armed stays armed, whatever is set anew.
    expect([setCallback(timer), start(timer), cancel(timer)]).toEqual([0, 0, 1]);
    expect([cancel(timer), start(timer)]).toEqual([0, -EINVAL]);
  });

  it('end with their values: an update, a deletion, a reset', () => {
    update(hash, 5, 0);
    const inHash = timerOf(hash, 5);
    const inArray = timerOf(array, 2);
    for (const [timer, map] of [
      [inHash, hash],
      [inArray, array],
    ] as const) {
      init(timer, map);
      setCallback(timer);
      start(timer);
      update(map, map === hash ? 5 : 2, 1);
      expect(cancel(timer)).toBe(-EINVAL);
    }
    // The update put another value in the place of the first.
    const inNext = timerOf(hash, 5);
    init(inNext, hash);
    machine.memory.u8.set(indexKey(5), scratch);
    hash.delete(scratch);
    expect(cancel(inNext)).toBe(-EINVAL);
    init(inArray, array);
    machine.reset();
    expect(init(inArray, array)).toBe(0);
  });

  it('go on in a hash where the value is written over under its lock', () => {
    update(hash, 5, 0);
    update(array, 2, 0);
    for (const [timer, map, left] of [
      [timerOf(hash, 5), hash, 1],
      // An array frees what is in the value all the same (kernel/bpf/arraymap.c).
      [timerOf(array, 2), array, -EINVAL],
    ] as const) {
      init(timer, map);
      setCallback(timer);
      start(timer);
      expect(update(map, map === hash ? 5 : 2, 1, BPF_F_LOCK)).toBe(0);
      expect(machine.memory.u8[timer - OFFSET]).toBe(1);
      expect(cancel(timer)).toBe(left);
    }
  });

  it('and locks are zeros, whatever an update brings', () => {
    for (const map of [array, hash]) {
      update(map, 3, 0xff);
      const value = timerOf(map, 3) - OFFSET;
      const bytes = [...machine.memory.read(value, 32)];
      const zeros = bytes.flatMap((byte, index) => (byte === 0 ? [index] : []));
      expect(zeros).toEqual([...Array.from({ length: 16 }, (_, index) => 8 + index), 24, 25, 26, 27]);
      expect(map.hasSpecialFields).toBe(true);
    }
    expect(machine.maps[2]!.hasSpecialFields).toBe(false);
  });
});
