/** Programs' texts that ask for routes: parameters on the stack, from fp-64 on (`struct bpf_fib_lookup`). */

/** Parameters that are all zero. */
export const NO_PARAMETERS: string = Array.from(
  { length: 8 },
  (_, index) => `*(u64 *)(r10 - ${8 * index + 8}) = 0`,
).join('\n');

/** Those of the IPv4 packet at r7, which came in by the device of the context in r6; the rest is zero. */
export const IPV4_PARAMETERS = `${NO_PARAMETERS}
  *(u8 *)(r10 - 64) = 2
  r1 = *(u32 *)(r7 + 26)
  *(u32 *)(r10 - 48) = r1
  r1 = *(u32 *)(r7 + 30)
  *(u32 *)(r10 - 32) = r1
  r1 = *(u32 *)(r6 + 12)
  *(u32 *)(r10 - 56) = r1`;

/** Asks, with the context in r6. */
export const ASK = `r1 = r6
  r2 = r10
  r2 += -64
  r3 = 64
  r4 = 0
  call bpf_fib_lookup`;
