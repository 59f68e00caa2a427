/** What a solved input changes of a case: nothing but itself, in a copy. */

import { describe, expect, it } from 'vitest';
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { type Btf, parseBtf } from '../../sim/ebpf/btf.ts';
import { input } from '../../sim/ebpf/dataflow/expression.ts';
import type { FlowCall } from '../../sim/ebpf/dataflow/flow-trace.ts';
import type { InputField, PacketContext } from '../../sim/ebpf/dataflow/inputs.ts';
import { Machine } from '../../sim/ebpf/machine.ts';
import { testMap, testObject } from '../../sim/ebpf/test-support/assemble.ts';
import { BtfBuilder } from '../../sim/ebpf/test-support/btf-builder.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import { nextRandomState, randomOf } from '../../sim/runtime/chance.ts';
import type { World } from '../../sim/runtime/world.ts';
import { data } from '../test-support/packets.ts';
import { RIGHT_PACKETS } from '../test-support/right-packets.ts';
import type { Background } from './background.ts';
import { changeSequence, isChoosable, repaired } from './change-case.ts';
import type { Sequence } from './traced-runs.ts';

/** Types by name: what a loader may set is volatile, behind `const` and typedefs, or as an array’s elements. */
const types = new BtfBuilder();
const int = types.int('int', 4);
const constInt = types.add('CONST', '', int);
const volatileInt = types.add('VOLATILE', '', int);
const TYPES = {
  plain: int,
  constant: constInt,
  settable: types.add('CONST', '', volatileInt),
  named: types.add('TYPEDEF', 'setting', types.add('CONST', '', volatileInt)),
  pointer: types.add('PTR', '', volatileInt),
  settings: types.add('CONST', '', types.array(volatileInt, 1)),
  table: types.add('CONST', '', types.array(constInt, 1)),
  unknown: undefined,
};
const btf: Btf = parseBtf(types.bytes());
const names = Object.keys(TYPES) as (keyof typeof TYPES)[];

function section(name: string, readOnly: boolean): BpfMap {
  const variables = new Map(names.map((one, at) => [one, { offset: 8 * at, size: 4, typeId: TYPES[one] }]));
  const size = 8 * names.length;
  const bytes = Uint8Array.from({ length: size }, (_, at) => at);
  return {
    ...testMap(name, 'ARRAY', { valueSize: size, maxEntries: 1 }),
    global: { bytes, readOnly, variables },
  };
}

const MAPS = [
  section('.rodata', true),
  section('.data', false),
  testMap('flows', 'HASH'),
  testMap('other', 'HASH'),
];
const machine = new Machine({ ...testObject({ main: 'exit' }, MAPS), btf }, {});
const [RODATA, DATA, FLOWS, OTHER] = [0, 1, 2, 3];

const CALL: FlowCall = {
  ...{
    program: 0,
    slot: 3,
    packet: 0,
    helper: 'bpf_map_lookup_elem',
    map: FLOWS,
    key: Uint8Array.of(7, 0, 0, 0),
  },
  ...{ keyParts: [], found: false, result: 0n, parameters: new Uint8Array(0), needs: 0 },
};
const background = (more: Partial<Background> = {}): Background => ({
  ...{
    machine,
    calls: [CALL, { ...CALL, map: -1 }, { ...CALL, map: OTHER }],
    mayPreset: () => true,
    isStated: () => false,
    isStatedEntry: () => false,
    mayFill: () => true,
    ...more,
  },
});

const global = (map: number, offset: number): InputField => ({
  kind: 'map',
  map,
  key: new Uint8Array(4),
  offset,
});
const entry = (offset: number, key = 7): InputField => ({
  kind: 'map',
  map: FLOWS,
  key: Uint8Array.of(key, 0, 0, 0),
  offset,
});

describe('inputs that a case can state', () => {
  it.each([
    ['plain', false],
    ['constant', false],
    ['settable', true],
    ['named', true],
    ['pointer', false],
    ['settings', true],
    ['table', false],
    ['unknown', false],
  ] as const)('a read-only variable (%s): %s', (name, is) => {
    const choosable = isChoosable(background());
    const at = 8 * names.indexOf(name);
    expect([0, 1, 3].map((byte) => choosable(global(RODATA, at + byte)))).toEqual([is, is, is]);
    // Between variables lies nothing.
    expect(choosable(global(RODATA, at + 4))).toBe(false);
  });

  it('a writable variable that is one number or holds nothing, unless the program writes it', () => {
    const chosen = (more: Partial<Background>): string[] => {
      const choosable = isChoosable(background(more));
      return names.filter((_, at) => choosable(global(DATA, 8 * at)));
    };
    expect(chosen({})).toEqual(['plain', 'constant', 'settable', 'named']);
    expect(chosen({ mayFill: (name) => name !== 'plain', isStated: (name) => name === 'named' })).toEqual([
      'constant',
      'settable',
    ]);
  });

  it('no variable that a world states', () => {
    const choosable = isChoosable(background({ isStated: (name) => name === 'settable' }));
    const of = (name: keyof typeof TYPES): boolean => choosable(global(RODATA, 8 * names.indexOf(name)));
    expect([of('settable'), of('named')]).toEqual([false, true]);
  });

  it('no variable of an object without types', () => {
    const bare = new Machine(testObject({ main: 'exit' }, MAPS), {});
    expect(isChoosable(background({ machine: bare }))(global(RODATA, 8 * names.indexOf('settable')))).toBe(
      false,
    );
  });

  it('no entry that a world states, and no call that asks for it', () => {
    const isStatedEntry = (map: number, [key]: Uint8Array): boolean => map === FLOWS && key === 7;
    const choosable = isChoosable(background({ isStatedEntry }));
    expect([choosable(entry(0)), choosable(entry(0, 8))]).toEqual([false, true]);
    expect([0, 1, 2].map((call) => choosable({ kind: 'call', call }))).toEqual([false, true, true]);
  });

  it('entries of maps, and calls that ask them, where they may start with something', () => {
    const asked: number[] = [];
    const mayPreset = (map: number): boolean => asked.push(map) > 0 && map === FLOWS;
    const choosable = isChoosable(background({ mayPreset }));
    expect(choosable(entry(0))).toBe(true);
    expect(choosable({ kind: 'map', map: OTHER, key: new Uint8Array(4), offset: 0 })).toBe(false);
    expect([0, 1, 2, 3].map((call) => choosable({ kind: 'call', call }))).toEqual([true, true, false, false]);
    expect(asked).toEqual([FLOWS, OTHER, FLOWS, OTHER]);
  });

  it.each<readonly [InputField, boolean]>([
    [{ kind: 'packet', packet: 0, offset: 0 }, true],
    [{ kind: 'length', packet: 0 }, true],
    [{ kind: 'context', packet: 0, name: 'mark' }, true],
    [{ kind: 'time', packet: 0 }, true],
    [{ kind: 'cpu', packet: 0 }, true],
    [{ kind: 'chance', packet: 0, draws: 0 }, true],
    [{ kind: 'stack', address: 0 }, false],
  ])('%j: %s', (field, is) => expect(isChoosable(background())(field)).toBe(is));
});

const WORLD: World = { tick: 3n, maps: { flows: [{ key: Uint8Array.of(7, 0, 0, 0), value: data(8) }] } };
const two = (more: Partial<Stimulus> = {}): Sequence => ({
  world: WORLD,
  stimuli: [
    { packet: data(20), ...more },
    { packet: data(30), ...more },
  ],
});

/** The sequence with these values; it stays as it was. */
function changed(
  sequence: Sequence,
  ...values: readonly (readonly [InputField, bigint])[]
): Sequence | undefined {
  const before = structuredClone(sequence);
  const result = changeSequence(sequence, new Map(values), background());
  expect(sequence).toEqual(before);
  return result;
}

const byte = (offset: number, packet = 1): InputField => ({ kind: 'packet', packet, offset });
const withByte = (packet: Uint8Array, at: number, value: number): Uint8Array => {
  const copy = packet.slice();
  copy[at] = value;
  return copy;
};

describe('a sequence gets', () => {
  it('bytes of one packet', () => {
    const result = changed(two(), [byte(0), 9n], [byte(29), 8n])!;
    expect(result.world).toBe(WORLD);
    expect(result.stimuli).toEqual([
      { packet: data(20) },
      { packet: withByte(withByte(data(30), 0, 9), 29, 8) },
    ]);
    expect(changed(two(), [byte(30), 1n])).toBeUndefined();
  });

  it('bytes of both packets', () => {
    const result = changed(two(), [byte(1, 0), 7n], [byte(1), 8n])!;
    expect(result.stimuli.map(({ packet }) => packet[1])).toEqual([7, 8]);
  });

  it('metadata, as far as there is some', () => {
    const metadata = data(4);
    const result = changed(two({ metadata }), [byte(-1), 9n], [byte(-4), 8n])!;
    expect(result.stimuli[1]!.metadata).toEqual(withByte(withByte(metadata, 3, 9), 0, 8));
    expect(result.stimuli[0]!.metadata).toEqual(metadata);
    expect(result.stimuli[1]!.packet).toEqual(data(30));
    expect(changed(two({ metadata }), [byte(-5), 1n])).toBeUndefined();
    expect(changed(two(), [byte(-1), 1n])).toBeUndefined();
    // Without metadata there is none afterwards.
    expect('metadata' in changed(two(), [byte(0), 1n])!.stimuli[1]!).toBe(false);
  });

  it('lengths first, whatever the order', () => {
    const length: readonly [InputField, bigint] = [{ kind: 'length', packet: 1 }, 40n];
    for (const values of [[length, [byte(39), 5n]] as const, [[byte(39), 5n], length] as const]) {
      const { packet } = changed(two(), ...values)!.stimuli[1]!;
      expect([packet.length, packet[39], packet[38]]).toEqual([40, 5, 0]);
    }
    expect(
      changed(two(), [{ kind: 'length', packet: 0 }, 14n])!.stimuli.map(({ packet }) => packet.length),
    ).toEqual([14, 30]);
    expect(changed(two(), [{ kind: 'length', packet: 0 }, 1515n])).toBeUndefined();
  });

  it.each<readonly [PacketContext['name'], bigint, Partial<Stimulus>]>([
    ['rxQueueIndex', 5n, { rxQueueIndex: 5 }],
    ['mark', 5n, { skb: { priority: 1, mark: 5 } }],
    ['priority', 5n, { skb: { priority: 5 } }],
    ['tstamp', 1n << 40n, { skb: { priority: 1, tstamp: 1n << 40n } }],
    ['cb0', 5n, { skb: { priority: 1, cb: [5, 0, 0, 0, 0] } }],
    ['cb4', 5n, { skb: { priority: 1, cb: [0, 0, 0, 0, 5] } }],
    ['gsoSegs', 5n, { skb: { priority: 1, gsoSegs: 5 } }],
    ['gsoSize', 5n, { skb: { priority: 1, gsoSize: 5 } }],
    ['queueMapping', 5n, { skb: { priority: 1, queueMapping: 5 } }],
    ['tcIndex', 5n, { skb: { priority: 1, tcIndex: 5 } }],
    ['tcClassid', 5n, { skb: { priority: 1, tcClassid: 5 } }],
    ['hash', 0xffff_ffffn, { skb: { priority: 1, hash: 0xffff_ffff } }],
    ['vlanPresent', 1n, { skb: { priority: 1, vlan: { tci: 0 } } }],
    ['vlanPresent', 0n, { skb: { priority: 1 } }],
    ['vlanTci', 5n, { skb: { priority: 1, vlan: { tci: 5 } } }],
    ['vlanProto', 0xa888n, { skb: { priority: 1, vlan: { proto: 0x88a8, tci: 0 } } }],
    ['ingressIfindex', 1n, { ingressIfindex: 1 }],
    ['ingressIfindex', 3n, { ingressIfindex: 3 }],
  ])('context: %s = %i', (name, value, expected) => {
    const result = changed(two({ skb: { priority: 1 } }), [{ kind: 'context', packet: 1, name }, value])!;
    expect(result.stimuli[1]).toEqual({ packet: data(30), skb: { priority: 1 }, ...expected });
    expect(result.stimuli[0]).toEqual({ packet: data(20), skb: { priority: 1 } });
    expect(result.world).toBe(WORLD);
  });

  it.each<readonly [PacketContext['name'], bigint]>([
    ['gsoSegs', 0x1_0000n],
    ['queueMapping', 0x1_0000n],
    ['tcIndex', 0x1_0000n],
    ['tcClassid', 0x1_0000n],
    ['vlanTci', 0x1_0000n],
    ['vlanProto', 0x0008n],
    ['vlanProto', 0x0091n],
  ])('no context that no frame comes with: %s = %i', (name, value) => {
    expect(changed(two({ skb: {} }), [{ kind: 'context', packet: 1, name }, value])).toBeUndefined();
  });

  it('one part of the tag beside a frame, or the whole of it', () => {
    const tagged = two({ skb: { vlan: { proto: 0x88a8, tci: 7 } } });
    const skbOf = (name: PacketContext['name'], value: bigint): unknown =>
      changed(tagged, [{ kind: 'context', packet: 0, name }, value])!.stimuli[0]!.skb;
    expect(skbOf('vlanTci', 8n)).toEqual({ vlan: { proto: 0x88a8, tci: 8 } });
    expect(skbOf('vlanProto', 0x0081n)).toEqual({ vlan: { proto: 0x8100, tci: 7 } });
    expect(skbOf('vlanPresent', 1n)).toEqual({ vlan: { proto: 0x88a8, tci: 7 } });
    expect(skbOf('vlanPresent', 0n)).toBeUndefined();
  });

  it('bytes of the tunnel that a frame came out of, where it came out of one', () => {
    const skb = { tunnel: { id: 5, remote: '10.0.0.1', ttl: 9, options: '01020304' } };
    const tunnelOf = (part: 'key' | 'options', offset: number, value: bigint, from: object = skb): unknown =>
      changed(two({ skb: from }), [{ kind: 'tunnel', packet: 0, part, offset }, value])?.stimuli[0]?.skb
        ?.tunnel;
    expect(tunnelOf('key', 1, 2n)).toEqual({ ...skb.tunnel, id: 0x205 });
    expect(tunnelOf('key', 4, 7n)).toEqual({ ...skb.tunnel, remote: '10.0.0.7' });
    expect(tunnelOf('key', 28, 7n)).toEqual({ ...skb.tunnel, local: '0.0.0.7' });
    expect(tunnelOf('key', 23, 4n)).toEqual({ ...skb.tunnel, flags: 0xf804 });
    expect(tunnelOf('options', 3, 9n)).toEqual({ ...skb.tunnel, options: '01020309' });
    expect(tunnelOf('options', 4, 9n)).toBeUndefined();
    expect(tunnelOf('key', 1, 2n, {})).toBeUndefined();
    const over6 = { tunnel: { remote: '2001:db8::1' } };
    expect(tunnelOf('key', 25, 1n, over6)).toEqual({ remote: '2001:db8::1', label: 0x100 });
    expect(tunnelOf('key', 19, 2n, over6)).toEqual({ remote: '2001:db8::2' });
  });

  it('words of the control block beside those that are there', () => {
    const field: InputField = { kind: 'context', packet: 0, name: 'cb2' };
    const result = changed(two({ skb: { cb: [1, 2, 3, 4, 5] } }), [field, 9n])!;
    expect(result.stimuli[0]!.skb).toEqual({ cb: [1, 2, 9, 4, 5] });
  });

  it.each([
    [0n, undefined],
    [-1n, undefined],
    // Devices 2 to 8 are there where a world states none.
    [8n, 'as it was'],
    [9n, [2, 0, 0, 0, 0, 9]],
    [0x1234n, [2, 0, 0, 0, 0x12, 0x34]],
    [0xffffn, [2, 0, 0, 0, 0xff, 0xff]],
    [0x1_0000n, undefined],
  ] as const)('a device %i to come by', (ifindex, mac) => {
    const result = changed(two(), [{ kind: 'context', packet: 1, name: 'ingressIfindex' }, ifindex]);
    if (mac === undefined) expect(result).toBeUndefined();
    else if (mac === 'as it was') expect(result!.world).toBe(WORLD);
    else {
      const number = Number(ifindex);
      const { devices, ...rest } = result!.world;
      expect(rest).toEqual(WORLD);
      expect(devices!.slice(0, -1).map((one) => one.ifindex)).toEqual([2, 3, 4, 5, 6, 7, 8]);
      expect(devices!.at(-1)).toEqual({
        ifindex: number,
        name: `dev${number}`,
        mac: Uint8Array.from(mac),
        mtu: 1500,
      });
    }
  });

  it('bytes of variables, from what they start with', () => {
    const at = 8 * names.indexOf('named');
    const result = changed(two(), [global(RODATA, at + 1), 0x77n], [global(RODATA, at + 3), 0x78n])!;
    expect(result.world).toEqual({ ...WORLD, globals: { named: Uint8Array.of(at, 0x77, at + 2, 0x78) } });
    const again = changed(result, [global(RODATA, at), 1n], [global(RODATA, 0), 2n])!;
    expect(again.world.globals).toEqual({
      named: Uint8Array.of(1, 0x77, at + 2, 0x78),
      plain: Uint8Array.of(2, 1, 2, 3),
    });
    // Between variables lies nothing.
    expect(changed(two(), [global(RODATA, at + 4), 1n])).toBeUndefined();
  });

  it('bytes of entries, from what the world states, or from zeros', () => {
    const flows = (result: Sequence | undefined) => result?.world.maps?.flows;
    const seven = { key: Uint8Array.of(7, 0, 0, 0), value: withByte(withByte(data(8), 0, 1), 7, 2) };
    expect(flows(changed(two(), [entry(0), 1n], [entry(7), 2n]))).toEqual([seven]);
    expect(flows(changed(two(), [entry(3, 8), 1n]))).toEqual([
      WORLD.maps!.flows![0],
      { key: Uint8Array.of(8, 0, 0, 0), value: withByte(new Uint8Array(8), 3, 1) },
    ]);
    expect(changed(two(), [entry(8), 1n])).toBeUndefined();
    expect(changed({ world: {}, stimuli: [] }, [entry(1), 1n])!.world.maps!.flows![0]!.value).toEqual(
      Uint8Array.of(0, 1, 0, 0, 0, 0, 0, 0),
    );
  });

  it('answers of calls, where a world gives them', () => {
    const found = changed(two(), [{ kind: 'call', call: 2 }, 1n])!;
    expect(Object.keys(found.world.maps!)).toEqual(['flows', 'other']);
    expect(found.stimuli).toEqual(two().stimuli);
    expect(changed(two(), [{ kind: 'call', call: 0 }, 0n])!.world.maps).toEqual({ flows: [] });
    expect(changed(two(), [{ kind: 'call', call: 1 }, 1n])).toBeUndefined();
    expect(changed(two(), [{ kind: 'call', call: 3 }, 1n])).toBeUndefined();
  });

  it('addresses to route to, in maps and variables that may start with something', () => {
    const routed = (place: (index: number) => InputField, more: Partial<Background> = {}) => {
      const parameters = new Uint8Array(64);
      parameters[0] = 2;
      parameters[8] = 2;
      const keyParts = Array.from(parameters, (byte, at) =>
        at < 32 || at > 35 ? BigInt(byte) : input(place(at - 32), BigInt(byte)),
      );
      const asks = { ...CALL, map: -1, helper: 'bpf_fib_lookup', parameters, keyParts };
      const field: InputField = { kind: 'call', call: 0 };
      return changeSequence(two(), new Map([[field, 0n]]), background({ calls: [asks], ...more }))?.world;
    };
    const constant = (name: keyof typeof TYPES) => (at: number) =>
      global(RODATA, 8 * names.indexOf(name) + at);
    const address = Uint8Array.of(198, 51, 100, 109);
    expect(routed((at) => entry(at))!.maps!.flows![0]!.value.subarray(0, 4)).toEqual(address);
    expect(routed((at) => entry(at), { mayPreset: () => false })).toBeUndefined();
    expect(routed(constant('settable'))!.globals).toEqual({ settable: address });
    expect(routed(constant('settable'), { isStated: () => true })).toBeUndefined();
    expect(routed(constant('constant'))).toBeUndefined();
    expect(routed((at) => global(DATA, at), { mayFill: () => false })).toBeUndefined();
  });

  it('packets that a call wants', () => {
    const loads = { ...CALL, map: -1, needs: 50, packet: 1 };
    const field: InputField = { kind: 'call', call: 0 };
    const { stimuli } = changeSequence(two(), new Map([[field, 0n]]), background({ calls: [loads] }))!;
    expect(stimuli.map(({ packet }) => packet.length)).toEqual([20, 50]);
  });

  it.each([
    [0, 50n, { time: 50n, tick: 3n }],
    [2, 50n, { time: 10n, tick: 20n }],
    [3, 50n, { time: 10n, tick: 13n }],
    // The clock does not run backwards, and not by nothing.
    [2, 10n, { time: 10n, tick: 3n }],
    [2, 5n, { time: 5n, tick: 3n }],
  ])('a clock that shows with packet %i %i', (packet, value, expected) => {
    const sequence = { world: { time: 10n, tick: 3n }, stimuli: [] };
    expect(changed(sequence, [{ kind: 'time', packet }, value])!.world).toEqual(expected);
  });

  it('a clock that starts at 0 where the world says nothing', () => {
    expect(changed({ world: {}, stimuli: [] }, [{ kind: 'time', packet: 4 }, 40n])!.world).toEqual({
      tick: 10n,
    });
    expect(changed({ world: {}, stimuli: [] }, [{ kind: 'time', packet: 4 }, 0n])!.world).toEqual({
      time: 0n,
    });
  });

  it('any CPU that a world can have', () => {
    const cpu = (value: bigint) => changed(two(), [{ kind: 'cpu', packet: 0 }, value])?.world;
    expect([cpu(0n), cpu(3n), cpu(4096n)]).toEqual([{ ...WORLD, cpu: 0 }, { ...WORLD, cpu: 3 }, undefined]);
  });

  it.each([0, 1, 5])('a seed that gives the random number, after %i others', (draws) => {
    const { world } = changed(two(), [{ kind: 'chance', packet: 0, draws }, 77n])!;
    let state = world.randomSeed!;
    for (let draw = 0; draw <= draws; draw++) state = nextRandomState(state);
    expect(randomOf(state)).toBe(77);
  });
});

describe('lengths and checksums', () => {
  const udp = RIGHT_PACKETS.UDP!;
  const damaged = withByte(udp, 30, udp[30]! ^ 1);

  it('are made right in packets that were changed', () => {
    const before: Sequence = {
      world: WORLD,
      stimuli: [{ packet: damaged }, { packet: udp, rxQueueIndex: 4 }],
    };
    const after = { ...before, stimuli: [before.stimuli[0]!, { packet: damaged.slice(), rxQueueIndex: 4 }] };
    const { world, stimuli } = repaired(after, before)!;
    expect(world).toBe(WORLD);
    expect(stimuli[0]).toBe(before.stimuli[0]);
    expect(stimuli[1]!.rxQueueIndex).toBe(4);
    expect(stimuli[1]!.packet[30]).toBe(damaged[30]);
    expect(stimuli[1]!.packet.subarray(24, 26)).not.toEqual(udp.subarray(24, 26));
    expect(after.stimuli[1]!.packet).toEqual(damaged);
    expect(repaired({ world: {}, stimuli }, before)).toBeUndefined();
  });

  it('are nothing to do where they are right, or where nothing was changed', () => {
    const before: Sequence = { world: {}, stimuli: [{ packet: damaged }] };
    expect(repaired(before, before)).toBeUndefined();
    expect(repaired({ world: {}, stimuli: [{ packet: udp }] }, before)).toBeUndefined();
    // A packet that was not there before has been changed.
    expect(
      repaired({ world: {}, stimuli: [before.stimuli[0]!, { packet: damaged.slice() }] }, before),
    ).toBeDefined();
  });
});
