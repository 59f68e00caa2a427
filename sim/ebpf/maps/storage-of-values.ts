/** Maps whose values lie one behind the other, each at a multiple of 8 bytes: the base of arrays, queues and slots. */
import type { BpfMap } from '../bpf-object.ts';
import { type LinearMemory, roundUp8 } from '../memory.ts';
import { DESCRIPTOR, LiveMap } from './live-map.ts';

export abstract class StorageOfValues extends LiveMap {
  /** Address of value 0. */
  readonly storage: number;
  /** Bytes from one value to the next. */
  readonly stride: number;

  constructor(memory: LinearMemory, source: BpfMap, index: number, typeNumber: number) {
    super(memory, source, index, typeNumber);
    this.stride = roundUp8(source.valueSize);
    this.storage = memory.allocate(this.stride * source.maxEntries);
    this.setWord(DESCRIPTOR.storage, this.storage);
    this.setWord(DESCRIPTOR.stride, this.stride);
  }
}
