/** BPF_MAP_TYPE_DEVMAP_HASH (kernel/bpf/devmap.c): a hash from any u32 to `struct bpf_devmap_val`. */
import { EINVAL } from '../../runtime/errno.ts';
import type { BpfMap } from '../bpf-object.ts';
import type { LinearMemory } from '../memory.ts';
import { HashMap } from './hash-map.ts';

export class DeviceHashMap extends HashMap {
  /** Where `lookupKey` puts its key. */
  readonly #key: number;

  constructor(memory: LinearMemory, source: BpfMap, index: number, typeNumber: number) {
    super(memory, source, index, typeNumber);
    this.#key = memory.allocate(4);
  }

  /** Set by the map itself on creation (`BPF_F_RDONLY_PROG`). */
  override get programWritable(): boolean {
    return false;
  }

  override update(key: number, value: number, flags: number): number {
    // No device has ifindex 0: the kernel does not find it.
    return this.memory.u32(value) === 0 ? -EINVAL : super.update(key, value, flags);
  }

  /** The value of a u32 key, as an address; 0 where there is none. */
  lookupKey(key: number): number {
    this.memory.setU32(this.#key, key);
    return this.lookup(this.#key);
  }

  override rows(): undefined {
    return undefined;
  }
}
