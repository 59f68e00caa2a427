/** What is changed of each kind of instruction, one thing at a time. */
import { describe, expect, it } from 'vitest';
import { testMap, testObject } from '../../sim/ebpf/test-support/assemble.ts';
import { type Mutation, mutationsOf } from './mutations.ts';

const all = (text: string): Mutation[] =>
  mutationsOf(testObject({ main: `${text}\nexit` }, [testMap('m', 'HASH')]), [0], () => true);
/** `kind: the instruction afterwards` of each change of the first instruction. */
const changes = (text: string): string[] =>
  all(text)
    .filter(({ slot }) => slot === 0)
    .map(({ kind, after }) => `${kind}: ${after}`);

describe('of arithmetic', () => {
  it.each([
    ['r2 += r3', 'r2 -= r3'],
    ['r2 -= r3', 'r2 += r3'],
    ['r2 *= r3', 'r2 += r3'],
    ['r2 /= r3', 'r2 *= r3'],
    ['r2 %= r3', 'r2 /= r3'],
    ['r2 &= r3', 'r2 |= r3'],
    ['r2 |= r3', 'r2 &= r3'],
    ['r2 ^= r3', 'r2 |= r3'],
    ['r2 <<= r3', 'r2 >>= r3'],
    ['r2 >>= r3', 'r2 <<= r3'],
    ['r2 s>>= r3', 'r2 >>= r3'],
    ['w2 += w3', 'w2 -= w3'],
    ['w2 s>>= w3', 'w2 >>= w3'],
  ])('%s: another operator', (before, after) => {
    expect(changes(before)).toEqual([`operator: ${after}`]);
    expect(all(before)[0]).toMatchObject({ before, program: 0, function: 'main', slot: 0 });
    // A constant is one too many, besides.
    const operand = / (r3|w3)$/;
    expect(changes(before.replace(operand, ' 7'))).toEqual([
      `operator: ${after.replace(operand, ' 7')}`,
      `constant: ${before.replace(operand, ' 8')}`,
    ]);
  });

  it.each([
    ['r2 = 7', ['constant: r2 = 8']],
    ['w2 = -1', ['constant: w2 = 0']],
    ['r2 = 0x7fffffff', ['constant: r2 = -2147483648']],
    ['r2 += 0x7fffffff', ['operator: r2 -= 2147483647', 'constant: r2 += -2147483648']],
    ['r2 = r3', []],
    ['r2 = (s8)r3', []],
    ['r2 = -r2', []],
    // The byte order stays as it was.
    ['r2 = be16 r2', ['operator: r2 += 0']],
    ['r2 = le32 r2', ['operator: r2 += 0']],
    ['r2 = bswap64 r2', ['operator: r2 += 0']],
  ])('%s: %j', (before, after) => expect(changes(before)).toEqual(after));
});

describe('of accesses', () => {
  it.each([
    ['r2 = *(u8 *)(r1 + 4)', ['offset: r2 = *(u8 *)(r1 +5)']],
    ['r2 = *(u16 *)(r1 + 4)', ['offset: r2 = *(u16 *)(r1 +6)']],
    ['r2 = *(u32 *)(r1 + 4)', ['offset: r2 = *(u32 *)(r1 +8)']],
    ['r2 = *(u64 *)(r1 + 4)', ['offset: r2 = *(u64 *)(r1 +12)']],
    ['r2 = *(s16 *)(r1 + 4)', ['offset: r2 = *(s16 *)(r1 +6)']],
    ['*(u32 *)(r10 - 8) = r1', ['offset: *(u32 *)(r10 -4) = r1']],
    ['*(u16 *)(r10 - 8) = 7', ['offset: *(u16 *)(r10 -6) = 7', 'constant: *(u16 *)(r10 -8) = 8']],
    ['*(u32 *)(r10 - 8) = -1', ['offset: *(u32 *)(r10 -4) = -1', 'constant: *(u32 *)(r10 -8) = 0']],
    ['lock *(u64 *)(r1 + 0) += r2', []],
    ['r2 = fetch_add *(u64 *)(r1 + 0)', []],
    ['r0 = *skb(u16)(12)', []],
  ])('%s: %j', (before, after) => expect(changes(before)).toEqual(after));

  it('a constant of two slots is one, an address none, and what follows is no instruction', () => {
    expect(changes('r2 = 0x1_00000007 ll'.replace('_', ''))).toEqual(['constant: r2 = 0x100000008']);
    expect(changes('r2 = map[m]')).toEqual([]);
    expect(all('r2 = 7 ll\nr3 = 1').map(({ slot }) => slot)).toEqual([0, 2]);
    const asked: number[] = [];
    const object = testObject({ main: 'r2 = 7 ll\nr3 = 8 ll\nexit' });
    mutationsOf(object, [0], (_, slot) => asked.push(slot) > 0);
    expect(asked).toEqual([0, 2, 4]);
  });
});

describe('of conditions', () => {
  it.each([
    ['==', '!=', undefined],
    ['!=', '==', undefined],
    ['>', '<=', '>='],
    ['>=', '<', '>'],
    ['<', '>=', '<='],
    ['<=', '>', '<'],
    ['s>', 's<=', 's>='],
    ['s>=', 's<', 's>'],
    ['s<', 's>=', 's<='],
    ['s<=', 's>', 's<'],
    ['&', undefined, '=='],
  ])('%s: the opposite %s, the border %s, no check', (sign, opposite, border) => {
    for (const kind of ['r', 'w']) {
      const text = (one: string, right: string): string => `if ${kind}1 ${one} ${right} goto pc+1`;
      const others = [opposite, border].filter((one) => one !== undefined);
      const source = (right: string): string => `if ${kind}1 ${sign} ${right} goto out\nr0 = 0\nout:`;
      expect(changes(source(`${kind}2`))).toEqual([
        ...others.map((one) => `condition: ${text(one, `${kind}2`)}`),
        'check dropped: no check',
      ]);
      expect(changes(source('7'))).toEqual([
        ...others.map((one) => `condition: ${text(one, '0x7')}`),
        `constant: ${text(sign, '0x8')}`,
        'check dropped: no check',
      ]);
    }
  });

  it('none of jumps without one, of calls, of ends and of loops that the kernel ends', () => {
    expect(all('goto out\nout:')).toEqual([]);
    expect(all('gotol out\nout:')).toEqual([]);
    expect(all('may_goto out\nout:')).toEqual([]);
    expect(all('call bpf_ktime_get_ns')).toEqual([]);
  });

  it('a check that is dropped is a jump to the next instruction, with nothing left of it', () => {
    const object = testObject({ main: 'if r1 > r2 goto out\nr0 = 0\nout:\nexit' });
    const dropped = mutationsOf(object, [0], () => true).find(({ kind }) => kind === 'check dropped')!;
    const { opcode, dst, src, offset, imm } = dropped.apply(object).programs[0]!.instructions;
    expect([opcode[0], dst[0], src[0], offset[0], imm[0]]).toEqual([0x05, 0, 0, 0, 0]);
    expect([opcode[1], opcode[2]]).toEqual([...object.programs[0]!.instructions.opcode.slice(1, 3)]);
  });
});

describe('of an object', () => {
  const object = testObject({
    first: 'r0 = 1\nr0 += 2\nexit',
    second: 'r0 = 3\nexit',
    third: 'r0 = 4\nexit',
  });

  it('the programs that are named, in their order', () => {
    const places = mutationsOf(object, [2, 0], () => true).map(
      (one) => `${one.function} ${one.program}.${one.slot}`,
    );
    expect(places).toEqual(['third 2.0', 'first 0.0', 'first 0.1', 'first 0.1']);
  });

  it('no instruction that no input reaches', () => {
    const asked: string[] = [];
    const places = mutationsOf(object, [0, 1], (program, slot) => {
      asked.push(`${program}.${slot}`);
      return program === 0 && slot === 1;
    }).map((one) => `${one.program}.${one.slot}`);
    expect(places).toEqual(['0.1', '0.1']);
    expect(asked).toEqual(['0.0', '0.1', '0.2', '1.0', '1.1']);
  });

  it('one program alone is changed, in a copy', () => {
    const [mutation] = mutationsOf(object, [1], () => true);
    const changed = mutation!.apply(object);
    expect(changed.programs.map(({ instructions }) => instructions.imm[0])).toEqual([1, 4, 4]);
    expect(object.programs.map(({ instructions }) => instructions.imm[0])).toEqual([1, 3, 4]);
    expect(changed.programs[0]).toBe(object.programs[0]);
    expect(changed.maps).toBe(object.maps);
  });

  it('the line of the source, where one is known', () => {
    const program = {
      ...object.programs[1]!,
      lineInfo: [{ instruction: 0, file: 'a.bpf.c', line: 7, column: 1, text: 'return 3;' }],
    };
    const [mutation] = mutationsOf({ ...object, programs: [program] }, [0], () => true);
    expect(mutation).toMatchObject({ file: 'a.bpf.c', line: 7, text: 'return 3;' });
    const silent = { ...program, lineInfo: [{ ...program.lineInfo[0]!, text: '' }] };
    const [other] = mutationsOf({ ...object, programs: [silent] }, [0], () => true);
    expect(other).toMatchObject({ file: 'a.bpf.c', line: 7 });
    expect('text' in other!).toBe(false);
    const [bare] = mutationsOf(object, [1], () => true);
    expect(['file', 'line', 'text'].some((key) => key in bare!)).toBe(false);
  });
});
