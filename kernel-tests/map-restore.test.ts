/** A map that was filled with many entries is brought back to them, whatever happened to it since. */
import { expect, it } from 'vitest';
import { requireLibbpf } from '../kernel/libbpf/libbpf.ts';
import { BpfMap } from '../kernel/libbpf/map.ts';
import { possibleCpus } from '../kernel/libbpf/possible-cpus.ts';
import { syscalls } from '../kernel/testrun/syscalls.ts';
import { indexKey, snapshotOf } from '../sim/runtime/map-snapshot.ts';
import { BPF_MAP_TYPE, type MapType } from '../sim/runtime/maps.ts';
import type { MapEntry } from '../sim/runtime/world.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const entry = (key: number, ...value: number[]): MapEntry => ({
  key: indexKey(key),
  value: Uint8Array.from(value),
});

describeKernel('a map filled with many entries', ['testrun'], () => {
  it.each<MapType>(['ARRAY', 'HASH', 'PERCPU_ARRAY', 'PERCPU_HASH'])('%s is brought back', (type) => {
    const libbpf = requireLibbpf();
    const lastCpu = possibleCpus(libbpf) - 1;
    const fd = libbpf.bpf.bpf_map_create(BPF_MAP_TYPE[type], 'filled', 4, 3, 10_000, null);
    expect(fd).toBeGreaterThan(0);
    const definition = { name: 'filled', type, keySize: 4, valueSize: 3, maxEntries: 10_000 };
    const map = new BpfMap(libbpf, fd, definition);
    try {
      const entries = Array.from({ length: 5000 }, (_, at) => entry(at * 2, at, at >> 8, 1));
      // The last of equal keys counts.
      const twice = [...entries, entry(4, 1, 2, 3), entry(4, 9, 8, 7)];
      entries[2] = entry(4, 9, 8, 7);
      map.fillNew(twice);
      for (let round = 0; round < 3; round++) {
        map.update(indexKey(4), Uint8Array.of(1, 1, 1), lastCpu);
        map.update(indexKey(7), Uint8Array.of(2, 2, 2));
        if (type.endsWith('HASH')) map.delete(indexKey(8));
        map.restore(twice);
        map.expectChanges();
        expect(map.snapshot()).toEqual(snapshotOf(definition, entries));
        // The first CPU has them, no other.
        for (const key of [4, 10]) {
          const value = map.lookup(indexKey(key))!;
          expect(value.subarray(0, 3)).toEqual(entries[key / 2]!.value);
          expect(value.subarray(8).every((byte) => byte === 0)).toBe(true);
        }
      }
      const others = [entry(3, 1, 0, 0)];
      map.restore(others);
      expect(map.snapshot()).toEqual(snapshotOf(definition, others));
    } finally {
      map.close();
      syscalls().close(fd);
    }
  });
});
