/** Helpers on maps (kernel/bpf/helpers.c). */
import { EINVAL } from '../../runtime/errno.ts';
import { Unsupported } from '../machine.ts';
import { holdsSockets } from '../maps/socket-map.ts';
import { type Helper, NO_EFFECTS, PLAIN_MAPS } from './helper.ts';

const READABLE_MAPS: Helper['maps'] = [
  ...PLAIN_MAPS,
  'DEVMAP',
  'DEVMAP_HASH',
  'XSKMAP',
  'ARRAY_OF_MAPS',
  'HASH_OF_MAPS',
  'SOCKMAP',
  'SOCKHASH',
];
const WRITABLE_MAPS: Helper['maps'] = [...PLAIN_MAPS, 'SOCKMAP', 'SOCKHASH'];
const SEQUENCES: Helper['maps'] = ['QUEUE', 'STACK'];
const SEQUENCES_AND_FILTERS: Helper['maps'] = ['QUEUE', 'STACK', 'BLOOM_FILTER'];
const PER_CPU_MAPS: Helper['maps'] = ['PERCPU_ARRAY', 'PERCPU_HASH', 'LRU_PERCPU_HASH'];

export const MAP_HELPERS: readonly Helper[] = [
  {
    number: 1,
    name: 'bpf_map_lookup_elem',
    arguments: ['map', 'key'],
    returns: 'map_value_or_null',
    maps: READABLE_MAPS,
    rules: { hooks: 'both', license: 'any', packetAccess: true },
    effects: NO_EFFECTS,
    symbolic: 'exact',
    run: (machine, map, key) => machine.mapAt(map).lookup(key),
  },
  {
    number: 2,
    name: 'bpf_map_update_elem',
    arguments: ['map', 'key', 'value', 'anything'],
    returns: 'int',
    maps: WRITABLE_MAPS,
    rules: { hooks: 'both', license: 'any', packetAccess: true },
    effects: NO_EFFECTS,
    symbolic: 'exact',
    run: (machine, map, key, value, flags) => {
      // Flags are 64 bits wide: what is above the low half is refused as any unknown flag is.
      if (machine.high(3) !== 0) return -EINVAL;
      const target = machine.mapAt(map);
      if (holdsSockets(target)) throw new Unsupported('the machine puts no sockets into maps');
      return target.update(key, value, flags);
    },
  },
  {
    number: 3,
    name: 'bpf_map_delete_elem',
    arguments: ['map', 'key'],
    returns: 'int',
    maps: WRITABLE_MAPS,
    rules: { hooks: 'both', license: 'any', packetAccess: true },
    effects: NO_EFFECTS,
    symbolic: 'exact',
    run: (machine, map, key) => machine.mapAt(map).delete(key),
  },
  {
    number: 87,
    name: 'bpf_map_push_elem',
    arguments: ['map', 'value', 'anything'],
    returns: 'int',
    maps: SEQUENCES_AND_FILTERS,
    rules: { hooks: 'both', license: 'any', packetAccess: true },
    effects: NO_EFFECTS,
    symbolic: 'exact',
    run: (machine, map, value, flags) =>
      machine.high(2) !== 0 ? -EINVAL : machine.mapAt(map).push(value, flags),
  },
  {
    number: 88,
    name: 'bpf_map_pop_elem',
    arguments: ['map', 'value_out'],
    returns: 'int',
    maps: SEQUENCES,
    rules: { hooks: 'both', license: 'any', packetAccess: true },
    effects: NO_EFFECTS,
    symbolic: 'exact',
    run: (machine, map, value) => machine.mapAt(map).pop(value),
  },
  {
    number: 89,
    name: 'bpf_map_peek_elem',
    arguments: ['map', 'value_peeked'],
    returns: 'int',
    maps: SEQUENCES_AND_FILTERS,
    rules: { hooks: 'both', license: 'any', packetAccess: true },
    effects: NO_EFFECTS,
    symbolic: 'exact',
    run: (machine, map, value) => machine.mapAt(map).peek(value),
  },
  {
    number: 195,
    name: 'bpf_map_lookup_percpu_elem',
    arguments: ['map', 'key', 'anything'],
    returns: 'map_value_or_null',
    note: 'the values of the world’s CPU; null for every other one, in the kernel engines too',
    maps: PER_CPU_MAPS,
    rules: { hooks: 'both', license: 'any', packetAccess: true },
    effects: NO_EFFECTS,
    symbolic: 'any value',
    // The machine has one CPU, the world's; so do copies of programs in the kernel's engines (`kernel/pin/`).
    run: (machine, map, key, cpu) => (cpu === machine.cpu ? machine.mapAt(map).lookup(key) : 0),
  },
];
