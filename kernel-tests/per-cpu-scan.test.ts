/** A per-CPU array that is looked through in the kernel holds what is read from it entry by entry. */
import { expect, it } from 'vitest';
import { requireLibbpf } from '../kernel/libbpf/libbpf.ts';
import { BpfMap } from '../kernel/libbpf/map.ts';
import { possibleCpus } from '../kernel/libbpf/possible-cpus.ts';
import { syscalls } from '../kernel/testrun/syscalls.ts';
import { indexKey, snapshotOf } from '../sim/runtime/map-snapshot.ts';
import { BPF_MAP_TYPE } from '../sim/runtime/maps.ts';
import { describeKernel } from './test-support/require-kernel.ts';

/** @param written indices whose entries are set, each on another CPU and in another byte */
function compare(entries: number, valueSize: number, written: readonly number[]): void {
  const libbpf = requireLibbpf();
  const type = 'PERCPU_ARRAY';
  const fd = libbpf.bpf.bpf_map_create(BPF_MAP_TYPE[type], 'scanned', 4, valueSize, entries, null);
  expect(fd).toBeGreaterThan(0);
  const map = new BpfMap(libbpf, fd, { name: 'scanned', type, keySize: 4, valueSize, maxEntries: entries });
  try {
    expect(map.snapshot().count).toBe(0);
    for (const [at, index] of written.entries()) {
      const value = new Uint8Array(valueSize);
      value[at % valueSize] = 1 + (at % 255);
      map.update(indexKey(index), value, at % possibleCpus(libbpf));
    }
    const read = snapshotOf(map.definition, map.entries());
    expect(read.count).toBe(written.length);
    expect(map.snapshot()).toEqual(read);
    map.restore([]);
    expect(map.snapshot().count).toBe(0);
    expect(snapshotOf(map.definition, map.entries()).count).toBe(0);
  } finally {
    map.close();
    syscalls().close(fd);
  }
}

describeKernel('a large per-CPU array', ['testrun'], () => {
  it.each([1, 2, 3, 7, 8, 12, 31, 512])(
    'with values of %d bytes shows each byte of each CPU',
    (valueSize) => {
      const few = Array.from({ length: 2 * valueSize }, (_, at) => at * 5);
      compare(10_000, valueSize, [...few, 9_999]);
    },
  );

  it('shows its first and last entries, wherever a run of the scan ends', () => {
    for (const entries of [4096, 4097, 4159, 4160, 5000]) compare(entries, 8, [0, 1, 63, 64, entries - 1]);
  });

  it('shows more entries than the scan lists at once', () => {
    compare(
      50_000,
      8,
      Array.from({ length: 25_000 }, (_, at) => at * 2),
    );
    compare(
      9000,
      8,
      Array.from({ length: 9000 }, (_, at) => at),
    );
  });

  it('is read entry by entry where its values are too long for the verifier', () => {
    compare(4096, 8192, [0, 4095]);
  });
});
