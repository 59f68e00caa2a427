/** Everything that a device's maps hold, with the types to read it by. */
import type { Btf } from '../../sim/ebpf/btf.ts';
import { EngineError } from '../../sim/engines/engine.ts';
import { sumOfCpus } from '../../sim/runtime/map-snapshot.ts';
import { compareBytes, isArray, isPerCpu, type MapDefinition } from '../../sim/runtime/maps.ts';
import { withMaps } from './device-maps.ts';
import type { KernelMap } from './kernel-objects.ts';
import type { Lab } from './lab.ts';

export interface MapDump {
  readonly definition: MapDefinition;
  /** The kernel's number of the map. */
  readonly id: number;
  /** BTF ids of key and value; 0 for what has no type. */
  readonly types: { readonly btf: Btf; readonly key: number; readonly value: number } | undefined;
  /** Undefined where the contents cannot be listed: rings, queues, maps of programs. */
  readonly entries: readonly EntryDump[] | undefined;
}

export interface EntryDump {
  readonly key: Uint8Array;
  /** For a per-CPU map the sum, word by word. */
  readonly value: Uint8Array;
  /** The value of each CPU; undefined for other maps. */
  readonly cpus: readonly Uint8Array[] | undefined;
}

/**
 * Reads the maps of the programs on a device.
 * @param wanted the one to read; default: all, the data sections among them
 * @throws {EngineError} `input`, where there is no such map
 */
export function dumpMaps(lab: Lab, name: string, wanted?: string): MapDump[] {
  return withMaps(lab, name, (maps) => {
    const chosen = maps.filter((one) => wanted === undefined || one.map.name === wanted);
    if (wanted !== undefined && chosen.length === 0) {
      const has = maps.map((one) => one.map.name).join(', ') || 'none';
      throw new EngineError('input', `the programs on ${name} have no map ${wanted}; they have ${has}`);
    }
    return chosen.map(dump);
  });
}

function dump({ id, map, types }: KernelMap): MapDump {
  const { definition } = map;
  if (!map.readable) return { definition, id, types, entries: undefined };
  const entries = map.entries().map(({ key, value }): EntryDump => {
    if (!isPerCpu(definition.type)) return { key, value, cpus: undefined };
    const sum = sumOfCpus(value, definition.valueSize);
    return { key, value: sum, cpus: cpusOf(value, definition.valueSize) };
  });
  // Arrays come in order; hashes would come in another one at every look.
  if (!isArray(definition.type)) entries.sort((a, b) => compareBytes(a.key, b.key));
  return { definition, id, types, entries };
}

/** Each CPU's value is padded to a multiple of 8 bytes (kernel/bpf/arraymap.c, `bpf_percpu_array_copy`). */
function cpusOf(values: Uint8Array, size: number): Uint8Array[] {
  const stride = Math.ceil(size / 8) * 8;
  const cpus: Uint8Array[] = [];
  for (let at = 0; at + size <= values.length; at += stride) cpus.push(values.subarray(at, at + size));
  return cpus;
}
