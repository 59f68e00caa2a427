/** Every instruction refuses registers that nothing has written (kernel/bpf/verifier.c, `check_reg_arg`). */
import { describe, expect, it } from 'vitest';
import { violation } from '../test-support/both.ts';
import { runText } from '../test-support/run-text.ts';

const ARITHMETIC = ['+=', '-=', '*=', '/=', 's/=', '%=', 's%=', '|=', '&=', '^=', '<<=', '>>=', 's>>='];
const CONDITIONS = ['==', '!=', '>', '>=', '<', '<=', 's>', 's>=', 's<', 's<=', '&'];
const WRITES = ['r', 'w'] as const;
const EXIT = '\nout:\nr0 = 0\nexit';

/** r7 has a number and r6 the stack; r2 and r3 have nothing. */
const refused = (instruction: string): string => violation(`r6 = r10\nr7 = 1\n${instruction}${EXIT}`);

describe.each(WRITES)('unset registers (%s)', (kind) => {
  it.each([...ARITHMETIC, '='])('%s', (operator) => {
    expect(refused(`${kind}7 ${operator} ${kind}2`)).toBe('R2 !read_ok');
    if (operator === '=') return;
    expect(refused(`${kind}3 ${operator} ${kind}7`)).toBe('R3 !read_ok');
    expect(refused(`${kind}3 ${operator} 1`)).toBe('R3 !read_ok');
  });

  it.each(CONDITIONS)('if … %s …', (operator) => {
    expect(refused(`if ${kind}7 ${operator} ${kind}2 goto out`)).toBe('R2 !read_ok');
    expect(refused(`if ${kind}3 ${operator} ${kind}7 goto out`)).toBe('R3 !read_ok');
    expect(refused(`if ${kind}3 ${operator} 1 goto out`)).toBe('R3 !read_ok');
    expect(
      runText(`r7 = 1\nr8 = 2\nif ${kind}7 ${operator} ${kind}8 goto out${EXIT}`).violation,
    ).toBeUndefined();
  });

  it('negation and extension of signs', () => {
    expect(refused(`${kind}2 = -${kind}2`)).toBe('R2 !read_ok');
    for (const bits of kind === 'r' ? [8, 16, 32] : [8, 16])
      expect(refused(`${kind}7 = (s${bits})${kind}2`)).toBe('R2 !read_ok');
  });
});

describe('unset registers', () => {
  it('in changes of byte order', () => {
    for (const order of ['be', 'le', 'bswap'])
      for (const bits of [16, 32, 64]) expect(refused(`r2 = ${order}${bits} r2`)).toBe('R2 !read_ok');
  });

  it.each(['u8', 'u16', 'u32', 'u64'])('in loads and stores of %s', (size) => {
    expect(refused(`r7 = *(${size} *)(r2 + 0)`)).toBe('R2 !read_ok');
    expect(refused(`*(${size} *)(r2 + 0) = 1`)).toBe('R2 !read_ok');
    expect(refused(`*(${size} *)(r2 + 0) = r7`)).toBe('R2 !read_ok');
    expect(refused(`*(${size} *)(r6 - 8) = r2`)).toBe('R2 !read_ok');
  });

  it.each(['u32', 'u64'])('in atomic instructions on %s', (size) => {
    const at = `*(${size} *)(r10 - 8)`;
    const store = '*(u64 *)(r10 - 8) = 1\n';
    for (const operator of ['+=', '|=', '&=', '^=']) {
      expect(refused(`${store}lock ${at} ${operator} r2`)).toBe('R2 !read_ok');
      expect(refused(`lock *(${size} *)(r2 - 8) ${operator} r7`)).toBe('R2 !read_ok');
    }
    expect(refused(`${store}r2 = fetch_add ${at}`)).toBe('R2 !read_ok');
    expect(refused(`${store}r2 = xchg ${at}`)).toBe('R2 !read_ok');
    expect(refused(`${store}r0 = 1\ncmpxchg ${at} r2`)).toBe('R2 !read_ok');
    expect(refused(`${store}cmpxchg ${at} r7`)).toBe('R0 !read_ok');
  });

  it('at the end of the program', () => {
    expect(violation('exit')).toBe('R0 !read_ok');
  });

  it('after calls, but r0', () => {
    for (const register of [1, 2, 3, 4, 5])
      expect(
        violation(
          `r1 = 1\nr2 = 1\nr3 = 1\nr4 = 1\nr5 = 1\ncall bpf_get_prandom_u32\nr0 = r${register}\nexit`,
        ),
      ).toBe(`R${register} !read_ok`);
  });
});
