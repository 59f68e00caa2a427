/** What `bpf_probe_read_kernel` reads of the machine's memory: up to the borders of stacks, frame and maps, and not beyond. */
import { describe, expect, it } from 'vitest';
import { EFAULT, ERANGE } from '../../runtime/errno.ts';
import { Machine, Unsupported } from '../machine.ts';
import { DESCRIPTOR_SIZE } from '../maps/live-map.ts';
import { MACHINE_WORD, NULL_PAGE_END, STACK_BASE, STACK_LIMIT } from '../memory.ts';
import { testMap, testObject } from '../test-support/assemble.ts';
import { HELPERS } from './index.ts';

const READ_KERNEL = 113;
const READ_TEXT = 115;

function machineWithFrame(): Machine {
  const object = testObject({ main: 'r0 = 0\nexit' }, [testMap('held', 'ARRAY')]);
  const machine = new Machine(object, {});
  const bytes = Uint8Array.from({ length: 72 }, (_, at) => at + 1);
  // Eight bytes of metadata.
  machine.begin('xdp', bytes, 8, 64, 8, 1, 0);
  return machine;
}

describe('reading from an address', () => {
  const machine = machineWithFrame();
  const { memory, packet } = machine;
  const to = memory.allocate(32);

  const call = (number: number, address: number, size: number, high: number = 0): number => {
    memory.i32.fill(0, MACHINE_WORD.argumentHigh, MACHINE_WORD.argumentHigh + 5);
    memory.i32[MACHINE_WORD.argumentHigh + 2] = high;
    memory.u8.fill(0xee, to, to + 32);
    return HELPERS.get(number)!.run(machine, to, size, address, 0, 0);
  };
  const outside = 'the machine reads packets, stacks and values of maps only';

  it('takes all of the stacks, of the frame with its metadata, and of values', () => {
    const value = machine.maps[0]!.firstValue;
    for (const [from, end] of [
      [STACK_BASE, STACK_LIMIT],
      [packet.dataMeta, packet.frameEnd],
      [value, value + 8],
    ] as const) {
      for (const at of [from, end - 8]) {
        for (let index = 0; index < 8; index++) memory.u8[at + index] = 0x10 + index;
        expect(call(READ_KERNEL, at, 8)).toBe(0);
        expect(memory.read(to, 9)).toEqual(
          Uint8Array.of(0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0xee),
        );
      }
    }
  });

  it('stops one byte before and behind them', () => {
    for (const [from, end] of [
      [STACK_BASE, STACK_LIMIT],
      [packet.dataMeta, packet.frameEnd],
    ] as const) {
      expect(() => call(READ_KERNEL, from - 1, 8)).toThrow(outside);
      expect(() => call(READ_KERNEL, end - 7, 8)).toThrow(outside);
    }
    const { address } = machine.maps[0]!;
    expect(() => call(READ_KERNEL, address, 1)).toThrow(outside);
    expect(() => call(READ_KERNEL, address + DESCRIPTOR_SIZE - 1, 1)).toThrow(outside);
    expect(() => call(READ_KERNEL, address + DESCRIPTOR_SIZE - 1, 8)).toThrow(outside);
    expect(call(READ_KERNEL, address + DESCRIPTOR_SIZE, 1)).toBe(0);
    expect(() => call(READ_KERNEL, memory.end - 7, 8)).toThrow(Unsupported);
  });

  it('fails in user space, and fills with zeros what it was to fill', () => {
    const failed = (address: number, high: number = 0): [number, Uint8Array] => [
      call(READ_KERNEL, address, 4, high),
      memory.read(to, 5),
    ];
    const zeros = Uint8Array.of(0, 0, 0, 0, 0xee);
    expect(failed(0)).toEqual([-ERANGE, zeros]);
    expect(failed(NULL_PAGE_END - 1)).toEqual([-ERANGE, zeros]);
    expect(failed(memory.end)).toEqual([-ERANGE, zeros]);
    expect(failed(packet.data, 1)).toEqual([-ERANGE, zeros]);
    expect(failed(0, 0x7fff)).toEqual([-ERANGE, zeros]);
    expect(failed(-1, -1)).toEqual([-EFAULT, zeros]);
    expect(failed(0xffff_f001 | 0, -1)).toEqual([-EFAULT, zeros]);
    expect(call(READ_KERNEL, -1, 0, -1)).toBe(0);
  });

  it('knows no other memory of the kernel', () => {
    for (const [address, high] of [
      [0xffff_f000 | 0, -1],
      [0, 0xffff_8000 | 0],
    ] as const)
      expect(() => call(READ_KERNEL, address, 4, high)).toThrow('no kernel memory to read from');
  });

  it('reads text up to its end, and cuts what does not fit', () => {
    const at = packet.data;
    memory.u8.set([0x61, 0x62, 0x63, 0], at);
    expect([call(READ_TEXT, at, 8), memory.read(to, 5)]).toEqual([
      4,
      Uint8Array.of(0x61, 0x62, 0x63, 0, 0xee),
    ]);
    expect([call(READ_TEXT, at, 4), memory.read(to, 5)]).toEqual([
      4,
      Uint8Array.of(0x61, 0x62, 0x63, 0, 0xee),
    ]);
    expect([call(READ_TEXT, at, 3), memory.read(to, 4)]).toEqual([3, Uint8Array.of(0x61, 0x62, 0, 0xee)]);
    expect(call(READ_TEXT, at, 0)).toBe(0);
    expect(call(READ_TEXT, 0, 0)).toBe(0);
    expect([call(READ_TEXT, 0, 2), memory.read(to, 3)]).toEqual([-ERANGE, Uint8Array.of(0, 0, 0xee)]);
  });

  it('finds no user memory, whatever the address', () => {
    for (const number of [112, 114]) {
      expect([call(number, packet.data, 2), memory.read(to, 3)]).toEqual([
        -EFAULT,
        Uint8Array.of(0, 0, 0xee),
      ]);
    }
    expect([call(112, packet.data, 0), call(114, packet.data, 0)]).toEqual([-EFAULT, 0]);
  });
});
