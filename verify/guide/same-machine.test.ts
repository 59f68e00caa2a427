/** Which parts of a world a machine that is open cannot change any more. */
import { expect, it } from 'vitest';
import { MANY_ENTRIES } from '../../sim/ebpf/machine.ts';
import type { MapEntry, World } from '../../sim/runtime/world.ts';
import { isSameMachine } from './same-machine.ts';

const entries = (count: number): MapEntry[] =>
  Array.from({ length: count }, (_, index) => ({
    key: Uint8Array.of(index, index >> 8),
    value: Uint8Array.of(1),
  }));

const WORLD: World = {
  devices: [],
  routes: [],
  neighbours: [],
  sockets: [],
  slots: {},
  globals: {},
  maps: { small: entries(1), large: entries(MANY_ENTRIES) },
  time: 1n,
  tick: 1n,
  randomSeed: 1,
  hashSeed: 1,
  stackFill: 1,
  kernelFill: 1,
  cpu: 1,
  egressIfindex: 1,
};

/** Another value of each part, and whether the machine must be another one. */
const PARTS: {
  readonly [Part in keyof Required<World>]: readonly [other: World[Part], needsAnother: boolean];
} = {
  devices: [[], true],
  routes: [[], true],
  neighbours: [[], true],
  sockets: [[], true],
  slots: [{}, true],
  globals: [{}, true],
  hashSeed: [2, true],
  stackFill: [2, true],
  kernelFill: [2, true],
  maps: [{ ...WORLD.maps, small: entries(2), added: entries(MANY_ENTRIES - 1) }, false],
  time: [2n, false],
  tick: [2n, false],
  randomSeed: [2, false],
  cpu: [2, false],
  egressIfindex: [2, false],
};

for (const [part, [other, needsAnother]] of Object.entries(PARTS)) {
  it(`${needsAnother ? 'opens another machine for' : 'keeps the machine with'} other ${part}`, () => {
    const world = { ...WORLD, [part]: other };
    expect([isSameMachine(WORLD, world), isSameMachine(world, WORLD)]).toEqual([
      !needsAnother,
      !needsAnother,
    ]);
    expect(isSameMachine(world, { ...world })).toBe(true);
  });
}

it('opens another machine for other contents of a map with many entries, which a machine remembers', () => {
  const { small, large } = WORLD.maps!;
  for (const maps of [{ small: small! }, { small: small!, large: entries(MANY_ENTRIES) }, {}]) {
    const world = { ...WORLD, maps };
    expect([isSameMachine(WORLD, world), isSameMachine(world, WORLD)]).toEqual([false, false]);
  }
  expect(isSameMachine(WORLD, { ...WORLD, maps: { small: entries(2), large: large! } })).toBe(true);
});

it('takes a world that says nothing of maps for one without entries', () => {
  const { maps, ...silent } = WORLD;
  expect(isSameMachine(silent, { ...silent })).toBe(true);
  const few: World = { ...silent, maps: { small: maps!.small! } };
  expect([isSameMachine(silent, few), isSameMachine(few, silent)]).toEqual([true, true]);
});
