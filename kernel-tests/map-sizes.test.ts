/**
 * Which sizes of keys, values and maps the running kernel takes. Unit tests ask the machine for the same by what is recorded:
 * XDPSIM_RECORD=1 npx vitest run kernel-tests/map-sizes.test.ts
 */
import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { requireLibbpf } from '../kernel/libbpf/libbpf.ts';
import { syscalls } from '../kernel/testrun/syscalls.ts';
import {
  type MapSizes,
  RECORDED_SIZES,
  recordedSizes,
  SIZED_TYPES,
  sizesOf,
  type Takes,
} from '../sim/ebpf/test-support/map-sizes.ts';
import { BPF_MAP_TYPE } from '../sim/runtime/maps.ts';
import { describeKernel } from './test-support/require-kernel.ts';

/** `struct bpf_map_create_opts` (bpf/bpf.h). */
const OPTIONS = { sz: 0, inner_map_fd: 24, map_flags: 28, size: 56 } as const;
const BPF_F_NO_PREALLOC = 1;

function takesWith(inner: number): Takes {
  const { bpf } = requireLibbpf();
  return (type, keySize, valueSize, maxEntries) => {
    const options = new Uint8Array(OPTIONS.size);
    const view = new DataView(options.buffer);
    view.setBigUint64(OPTIONS.sz, BigInt(OPTIONS.size), true);
    if (type === 'LPM_TRIE') view.setUint32(OPTIONS.map_flags, BPF_F_NO_PREALLOC, true);
    if (type.endsWith('OF_MAPS')) view.setUint32(OPTIONS.inner_map_fd, inner, true);
    const fd = bpf.bpf_map_create(BPF_MAP_TYPE[type], 'sizes', keySize, valueSize, maxEntries, options);
    if (fd >= 0) syscalls().close(fd);
    return fd >= 0;
  };
}

describeKernel('sizes of maps', ['root', 'testrun', 'linux 6.12'], () => {
  it('that the kernel takes are those that were recorded', () => {
    const inner = requireLibbpf().bpf.bpf_map_create(BPF_MAP_TYPE.ARRAY, 'inner', 4, 4, 1, null);
    try {
      const takes = takesWith(inner);
      const sizes: Record<string, MapSizes> = {};
      for (const type of SIZED_TYPES) sizes[type] = sizesOf(type, takes);
      if (process.env.XDPSIM_RECORD !== undefined)
        writeFileSync(RECORDED_SIZES, `${JSON.stringify(sizes, undefined, 2)}\n`);
      expect(sizes).toEqual(recordedSizes());
    } finally {
      syscalls().close(inner);
    }
  });
});
