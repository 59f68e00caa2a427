/** BPF_MAP_TYPE_QUEUE and STACK (kernel/bpf/queue_stack_maps.c): values without keys. */
import { E2BIG, EINVAL } from './errno.ts';
import { BaseModelMap } from './model-map-base.ts';

const BPF_NOEXIST = 1;
const BPF_EXIST = 2;

export class QueueModelMap extends BaseModelMap {
  /** The oldest first, from `#first` on. */
  #elements: Uint8Array[] = [];
  #first = 0;

  override push(value: Uint8Array, flags: number = 0): number {
    if (flags === BPF_NOEXIST || flags > BPF_EXIST) return -EINVAL;
    if (this.#elements.length - this.#first >= this.definition.maxEntries) {
      if (flags !== BPF_EXIST) return -E2BIG;
      this.#dropOldest();
    }
    this.#elements.push(value.slice(0, this.definition.valueSize));
    return 0;
  }

  /** A world fills a queue with entries without keys. */
  override update(_key: Uint8Array, value: Uint8Array, flags?: number): number {
    return this.push(value, flags);
  }

  override pop(): Uint8Array | undefined {
    const element = this.#next();
    if (element === undefined) return undefined;
    if (this.definition.type === 'QUEUE') this.#dropOldest();
    else this.#elements.pop();
    return element;
  }

  override peek(): Uint8Array | undefined {
    return this.#next()?.slice();
  }

  #next(): Uint8Array | undefined {
    if (this.definition.type === 'QUEUE') return this.#elements[this.#first];
    return this.#elements.length > this.#first ? this.#elements.at(-1) : undefined;
  }

  #dropOldest(): void {
    this.#first++;
    // Moving all down at each step would make a long queue quadratic.
    if (this.#first < 1024 || this.#first * 2 < this.#elements.length) return;
    this.#elements = this.#elements.slice(this.#first);
    this.#first = 0;
  }
}
