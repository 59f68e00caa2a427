import { describe, expect, it } from 'vitest';
import { memoryNotice } from './map-memory.ts';

const map = { name: 'flows', type: 'HASH', keySize: 16, valueSize: 64 } as const;

describe('the memory of maps', () => {
  it('is announced above a gigabyte', () => {
    expect(memoryNotice('p', [{ ...map, maxEntries: 1_000_000 }])).toBeUndefined();
    expect(memoryNotice('p', [{ ...map, maxEntries: 30_000_000 }])).toBe(
      'p: its maps take up to 4.0 GB in each engine (flows has room for 30000000 entries)',
    );
    expect(memoryNotice('p', [{ ...map, type: 'ARRAY', keySize: 4, maxEntries: 20_000_000 }])).toContain(
      '1.2 GB',
    );
  });
});
