import { describe, expect, it } from 'vitest';
import { E2BIG } from '../../runtime/errno.ts';
import { testMap } from '../test-support/assemble.ts';
import { action, both, violation } from '../test-support/both.ts';

describe('control flow in WebAssembly', () => {
  it('runs nested loops', () => {
    const text = `
      r0 = 0
      r6 = 0
      outer:
      r7 = 0
      inner:
      r0 += 1
      r7 += 1
      if r7 < 5 goto inner
      r6 += 1
      if r6 != 7 goto outer
      exit`;
    expect(action(text)).toBe(35);
  });

  it('runs a loop that begins with the function, and one that is its own only block', () => {
    expect(action('begin:\nr1 = 5\nr0 = 5\nif r0 != r1 goto begin\nexit')).toBe(5);
    expect(action('r0 = 100\nagain:\nr0 -= 3\nif r0 s> 0 goto again\nr0 = -r0\nexit')).toBe(2);
  });

  it('runs loops that are entered in the middle (irreducible)', () => {
    const text = `
      r0 = 0
      r6 = 3
      goto second
      first:
      r0 += 10
      r6 -= 1
      second:
      r0 += 1
      if r6 == 0 goto out
      goto first
      out:
      exit`;
    expect(action(text)).toBe(34);
  });

  it('runs two loops that share their blocks, neither inside the other', () => {
    const text = `
      r0 = 0
      r6 = 0
      a:
      r0 += 1
      b:
      r6 += 1
      if r6 > 20 goto out
      r1 = r6
      r1 &= 3
      if r1 == 0 goto a
      if r1 == 1 goto b
      r0 += 100
      if r1 == 2 goto b
      goto a
      out:
      exit`;
    expect(action(text)).toBe(1011);
  });

  it('jumps backwards over code that is reached from before only', () => {
    const text = `
      r0 = 1
      goto check
      body:
      r0 *= 3
      goto check
      done:
      r0 += 1
      exit
      check:
      if r0 < 50 goto body
      goto done`;
    expect(action(text)).toBe(82);
  });

  it('goes the right way in a switch of many cases', () => {
    const cases = Array.from({ length: 40 }, (_, index) => `if r6 == ${index} goto case${index}`);
    const bodies = Array.from({ length: 40 }, (_, index) => `case${index}:\nr0 = ${1000 + index}\ngoto end`);
    const text = `
      r7 = *(u32 *)(r1 + 0)
      r8 = *(u32 *)(r1 + 4)
      r0 = 0
      r2 = r7
      r2 += 14
      if r2 > r8 goto end
      r6 = *(u8 *)(r7 + 0)
      ${cases.join('\n')}
      goto end
      ${bodies.join('\n')}
      end:
      exit`;
    const packets = Array.from({ length: 42 }, (_, index) => new Uint8Array(14).fill(index));
    const actions = both(text, { packets }).map((outcome) => outcome.action);
    expect(actions).toEqual([...Array.from({ length: 40 }, (_, index) => 1000 + index), 0, 0]);
  });

  it('runs a program of two thousand blocks', () => {
    const steps = Array.from(
      { length: 2000 },
      (_, index) => `if r0 == ${index} goto l${index}\nr0 += 1\nl${index}:\nr0 += 1`,
    );
    expect(action(`r0 = 0\n${steps.join('\n')}\nexit`)).toBe(2000);
  });

  it('takes long jumps (version 4)', () => {
    expect(action('r0 = 1\ngotol far\nr0 = 2\nfar:\nr0 += 10\nexit')).toBe(11);
  });

  it('ends loops by may_goto', () => {
    expect(
      action('r0 = 0\nr1 = 0\nagain:\nmay_goto out\nr0 += 1\nif r0 == 5000 goto out\ngoto again\nout:\nexit'),
    ).toBe(5000);
  });

  it('stops loops that may_goto would end by the clock, and ends them in older kernels', () => {
    const text = 'r0 = 0\nagain:\nmay_goto out\nr0 += 1\ngoto again\nout:\nexit';
    expect(violation(text)).toContain('by its clock');
    expect(action(text, { asKernel: '6.14' })).toBe(8_388_608);
  });

  it('stops endless loops and endless callbacks when the budget is used up', () => {
    expect(violation('again:\nr0 = 1\ngoto again', { budget: 10_000 })).toContain('10000 instructions');
    expect(violation('r0 = 0\nagain:\nif r0 == 0 goto again\nexit', { budget: 10_000 })).toContain('10000');
    const callbacks = `
      r1 = 8000000
      r2 = callback
      r3 = 0
      r4 = 0
      call bpf_loop
      r0 = 1
      exit
      callback:
      r0 = 0
      exit`;
    expect(violation(callbacks, { budget: 1000 })).toContain('1000 instructions');
  });
});

describe('the limits of loops', () => {
  const MAX_LOOPS = 8 * 1024 * 1024;
  /** bpf_loop with a callback that stops at once. */
  const loop = (rounds: number): string =>
    `r1 = ${rounds}\nr2 = f\nr3 = 0\nr4 = 0\ncall bpf_loop\nexit\nf:\nr0 = 1\nexit`;

  it('let bpf_loop run BPF_MAX_LOOPS rounds, and no more', () => {
    expect(action(loop(0))).toBe(0);
    expect(action(loop(1))).toBe(1);
    expect(action(loop(MAX_LOOPS))).toBe(1);
    expect(action(loop(MAX_LOOPS + 1))).toBe(-E2BIG);
    expect(action(loop(-1))).toBe(-E2BIG);
  });

  it('are the same where flags are no constant', () => {
    const flags = 'r4 = *(u32 *)(r1 + 12)\nr4 -= 1\n';
    const unknown = (rounds: number): string => flags + loop(rounds).replace('r4 = 0\n', '');
    expect(action(unknown(MAX_LOOPS))).toBe(1);
    expect(action(unknown(MAX_LOOPS + 1))).toBe(-E2BIG);
  });

  it('take jumps back from the budget by their length, to the last instruction', () => {
    // Nine jumps back over two instructions.
    const text = 'r0 = 0\nagain:\nr0 += 1\nif r0 < 10 goto again\nexit';
    expect(action(text, { budget: 18 })).toBe(10);
    expect(violation(text, { budget: 17 })).toContain('more than 17 instructions');
    const alone = 'r1 = 5\nr0 = 5\nagain:\nif r0 != r1 goto again\nexit';
    expect(action(alone, { budget: 0 })).toBe(5);
  });

  it('take four instructions for each call of a callback', () => {
    const text = `r1 = 5\nr2 = f\nr3 = 0\nr4 = 0\ncall bpf_loop\nexit\nf:\nr0 = 0\nexit`;
    expect(action(text, { budget: 20 })).toBe(5);
    expect(violation(text, { budget: 19 })).toContain('more than 19 instructions');
  });

  it('take four instructions for each call of a function', () => {
    const text = 'call f\ncall f\ncall f\nexit\nf:\nr0 = 3\nexit';
    expect(action(text, { budget: 12 })).toBe(3);
    expect(violation(text, { budget: 11 })).toContain('more than 11 instructions');
  });
});

describe('calls in WebAssembly', () => {
  it('gives each function a frame of its own, and keeps r6 to r9', () => {
    const text = `
      r6 = 7
      *(u64 *)(r10 - 8) = 5
      r1 = 20
      call double
      r1 = *(u64 *)(r10 - 8)
      r0 += r1
      r0 += r6
      exit
      double:
      *(u64 *)(r10 - 8) = 1000
      r6 = 99
      r0 = r1
      r0 += r1
      exit`;
    expect(action(text)).toBe(52);
  });

  it('lets a function write to the frame of its caller', () => {
    const text = `
      *(u64 *)(r10 - 8) = 1
      r1 = r10
      r1 += -8
      call set
      r0 = *(u64 *)(r10 - 8)
      exit
      set:
      *(u64 *)(r1 + 0) = 42
      r0 = 0
      exit`;
    expect(action(text)).toBe(42);
  });

  it('does not believe a pointer that a called function may have overwritten', () => {
    const text = `
      *(u64 *)(r10 - 8) = r1
      r1 = r10
      r1 += -8
      call spoil
      r1 = *(u64 *)(r10 - 8)
      r0 = *(u32 *)(r1 + 0)
      exit
      spoil:
      *(u64 *)(r1 + 0) = 5
      r0 = 0
      exit`;
    expect(violation(text)).toContain('scalar');
  });

  it('passes packet pointers with what was compared', () => {
    const text = `
      r7 = *(u32 *)(r1 + 0)
      r8 = *(u32 *)(r1 + 4)
      r0 = 0
      r2 = r7
      r2 += 20
      if r2 > r8 goto out
      r1 = r7
      r1 += 10
      call third
      out:
      exit
      third:
      r0 = *(u8 *)(r1 + 3)
      exit`;
    expect(action(text)).toBe(13);
    expect(violation(text.replace('r1 + 3', 'r1 + 10'))).toContain('invalid access to packet');
  });

  it('calls back from bpf_loop until the callback says stop', () => {
    const text = `
      *(u64 *)(r10 - 8) = 0
      r1 = 100
      r2 = callback
      r3 = r10
      r3 += -8
      r4 = 0
      call bpf_loop
      r1 = *(u64 *)(r10 - 8)
      r0 *= 1000
      r0 += r1
      exit
      callback:
      r3 = *(u64 *)(r2 + 0)
      r3 += r1
      *(u64 *)(r2 + 0) = r3
      r0 = 0
      if r1 != 9 goto more
      r0 = 1
      more:
      exit`;
    expect(action(text)).toBe(10_045);
    expect(violation(text.replace('r0 = 1\n', 'r0 = 2\n'))).toContain('callback return');
  });

  it('calls back for each element of a map', () => {
    const text = `
      *(u64 *)(r10 - 8) = 0
      r1 = map[a]
      r2 = callback
      r3 = r10
      r3 += -8
      r4 = 0
      call bpf_for_each_map_elem
      r1 = *(u64 *)(r10 - 8)
      r0 *= 1000
      r0 += r1
      exit
      callback:
      r5 = *(u32 *)(r2 + 0)
      r0 = *(u64 *)(r3 + 0)
      r0 += 1
      *(u64 *)(r3 + 0) = r0
      r3 = *(u64 *)(r4 + 0)
      r3 += r5
      *(u64 *)(r4 + 0) = r3
      r0 = 0
      exit`;
    expect(action(text, { maps: [testMap('a', 'ARRAY', { maxEntries: 5 })] })).toBe(5010);
  });

  const programs = testMap('programs', 'PROG_ARRAY', {
    maxEntries: 4,
    initial: [
      { key: 0, name: 'main' },
      { key: 2, name: 'other' },
    ],
  });
  const tail = (index: number): string => `r2 = map[programs]\nr3 = ${index}\ncall bpf_tail_call`;

  it('tail-calls another program, and goes on where there is none', () => {
    const other = 'r2 = *(u32 *)(r1 + 12)\nr0 = r2\nr0 += 40\nexit';
    expect(action({ main: `r6 = r1\n${tail(2)}\nr0 = 1\nexit`, other }, { maps: [programs] })).toBe(41);
    expect(action({ main: `r6 = r1\n${tail(1)}\nr0 = 7\nexit`, other }, { maps: [programs] })).toBe(7);
    expect(action({ main: `r6 = r1\n${tail(100)}\nr0 = 8\nexit`, other }, { maps: [programs] })).toBe(8);
  });

  it('makes 33 tail calls and not one more', () => {
    const counter = testMap('count', 'ARRAY', { maxEntries: 1 });
    const main = `
      r6 = r1
      *(u32 *)(r10 - 4) = 0
      r1 = map[count]
      r2 = r10
      r2 += -4
      call bpf_map_lookup_elem
      if r0 == 0 goto out
      r7 = *(u64 *)(r0 + 0)
      r7 += 1
      *(u64 *)(r0 + 0) = r7
      r1 = r6
      ${tail(0)}
      r0 = r7
      exit
      out:
      r0 = 0
      exit`;
    expect(action({ main, other: 'r0 = 0\nexit' }, { maps: [programs, counter] })).toBe(34);
  });

  it('returns from a tail call made in a function to that function’s caller', () => {
    const main = `r6 = r1\ncall jump\nr0 += 1\nexit\njump:\n${tail(2)}\nr0 = 5\nexit`;
    expect(
      action(
        { main, other: '*(u64 *)(r10 - 8) = 9\nr0 = *(u64 *)(r10 - 8)\nr0 += 20\nexit' },
        { maps: [programs] },
      ),
    ).toBe(30);
  });

  it('lets functions of the program return nothing, and their callers not read it', () => {
    const nothing = 'f:\nr1 = 0\nexit';
    expect(action(`call f\nr0 = 2\nexit\n${nothing}`)).toBe(2);
    expect(violation(`r0 = 1\ncall f\nexit\n${nothing}`)).toBe('R0 !read_ok');
    expect(violation(`r0 = 1\ncall f\nr0 += 1\nexit\n${nothing}`)).toBe('R0 !read_ok');
  });
});
