/** What a command is about to take of the machine's memory, said before it does. */
import { cpus } from 'node:os';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { memoryNotice } from '../../sim/runtime/map-memory.ts';
import { maxEntriesOf } from '../../sim/runtime/map-sizes.ts';
import type { MapDefinition } from '../../sim/runtime/maps.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { reportLine } from '../output.ts';
import { mapsOf } from './map-file.ts';

/** Linux has no more (arch/x86/Kconfig, NR_CPUS). */
const MOST_CPUS = 8192;

/** Reports on standard error which programs have maps that can take more than a gigabyte. */
export function announceMemory(programs: readonly Program[]): void {
  for (const program of programs) announce(program.name, mapsOf(program), program.maxEntries);
}

/** The same for an object that is loaded as it is. One that cannot be read here is refused by whoever loads it. */
export function announceObjectMemory(name: string, object: Uint8Array): void {
  let maps: readonly MapDefinition[];
  try {
    maps = linkedObject(object).maps;
  } catch {
    return;
  }
  announce(name, maps);
}

function announce(name: string, maps: readonly MapDefinition[], stated?: Program['maxEntries']): void {
  const sized = maps.map((map) => ({ ...map, maxEntries: maxEntriesOf(map, stated) }));
  // How many there are takes Node a millisecond to find out: only where it matters.
  if (memoryNotice(name, sized, MOST_CPUS) === undefined) return;
  const notice = memoryNotice(name, sized, cpus().length);
  if (notice !== undefined) reportLine(`xdpsim: ${notice}`);
}
