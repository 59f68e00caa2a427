/**
 * BPF_MAP_TYPE_ARRAY_OF_MAPS and BPF_MAP_TYPE_HASH_OF_MAPS (kernel/bpf/arraymap.c, hashtab.c, map_in_map.c).
 *
 * A value is the u32 address of the inner map's descriptor, in a slot of 8 bytes; a lookup gives that address, as
 * the kernel's gives the inner map's pointer and not the slot's. Only the object's initialisers and the world put
 * maps in: programs cannot.
 */
import { EINVAL } from '../../runtime/errno.ts';
import { ArrayMap } from './array-map.ts';
import { HashMap } from './hash-map.ts';

export class ArrayOfMaps extends ArrayMap {
  override get programWritable(): boolean {
    return false;
  }

  override lookup(key: number): number {
    const slot = super.lookup(key);
    return slot === 0 ? 0 : this.memory.u32(slot);
  }

  /** Puts a map in, given its descriptor's address. */
  insert(key: number, inner: number): number {
    const slot = super.lookup(key);
    if (slot === 0) return -EINVAL;
    this.memory.setU32(slot, inner);
    return 0;
  }

  override update(_key: number, _value: number, _flags: number): number {
    return -EINVAL;
  }

  /** User space reads ids of maps, which mean nothing elsewhere. */
  override snapshot(): undefined {
    return undefined;
  }

  override rows(): undefined {
    return undefined;
  }
}

export class HashOfMaps extends HashMap {
  override get programWritable(): boolean {
    return false;
  }

  override lookup(key: number): number {
    const value = super.lookup(key);
    return value === 0 ? 0 : this.memory.u32(value);
  }

  insert(key: number, inner: number): number {
    let entry = this.table.find(key);
    if (entry === 0) entry = this.table.insert(key);
    if (entry === 0) return -EINVAL;
    this.memory.setU32(entry + this.table.valueOffset, inner);
    return 0;
  }

  override update(_key: number, _value: number, _flags: number): number {
    return -EINVAL;
  }

  override snapshot(): undefined {
    return undefined;
  }

  override rows(): undefined {
    return undefined;
  }
}
