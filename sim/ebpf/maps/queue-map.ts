/**
 * BPF_MAP_TYPE_QUEUE and BPF_MAP_TYPE_STACK (kernel/bpf/queue_stack_maps.c): values without keys.
 *
 * A ring of `maxEntries` values; the descriptor's `oldest` is the index of the first, `count` how many there are.
 */
import { E2BIG, EINVAL, ENOENT, EOPNOTSUPP } from '../../runtime/errno.ts';
import { BPF_EXIST, BPF_NOEXIST, DESCRIPTOR, type MapContent } from './live-map.ts';
import { StorageOfValues } from './storage-of-values.ts';

export class QueueMap extends StorageOfValues {
  override lookup(_key: number): number {
    return 0;
  }

  override update(_key: number, _value: number, _flags: number): number {
    return -EINVAL;
  }

  override delete(_key: number): number {
    return -EINVAL;
  }

  /** @param flags BPF_ANY, or BPF_EXIST: make room in a full map by dropping the oldest */
  override push(value: number, flags: number): number {
    if (flags === BPF_NOEXIST || flags >>> 0 > BPF_EXIST) return -EINVAL;
    const { maxEntries, valueSize } = this.definition;
    if (this.word(DESCRIPTOR.count) === maxEntries) {
      if (flags !== BPF_EXIST) return -E2BIG;
      this.#dropOldest();
    }
    const count = this.word(DESCRIPTOR.count);
    this.memory.u8.copyWithin(this.#at(count), value, value + valueSize);
    this.setWord(DESCRIPTOR.count, count + 1);
    return 0;
  }

  override pop(value: number): number {
    const result = this.peek(value);
    if (result !== 0) return result;
    if (this.definition.type === 'QUEUE') this.#dropOldest();
    else this.setWord(DESCRIPTOR.count, this.word(DESCRIPTOR.count) - 1);
    return 0;
  }

  override peek(value: number): number {
    const { valueSize } = this.definition;
    const count = this.word(DESCRIPTOR.count);
    if (count === 0) {
      this.memory.u8.fill(0, value, value + valueSize);
      return -ENOENT;
    }
    const from = this.#at(this.definition.type === 'QUEUE' ? 0 : count - 1);
    this.memory.u8.copyWithin(value, from, from + valueSize);
    return 0;
  }

  override clear(): void {
    this.setWord(DESCRIPTOR.oldest, 0);
    this.setWord(DESCRIPTOR.count, 0);
  }

  /** User space reads a queue by popping it. */
  override snapshot(): undefined {
    return undefined;
  }

  /** Oldest first. */
  override contents(): readonly MapContent[] {
    const { valueSize } = this.definition;
    return Array.from({ length: this.word(DESCRIPTOR.count) }, (_, position) => ({
      name: `value ${position}`,
      bytes: this.memory.read(this.#at(position), valueSize),
    }));
  }

  override load(key: Uint8Array, value: Uint8Array, scratch: number): number {
    if (key.length !== 0 || value.length !== this.definition.valueSize) return -EINVAL;
    this.memory.u8.set(value, scratch);
    return this.definition.maxEntries === 0 ? -EOPNOTSUPP : this.push(scratch, 0);
  }

  /** Address of the `position`th element, the oldest being 0. */
  #at(position: number): number {
    return (
      this.storage + ((this.word(DESCRIPTOR.oldest) + position) % this.definition.maxEntries) * this.stride
    );
  }

  #dropOldest(): void {
    this.setWord(DESCRIPTOR.oldest, (this.word(DESCRIPTOR.oldest) + 1) % this.definition.maxEntries);
    this.setWord(DESCRIPTOR.count, this.word(DESCRIPTOR.count) - 1);
  }
}
