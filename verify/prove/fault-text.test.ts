/** Whose words a refutation cites. */
import { expect, it } from 'vitest';
import type { ChecksumFault } from '../oracle/judge.ts';
import { faultText } from './fault-text.ts';

const illegal = (layer: ChecksumFault['layer']): string =>
  faultText({
    ...{ layer, depth: 0, kind: 'illegal', before: undefined },
    after: { got: 0, expected: 0x1234 } as ChecksumFault['after'],
  });

it('where nobody knows what is right, what stands there is said not to be', () => {
  const from = (expected: number): string =>
    faultText({
      ...{ layer: 'udp', depth: 0, kind: 'wrong from the start', before: undefined },
      after: { got: 0, expected } as ChecksumFault['after'],
    });
  expect(from(0)).toBe('the udp checksum leaves as 0x0000, which IPv6 does not allow (RFC 8200 §8.1)');
  expect(from(0x1234)).toBe('the udp checksum leaves as 0x0000 where 0x1234 is right');
});

it('a checksum that may not be 0x0000 is forbidden by UDP-Lite itself, or by IPv6', () => {
  expect(illegal('udplite')).toBe(
    'the udplite checksum leaves as 0x0000, which UDP-Lite does not allow (RFC 3828 §3.1)',
  );
  expect(illegal('udp')).toBe('the udp checksum leaves as 0x0000, which IPv6 does not allow (RFC 8200 §8.1)');
});
