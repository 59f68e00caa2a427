/** How many entries a map has whose definition leaves it to the loader (`max_entries` 0, or none), or says more than anybody needs. */
import type { MapType } from './maps.ts';

/** Such maps have no size of their own, or one for each CPU. */
const SIZELESS: ReadonlySet<MapType> = new Set([
  'UNSPEC',
  'PERF_EVENT_ARRAY',
  'CGROUP_STORAGE',
  'PERCPU_CGROUP_STORAGE',
  'SK_STORAGE',
  'INODE_STORAGE',
  'TASK_STORAGE',
  'CGRP_STORAGE',
  'STRUCT_OPS',
]);

/** Enough that generated packets do not fill it, and little enough to be compared after every batch. */
const DEFAULT = 1024;
/** A ring's size in bytes: a power of two and whole pages. */
const DEFAULT_RING = 256 * 1024;
/** `cpu_map_alloc` takes no more than the kernel's NR_CPUS, which is 64 at the least on common ones. */
const DEFAULT_CPUS = 64;

/**
 * The kernel makes all entries of a hash with a value for each CPU in advance, one by one: a million take three seconds, in each session
 * anew. No case has so many packets that a program would notice that there are no more than these.
 */
const MOST_PER_CPU = 65_536;

const PAGE = 4096;
/** The largest ring that a number of 32 bits can say. */
const LARGEST_RING = 0x8000_0000;

/**
 * Returns the size that libbpf makes of a ring's: the kernel takes powers of two and whole pages alone, and what is none is rounded up
 * (src/libbpf.c, `adjust_ringbuf_sz`, since 1.0; cilium/ebpf does the same).
 */
function ringSize(bytes: number): number {
  if (bytes > LARGEST_RING) return bytes;
  let size = PAGE;
  while (size < bytes) size *= 2;
  return size;
}

/** Is it for the loader to say how many entries a map of this definition has? */
export function leavesSizeToLoader({ type, maxEntries }: { type: MapType; maxEntries: number }): boolean {
  return maxEntries === 0 && !SIZELESS.has(type);
}

/**
 * Returns the number of entries with which every engine makes the map.
 * @param stated what the user said, by map name
 */
export function maxEntriesOf(
  definition: { readonly name: string; readonly type: MapType; readonly maxEntries: number },
  stated: Readonly<Record<string, number>> = {},
): number {
  const { name, type, maxEntries } = definition;
  const wanted = Object.hasOwn(stated, name) ? stated[name] : undefined;
  const isRing = type === 'RINGBUF' || type === 'USER_RINGBUF';
  if (wanted !== undefined) return isRing ? ringSize(wanted) : wanted;
  if (type === 'PERCPU_HASH' && maxEntries > MOST_PER_CPU) return MOST_PER_CPU;
  if (!leavesSizeToLoader(definition)) return isRing ? ringSize(maxEntries) : maxEntries;
  if (isRing) return DEFAULT_RING;
  return type === 'CPUMAP' ? DEFAULT_CPUS : DEFAULT;
}
