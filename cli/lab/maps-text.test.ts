import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { MapDump } from '../../kernel/lab/map-dump.ts';
import { loadObject } from '../../sim/ebpf/object.ts';
import { createTerminal } from '../terminal.ts';
import { mapLines, mapToJson } from './maps-text.ts';

const terminal = createTerminal({ color: false });
const statistics = loadObject(
  new Uint8Array(readFileSync(new URL('../../bpf/built/icmp_echo.o', import.meta.url))),
);
const definition = statistics.maps.find((map) => map.name === 'xdp_stats_map')!;

function record(packets: number, bytes: number): Uint8Array {
  return new Uint8Array(BigUint64Array.of(BigInt(packets), BigInt(bytes)).buffer);
}

function u32(number: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(number).buffer);
}

const perCpu: MapDump = {
  definition,
  id: 7,
  types: { btf: statistics.btf!, key: definition.keyType!, value: definition.valueType! },
  entries: [
    { key: u32(2), value: record(0, 0), cpus: [record(0, 0), record(0, 0)] },
    { key: u32(3), value: record(5, 490), cpus: [record(2, 196), record(3, 294)] },
  ],
};

it('shows per-CPU values as what they are, with their sum first', () => {
  expect(mapLines(perCpu, terminal)).toEqual([
    'xdp_stats_map (PERCPU_ARRAY, id 7, 5 entries)',
    '  3: { .rx_packets = 5, .rx_bytes = 490 }',
    '    cpu 0: { .rx_packets = 2, .rx_bytes = 196 }',
    '    cpu 1: { .rx_packets = 3, .rx_bytes = 294 }',
    '  1 entry is all zero',
  ]);
});

it('leaves nothing out of the JSON', () => {
  expect(mapToJson(perCpu)).toMatchObject({
    name: 'xdp_stats_map',
    type: 'PERCPU_ARRAY',
    id: 7,
    entries: [
      { key: 2, value: { rx_packets: 0, rx_bytes: 0 } },
      {
        key: 3,
        value: { rx_packets: 5, rx_bytes: 490 },
        cpus: [
          { rx_packets: 2, rx_bytes: 196 },
          { rx_packets: 3, rx_bytes: 294 },
        ],
      },
    ],
  });
});

it('shows the ifindexes of device maps, which have no types', () => {
  const devices: MapDump = {
    definition: { name: 'tx_port', type: 'DEVMAP_HASH', keySize: 4, valueSize: 4, maxEntries: 256 },
    id: 8,
    types: undefined,
    entries: [{ key: u32(3), value: u32(3), cpus: undefined }],
  };
  expect(mapLines(devices, terminal)).toEqual(['tx_port (DEVMAP_HASH, id 8, 256 entries)', '  3: 3']);
});

it('shows bytes where nothing is known of them', () => {
  const untyped: MapDump = {
    definition: { name: 'm', type: 'HASH', keySize: 2, valueSize: 3, maxEntries: 9 },
    id: 9,
    types: undefined,
    entries: [{ key: Uint8Array.of(1, 2), value: Uint8Array.of(0xff, 0, 1), cpus: undefined }],
  };
  expect(mapLines(untyped, terminal)[1]).toBe('  0x0102: 0xff0001');
  expect(mapLines({ ...untyped, entries: [] }, terminal)[1]).toBe('  empty');
});

it('says of rings and queues that they cannot be listed', () => {
  const ring: MapDump = {
    definition: { name: 'events', type: 'RINGBUF', keySize: 0, valueSize: 0, maxEntries: 4096 },
    id: 10,
    types: undefined,
    entries: undefined,
  };
  expect(mapLines(ring, terminal)[1]).toBe('  its contents cannot be listed');
  expect(mapToJson(ring)).toMatchObject({ entries: null });
});
