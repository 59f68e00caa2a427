/** What a comparison makes known: the number that was found equal, and its copies (kernel/bpf/verifier.c, `reg_set_min_max`, `sync_linked_regs`). */
import { describe, expect, it } from 'vitest';
import { RING } from '../test-support/known-numbers.ts';
import { runText } from '../test-support/run-text.ts';

/** Byte 5 of the frame, which is 5, is in r3 and its copy in r4; byte 6 is in r5. Reserves as many bytes as `size` says. */
function reserves(lines: string, size: string): boolean {
  const reason = runText(
    `r7 = *(u32 *)(r1 + 0)\nr8 = *(u32 *)(r1 + 4)\nr9 = r7\nr9 += 16\nif r9 > r8 goto out
    r3 = *(u8 *)(r7 + 5)\nr4 = r3\nr5 = *(u8 *)(r7 + 6)\nr6 = *(u8 *)(r7 + 5)\n${lines}\nreserve:\nr2 = ${size}
    r1 = map[ring]\nr3 = 0\ncall bpf_ringbuf_reserve\nif r0 == 0 goto out\nr1 = r0\nr2 = 0
    call bpf_ringbuf_discard\nout:\nr0 = 2\nexit`,
    { maps: RING },
  ).violation?.reason;
  if (reason !== undefined) expect(reason).toBe('R2 is not a known constant');
  return reason === undefined;
}

/** Each leads to `reserve` where the two are equal. */
const EQUAL = (a: string, b: string): readonly string[] => [
  `if ${a} == ${b} goto reserve\ngoto out`,
  `if ${a} != ${b} goto out`,
];
/** Each leads to `reserve` where they are not. */
const UNEQUAL = (a: string, b: string): readonly string[] => [
  `if ${a} == ${b} goto out`,
  `if ${a} != ${b} goto reserve\ngoto out`,
];

describe.each(['r', 'w'])('numbers compared as %s', (kind) => {
  const [zero, three, five, six] = [0, 3, 5, 6].map((register) => `${kind}${register}`) as [
    string,
    string,
    string,
    string,
  ];

  it('are known where they are equal to what is known', () => {
    const known = [
      ...EQUAL(three, '5'),
      ...EQUAL(three, zero).map((one) => `r0 = 5\n${one}`),
      ...EQUAL(zero, three).map((one) => `r0 = 5\n${one}`),
    ];
    for (const lines of known) {
      expect(reserves(lines, 'r3'), lines).toBe(true);
      expect(reserves(lines, 'r4'), `${lines}, the copy`).toBe(true);
      expect(reserves(lines, 'r5'), `${lines}, another byte`).toBe(false);
      expect(reserves(lines, 'r6'), `${lines}, the same byte read again`).toBe(false);
    }
  });

  it('are not known where they are unequal, or equal to what is unknown', () => {
    const unknown = [
      ...UNEQUAL(three, '6'),
      ...UNEQUAL(three, zero).map((one) => `r0 = 6\n${one}`),
      ...UNEQUAL(zero, three).map((one) => `r0 = 6\n${one}`),
      ...UNEQUAL(three, five),
      ...EQUAL(three, six),
    ];
    for (const lines of unknown)
      for (const size of ['r3', 'r4', 'r5', 'r6']) expect(reserves(lines, size), lines).toBe(false);
  });

  it('become known later by way of what they were compared with', () => {
    for (const first of EQUAL(three, '5').slice(1))
      for (const second of [...EQUAL(three, six), ...EQUAL(six, three)])
        expect(reserves(`${first}\n${second}`, 'r6'), second).toBe(true);
  });
});

it('lower halves say all of a number whose upper half is zero, whatever the upper half of what it is compared with', () => {
  const five = 'r0 = 0x100000005 ll\n';
  for (const lines of [...EQUAL('w3', 'w0'), ...EQUAL('w0', 'w3')].map((one) => five + one)) {
    expect(reserves(lines, 'r3'), lines).toBe(true);
    expect(reserves(lines, 'r4'), `${lines}, the copy`).toBe(true);
    expect(reserves(lines, 'r5'), `${lines}, another byte`).toBe(false);
  }
  for (const lines of [...UNEQUAL('w3', 'w0'), ...UNEQUAL('w0', 'w3')].map(
    (one) => `r0 = 0x100000006 ll\n${one}`,
  ))
    expect(reserves(lines, 'r3'), lines).toBe(false);
});
