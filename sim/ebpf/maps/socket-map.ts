/**
 * BPF_MAP_TYPE_SOCKMAP and BPF_MAP_TYPE_SOCKHASH (net/core/sock_map.c). User space puts sockets into them, and in a test
 * none does: they are empty. A program that puts one in stops the machine (`helpers/map-helpers.ts`).
 */
import { EINVAL, ENOENT } from '../../runtime/errno.ts';
import { LiveMap } from './live-map.ts';

export class SocketMap extends LiveMap {
  override lookup(_key: number): number {
    return 0;
  }

  override update(_key: number, _value: number, _flags: number): number {
    return -EINVAL;
  }

  override delete(_key: number): number {
    return this.definition.type === 'SOCKMAP' ? -EINVAL : -ENOENT;
  }

  override clear(): void {}

  override snapshot(): undefined {
    return undefined;
  }

  override load(_key: Uint8Array, _value: Uint8Array, _scratch: number): number {
    return -EINVAL;
  }
}

/** Do its values stand for sockets, so that programs pass sockets to an update? */
export function holdsSockets({ definition }: LiveMap): boolean {
  return definition.type === 'SOCKMAP' || definition.type === 'SOCKHASH';
}
