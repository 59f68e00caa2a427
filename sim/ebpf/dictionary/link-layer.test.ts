import { describe, expect, it } from 'vitest';
import { testObject } from '../test-support/assemble.ts';
import { takesIpFirst } from './link-layer.ts';

/** `__sk_buff`: data and data_end. */
const HEAD =
  'r2 = *(u32 *)(r1 + 80)\nr1 = *(u32 *)(r1 + 76)\nr0 = 0\nr3 = r1\nr3 += 54\nif r3 > r2 goto out\n';
const FIRST = 'r4 = *(u8 *)(r1 + 0)\n';
const VERSION = `${FIRST}r4 &= 0xf0\nif r4 != 0x40 goto out`;

function isIpFirst(body: string, hook: 'xdp' | 'tc-ingress' = 'tc-ingress'): boolean {
  const object = testObject({ main: `${HEAD}${body}\nout:\nexit` });
  return takesIpFirst(object, [{ function: 'main', hook }]);
}

describe('a program for devices without a link header', () => {
  it.each([
    ['the version of IPv4, masked', VERSION],
    ['the version of IPv6, shifted', `${FIRST}r4 >>= 4\nif r4 != 6 goto out`],
    ['version and length of the header', `${FIRST}if r4 != 0x45 goto out`],
  ])('takes the first byte for %s', (_, body) => {
    expect(isIpFirst(body)).toBe(true);
  });
});

describe('a program for Ethernet', () => {
  it.each([
    ['asks for the EtherType, too', `r4 = *(u16 *)(r1 + 12)\nif r4 != 8 goto out\n${VERSION}`],
    ['asks for the bit of groups', `${FIRST}r4 &= 1\nif r4 != 1 goto out`],
    ['compares a whole address', 'r4 = *(u32 *)(r1 + 0)\nif r4 == 0x45454545 goto out'],
    ['finds the IP header behind', 'r4 = *(u8 *)(r1 + 14)\nif r4 != 0x45 goto out'],
  ])('%s', (_, body) => {
    expect(isIpFirst(body)).toBe(false);
  });

  it('is every XDP program', () => {
    expect(isIpFirst(VERSION, 'xdp')).toBe(false);
  });
});
