/** `bpf_fib_lookup` and `bpf_check_mtu`: what they read from their parameters, and every byte that they write. */
import { describe, expect, it } from 'vitest';
import type { Hook } from '../../runtime/actions.ts';
import { EAFNOSUPPORT, EINVAL, ENODEV } from '../../runtime/errno.ts';
import { AF_INET, AF_INET6, FIB_PARAMETER } from '../../runtime/fib.ts';
import type { World } from '../../runtime/world.ts';
import { SK_BUFF } from '../context/sk-buff.ts';
import type { KernelVersion } from '../kernel-versions.ts';
import { Machine, Unsupported } from '../machine.ts';
import { CONTEXT_BASE, MACHINE_WORD } from '../memory.ts';
import { testObject } from '../test-support/assemble.ts';
import { HELPERS } from './index.ts';

const mac = (last: number): Uint8Array => Uint8Array.of(2, 0, 0, 0x11, 0x22, last);
const WORLD: World = {
  devices: [
    { ifindex: 5, name: 'in', mac: mac(5), forwarding: true, addresses: ['10.0.5.1/24', 'fd05::1/64'] },
    { ifindex: 6, name: 'out', mac: mac(6), mtu: 1400, addresses: ['10.0.6.1/24', 'fd06::1/64'] },
    { ifindex: 7, name: 'shut', mac: mac(7) },
    { ifindex: 8, name: 'wide', mac: mac(8), mtu: 65_500 },
  ],
  routes: [
    { to: '10.9.0.0/16', ifindex: 6, via: '10.0.6.9', metric: 0x0102_0304 },
    { to: '10.8.0.0/16', ifindex: 6, via: '10.0.6.8' },
    { to: 'fd09::/16', ifindex: 6, via: 'fd06::9', metric: 77 },
    { to: 'fd0a::/16', ifindex: 1 },
  ],
  neighbours: [
    { ifindex: 6, address: '10.0.6.9', mac: mac(0x99) },
    { ifindex: 6, address: 'fd06::9', mac: mac(0x96) },
  ],
};

const V4 = { source: [10, 0, 5, 2], next: [10, 0, 6, 9] };
const to4 = (second: number): number[] => [10, second, 3, 4];
const to6 = (first: number, last: number): number[] => [0xfd, first, ...new Array(13).fill(0), last];

function machineAt(hook: Hook, length: number, asKernel?: KernelVersion): Machine {
  const options = asKernel === undefined ? {} : { asKernel };
  const machine = new Machine(testObject({ main: 'r0 = 0\nexit' }), WORLD, options);
  machine.begin(hook, new Uint8Array(length), 0, length, 0, 5, 0);
  return machine;
}

interface Asked {
  readonly hook?: Hook;
  readonly asKernel?: KernelVersion;
  readonly family?: number;
  readonly totalLength?: number;
  readonly ifindex?: number;
  readonly destination: readonly number[];
  readonly size?: number;
  readonly flags?: number;
  /** Bytes of the frame. */
  readonly length?: number;
}

/** The result, and the bytes that changed, by their offset. */
function lookup(asked: Asked): {
  readonly result: number;
  readonly changed: Readonly<Record<number, number[]>>;
} {
  const machine = machineAt(asked.hook ?? 'xdp', asked.length ?? 100, asked.asKernel);
  const { memory } = machine;
  const at = memory.allocate(64);
  memory.u8.fill(0xa5, at, at + 64);
  memory.u8[at + FIB_PARAMETER.family] = asked.family ?? AF_INET;
  memory.view.setUint16(at + FIB_PARAMETER.totalLength, asked.totalLength ?? 0, true);
  memory.setU32(at + FIB_PARAMETER.ifindex, asked.ifindex ?? 5);
  memory.u8.set(asked.family === AF_INET6 ? to6(5, 2) : V4.source, at + FIB_PARAMETER.source);
  memory.u8.set(asked.destination, at + FIB_PARAMETER.destination);
  const before = memory.read(at, 64);
  const result = HELPERS.get(69)!.run(machine, 0, at, asked.size ?? 64, asked.flags ?? 0, 0);
  const after = memory.read(at, 64);
  const changed: Record<number, number[]> = {};
  let start = -1;
  for (let index = 0; index < 64; index++) {
    if (before[index] === after[index]) {
      start = -1;
      continue;
    }
    if (start < 0) start = index;
    changed[start] = [...(changed[start] ?? []), after[index]!];
  }
  return { result, changed };
}

describe('bpf_fib_lookup', () => {
  /** No tag, then the source's and the destination's MAC address. */
  const link = (last: number): number[] => [0, 0, 0, 0, ...mac(6), ...mac(last)];

  it('writes device, metric, gateway and MAC addresses of an IPv4 route', () => {
    expect(lookup({ destination: to4(9) })).toEqual({
      result: 0,
      changed: {
        6: [0x78, 0x05, 6], // 1400, and the device
        12: [4, 3, 2, 1],
        33: [0, 6, 9],
        48: link(0x99),
      },
    });
  });

  it('does so for an IPv6 route', () => {
    expect(lookup({ family: AF_INET6, destination: to6(9, 3) })).toEqual({
      result: 0,
      changed: { 6: [0x78, 0x05, 6], 12: [77, 0, 0, 0], 33: [6], 47: [9, ...link(0x96)] },
    });
  });

  it('writes no MAC addresses where it knows no neighbour, and nothing where no route leads there', () => {
    expect(lookup({ destination: to4(8) })).toEqual({
      result: 7,
      changed: { 8: [6], 12: [0, 0, 0, 0], 33: [0, 6, 8] },
    });
    expect(lookup({ destination: to4(7) })).toEqual({ result: 4, changed: {} });
    expect(lookup({ destination: to4(9), ifindex: 7 })).toEqual({ result: 5, changed: {} });
    expect(lookup({ destination: to4(9), ifindex: 4 })).toEqual({ result: -ENODEV, changed: {} });
  });

  it('writes the MTU alone where a packet is longer', () => {
    expect(lookup({ destination: to4(9), totalLength: 1401 })).toEqual({ result: 8, changed: { 6: [0x78] } });
    expect(lookup({ destination: to4(9), totalLength: 1400 }).result).toBe(0);
  });

  it('compares the length of an sk_buff where it is given none', () => {
    for (const [hook, length, result] of [
      ['tc-ingress', 1418, 0],
      ['tc-ingress', 1419, 8],
      ['xdp', 1419, 0],
    ] as const) {
      expect(lookup({ hook, length, destination: to4(9) }).result).toBe(result);
      expect(lookup({ hook, length, destination: to4(9), totalLength: 20 }).result).toBe(0);
    }
  });

  it('takes parameters of 64 bytes, and no other families', () => {
    expect(lookup({ destination: to4(9), size: 63 })).toEqual({ result: -EINVAL, changed: {} });
    expect(lookup({ destination: to4(9), size: 65 }).result).toBe(0);
    for (const family of [0, 1, 3, 9, 11])
      expect(lookup({ family, destination: to4(9) })).toEqual({ result: -EAFNOSUPPORT, changed: {} });
  });

  it.each<[flag: number, since: KernelVersion, before: KernelVersion, result: number | undefined]>([
    [4, '6.3', '6.2', 0],
    [8, '6.5', '6.4', undefined],
    [16, '6.7', '6.6', undefined],
    [32, '6.10', '6.9', 0],
  ])('knows flag %d since Linux %s', (flags, since, before, result) => {
    expect(lookup({ destination: to4(9), flags, asKernel: before })).toEqual({
      result: -EINVAL,
      changed: {},
    });
    if (result !== undefined) {
      expect(lookup({ destination: to4(9), flags, asKernel: since }).result).toBe(result);
      return;
    }
    expect(() => lookup({ destination: to4(9), flags, asKernel: since })).toThrow(Unsupported);
    expect(() => lookup({ destination: to4(9), flags })).toThrow(
      `flags 0x${flags.toString(16)} is not modelled`,
    );
  });

  it('knows DIRECT and OUTPUT on every kernel, and nothing above MARK', () => {
    expect(lookup({ destination: to4(9), flags: 1, asKernel: '5.4' }).result).toBe(0);
    expect(lookup({ destination: to4(9), flags: 2, asKernel: '5.4' }).result).toBe(4);
    expect(lookup({ destination: to4(9), flags: 3 }).result).toBe(4);
    expect(lookup({ destination: to4(9), flags: 64 })).toEqual({ result: -EINVAL, changed: {} });
  });

  it('with OUTPUT takes IPv4 routes out by the device that is named, and no others', () => {
    const near = [10, 0, 5, 9];
    expect(lookup({ destination: near, flags: 2 })).toMatchObject({ result: 7 });
    expect(lookup({ destination: near, flags: 3 }).result).toBe(7);
    expect(lookup({ destination: to4(9), flags: 2, ifindex: 6 }).result).toBe(5);
    // Over IPv6 the device is no more than preferred.
    expect(lookup({ family: AF_INET6, destination: to6(9, 3), flags: 2 }).result).toBe(0);
  });

  it('with DIRECT looks for IPv6 addresses of its own as for any others', () => {
    expect(lookup({ family: AF_INET6, destination: to6(5, 1) }).result).toBe(4);
    expect(lookup({ family: AF_INET6, destination: to6(5, 1), flags: 1 }).result).toBe(7);
    expect(lookup({ destination: [10, 0, 5, 1], flags: 1 }).result).toBe(4);
  });

  it('with SKIP_NEIGH asks for no neighbour, and writes no MAC addresses', () => {
    expect(lookup({ destination: to4(8), flags: 4 })).toEqual({
      result: 0,
      changed: { 6: [0x78, 0x05, 6], 12: [0, 0, 0, 0], 33: [0, 6, 8], 48: [0, 0, 0, 0] },
    });
    const long = { hook: 'tc-ingress', length: 1419, flags: 4 } as const;
    expect(lookup({ ...long, destination: to4(8) })).toMatchObject({ result: 8 });
  });

  it('has 16 bits for the MTU of the loopback device, which is one more over IPv6', () => {
    const { changed } = lookup({ family: AF_INET6, destination: to6(10, 1), flags: 4 });
    expect(changed[8]).toEqual([1]);
    expect(changed[6]).toBeUndefined();
  });
});

interface Checked {
  readonly hook: Hook;
  readonly length: number;
  readonly ifindex?: number;
  readonly asked?: number;
  readonly difference?: number;
  readonly flags?: number;
  readonly flagsHigh?: number;
  readonly gsoSize?: number;
}

/** The result, and what stands where the length stood. */
function checkMtu({ hook, length, gsoSize, ...given }: Checked): [result: number, written: number] {
  const machine = machineAt(hook, length);
  const { memory } = machine;
  const at = memory.allocate(8);
  memory.setU32(at, given.asked ?? 0);
  memory.i32.fill(0, MACHINE_WORD.argumentHigh, MACHINE_WORD.argumentHigh + 5);
  memory.i32[MACHINE_WORD.argumentHigh + 4] = given.flagsHigh ?? 0;
  if (gsoSize !== undefined) {
    memory.setU32(CONTEXT_BASE + SK_BUFF.gsoSize, gsoSize);
    memory.setU32(CONTEXT_BASE + SK_BUFF.gsoSegs, 2);
  }
  const result = HELPERS.get(163)!.run(
    machine,
    0,
    given.ifindex ?? 6,
    at,
    given.difference ?? 0,
    given.flags ?? 0,
  );
  return [result, memory.u32(at)];
}

describe('bpf_check_mtu', () => {
  it('compares the frame with the MTU and an Ethernet header, and writes the MTU', () => {
    for (const hook of ['xdp', 'tc-ingress'] as const) {
      expect(checkMtu({ hook, length: 1414 })).toEqual([0, 1400]);
      expect(checkMtu({ hook, length: 1415 })).toEqual([1, 1400]);
      expect(checkMtu({ hook, length: 1414, difference: 1 })).toEqual([1, 1400]);
      expect(checkMtu({ hook, length: 1424, difference: -10 })).toEqual([0, 1400]);
      expect(checkMtu({ hook, length: 1425, difference: -10 })).toEqual([1, 1400]);
    }
  });

  it('compares the length that it is given instead', () => {
    expect(checkMtu({ hook: 'xdp', length: 100, asked: 1400 })).toEqual([0, 1400]);
    expect(checkMtu({ hook: 'xdp', length: 100, asked: 1401 })).toEqual([1, 1400]);
    expect(checkMtu({ hook: 'tc-ingress', length: 1500, asked: 1390, difference: 11 })).toEqual([1, 1400]);
  });

  it('counts in 32 bits with a sign, as the kernel does: what does not fit is negative, and not too long', () => {
    for (const hook of ['xdp', 'tc-ingress'] as const) {
      expect(checkMtu({ hook, length: 100, asked: 0x7fff_fff1 })).toEqual([1, 1400]);
      expect(checkMtu({ hook, length: 100, asked: 0x7fff_fff2 })).toEqual([0, 1400]);
      expect(checkMtu({ hook, length: 100, asked: 0xffff_ffff })).toEqual([0, 1400]);
      expect(checkMtu({ hook, length: 100, asked: 0x7fff_fff2, difference: -1 })).toEqual([1, 1400]);
      expect(checkMtu({ hook, length: 100, difference: 0x7fff_ffff })).toEqual([0, 1400]);
    }
  });

  it('takes 0 for the frame’s own device, knows the loopback device, and no others', () => {
    for (const hook of ['xdp', 'tc-ingress'] as const) {
      expect(checkMtu({ hook, length: 100, ifindex: 0 })).toEqual([0, 1500]);
      expect(checkMtu({ hook, length: 100, ifindex: 1 })).toEqual([0, 65_536]);
      expect(checkMtu({ hook, length: 100, ifindex: 4, asked: 9 })).toEqual([-ENODEV, 9]);
    }
  });

  it('knows one flag, at TC alone, and only where no length is asked about', () => {
    expect(checkMtu({ hook: 'xdp', length: 100, flags: 1 })).toEqual([-EINVAL, 0]);
    expect(checkMtu({ hook: 'tc-ingress', length: 100, flags: 1 })).toEqual([0, 1400]);
    expect(checkMtu({ hook: 'tc-ingress', length: 100, flags: 2 })).toEqual([-EINVAL, 0]);
    expect(checkMtu({ hook: 'tc-ingress', length: 100, flagsHigh: 1 })).toEqual([-EINVAL, 0]);
    expect(checkMtu({ hook: 'tc-ingress', length: 100, flags: 1, difference: 1 })).toEqual([-EINVAL, 0]);
    expect(checkMtu({ hook: 'tc-ingress', length: 100, flags: 1, asked: 5 })).toEqual([-EINVAL, 5]);
  });

  it('lets a frame of segments be longer, unless it is asked about them', () => {
    expect(checkMtu({ hook: 'tc-ingress', length: 2000, gsoSize: 500 })).toEqual([0, 1400]);
    expect(checkMtu({ hook: 'tc-ingress', length: 2000, gsoSize: 500, flags: 1 })).toEqual([2, 1400]);
    expect(checkMtu({ hook: 'tc-ingress', length: 1414, gsoSize: 500, flags: 1 })).toEqual([0, 1400]);
    // A test run sets no transport header, which makes headers of a segment 65,457 bytes long.
    const whole = { hook: 'tc-ingress', length: 65_536, ifindex: 8, flags: 1 } as const;
    expect(checkMtu({ ...whole, gsoSize: 43 })).toEqual([0, 65_500]);
    expect(checkMtu({ ...whole, gsoSize: 44 })).toEqual([2, 65_500]);
  });
});
