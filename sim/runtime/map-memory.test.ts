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
    // 8 bytes for each of 4 CPUs.
    const perCpu = { ...map, type: 'PERCPU_ARRAY', keySize: 4, valueSize: 8, maxEntries: 2 ** 26 } as const;
    expect(memoryNotice('p', [perCpu])).toBeUndefined();
    expect(memoryNotice('p', [perCpu], 4)).toContain('2.0 GB');
  });
});
