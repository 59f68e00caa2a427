/** Cases in which `bpf_check_mtu` answers the other way: the machine is asked whether it does. */
import { describe, expect, it } from 'vitest';
import { input, type Operand } from '../../sim/ebpf/dataflow/expression.ts';
import type { FlowCall } from '../../sim/ebpf/dataflow/flow-trace.ts';
import { Interpreter } from '../../sim/ebpf/interpreter/interpreter.ts';
import { Machine } from '../../sim/ebpf/machine.ts';
import { testObject } from '../../sim/ebpf/test-support/assemble.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import { withDefaultDevices } from '../../sim/runtime/default-world.ts';
import type { World } from '../../sim/runtime/world.ts';
import { type Answer, answerCall, answersFor, answersOf } from './world-answers.ts';

const NO_DEVICE = -19n;

interface Asked {
  readonly ifindex?: number;
  readonly length?: number;
  readonly difference?: number;
  /** Where the length comes from. */
  readonly parts?: readonly Operand[];
}

const textOf = ({ ifindex = 0, length = 0, difference = 0 }: Asked): string => `*(u32 *)(r10 - 4) = ${length}
  r2 = ${ifindex}
  r3 = r10
  r3 += -4
  r4 = ${difference}
  r5 = 0
  call bpf_check_mtu
  exit`;

const noMaps = new Machine(testObject({ main: 'exit' }), {});

/** What the call returns in the answer's case; undefined: there is none. */
function answered(
  asked: Asked,
  size: number,
  value: bigint,
  hook: Hook = 'tc-ingress',
  before: World = {},
): number | undefined {
  const answer = answerOf(asked, size, value, before);
  if (answer === undefined) return undefined;
  const machine = new Machine(testObject({ main: textOf(asked) }), answer.world);
  const { packet, ingressIfindex = 1 } = answer.stimuli![0]!;
  machine.begin(hook, packet, 0, packet.length, 0, ingressIfindex, 0);
  return new Interpreter(machine).run(0).action;
}

/** @param ingressIfindex by which device the packet comes */
function answerOf(
  asked: Asked,
  size: number,
  value: bigint,
  before: World = {},
  ingressIfindex?: number,
): Answer | undefined {
  const { ifindex = 0, length = 0, difference = 0, parts: keyParts = [] } = asked;
  const parameters = new Uint8Array(12);
  const view = new DataView(parameters.buffer);
  for (const [at, word] of [ifindex, length, difference].entries()) view.setInt32(4 * at, word, true);
  const nothing = new Uint8Array(0);
  const call: FlowCall = {
    ...{ program: 0, slot: 6, packet: 0, helper: 'bpf_check_mtu', map: -1, key: nothing, keyParts },
    ...{ found: value !== 0n, result: value === 0n ? 1n : 0n, parameters, needs: 0 },
  };
  expect(answersOf(call)).toEqual([0n, 1n]);
  expect(answersFor(call, false)).toEqual([0n, 1n, NO_DEVICE]);
  expect(answersFor(call, true)).toEqual([0n, 1n]);
  const packet = new Uint8Array(size);
  const stimulus = ingressIfindex === undefined ? { packet } : { packet, ingressIfindex };
  return answerCall(before, [stimulus], call, value, noMaps);
}

describe('a frame that is too long', () => {
  it.each<[string, Asked, number]>([
    ['for the device that it came by', {}, 100],
    ['once it has grown to that', {}, 60],
    ['with what is put in front', { difference: 36 }, 60],
    ['for another device', { ifindex: 3 }, 100],
    ['by the length that is asked about', { length: 1400 }, 20],
  ])('%s', (_what, asked, size) => {
    for (const hook of ['tc-ingress', 'xdp'] as const) expect(answered(asked, size, 1n, hook)).toBe(1);
  });

  it('fits where the MTU is larger', () => {
    const small = withDefaultDevices({}, []).devices!.map((device) => ({ ...device, mtu: 70 }));
    expect(answered({}, 1514, 0n, 'tc-ingress', { devices: small })).toBe(0);
    expect(answered({ length: 9000 }, 60, 0n, 'tc-ingress', { devices: small })).toBe(0);
  });

  it('is none where there is no such device, or no MTU is so small or so large', () => {
    expect(answered({ ifindex: 77 }, 100, 1n)).toBeUndefined();
    expect(answered({ length: 60 }, 100, 1n)).toBeUndefined();
    expect(answered({ length: 70_000 }, 100, 0n)).toBeUndefined();
    expect(answered({}, 100, 2n)).toBeUndefined();
  });
});

it('a length that is too short for every MTU is another one where it comes from', () => {
  const inPacket = [0, 1, 2, 3].map((at) => input({ kind: 'packet', packet: 0, offset: 30 + at }, 0n));
  const { world, stimuli } = answerOf({ length: 1, parts: inPacket }, 60, 1n)!;
  const length = new DataView(stimuli![0]!.packet.buffer).getUint32(30, true);
  expect(length).toBeGreaterThan(world.devices![0]!.mtu!);
  expect(answerOf({ length: 1, parts: [1n, 0n, 0n, 0n] }, 60, 1n)).toBeUndefined();
  // One that can be too long, or that fits, stays.
  for (const [asked, value] of [
    [100, 1n],
    [1, 0n],
  ] as const)
    expect(answerOf({ length: asked, parts: inPacket }, 60, value)!.stimuli![0]!.packet).toEqual(
      new Uint8Array(60),
    );
});

describe('a device that is not there', () => {
  it.each([3, 5])('is the one that the call names: %i', (ifindex) => {
    for (const hook of ['tc-ingress', 'xdp'] as const)
      expect(answered({ ifindex }, 60, NO_DEVICE, hook)! | 0).toBe(-19);
    expect(answered({ ifindex }, 60, BigInt.asUintN(64, NO_DEVICE))! | 0).toBe(-19);
  });

  it('brings no frames', () => {
    const [came, other] = [3, 4].map((ingress) => answerOf({ ifindex: 3 }, 60, NO_DEVICE, {}, ingress));
    expect(came?.world.devices?.map(({ ifindex }) => ifindex)).toEqual([2, 4, 5, 6, 7, 8]);
    expect(came?.stimuli?.[0]?.ingressIfindex).toBe(2);
    expect(other?.stimuli?.[0]?.ingressIfindex).toBe(4);
  });

  it('is not the one that the frame comes by, the last one, or one that a route goes out of', () => {
    const { devices = [] } = withDefaultDevices({}, []);
    expect(answered({}, 60, NO_DEVICE)).toBeUndefined();
    expect(answered({ ifindex: 1 }, 60, NO_DEVICE)).toBeUndefined();
    expect(answered({ ifindex: 77 }, 60, NO_DEVICE)).toBeUndefined();
    expect(answerOf({ ifindex: 2 }, 60, NO_DEVICE, { devices: devices.slice(0, 1) })).toBeUndefined();
    const routes = [{ to: '192.0.2.0/24', ifindex: 3 }];
    expect(answerOf({ ifindex: 3 }, 60, NO_DEVICE, { routes })).toBeUndefined();
    expect(answered({ ifindex: 4 }, 60, NO_DEVICE, 'xdp', { routes })! | 0).toBe(-19);
  });
});
