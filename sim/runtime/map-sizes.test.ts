import { expect, it } from 'vitest';
import { maxEntriesOf } from './map-sizes.ts';

it('rings are rounded up to a power of two and whole pages, as libbpf does it', () => {
  const sizes = [1, 3000, 4096, 4097, 12_288, 0x1_0000, 0x8000_0000, 0xffff_ffff];
  for (const type of ['RINGBUF', 'USER_RINGBUF'] as const) {
    const rounded = sizes.map((maxEntries) => maxEntriesOf({ name: 'ring', type, maxEntries }));
    expect(rounded).toEqual([4096, 4096, 4096, 8192, 16_384, 0x1_0000, 0x8000_0000, 0xffff_ffff]);
    expect(maxEntriesOf({ name: 'ring', type, maxEntries: 0 }, { ring: 5000 })).toBe(8192);
  }
  expect(maxEntriesOf({ name: 'table', type: 'HASH', maxEntries: 3000 })).toBe(3000);
});
