/** Which functions are there to be replaced. */
import { describe, expect, it } from 'vitest';
import { type Btf, parseBtf } from '../../sim/ebpf/btf.ts';
import { assemble } from '../../sim/ebpf/test-support/assemble.ts';
import { BtfBuilder } from '../../sim/ebpf/test-support/btf-builder.ts';
import { isPlaceholder } from './placeholders.ts';

const [STATIC, GLOBAL] = [0, 1];

/** A function's BTF, which has the id 2. */
function btfOf(linkage: number): Btf {
  const builder = new BtfBuilder();
  const type = builder.add('FUNC_PROTO', '', 0);
  builder.add('FUNC', 'first', type, [], linkage);
  return parseBtf(builder.bytes());
}

/** Behind a program of one instruction. */
function isOne(body: string, btf: Btf = btfOf(GLOBAL), typeId: number | undefined = 2): boolean {
  const instructions = assemble(`exit\n${body}`);
  return isPlaceholder({ instructions }, { start: 1, count: instructions.count - 1, typeId }, btf);
}

/** As libxdp's is compiled. */
const LIBXDP = `r2 = 31
  *(u32 *)(r10 - 4) = r2
  r0 = 0
  if r1 == 0 goto out
  r0 = *(u32 *)(r10 - 4)
  out:
  exit`;

describe('a function is there to be replaced', () => {
  it('that returns a constant by way of the stack', () => {
    expect(isOne(LIBXDP)).toBe(true);
    expect(isOne('*(u32 *)(r10 - 4) = 30\nr0 = *(u32 *)(r10 - 4)\nexit')).toBe(true);
  });

  it('but not where it is static, or nobody knows', () => {
    expect(isOne(LIBXDP, btfOf(STATIC))).toBe(false);
    expect(isOne(LIBXDP, btfOf(GLOBAL), 1)).toBe(false);
    const { instructions } = { instructions: assemble(`exit\n${LIBXDP}`) };
    expect(isPlaceholder({ instructions }, { start: 1, count: 6, typeId: undefined }, btfOf(GLOBAL))).toBe(
      false,
    );
  });

  it.each([
    ['calls something', LIBXDP.replace('r0 = 0', 'call bpf_get_prandom_u32')],
    ['looks at its argument', LIBXDP.replace('r0 = 0', 'r0 = *(u32 *)(r1 + 0)')],
    ['writes somewhere', LIBXDP.replace('r0 = 0', '*(u32 *)(r1 + 0) = 1\nr0 = 0')],
    ['returns a constant as it is', 'r0 = 31\nexit'],
    ['loads another register', LIBXDP.replace('r0 = *(u32', 'r3 = *(u32')],
    ['has a large constant', LIBXDP.replace('r0 = 0', 'r0 = 5 ll')],
    ['is long', LIBXDP.replace('r0 = 0', 'r0 = 0\n'.repeat(20))],
  ])('nor one that %s', (_what, body) => {
    expect(isOne(body)).toBe(false);
  });

  it('nor the program itself', () => {
    const instructions = assemble(LIBXDP);
    expect(isPlaceholder({ instructions }, { start: 0, count: 6, typeId: 2 }, btfOf(GLOBAL))).toBe(false);
  });
});
