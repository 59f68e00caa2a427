/** Which numbers the verifier knows as constants: those computed from constants, divisions apart. */
import { expect, it } from 'vitest';
import { RING, SIZE_CASES } from '../test-support/known-numbers.ts';
import { runText } from '../test-support/run-text.ts';

it('knows a size as the verifier does', () => {
  for (const { name, text, isKnown } of SIZE_CASES) {
    const reason = runText(text, { maps: RING }).violation?.reason;
    expect({ name, reason }).toEqual({ name, reason: isKnown ? undefined : 'R2 is not a known constant' });
  }
});

it('reserves samples of no bytes, in which nothing is written', () => {
  const reserved = (store: string): string | undefined =>
    runText(
      `r1 = map[ring]\nr2 = 0\nr3 = 0\ncall bpf_ringbuf_reserve\nif r0 == 0 goto out\n${store}\nr1 = r0
      r2 = 0\ncall bpf_ringbuf_submit\nout:\nr0 = 2\nexit`,
      { maps: RING },
    ).violation?.reason;
  expect(reserved('')).toBeUndefined();
  expect(reserved('*(u8 *)(r0 + 0) = 1')).toBe('invalid access to memory, mem_size=0 off=0 size=1');
});
