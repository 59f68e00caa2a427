import { describe, expect, it } from 'vitest';
import { nearestName } from './nearest-name.ts';

describe('the nearest name', () => {
  it.each([
    ['a letter too few', 'tcp.dstprt', 'tcp.dstport'],
    ['a letter too many', 'icmp_echoo', 'icmp_echo'],
    ['another letter', 'routar', 'router'],
    ['two letters swapped at the front', 'otuer', 'outer'],
    ['two letters swapped in the middle', 'rediretc', 'redirect'],
    ['two swaps', 'eridrect_mpa', 'redirect_map'],
    ['case and strokes', 'XDP-Drop', 'xdp_drop'],
  ])('is found with %s', (_slip, name, meant) => {
    expect(nearestName(name, ['unlike', meant, 'others'])).toBe(meant);
  });

  it('counts swapped letters as one slip, so that the closer of two is meant', () => {
    expect(nearestName('abdc', ['abxx', 'abcd'])).toBe('abcd');
    expect(nearestName('xabdc', ['xabde', 'xabcd'])).toBe('xabde');
    expect(nearestName('xabdc', ['xabcd', 'xabde'])).toBe('xabcd');
  });

  it('is none where more than a third differs, or where it is too long to compare', () => {
    expect(nearestName('drop', ['pass'])).toBeUndefined();
    expect(nearestName('ab', ['ba'])).toBe('ba');
    expect([nearestName('xy', ['ab']), nearestName('xb', ['ab']), nearestName('', ['a'])]).toEqual([
      undefined,
      'ab',
      'a',
    ]);
    expect(nearestName('ab-cdef', ['ab_cxyz'])).toBeUndefined();
    expect(nearestName('abcdef', ['abcdxy'])).toBe('abcdxy');
    expect(nearestName('abcdef', ['abcxyz'])).toBeUndefined();
    const long = 'a'.repeat(64);
    expect(nearestName(long, [long])).toBe(long);
    expect(nearestName(`${long}a`, [long])).toBeUndefined();
  });
});
