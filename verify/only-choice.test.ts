/** Where an object leaves no choice what its tail-call maps hold. */
import { describe, expect, it } from 'vitest';
import { testMap } from '../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../sim/ebpf/test-support/write-elf.ts';
import type { Program } from '../sim/runtime/program.ts';
import { isOnlyChoice } from './only-choice.ts';

const calls = (map: string, index: string): string => `r2 = map[${map}]\n${index}\ncall bpf_tail_call`;
const PASS = 'r0 = 2\nexit';
const MAPS = [
  testMap('jumps', 'PROG_ARRAY', { maxEntries: 8 }),
  testMap('single', 'PROG_ARRAY', { maxEntries: 1 }),
];

function hasNoChoice(
  main: string,
  others: Readonly<Record<string, string>>,
  map = 'jumps',
  index = 4,
): boolean {
  const program: Program = {
    ...{ name: 'main', entries: [{ function: 'main', hook: 'xdp' }] },
    object: writeElf({ main: `r6 = r1\n${main}\n${PASS}`, ...others }, MAPS),
  };
  return isOnlyChoice(program, [{ map, index, program: 'other' }]);
}

describe('there is no choice', () => {
  it('with one other program and one slot, however often it is called', () => {
    const twice = `${calls('jumps', 'r3 = 4')}\nr1 = r6\n${calls('jumps', 'r3 = 4')}`;
    expect(hasNoChoice(twice, { other: PASS })).toBe(true);
  });

  it('in a map of one slot, whatever its index is computed from', () => {
    expect(hasNoChoice(calls('single', 'r3 = *(u32 *)(r1 + 12)'), { other: PASS }, 'single', 0)).toBe(true);
  });
});

describe('there is one', () => {
  it('of programs', () => {
    expect(hasNoChoice(calls('jumps', 'r3 = 4'), { other: PASS, third: PASS })).toBe(false);
  });

  it('of slots, in one map or two, called here or by the other', () => {
    const four = calls('jumps', 'r3 = 4');
    expect(hasNoChoice(`${four}\nr1 = r6\n${calls('jumps', 'r3 = 6')}`, { other: PASS })).toBe(false);
    expect(hasNoChoice(`${four}\nr1 = r6\n${calls('single', 'r3 = 0')}`, { other: PASS })).toBe(false);
    expect(hasNoChoice(four, { other: `${calls('jumps', 'r3 = 5')}\n${PASS}` })).toBe(false);
  });

  it('where a run tells the slot, or branches come together at the call', () => {
    expect(hasNoChoice(calls('jumps', 'r3 = *(u32 *)(r1 + 12)'), { other: PASS })).toBe(false);
    const either =
      'r4 = *(u32 *)(r1 + 12)\nr3 = 4\nif r4 == 0 goto on\nr3 = 6\non:\nr2 = map[jumps]\ncall bpf_tail_call';
    expect(hasNoChoice(either, { other: PASS })).toBe(false);
  });

  it('where nothing can be read', () => {
    const program: Program = { name: 'main', entries: [{ function: 'main', hook: 'xdp' }] };
    const guesses = [{ map: 'jumps', index: 4, program: 'other' }];
    expect(isOnlyChoice(program, guesses)).toBe(false);
    expect(isOnlyChoice({ ...program, object: Uint8Array.of(1) }, guesses)).toBe(false);
  });
});
