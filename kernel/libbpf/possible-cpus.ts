/** How many CPUs the kernel counts with: per-CPU maps have a value for each, whether it is there or not. */
import { closeSync } from 'node:fs';
import { EngineError } from '../../sim/engines/engine.ts';
import { BPF_MAP_TYPE } from '../../sim/runtime/maps.ts';
import { type LoadedLibbpf, requireLibbpf } from './libbpf.ts';

/** Twice what any kernel is built for (CONFIG_NR_CPUS). */
const MOST = 16_384;
const VALUE_SIZE = 8;
const UNTOUCHED = 0xff;

let known: number | undefined;

/**
 * libbpf reads it from /sys, which is not mounted everywhere; where it is not, the kernel is asked: how long is the
 * value of a per-CPU map?
 * @throws {EngineError} `environment`, where neither answers
 */
export function possibleCpus(libbpf: LoadedLibbpf = requireLibbpf()): number {
  known ??= ask(libbpf);
  return known;
}

function ask(libbpf: LoadedLibbpf): number {
  const told = libbpf.bpf.libbpf_num_possible_cpus();
  const count = told > 0 ? told : cpusByMap(libbpf);
  if (count > 0) return count;
  throw new EngineError('environment', 'the number of possible CPUs cannot be read: /sys is not mounted', {
    remedy: 'mount -t sysfs sysfs /sys',
  });
}

/** A lookup fills in as many values as there are possible CPUs, all of them 0 in a new map. @returns 0 for no answer */
export function cpusByMap({ bpf }: LoadedLibbpf): number {
  const fd = bpf.bpf_map_create(BPF_MAP_TYPE.PERCPU_ARRAY, 'xdpsim_cpus', 4, VALUE_SIZE, 1, null);
  if (fd < 0) return 0;
  try {
    const values = new Uint8Array(MOST * VALUE_SIZE).fill(UNTOUCHED);
    if (bpf.bpf_map_lookup_elem(fd, new Uint8Array(4), values) < 0) return 0;
    return values.indexOf(UNTOUCHED) / VALUE_SIZE;
  } finally {
    closeSync(fd);
  }
}
