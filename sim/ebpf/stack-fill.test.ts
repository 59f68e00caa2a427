import { describe, expect, it } from 'vitest';
import type { StackFill } from '../runtime/world.ts';
import { STACK_BASE } from './memory.ts';
import { fillWith, unwrittenByte } from './stack-fill.ts';

describe('bytes that nobody wrote', () => {
  const eight = (stackFill?: StackFill): number[] => {
    const world = stackFill === undefined ? {} : { stackFill };
    return Array.from({ length: 8 }, (_, at) => unwrittenByte(world, STACK_BASE + 512 + at));
  };

  it('are zeros, a number each, or eight at a time, the lowest first', () => {
    expect(eight()).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    expect(eight(0x15a)).toEqual([0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a]);
    expect(eight(0x8807_0605_0403_0201n)).toEqual([1, 2, 3, 4, 5, 6, 7, 0x88]);
    expect(eight(2n)).toEqual([2, 0, 0, 0, 0, 0, 0, 0]);
  });
});

describe('a stack that holds certain bytes', () => {
  it('has them at their addresses, and what it had elsewhere', () => {
    const wanted = [
      [STACK_BASE + 9, 0x77],
      [STACK_BASE + 7, 0],
    ] as const;
    expect(fillWith(0xff00_0000_0000_4433n, wanted)).toBe(0x7733n);
    expect(fillWith(5n, [])).toBe(5n);
  });

  it('does not exist where one place would hold two', () => {
    const at = (byte: number) => [[STACK_BASE, 1] as const, [STACK_BASE + 8, byte] as const];
    expect(fillWith(0n, at(1))).toBe(1n);
    expect(fillWith(0n, at(2))).toBeUndefined();
  });
});
