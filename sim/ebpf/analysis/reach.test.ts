/** Which ways of a program some input can take. */
import { describe, expect, it } from 'vitest';
import type { BpfMap } from '../bpf-object.ts';
import { dictionaryOf } from '../dictionary/dictionary.ts';
import { testMap, testObject } from '../test-support/assemble.ts';
import { reachOf } from './reach.ts';

/** Of each conditional jump, in order: may it be taken, may it be not taken? */
function ways(text: string, maps: readonly BpfMap[] = [], hook: 'xdp' | 'tc' = 'xdp'): string[] {
  const object = testObject({ main: text }, maps);
  const reach = reachOf({ object, world: {} }, object.programs[0]!, hook);
  return [...reach.ways].filter((way) => way !== 0).map((way) => ['', 'never', 'always', 'both'][way]!);
}

const PACKET = 'r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)';
const end = '\nr0 = 2\nout:\nexit';
const lookup = (map: string): string =>
  `r1 = map[${map}]\nr2 = r10\nr2 += -4\ncall bpf_map_lookup_elem\nif r0 == 0 goto out`;

describe('the null test after a lookup', () => {
  const array = testMap('a', 'ARRAY', { maxEntries: 8 });

  it('never finds null in an array whose index is in range', () => {
    expect(ways(`*(u32 *)(r10 - 4) = 7\n${lookup('a')}${end}`, [array])).toEqual(['never']);
    const masked = `r6 = *(u32 *)(r1 + 12)\nr6 &= 7\n*(u32 *)(r10 - 4) = r6\n${lookup('a')}${end}`;
    expect(ways(masked, [array])).toEqual(['never']);
    const compared = `r6 = *(u32 *)(r1 + 12)\nr0 = 0\nif r6 > 7 goto out\n*(u32 *)(r10 - 4) = r6\n${lookup('a')}${end}`;
    expect(ways(compared, [array])).toEqual(['both', 'never']);
  });

  it('may find null where the index may be out of range, and always does where it is', () => {
    const open = `r6 = *(u32 *)(r1 + 12)\nr6 &= 15\n*(u32 *)(r10 - 4) = r6\n${lookup('a')}${end}`;
    expect(ways(open, [array])).toEqual(['both']);
    expect(ways(`*(u32 *)(r10 - 4) = 8\n${lookup('a')}${end}`, [array])).toEqual(['always']);
  });

  it('may find null in a hash', () => {
    expect(ways(`*(u32 *)(r10 - 4) = 7\n${lookup('h')}${end}`, [testMap('h', 'HASH')])).toEqual(['both']);
  });
});

describe('comparisons', () => {
  it('of what was compared before', () => {
    const again = `${PACKET}\nr0 = 0\nr4 = r2\nr4 += 14\nif r4 > r3 goto out\nr2 += 10\nif r2 > r3 goto out${end}`;
    expect(ways(again)).toEqual(['both', 'never']);
  });

  it('of a header behind a length that was compared, where it is short enough', () => {
    const text = (needed: number): string => `${PACKET}
      r0 = 0
      r4 = r2
      r4 += 14
      if r4 > r3 goto out
      r5 = *(u8 *)(r2 + 1)
      if r5 < 8 goto out
      r4 += r5
      if r4 > r3 goto out
      r2 += ${needed}
      if r2 > r3 goto out${end}`;
    expect(ways(text(22))).toEqual(['both', 'both', 'both', 'never']);
    expect(ways(text(23))).toEqual(['both', 'both', 'both', 'both']);
  });

  it('of metadata that bpf_xdp_adjust_meta has made room for', () => {
    const text = (needed: number): string => `r6 = r1
      r2 = -4
      call bpf_xdp_adjust_meta
      if r0 != 0 goto out
      r2 = *(u32 *)(r6 + 8)
      r3 = *(u32 *)(r6 + 0)
      r2 += ${needed}
      if r2 > r3 goto out${end}`;
    expect(ways(text(4))).toEqual(['both', 'never']);
    expect(ways(text(8))).toEqual(['both', 'both']);
  });

  it('of the results of bpf_redirect', () => {
    const text = `r1 = 1\nr2 = 0\ncall bpf_redirect\nif r0 > 4 goto out\nif r0 > 3 goto out${end}`;
    expect(ways(text)).toEqual(['never', 'both']);
  });

  it('of which one path has decided', () => {
    const text = `r6 = *(u32 *)(r1 + 12)\nr0 = 0\nr7 = 0\nif r6 == 3 goto meet\nr7 = 1\nmeet:\nif r7 == 1 goto other\nif r6 != 3 goto out\nother:${end}`;
    expect(ways(text)).toEqual(['both', 'both', 'never']);
  });
});

describe('instructions that cannot be followed', () => {
  it.each([
    ['an unknown opcode', 0xff, 0],
    ['a register that there is none of', 0xbf, 0xcf],
    ['a jump out of the program', 0x05, 0],
  ])('may do anything: %s', (_what, opcode, registers) => {
    const object = testObject({ main: 'r0 = 2\nr0 = 3\nr1 = 4\nexit' });
    const [program] = object.programs;
    const { instructions } = program!;
    instructions.opcode[1] = opcode;
    instructions.dst[1] = registers & 15;
    instructions.src[1] = registers >> 4;
    instructions.offset[1] = 1000;
    const reach = reachOf({ object, world: {} }, program!, 'xdp');
    expect([...reach.reached]).toEqual([1, 1, 1, 1]);
    expect(dictionaryOf(object)).toEqual([]);
  });
});

it('says of reads outside of the frame, however far, that they read what was never written', () => {
  for (const offset of [-520, -4096, 8, 0x7fff_0000, -0x7fff_0000]) {
    const text = `r2 = r10\nr2 += ${offset}\nr0 = *(u64 *)(r2 + 0)\nexit`;
    const object = testObject({ main: text });
    const { readsUnwritten } = reachOf({ object, world: {} }, object.programs[0]!, 'xdp');
    expect([...readsUnwritten], `${offset}`).toEqual([0]);
  }
});
