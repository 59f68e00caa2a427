/** Values that belong to sockets (net/core/bpf_sk_storage.c). */
import { ENOENT } from '../../runtime/errno.ts';
import { socketRow } from '../context/socket.ts';
import type { Machine } from '../machine.ts';
import { forgetLastFrame, StorageMap } from '../maps/storage-map.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';

const BPF_SK_STORAGE_GET_F_CREATE = 1;
const STORAGES: Helper['maps'] = ['SK_STORAGE'];

function storageAt(machine: Machine, address: number): StorageMap {
  const map = machine.mapAt(address);
  if (!(map instanceof StorageMap)) throw new Error(`no storage at ${address}`);
  forgetLastFrame(machine.memory, machine.maps);
  return map;
}

export const STORAGE_HELPERS: readonly Helper[] = [
  {
    number: 107,
    name: 'bpf_sk_storage_get',
    arguments: ['map', 'socket_or_struct', 'value_or_null', 'anything'],
    returns: 'map_value_or_null',
    maps: STORAGES,
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'any value',
    run: (machine, map, socket, value, flags) => {
      if (machine.high(3) !== 0 || flags >>> 0 > BPF_SK_STORAGE_GET_F_CREATE) return 0;
      const storage = storageAt(machine, map);
      const row = socketRow(socket);
      const found = storage.find(row);
      return found !== 0 || flags === 0 ? found : storage.make(row, value);
    },
  },
  {
    number: 108,
    name: 'bpf_sk_storage_delete',
    arguments: ['map', 'socket_or_struct'],
    returns: 'int',
    maps: STORAGES,
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'any value',
    run: (machine, map, socket) => (storageAt(machine, map).remove(socketRow(socket)) ? 0 : -ENOENT),
  },
];
