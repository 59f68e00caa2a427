/** BPF_MAP_TYPE_DEVMAP_HASH (kernel/bpf/devmap.c): a hash from any u32 to `struct bpf_devmap_val`. */
import { EINVAL } from '../../runtime/errno.ts';
import { HashMap } from './hash-map.ts';

export class DeviceHashMap extends HashMap {
  /** Set by the map itself on creation (`BPF_F_RDONLY_PROG`). */
  override get programWritable(): boolean {
    return false;
  }

  override update(key: number, value: number, flags: number): number {
    // No device has ifindex 0: the kernel does not find it.
    return this.memory.u32(value) === 0 ? -EINVAL : super.update(key, value, flags);
  }

  override rows(): undefined {
    return undefined;
  }
}
