/** How much memory a program's maps take in the machine and in the kernel, about. */
import { isArray, isPerCpu, type MapDefinition } from './maps.ts';

const GIGABYTE = 1024 ** 3;
/** Hash, links and list of an entry, and its share of the buckets (kernel/bpf/hashtab.c, `struct htab_elem`). */
const ENTRY_OVERHEAD = 64;

const padded = (size: number): number => Math.ceil(size / 8) * 8;

/**
 * Bytes of a map where all of its entries are there: what is allocated when it is made, or can be in use later.
 * @param cpus how many values an entry of a per-CPU map has
 */
export function bytesOfMap(
  { type, keySize, valueSize, maxEntries }: MapDefinition,
  cpus: number = 1,
): number {
  if (type === 'RINGBUF') return maxEntries;
  const key = isArray(type) ? 0 : padded(keySize) + ENTRY_OVERHEAD;
  return maxEntries * (key + padded(valueSize) * (isPerCpu(type) ? cpus : 1));
}

/** A line for each run whose maps can take more than a gigabyte; undefined for all others. */
export function memoryNotice(
  program: string,
  maps: readonly MapDefinition[],
  cpus: number = 1,
): string | undefined {
  const total = maps.reduce((sum, map) => sum + bytesOfMap(map, cpus), 0);
  if (total <= GIGABYTE) return undefined;
  const [largest] = [...maps].sort((a, b) => bytesOfMap(b, cpus) - bytesOfMap(a, cpus));
  const size = (total / GIGABYTE).toFixed(1);
  return `${program}: its maps take up to ${size} GB in each engine (${largest!.name} has room for ${largest!.maxEntries} entries)`;
}
