/** Whose words a refutation cites. */
import { expect, it } from 'vitest';
import type { ChecksumFault } from '../oracle/judge.ts';
import { faultText } from './properties.ts';

const illegal = (layer: ChecksumFault['layer']): string =>
  faultText({
    ...{ layer, depth: 0, kind: 'illegal', before: undefined },
    after: { got: 0, expected: 0x1234 } as ChecksumFault['after'],
  });

it('a checksum that may not be 0x0000 is forbidden by UDP-Lite itself, or by IPv6', () => {
  expect(illegal('udplite')).toBe(
    'the udplite checksum leaves as 0x0000, which UDP-Lite does not allow (RFC 3828 §3.1)',
  );
  expect(illegal('udp')).toBe('the udp checksum leaves as 0x0000, which IPv6 does not allow (RFC 8200 §8.1)');
});
