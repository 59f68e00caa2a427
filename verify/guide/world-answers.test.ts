/** Worlds in which calls get the answer that was wanted: of routes, the routing table is asked whether they do. */
import { describe, expect, it } from 'vitest';
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { byteOf, bytes, input, type Operand, swap } from '../../sim/ebpf/dataflow/expression.ts';
import type { FlowCall } from '../../sim/ebpf/dataflow/flow-trace.ts';
import type { InputField } from '../../sim/ebpf/dataflow/inputs.ts';
import { Machine } from '../../sim/ebpf/machine.ts';
import { testMap, testObject } from '../../sim/ebpf/test-support/assemble.ts';
import { addressFromText, addressToText } from '../../sim/packet/addresses.ts';
import type { SkbTunnel, Stimulus } from '../../sim/packet/packet-batch.ts';
import { AF_INET, AF_INET6, type FibLookup } from '../../sim/runtime/fib.ts';
import { createFib } from '../../sim/runtime/fib-lookup.ts';
import type { MapType } from '../../sim/runtime/maps.ts';
import type { MapEntry, World } from '../../sim/runtime/world.ts';
import { data } from '../test-support/packets.ts';
import { otherSockets } from './socket-answers.ts';
import { answerCall, answersOf, fromSomePort, withFilled } from './world-answers.ts';

const NOTHING = new Uint8Array(0);
const KEY = Uint8Array.of(7, 0, 0, 0);

function call(more: Partial<FlowCall>): FlowCall {
  return {
    ...{ program: 0, slot: 3, packet: 0, helper: 'bpf_map_lookup_elem', map: 0, key: KEY, keyParts: [] },
    ...{ found: false, result: 0n, parameters: NOTHING, needs: 0, ...more },
  };
}

const machineWith = (...maps: readonly BpfMap[]): Machine =>
  new Machine(testObject({ main: 'exit' }, maps), {});
const noMaps = machineWith();
const packets = (...sizes: readonly number[]): Stimulus[] => sizes.map((size) => ({ packet: data(size) }));

describe('how long a frame has to be', () => {
  const loads = call({ map: -1, needs: 30, packet: 1, helper: 'bpf_skb_load_bytes' });

  it.each([
    [0n, 30],
    [1n, 29],
    [-14n, 29],
  ])('for the answer %i: the packet that was asked about alone', (value, length) => {
    const world: World = { cpu: 1 };
    const stimuli = packets(20, 60, 20);
    const answer = answerCall(world, stimuli, loads, value, noMaps)!;
    expect(answer.world).toBe(world);
    expect(answer.stimuli!.map(({ packet }) => packet.length)).toEqual([20, length, 20]);
    expect(answer.stimuli![1]!.packet).toEqual(data(60).subarray(0, length));
    expect(stimuli[1]!.packet).toHaveLength(60);
  });

  it('can be less than any frame has, or more than every engine takes', () => {
    expect(answerCall({}, packets(20, 20), { ...loads, needs: 1 }, 1n, noMaps)!.stimuli![1]!.packet).toEqual(
      NOTHING,
    );
    expect(answerCall({}, packets(20, 20), { ...loads, needs: 1514 }, 0n, noMaps)).toBeDefined();
    expect(answerCall({}, packets(20, 20), { ...loads, needs: 1515 }, 0n, noMaps)).toBeUndefined();
  });
});

describe('the tunnel that a frame came out of', () => {
  const key = (flags: number, size = 44): FlowCall =>
    call({ map: -1, packet: 1, helper: 'bpf_skb_get_tunnel_key', flags, size });
  const options = (size: number): FlowCall =>
    call({ map: -1, packet: 1, helper: 'bpf_skb_get_tunnel_opt', flags: 0, size });
  const tunnelFor = (asked: FlowCall, value: number, tunnel?: SkbTunnel): unknown => {
    const before = packets(20, 20);
    if (tunnel !== undefined) before[1] = { ...before[1]!, skb: { mark: 1, tunnel } };
    const answer = answerCall({}, before, asked, BigInt(value), noMaps);
    if (answer === undefined) return 'none';
    expect(answer.stimuli![0]).toBe(before[0]);
    return answer.stimuli![1]!.skb;
  };

  it('is there for who asks for its key, of the family asked for, or not', () => {
    expect(answersOf(key(0))).toEqual([0n, -22n, -71n]);
    expect(tunnelFor(key(0), 0)).toEqual({ tunnel: { remote: '192.0.2.1' } });
    expect(tunnelFor(key(1), 0)).toEqual({ tunnel: { remote: '2001:db8::1' } });
    expect(tunnelFor(key(1), -71)).toEqual({ tunnel: { remote: '192.0.2.1' } });
    const over6 = { id: 7, remote: '::1', label: 5 };
    expect(tunnelFor(key(0), 0, over6)).toEqual({ mark: 1, tunnel: { id: 7, remote: '192.0.2.1' } });
    expect(tunnelFor(key(0), -22, over6)).toEqual({ mark: 1 });
    expect(tunnelFor(key(1), 0, over6)).toBe('none');
    expect(tunnelFor(key(0), -22)).toBe('none');
    expect(tunnelFor(key(0), -1)).toBe('none');
    // A size in which no key is shown.
    expect(tunnelFor(key(0, 12), 0)).toBe('none');
    expect(tunnelFor(key(1, 8), 0)).toBe('none');
  });

  it('has as many options as are to be answered', () => {
    expect(answersOf(options(16))).toEqual([4n, 8n, 0n, 16n, -2n, -12n]);
    expect(answersOf(options(6))).toEqual([4n, 0n, -2n, -12n]);
    expect(tunnelFor(options(16), 8)).toEqual({ tunnel: { remote: '192.0.2.1', options: '0'.repeat(16) } });
    const known = { id: 7, flags: 0xf805, options: '01020304' };
    expect(tunnelFor(options(16), 8, known)).toMatchObject({
      tunnel: { id: 7, options: '0102030400000000' },
    });
    expect(tunnelFor(options(16), -2, known)).toEqual({ mark: 1, tunnel: { id: 7, flags: 0x2005 } });
    expect(tunnelFor(options(16), -12)).toMatchObject({ tunnel: { options: '0'.repeat(40) } });
    expect(tunnelFor(options(253), -12)).toBe('none');
    expect(tunnelFor(options(16), 5)).toBe('none');
    expect(tunnelFor(options(16), 20)).toBe('none');
  });
});

describe('indices of arrays', () => {
  const machine = machineWith(
    testMap('ring', 'ARRAY', { maxEntries: 24, valueSize: 4 }),
    testMap('reals', 'ARRAY', { maxEntries: 5 }),
    testMap('each', 'PERCPU_ARRAY', { maxEntries: 5 }),
  );
  const fromRing = [0, 1, 2, 3].map((offset) => input({ kind: 'map', map: 0, key: KEY, offset }, 0n));
  const fromPacket = bytes([0, 1, 2, 3].map((at) => input({ kind: 'packet', packet: 0, offset: at }, 9n)));
  const reals = call({ map: 1, key: Uint8Array.of(0, 0, 0, 0), keyParts: fromRing });

  it('come from an entry of another array: what that holds is no index, or the last one', () => {
    const nowhere = answerCall({}, packets(20), reals, 0n, machine)!;
    expect(nowhere.world.maps).toEqual({ ring: [{ key: KEY, value: Uint8Array.of(5, 0, 0, 0) }] });
    const there = answerCall({}, packets(20), { ...reals, map: 2 }, 1n, machine)!;
    expect(there.world.maps).toEqual({ ring: [{ key: KEY, value: Uint8Array.of(4, 0, 0, 0) }] });
  });

  it('come from the packet, put together in a register', () => {
    const { stimuli, world } = answerCall(
      {},
      packets(20),
      { ...reals, keyParts: [fromPacket] },
      0n,
      machine,
    )!;
    expect([...stimuli![0]!.packet.subarray(0, 5)]).toEqual([5, 0, 0, 0, data(20)[4]]);
    expect(world).toEqual({});
  });

  it('stay where they are constants, or of entries that somebody has stated', () => {
    expect(
      answerCall({}, packets(20), { ...reals, keyParts: [0n, 0n, 0n, 0n] }, 0n, machine),
    ).toBeUndefined();
    const isNoMap = ({ kind }: InputField): boolean => kind !== 'map';
    expect(answerCall({}, packets(20), reals, 0n, machine, isNoMap)).toBeUndefined();
  });
});

describe('entries of maps', () => {
  const value = (size: number, ...first: readonly number[]): Uint8Array => {
    const bytes = new Uint8Array(size);
    bytes.set(first);
    return bytes;
  };

  it.each<readonly [MapType, Uint8Array]>([
    ['HASH', value(8)],
    ['LRU_HASH', value(8)],
    ['PERCPU_HASH', value(8)],
    ['LRU_PERCPU_HASH', value(8)],
    ['LPM_TRIE', value(8)],
    // The first device that there is, and room for 192 packets.
    ['DEVMAP', value(8, 2)],
    ['DEVMAP_HASH', value(8, 2)],
    ['CPUMAP', value(8, 192)],
  ])('%s: what is found under the key that was asked for', (type, bytes) => {
    const machine = machineWith(
      testMap('m', type, {
        keySize: type === 'LPM_TRIE' ? 8 : 4,
        valueSize: 8,
        mapFlags: type === 'LPM_TRIE' ? 1 : 0,
      }),
    );
    const other = { key: Uint8Array.of(8, 0, 0, 0), value: value(8, 5) };
    const world = { maps: { m: [other], n: [] } };
    const expected = { maps: { m: [other, { key: KEY, value: bytes }], n: [] } };
    expect(answerCall(world, [], call({}), 1n, machine)).toEqual({ world: expected });
    // Any answer but 0 says that something is there.
    expect(answerCall(world, [], call({}), -1n, machine)).toEqual({ world: expected });
    expect(withFilled(world, call({}), machine)).toEqual([{ world: expected }]);
  });

  it.each<MapType>(['QUEUE', 'STACK'])('%s: one more element, which comes out last', (type) => {
    const machine = machineWith(testMap('m', type, { valueSize: 8, maxEntries: 2 }));
    const pop = (position: number, found: boolean): FlowCall =>
      call({ helper: 'bpf_map_pop_elem', key: Uint8Array.of(position, 0, 0, 0), found });
    const zeros = { key: NOTHING, value: value(8) };
    const own = { key: NOTHING, value: value(8, 1) };
    const inOrder = (...elements: MapEntry[]): World => ({
      maps: { m: type === 'STACK' ? elements.toReversed() : elements },
    });
    expect(answerCall({}, [], pop(0, false), 0n, machine)).toEqual({ world: inOrder(zeros) });
    expect(withFilled(inOrder(own), pop(1, false), machine)).toEqual([{ world: inOrder(own, zeros) }]);
    expect(withFilled(inOrder(own, zeros), pop(2, false), machine)).toEqual([]);
    // Empty by then: with so many elements as were taken out before.
    expect(answerCall(inOrder(own, zeros), [], pop(1, true), -2n, machine)).toEqual({ world: inOrder(own) });
    expect(answerCall(inOrder(own), [], { ...pop(0, true), key: NOTHING }, -2n, machine)).toBeUndefined();
  });

  it('BLOOM_FILTER: the value that was asked for', () => {
    const machine = machineWith(testMap('m', 'BLOOM_FILTER', { keySize: 0, valueSize: 4 }));
    const peek = call({ helper: 'bpf_map_peek_elem' });
    const world = { maps: { m: [{ key: NOTHING, value: KEY }] } };
    expect(answerCall({}, [], peek, 0n, machine)).toEqual({ world });
    expect(answerCall(world, [], peek, -2n, machine)).toEqual({ world: { maps: { m: [] } } });
  });

  it.each<MapType>(['ARRAY', 'PERCPU_ARRAY'])('%s: none, they are there or are not looked up', (type) => {
    const machine = machineWith(testMap('m', type, { valueSize: 8 }));
    expect(withFilled({}, call({}), machine)).toEqual([]);
    expect(answerCall({}, [], call({}), 1n, machine)).toBeUndefined();
  });

  it('of devices lead to the first that the world has', () => {
    const machine = machineWith(testMap('m', 'DEVMAP'));
    const mac = new Uint8Array(6);
    const devices = [
      { ifindex: 0x1234, name: 'a', mac },
      { ifindex: 9, name: 'b', mac },
    ];
    expect(withFilled({ devices }, call({}), machine)[0]!.world.maps!.m).toEqual([
      { key: KEY, value: value(4, 0x34, 0x12) },
    ]);
  });

  it('are left out where the world put them there', () => {
    const machine = machineWith(testMap('m', 'HASH'));
    const mine = { key: Uint8Array.from(KEY), value: value(8, 1) };
    const other = { key: Uint8Array.of(8, 0, 0, 0), value: value(8, 2) };
    const world: World = { cpu: 1, maps: { m: [mine, other], n: [mine] } };
    expect(answerCall(world, [], call({ found: true }), 0n, machine)).toEqual({
      world: { cpu: 1, maps: { m: [other], n: [mine] } },
    });
    for (const one of [{}, { maps: {} }, { maps: { m: [other] } }])
      expect(answerCall(one, [], call({}), 0n, machine)).toBeUndefined();
  });

  it('are nothing to calls that ask no map', () => {
    const machine = machineWith(testMap('m', 'HASH'));
    for (const answer of [0n, 1n])
      expect(
        answerCall({}, [], call({ map: -1, helper: 'bpf_get_smp_processor_id' }), answer, machine),
      ).toBeUndefined();
  });
});

describe('programs in slots', () => {
  const object = {
    ...testObject({ main: 'exit', second: 'exit', third: 'exit', classifier: 'exit', part: 'exit' }, [
      testMap('jumps', 'PROG_ARRAY'),
    ]),
  };
  const hooks = ['xdp', 'xdp', 'xdp', 'tc', undefined] as const;
  const programs = object.programs.map((program, index) => ({
    ...program,
    hook: hooks[index] as 'xdp' | undefined,
  }));
  const machine = new Machine({ ...object, programs }, {});
  const slot = (name: string, more = {}) => ({ key: KEY, name, ...more });

  it('are all others of the same kind of hook', () => {
    const slots = withFilled({ cpu: 1 }, call({}), machine).map(({ world }) => world);
    expect(slots).toEqual(
      ['second', 'third'].map((name) => ({ cpu: 1, slots: { jumps: [slot(name, { guessed: true })] } })),
    );
    machine.hook = 'tc-ingress';
    expect(withFilled({}, call({}), machine).map(({ world }) => world.slots!.jumps![0]!.name)).toEqual([
      'classifier',
    ]);
    machine.hook = 'xdp';
    expect(
      withFilled({}, call({ program: 1 }), machine).map(({ world }) => world.slots!.jumps![0]!.name),
    ).toEqual(['main', 'third']);
  });

  it('take the place of those that were guessed, and of none that somebody stated', () => {
    const other = { key: Uint8Array.of(1, 0, 0, 0), name: 'main', guessed: true };
    const guessed = { slots: { jumps: [slot('third', { guessed: true }), other], more: [] } };
    expect(withFilled(guessed, call({}), machine)[0]!.world).toEqual({
      slots: { jumps: [other, slot('second', { guessed: true })], more: [] },
    });
    expect(withFilled({ slots: { jumps: [other, slot('third')] } }, call({}), machine)).toEqual([]);
    expect(withFilled({ slots: { jumps: [slot('third', { guessed: false })] } }, call({}), machine)).toEqual(
      [],
    );
    expect(withFilled({ slots: { more: [slot('third')] } }, call({}), machine)).toHaveLength(2);
  });
});

describe('maps in maps', () => {
  const inner = testMap('template', 'HASH', { valueSize: 16 });
  it.each<MapType>(['ARRAY_OF_MAPS', 'HASH_OF_MAPS'])('%s: each of the form of those inside', (type) => {
    const machine = {
      object: testObject({ main: 'exit' }, [
        testMap('outer', type, { inner }),
        testMap('like', 'HASH', { valueSize: 16 }),
        testMap('otherValue', 'HASH'),
        testMap('otherKey', 'HASH', { valueSize: 16, keySize: 8 }),
        testMap('otherType', 'ARRAY', { valueSize: 16 }),
        testMap('also', 'HASH', { valueSize: 16, maxEntries: 99 }),
        {
          ...testMap('.data', 'HASH', { valueSize: 16 }),
          global: { bytes: new Uint8Array(16), readOnly: false, variables: new Map() },
        },
      ]),
    } as unknown as Machine;
    const before = [
      { key: KEY, name: 'old' },
      { key: Uint8Array.of(9, 0, 0, 0), name: 'kept' },
    ];
    const worlds = withFilled({ slots: { outer: before, x: [] } }, call({}), machine);
    expect(worlds).toEqual(
      ['like', 'also'].map((name) => ({
        world: { slots: { outer: [before[1], { key: KEY, name }], x: [] } },
      })),
    );
  });
});

describe('maps in maps of which the object has a template alone', () => {
  const inner = testMap('template', 'HASH', { valueSize: 16 });
  const machineOf = (...maps: readonly BpfMap[]): Machine =>
    ({ object: testObject({ main: 'exit' }, maps) }) as unknown as Machine;
  const other = Uint8Array.of(9, 0, 0, 0);

  it('are made by user space, another one for each slot', () => {
    const machine = machineOf(testMap('outer', 'HASH_OF_MAPS', { inner }), testMap('no', 'HASH'));
    const [first] = withFilled({}, call({}), machine);
    expect(first!.world).toEqual({ slots: { outer: [{ key: KEY, name: 'outer/0' }] } });
    const [second] = withFilled(first!.world, call({ key: other }), machine);
    expect(second!.world.slots!.outer!.map(({ name }) => name)).toEqual(['outer/0', 'outer/1']);
    // The same slot again: what stood there is gone.
    expect(withFilled(first!.world, call({}), machine)).toEqual([first]);
  });

  it('are none without a template, and none where a map of the object fits', () => {
    expect(withFilled({}, call({}), machineOf(testMap('outer', 'HASH_OF_MAPS')))).toEqual([]);
    const fits = machineOf(
      testMap('outer', 'HASH_OF_MAPS', { inner }),
      testMap('own', 'HASH', { valueSize: 16 }),
    );
    expect(withFilled({}, call({}), fits).map(({ world }) => world.slots!.outer![0]!.name)).toEqual(['own']);
  });
});

describe('sockets', () => {
  const tuple4 = Uint8Array.of(10, 0, 0, 1, 192, 0, 2, 9, 0x04, 0xd2, 0x1f, 0x90);
  const tuple6 = new Uint8Array(36);
  tuple6.set(addressFromText('2001:db8::1'), 0);
  tuple6.set(addressFromText('2001:db8::2'), 16);
  tuple6.set([0x04, 0xd2, 0x01, 0xbb], 32);
  const asks = (helper: string, parameters: Uint8Array): FlowCall => call({ map: -1, helper, parameters });

  it.each([
    ['bpf_sk_lookup_tcp', tuple4, 'tcp', '192.0.2.9:8080'],
    ['bpf_skc_lookup_tcp', tuple4, 'tcp', '192.0.2.9:8080'],
    ['bpf_sk_lookup_udp', tuple4, 'udp', '192.0.2.9:8080'],
    ['bpf_sk_lookup_tcp', tuple6, 'tcp', '[2001:db8::2]:443'],
    ['bpf_sk_lookup_udp', tuple6, 'udp', '[2001:db8::2]:443'],
  ] as const)('%s: one at the tuple’s destination', (helper, parameters, protocol, local) => {
    const other = { protocol: 'udp', local: '0.0.0.0:53' } as const;
    const { world } = answerCall({ cpu: 1, sockets: [other] }, [], asks(helper, parameters), 1n, noMaps)!;
    expect(world).toEqual({ cpu: 1, sockets: [other, { protocol, local }] });
    expect(answerCall({}, [], asks(helper, parameters), 1n, noMaps)!.world).toEqual({
      sockets: [{ protocol, local }],
    });
    // It is there already, and was not found.
    expect(answerCall(world, [], asks(helper, parameters), 1n, noMaps)).toBeUndefined();
    expect(answerCall(world, [], asks(helper, parameters), 0n, noMaps)).toBeUndefined();
  });

  it('at port 0 cannot be, and at another where the port is a setting or of the packet', () => {
    const machine = machineWith(testMap('settings', 'ARRAY', { valueSize: 2, maxEntries: 1 }));
    const key = Uint8Array.of(0, 0, 0, 0);
    const parameters = Uint8Array.of(...tuple4.subarray(0, 10), 0, 0);
    const constants = [...parameters].map(BigInt);
    const setting = bytes([0, 1].map((offset) => input({ kind: 'map', map: 0, key, offset }, 0n)));
    const asked = (...port: readonly Operand[]): FlowCall => ({
      ...asks('bpf_sk_lookup_udp', parameters),
      keyParts: [...constants.slice(0, 10), ...port],
    });
    const fromSetting = asked(byteOf(swap(16, setting), 0), byteOf(swap(16, setting), 1));
    expect(answerCall({}, packets(20), fromSetting, 1n, machine)!.world).toEqual({
      maps: { settings: [{ key, value: Uint8Array.of(0x99, 0x3a) }] },
      sockets: [{ protocol: 'udp', local: '192.0.2.9:15001' }],
    });
    const ofPacket = [6, 7].map((offset) => input({ kind: 'packet', packet: 0, offset }, 0n));
    const { world, stimuli } = answerCall({}, packets(20), asked(...ofPacket), 1n, machine)!;
    expect(world.sockets).toEqual([{ protocol: 'udp', local: '192.0.2.9:15001' }]);
    expect([...stimuli![0]!.packet.subarray(6, 8)]).toEqual([0x3a, 0x99]);
    expect(answerCall({}, packets(20), asked(0n, 0n), 1n, machine)).toBeUndefined();
    const isStated = answerCall({}, packets(20), fromSetting, 1n, machine, ({ kind }) => kind !== 'map');
    expect(isStated).toBeUndefined();
  });

  it.each([
    ['bpf_skc_lookup_tcp', tuple4, 'tcp', '192.0.2.9:8080', '10.0.0.1:1234', '0.0.0.0:8080'],
    ['bpf_sk_lookup_udp', tuple6, 'udp', '[2001:db8::2]:443', '[2001:db8::1]:1234', '[::]:443'],
  ] as const)(
    '%s: one that is connected to the tuple’s source beside the other, and others instead of it',
    (helper, parameters, protocol, local, remote, anywhere) => {
      const world: World = { cpu: 1, sockets: [{ protocol, local }] };
      const [connected, ...others] = otherSockets(world, asks(helper, parameters), 3);
      expect(connected).toEqual({
        cpu: 1,
        sockets: [
          { protocol, local },
          { protocol, local, remote },
        ],
      });
      expect(others.map((one) => one?.sockets)).toEqual([
        [{ protocol, local: anywhere }],
        [{ protocol, local, ifindex: 3 }],
        [{ protocol, local, mark: 1 }],
      ]);
      expect(otherSockets(connected!, asks(helper, parameters), 3)[0]).toBeUndefined();
    },
  );

  it('are connected by no other call, and to nowhere', () => {
    expect(otherSockets({}, asks('bpf_map_lookup_elem', tuple4), 1)).toEqual([]);
    expect(otherSockets({}, asks('bpf_sk_lookup_tcp', new Uint8Array(13)), 1)).toEqual([]);
    const noPort = tuple4.slice();
    noPort.fill(0, 8, 10);
    expect(otherSockets({}, asks('bpf_sk_lookup_tcp', noPort), 1)[0]).toBeUndefined();
    const fromGroup = tuple4.slice();
    fromGroup[0] = 224;
    expect(otherSockets({}, asks('bpf_sk_lookup_tcp', fromGroup), 1)[0]).toBeUndefined();
  });

  it('are connected to another port than 0, where the packet can come from one', () => {
    const noPort = tuple4.slice();
    noPort.fill(0, 8, 10);
    const parts = [...noPort].map(BigInt);
    const ofPacket = [6, 7].map((offset) => input({ kind: 'packet', packet: 0, offset }, 0n));
    const asking = (port: readonly Operand[]): FlowCall => ({
      ...asks('bpf_sk_lookup_tcp', noPort),
      keyParts: [...parts.slice(0, 8), ...port, ...parts.slice(10)],
    });
    const sequence = { world: {}, stimuli: packets(20) };
    const moved = fromSomePort(sequence, asking(ofPacket), noMaps, () => true);
    expect([...moved.sequence.stimuli[0]!.packet.subarray(6, 8)]).toEqual([0x3a, 0x99]);
    expect([...moved.call.parameters.subarray(8, 10)]).toEqual([0x3a, 0x99]);
    const fixed = asking([0n, 0n]);
    expect(fromSomePort(sequence, fixed, noMaps, () => true)).toEqual({ sequence, call: fixed });
  });

  it('of another protocol or place are no reason not to open one', () => {
    const world: World = {
      sockets: [
        { protocol: 'udp', local: '192.0.2.9:8080' },
        { protocol: 'tcp', local: '192.0.2.9:8081' },
      ],
    };
    expect(answerCall(world, [], asks('bpf_sk_lookup_tcp', tuple4), 1n, noMaps)!.world.sockets).toHaveLength(
      3,
    );
  });

  it('are not opened where the kernel could not: the packet goes elsewhere, if its address is its own', () => {
    const at = (offset: number) =>
      input({ kind: 'packet', packet: 0, offset, name: `packet.0.${offset}` } as never, 0n);
    const tuple = tuple6.slice();
    for (const group of ['ff01::1', 'ff0e::7', 'fe80::1']) {
      tuple.set(addressFromText(group), 16);
      const keyParts = [...tuple].map((byte, index) => (index < 32 ? at(22 + index) : BigInt(byte)));
      const lookup = { ...asks('bpf_skc_lookup_tcp', tuple), keyParts };
      const { world, stimuli } = answerCall({}, packets(90), lookup, 1n, noMaps)!;
      expect(world).toEqual({ sockets: [{ protocol: 'tcp', local: '[2001:db8::87]:443' }] });
      expect(addressToText(stimuli![0]!.packet.slice(38, 54))).toBe('2001:db8::87');
      const own = { ...lookup, keyParts: [...tuple].map(BigInt) };
      expect(answerCall({}, packets(90), own, 1n, noMaps)).toBeUndefined();
    }
  });

  it('are not opened beside one that is in the way', () => {
    const world: World = { sockets: [{ protocol: 'tcp', local: '0.0.0.0:8080', ifindex: 3 }] };
    expect(answerCall(world, [], asks('bpf_sk_lookup_tcp', tuple4), 1n, noMaps)).toBeUndefined();
  });

  it.each([0, 11, 13, 35, 37])('are not made for a tuple of %i bytes', (size) => {
    expect(answerCall({}, [], asks('bpf_sk_lookup_tcp', new Uint8Array(size)), 1n, noMaps)).toBeUndefined();
  });
});

const FAMILIES = [
  ['IPv4', AF_INET, '10.1.2.3', '203.0.113.5'],
  ['IPv6', AF_INET6, '2001:db8:1::3', '2001:db8:2::5'],
] as const;

/** Parameters as a program passes them: the first device that there is by default, frames of 1400 bytes. */
function parametersOf(family: number, source: string, destination: string, ifindex: number = 2): Uint8Array {
  const parameters = new Uint8Array(64);
  const view = new DataView(parameters.buffer);
  parameters[0] = family;
  view.setUint16(6, 1400, true);
  view.setUint32(8, ifindex, true);
  parameters.set(addressFromText(source), 16);
  parameters.set(addressFromText(destination), 32);
  return parameters;
}

/** What the routing table of a world says to these parameters, with a packet whose addresses are as they are in it. */
function asked(
  world: World,
  parameters: Uint8Array,
  ifindex: number = 2,
): { result: number; lookup: FibLookup } {
  const size = parameters[0] === AF_INET ? 4 : 16;
  const lookup: FibLookup = {
    family: parameters[0] as FibLookup['family'],
    ...{ l4Protocol: 0, sport: 0, dport: 0, totalLength: 1400, ifindex, tos: 0 },
    source: parameters.slice(16, 16 + size),
    destination: parameters.slice(32, 32 + size),
    ...{ sourceMac: new Uint8Array(6), destinationMac: new Uint8Array(6), mtu: 0, metric: 0 },
  };
  return { result: createFib(world).lookup(lookup), lookup };
}

describe.each(FAMILIES)('routes over %s', (_, family, source, destination) => {
  const parameters = parametersOf(family, source, destination);
  const fib = call({ map: -1, helper: 'bpf_fib_lookup', parameters });
  const rejecting = { to: `${destination}/${family === AF_INET ? 32 : 128}`, type: 'blackhole' } as const;

  it.each([0, 1, 2, 3, 4, 5, 7, 8])('lead to the answer %i, whatever the world said before', (result) => {
    const elsewhere = { to: family === AF_INET ? '192.0.2.0/24' : '2001:db8:9::/48', ifindex: 3 };
    const mac = Uint8Array.of(2, 9, 9, 9, 9, 9);
    for (const world of [
      {},
      { routes: [elsewhere, rejecting], neighbours: [{ ifindex: 2, address: destination, mac }], cpu: 1 },
    ]) {
      const answer = answerCall(world, packets(64), fib, BigInt(result), noMaps)!;
      // An int comes as an unsigned register.
      const wide = answerCall(world, packets(64), fib, 0x1_0000_0000n + BigInt(result), noMaps)!;
      expect(wide).toEqual(answer);
      expect(asked(answer.world, parameters).result).toBe(result);
      expect(answer.world.cpu).toBe(world.cpu);
      if (world.routes !== undefined) expect(answer.world.routes).toContainEqual(elsewhere);
      expect(answer.stimuli).toEqual(packets(64));
    }
  });

  it.each([6, 9, 10, -1, -19, 255])('lead to no answer %i', (result) => {
    expect(answerCall({}, packets(64), fib, BigInt(result), noMaps)).toBeUndefined();
  });

  it('go out by another device than the packet came by', () => {
    for (const [ifindex, out] of [
      [2, 3],
      [3, 2],
      [4, 3],
    ] as const) {
      const from = { ...fib, parameters: parametersOf(family, source, destination, ifindex) };
      const { world } = answerCall({}, packets(64), from, 0n, noMaps)!;
      const { result, lookup } = asked(world, parameters, ifindex);
      expect([ifindex, result, lookup.ifindex]).toEqual([ifindex, 0, out]);
      expect([...lookup.destinationMac]).toEqual([2, 0, 0, 0, 1, 1]);
    }
  });

  it('go out by the device that is asked about, with OUTPUT', () => {
    for (const ifindex of [2, 3, 4]) {
      const from = { ...fib, flags: 2, parameters: parametersOf(family, source, destination, ifindex) };
      const { world } = answerCall({}, packets(64), from, 0n, noMaps)!;
      expect(asked(world, parameters, ifindex).lookup.ifindex).toBe(ifindex);
    }
    const local = { ...fib, flags: 3, parameters: parametersOf(family, source, destination, 1) };
    const { world, stimuli } = answerCall({}, packets(64), local, 0n, noMaps)!;
    expect(asked(world, parameters).lookup.ifindex).toBe(stimuli![0]!.ingressIfindex);
  });

  it('keep the addresses that devices have, and give those without an own one', () => {
    const mac = new Uint8Array(6);
    const devices = Array.from({ length: 52 }, (__, index) => ({
      ifindex: index + 2,
      name: `d${index}`,
      mac,
    }));
    const own = { ...devices[0]!, addresses: ['172.16.0.1/12', 'fd12::1/64'], mtu: 1400 };
    const { world } = answerCall({ devices: [own, ...devices.slice(1)] }, packets(64), fib, 0n, noMaps)!;
    const addresses = world.devices!.map((one) => one.addresses);
    expect(addresses[0]).toEqual(own.addresses);
    expect(addresses[1]).toEqual(['10.201.0.1/24', 'fd00:2::1/64']);
    expect(addresses[49]).toEqual(['10.249.0.1/24', 'fd00:50::1/64']);
    expect(addresses[50]).toEqual(['10.200.0.1/24', 'fd00:51::1/64']);
    expect(world.devices!.every(({ forwarding }) => forwarding)).toBe(true);
    expect(world.devices![0]!.mtu).toBe(1400);
  });

  it('take a packet that came by the loopback device for one that came by a real one', () => {
    const local = { ...fib, packet: 1, parameters: parametersOf(family, source, destination, 1) };
    const came = packets(64, 64).map((one) => ({ ...one, ingressIfindex: 1 }));
    const { stimuli } = answerCall({}, came, local, 0n, noMaps)!;
    expect(stimuli!.map(({ ingressIfindex }) => ingressIfindex)).toEqual([1, 2]);
    expect(answerCall({}, came, { ...fib, packet: 1 }, 0n, noMaps)!.stimuli).toEqual(came);
  });
});

describe('addresses that no router forwards', () => {
  /** The destination stands at byte 30 of the second packet, the source at byte 60. */
  const fromPacket = (parameters: Uint8Array, packet: number = 1, before: number = 0): FlowCall =>
    call({
      ...{ map: -1, helper: 'bpf_fib_lookup', parameters, packet: 1 },
      keyParts: Array.from(parameters, (byte, at) =>
        input(
          { kind: 'packet', packet, offset: (at < 32 ? at - 16 + 60 : at - 32 + 30) - before },
          BigInt(byte),
        ),
      ),
    });

  it.each([
    [AF_INET, '10.0.0.1', '127.0.0.1', '198.51.100.109'],
    [AF_INET, '10.0.0.1', '0.0.0.9', '198.51.100.109'],
    [AF_INET, '10.0.0.1', '224.0.0.1', '198.51.100.109'],
    [AF_INET, '10.0.0.1', '255.255.255.255', '198.51.100.109'],
    [AF_INET6, '2001:db8::1', 'ff02::1', '2001:db8::97'],
    [AF_INET6, '2001:db8::1', 'fe80::1', '2001:db8::97'],
    [AF_INET6, '2001:db8::1', '::1', '2001:db8::97'],
  ] as const)('(%i, to %3$s) are exchanged in the packet', (family, source, destination, instead) => {
    const parameters = parametersOf(family, source, destination);
    const { world, stimuli } = answerCall({}, packets(90, 90), fromPacket(parameters), 0n, noMaps)!;
    const size = family === AF_INET ? 4 : 16;
    const { packet } = stimuli![1]!;
    expect(addressToText(packet.subarray(30, 30 + size))).toBe(instead);
    const rest = data(90);
    rest.set(packet.subarray(30, 30 + size), 30);
    expect(packet).toEqual(rest);
    expect(stimuli![0]).toEqual(packets(90)[0]);
    expect(asked(world, parametersOf(family, source, instead)).result).toBe(0);
    expect(world.neighbours![0]!.address).toBe(instead);
  });

  it.each([
    [AF_INET, '10.0.0.1', '1.0.0.1'],
    [AF_INET, '10.0.0.1', '126.255.255.255'],
    [AF_INET, '10.0.0.1', '128.0.0.1'],
    [AF_INET, '10.0.0.1', '223.255.255.255'],
    [AF_INET, '127.0.0.1', '128.0.0.1'],
    [AF_INET6, '2001:db8::1', 'fd00::1'],
    [AF_INET6, '2001:db8::1', '100::1'],
    [AF_INET6, '2001:db8::1', '64:ff9b::c000:201'],
    [AF_INET6, '64:ff9b::c000:201', '2001:db8::1'],
    [AF_INET6, '2001:db8::1', '::2'],
    [AF_INET6, '2001:db8::1', 'fec0::1'],
  ] as const)('(%i, from %s to %s) are not these', (family, source, destination) => {
    const { world, stimuli } = answerCall(
      {},
      packets(90, 90),
      fromPacket(parametersOf(family, source, destination)),
      0n,
      noMaps,
    )!;
    expect(stimuli).toEqual(packets(90, 90));
    expect(world.routes![0]!.to).toBe(`${destination}/${family === AF_INET ? 32 : 128}`);
  });

  it('as the source count over IPv6 alone', () => {
    const parameters = parametersOf(AF_INET6, 'fe80::7', '2001:db8::5');
    const { stimuli } = answerCall({}, packets(90, 90), fromPacket(parameters), 0n, noMaps)!;
    expect(addressToText(stimuli![1]!.packet.subarray(60, 76))).toBe('2001:db8::87');
  });

  it('matter to answers alone for which a route is found', () => {
    const parameters = parametersOf(AF_INET, '10.0.0.1', '127.0.0.1');
    for (const result of [1n, 2n, 3n, 4n, 5n])
      expect(answerCall({}, packets(90, 90), fromPacket(parameters), result, noMaps)!.stimuli).toEqual(
        packets(90, 90),
      );
    for (const result of [0n, 7n, 8n])
      expect(answerCall({}, packets(90, 90), fromPacket(parameters), result, noMaps)!.stimuli).not.toEqual(
        packets(90, 90),
      );
  });

  it('leave no answer where the packet does not say them', () => {
    const parameters = parametersOf(AF_INET, '10.0.0.1', '127.0.0.1');
    const whole = fromPacket(parameters);
    const constant = whole.keyParts.map((part, at) => (at === 35 ? 1n : part));
    const computed = whole.keyParts.map((part, at) =>
      at === 35 ? input({ kind: 'length', packet: 1 }, 1n) : part,
    );
    for (const keyParts of [constant, computed])
      expect(answerCall({}, packets(90, 90), { ...whole, keyParts }, 0n, noMaps)).toBeUndefined();
    // Of another packet, or from the metadata.
    expect(answerCall({}, packets(90, 90), fromPacket(parameters, 0), 0n, noMaps)).toBeUndefined();
    expect(answerCall({}, packets(90, 90), fromPacket(parameters, 1, 31), 0n, noMaps)).toBeUndefined();
    expect(answerCall({}, packets(90, 90), fromPacket(parameters, 1, 30), 0n, noMaps)).toBeDefined();
    const from = parametersOf(AF_INET6, 'fe80::7', '2001:db8::5');
    expect(answerCall({}, packets(90, 90), fromPacket(from, 0), 0n, noMaps)).toBeUndefined();
  });

  describe('where they come from a map', () => {
    const machine = machineWith(testMap('m', 'HASH', { valueSize: 40 }));
    const other = { key: Uint8Array.of(8, 0, 0, 0), value: data(40) };
    /** An entry whose bytes from 4 on are the destination, and from 20 on the source. */
    const entry = (destination: Uint8Array, source: Uint8Array) => {
      const value = data(40);
      value.set(source, 20);
      value.set(destination, 4);
      return { key: KEY, value };
    };
    const at = (index: number) => ({ kind: 'map', map: 0, key: KEY, offset: index }) as const;
    const fromMap = (parameters: Uint8Array): FlowCall =>
      call({
        ...{ map: -1, helper: 'bpf_fib_lookup', parameters },
        keyParts: Array.from(parameters, (byte, index) =>
          input(at(index < 32 ? index - 16 + 20 : index - 32 + 4), BigInt(byte)),
        ),
      });

    it.each([
      [AF_INET, '10.0.0.1', '0.0.0.0', '10.0.0.1', '198.51.100.109'],
      [AF_INET, '0.0.0.0', '127.0.0.1', '0.0.0.0', '198.51.100.109'],
      [AF_INET6, '2001:db8::1', '::', '2001:db8::1', '2001:db8::97'],
      [AF_INET6, '2001:db8::1', 'ff02::1', '2001:db8::1', '2001:db8::97'],
      [AF_INET6, '::', 'fe80::1', '2001:db8::87', '2001:db8::97'],
    ] as const)('(%i, from %s to %s) are exchanged there', (family, source, destination, from, to) => {
      const parameters = parametersOf(family, source, destination);
      const before = { m: [other, entry(addressFromText(destination), addressFromText(source))] };
      const { world, stimuli } = answerCall({ maps: before }, packets(90), fromMap(parameters), 0n, machine)!;
      expect(world.maps).toEqual({ m: [other, entry(addressFromText(to), addressFromText(from))] });
      expect(stimuli).toEqual(packets(90));
      expect(asked(world, parametersOf(family, from, to)).result).toBe(0);
    });

    it('are so with bytes that the case has got since the call', () => {
      const parameters = parametersOf(AF_INET, '10.0.0.1', '0.51.100.109');
      const { world } = answerCall({}, packets(90), fromMap(parameters), 0n, machine)!;
      expect(world.maps!.m![0]!.value.subarray(4, 8)).toEqual(addressFromText('198.51.100.109'));
    });

    it('are so in the byte order in which it has them', () => {
      const parameters = parametersOf(AF_INET, '10.0.0.1', '0.0.0.0');
      const number = swap(32, bytes([4, 5, 6, 7].map((index) => input(at(index), 0n))));
      const keyParts = Array.from(parameters, (byte, index) =>
        index < 32 || index >= 36 ? BigInt(byte) : byteOf(number, index - 32),
      );
      const turned = { ...fromMap(parameters), keyParts };
      const { world } = answerCall({}, packets(90), turned, 0n, machine)!;
      expect(world.maps!.m![0]!.value.subarray(4, 8)).toEqual(Uint8Array.of(109, 100, 51, 198));
    });

    it('stay where nobody may fill it, and where routers do forward them', () => {
      const unroutable = fromMap(parametersOf(AF_INET, '10.0.0.1', '0.0.0.0'));
      const chooses = (value: bigint, asks: FlowCall) =>
        answerCall({}, packets(90), asks, value, machine, (field) => field.kind !== 'map');
      expect(chooses(0n, unroutable)).toBeUndefined();
      expect(chooses(1n, unroutable)!.world.maps).toBeUndefined();
      const routable = fromMap(parametersOf(AF_INET, '10.0.0.1', '10.0.0.9'));
      expect(chooses(0n, routable)!.world.maps).toBeUndefined();
      expect(answerCall({}, packets(90), routable, 0n, machine)!.world.maps).toBeUndefined();
    });
  });

  it.each([0, 1, 7])('of family %i nobody is asked', (family) => {
    expect(
      answerCall(
        {},
        packets(90, 90),
        call({ helper: 'bpf_fib_lookup', map: -1, parameters: parametersOf(family, '1.2.3.4', '1.2.3.4') }),
        0n,
        noMaps,
      ),
    ).toBeUndefined();
  });
});
