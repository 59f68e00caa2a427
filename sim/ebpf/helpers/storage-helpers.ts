/** Values that belong to sockets and to control groups (net/core/bpf_sk_storage.c, kernel/bpf/bpf_cgrp_storage.c). */
import { EINVAL, ENOENT } from '../../runtime/errno.ts';
import { socketRow } from '../context/socket.ts';
import type { Machine } from '../machine.ts';
import { forgetLastFrame, StorageMap } from '../maps/storage-map.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';

/** `BPF_LOCAL_STORAGE_GET_F_CREATE` */
const CREATE = 1;
const OF_SOCKETS: Helper['maps'] = ['SK_STORAGE'];
const OF_CGROUPS: Helper['maps'] = ['CGRP_STORAGE'];
/** The row of the one control group that there is; the first is forgotten from frame to frame. */
const ROOT_ROW = 1;

function storageAt(machine: Machine, address: number): StorageMap {
  const map = machine.mapAt(address);
  if (!(map instanceof StorageMap)) throw new Error(`no storage at ${address}`);
  forgetLastFrame(machine.memory, machine.maps);
  return map;
}

function get(machine: Machine, map: number, row: number, value: number, flags: number): number {
  if (machine.high(3) !== 0 || flags >>> 0 > CREATE) return 0;
  const storage = storageAt(machine, map);
  const found = storage.find(row);
  return found !== 0 || flags === 0 ? found : storage.make(row, value);
}

export const STORAGE_HELPERS: readonly Helper[] = [
  {
    number: 107,
    name: 'bpf_sk_storage_get',
    arguments: ['map', 'socket_or_struct', 'value_or_null', 'anything'],
    returns: 'map_value_or_null',
    maps: OF_SOCKETS,
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, leaves: 'outside', leavesUnlessZero: 3 },
    symbolic: 'any value',
    run: (machine, map, socket, value, flags) => get(machine, map, socketRow(socket), value, flags),
  },
  {
    number: 108,
    name: 'bpf_sk_storage_delete',
    arguments: ['map', 'socket_or_struct'],
    returns: 'int',
    maps: OF_SOCKETS,
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, leaves: 'outside' },
    symbolic: 'any value',
    run: (machine, map, socket) => (storageAt(machine, map).remove(socketRow(socket)) ? 0 : -ENOENT),
  },
  {
    number: 210,
    name: 'bpf_cgrp_storage_get',
    arguments: ['map', 'cgroup_or_null', 'value_or_null', 'anything'],
    returns: 'map_value_or_null',
    maps: OF_CGROUPS,
    note: 'there is the root cgroup only',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, leaves: 'outside', leavesUnlessZero: 3 },
    symbolic: 'any value',
    run: (machine, map, group, value, flags) => (group === 0 ? 0 : get(machine, map, ROOT_ROW, value, flags)),
  },
  {
    number: 211,
    name: 'bpf_cgrp_storage_delete',
    arguments: ['map', 'cgroup_or_null'],
    returns: 'int',
    maps: OF_CGROUPS,
    note: 'there is the root cgroup only',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, leaves: 'outside' },
    symbolic: 'any value',
    run: (machine, map, group) => {
      if (group === 0) return -EINVAL;
      return storageAt(machine, map).remove(ROOT_ROW) ? 0 : -ENOENT;
    },
  },
];
