/**
 * BPF_MAP_TYPE_USER_RINGBUF (kernel/bpf/ringbuf.c): what user space hands to programs. Nobody hands anything over while a
 * case runs, here as in `BPF_PROG_TEST_RUN`: the ring is empty.
 */
import { EINVAL, ENOTSUPP } from '../../runtime/errno.ts';
import { LiveMap } from './live-map.ts';

export class UserRingBufferMap extends LiveMap {
  override lookup(_key: number): number {
    return 0;
  }

  override update(_key: number, _value: number, _flags: number): number {
    return -ENOTSUPP;
  }

  override delete(_key: number): number {
    return -ENOTSUPP;
  }

  override clear(): void {}

  override snapshot(): undefined {
    return undefined;
  }

  override load(_key: Uint8Array, _value: Uint8Array, _scratch: number): number {
    return -EINVAL;
  }
}
