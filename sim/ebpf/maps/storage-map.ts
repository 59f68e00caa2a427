/**
 * BPF_MAP_TYPE_SK_STORAGE and BPF_MAP_TYPE_CGRP_STORAGE (net/core/bpf_sk_storage.c, kernel/bpf/bpf_cgrp_storage.c,
 * kernel/bpf/bpf_local_storage.c): a value for each socket or control group, made when it is first asked for, gone with
 * its owner. The frame's own socket is gone with the frame.
 *
 * ```
 *   storage ┌───────┬───────┬───────┬───
 *           │ held  │ value │ held  │ …    a row for each socket that there can be, the frame's own first;
 *           └───────┴───────┴───────┴───   held: 0: it has no value
 * ```
 */
import { EINVAL, EOPNOTSUPP } from '../../runtime/errno.ts';
import type { BpfMap } from '../bpf-object.ts';
import { MAX_SOCKETS } from '../context/socket.ts';
import { type LinearMemory, MACHINE_WORD, roundUp8 } from '../memory.ts';
import { DESCRIPTOR, LiveMap, type MapContent } from './live-map.ts';

/** Bytes of a row before its value. */
export const STORAGE_VALUE = 8;
/** The frame's own socket, and the world's. */
export const STORAGE_ROWS: number = MAX_SOCKETS + 1;

export class StorageMap extends LiveMap {
  readonly #storage: number;
  readonly #stride: number;

  constructor(memory: LinearMemory, source: BpfMap, index: number, typeNumber: number) {
    super(memory, source, index, typeNumber);
    this.#stride = STORAGE_VALUE + roundUp8(source.valueSize);
    this.#storage = memory.allocate(this.#stride * STORAGE_ROWS);
    this.setWord(DESCRIPTOR.storage, this.#storage);
    this.setWord(DESCRIPTOR.stride, this.#stride);
  }

  /** The address of a row's value; 0: it has none. */
  find(row: number): number {
    const at = this.#storage + row * this.#stride;
    return this.memory.i32[at >> 2] === 0 ? 0 : at + STORAGE_VALUE;
  }

  /** Gives a row a value. @param value where it lies; 0: zeros */
  make(row: number, value: number): number {
    const at = this.#storage + row * this.#stride;
    this.memory.i32[at >> 2] = 1;
    if (value === 0) this.memory.u8.fill(0, at + STORAGE_VALUE, at + this.#stride);
    else this.store(at + STORAGE_VALUE, value);
    return at + STORAGE_VALUE;
  }

  /** Takes a row's value away. @returns whether there was one */
  remove(row: number): boolean {
    const at = this.#storage + row * this.#stride;
    const held = this.memory.i32[at >> 2] !== 0;
    this.memory.i32[at >> 2] = 0;
    return held;
  }

  override lookup(_key: number): number {
    return 0;
  }

  override update(_key: number, _value: number, _flags: number): number {
    return -EINVAL;
  }

  override delete(_key: number): number {
    return -EINVAL;
  }

  override clear(): void {
    for (let row = 0; row < STORAGE_ROWS; row++) this.remove(row);
  }

  /** User space asks by a socket's descriptor, and cannot list what there is. */
  override snapshot(): undefined {
    return undefined;
  }

  /** By socket, 0 being the frame's own: what that had in the last frame is gone once this one asks. */
  override contents(): readonly MapContent[] {
    const first = this.memory.i32[MACHINE_WORD.storageKept] === 0 ? 1 : 0;
    return Array.from({ length: STORAGE_ROWS }, (_, row) => ({ row, at: this.find(row) }))
      .filter(({ row, at }) => row >= first && at !== 0)
      .map(({ row, at }) => ({
        name: row === 0 ? "the frame's own socket" : `socket ${row}`,
        bytes: this.memory.read(at, this.definition.valueSize),
      }));
  }

  /** Nor can a world name a socket. */
  override load(): number {
    return -EOPNOTSUPP;
  }
}

/** What the last frame's own socket had is gone: once a frame, before its first use of a storage. */
export function forgetLastFrame(memory: LinearMemory, maps: readonly LiveMap[]): void {
  if (memory.i32[MACHINE_WORD.storageKept] !== 0) return;
  memory.i32[MACHINE_WORD.storageKept] = 1;
  for (const map of maps) if (map instanceof StorageMap) map.remove(0);
}
