/**
 * Programs that pass `bpf_ringbuf_reserve` a size, which has to be a constant that the verifier knows (kernel/bpf/verifier.c,
 * `ARG_CONST_ALLOC_SIZE_OR_ZERO`), computed in all ways.
 */
import type { BpfMap } from '../bpf-object.ts';
import { testMap } from './assemble.ts';

export const RING: readonly BpfMap[] = [testMap('ring', 'RINGBUF')];

export interface SizeCase {
  readonly name: string;
  readonly text: string;
  /** Does the verifier know the size? */
  readonly isKnown: boolean;
}

/** `lines` leave the size in r0. They find the number 3 in r2, and in r3 a byte of the frame, the one at 5. */
function sized(lines: string): string {
  return `r6 = r1\nr7 = *(u32 *)(r6 + 0)\nr8 = *(u32 *)(r6 + 4)\nr9 = r7\nr9 += 16\nif r9 > r8 goto out
    r2 = 3\nr3 = *(u8 *)(r7 + 5)\n${lines}\nr2 = r0\nr1 = map[ring]\nr3 = 0\ncall bpf_ringbuf_reserve
    if r0 == 0 goto out\nr1 = r0\nr2 = 0\ncall bpf_ringbuf_discard\nout:\nr0 = 2\nexit`;
}

/** A byte of the frame that is compared with 5, and known from there on. */
const COMPARED = 'if r3 != 5 goto out';
const WORKED_OUT = ['+=', '-=', '*=', '|=', '&=', '^=', '<<=', '>>=', 's>>='];
/** The verifier does not divide. */
const NOT_WORKED_OUT = ['/=', '%=', 's/=', 's%='];

function* cases(): Generator<[lines: string, isKnown: boolean]> {
  yield ['r0 = 0', true];
  yield ['r0 = r3', false];
  for (const kind of ['r', 'w']) {
    const [zero, two, three, four] = [0, 2, 3, 4].map((register) => `${kind}${register}`);
    for (const operator of [...WORKED_OUT, ...NOT_WORKED_OUT]) {
      const isWorkedOut = WORKED_OUT.includes(operator);
      yield [`${zero} = 25\n${zero} ${operator} 3`, isWorkedOut];
      yield [`${zero} = 25\n${zero} ${operator} ${two}`, isWorkedOut];
      yield [`${zero} = ${three}\n${zero} ${operator} 3`, false];
      yield [`${zero} = ${three}\n${zero} ${operator} ${two}`, false];
      yield [`${zero} = 25\n${zero} ${operator} ${three}`, false];
      yield [`${COMPARED}\n${zero} = ${three}\n${zero} ${operator} 3`, isWorkedOut];
      yield [`${COMPARED}\n${zero} = 25\n${zero} ${operator} ${three}`, isWorkedOut];
      const other = `${COMPARED}\n${zero} = ${three}\nr4 = *(u8 *)(r7 + 6)`;
      yield [`${other}\n${zero} ${operator} ${four}`, false];
      yield [`${other}\n${four} ${operator} ${zero}\n${zero} = ${four}`, false];
    }
    yield [`${zero} = ${two}`, true];
    yield [`${zero} = ${three}`, false];
    for (const bits of kind === 'r' ? [8, 16, 32] : [8, 16]) {
      yield [`${zero} = (s${bits})${two}`, true];
      yield [`${zero} = (s${bits})${three}`, false];
    }
    yield [`${zero} = -5\n${zero} = -${zero}`, true];
  }
  for (const order of ['be16', 'le16', 'bswap16']) yield [`r0 = 5\nr0 = ${order} r0`, true];
  // Lower halves say all of a byte, whatever the upper half of what it is compared with.
  for (const lines of ['if w3 != w4 goto out', 'if w4 != w3 goto out'])
    yield [`r4 = 0x100000005 ll\n${lines}\nr0 = r3`, true];
  yield ['*(u64 *)(r10 - 8) = r2\nr0 = *(u64 *)(r10 - 8)', true];
  yield ['*(u64 *)(r10 - 8) = 16\nr0 = *(u64 *)(r10 - 8)', true];
  yield ['*(u64 *)(r10 - 8) = r3\nr0 = *(u64 *)(r10 - 8)', false];
  yield [`${COMPARED}\n*(u64 *)(r10 - 8) = r3\nr0 = *(u64 *)(r10 - 8)`, true];
}

export const SIZE_CASES: readonly SizeCase[] = [...cases()].map(([lines, isKnown]) => ({
  name: lines.replaceAll('\n', '; '),
  text: sized(lines),
  isKnown,
}));
