/** The maps of the programs on a device, as they are now. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { attachedTo } from './attachments.ts';
import { KernelMap, pinnedMapId, programInfo } from './kernel-objects.ts';
import type { Lab } from './lab.ts';

/**
 * Calls `use` with every map that a program on the device uses, whoever attached it, sorted by name; data sections
 * (`.rodata`, `.bss`) are among them. The maps are open only so long.
 * @throws {EngineError} `input`, where there is no such device
 */
export function withMaps<T>(lab: Lab, name: string, use: (maps: readonly KernelMap[]) => T): T {
  const ids = new Set(attachedTo(lab.device(name)).flatMap((one) => programInfo(one.id)?.mapIds ?? []));
  const names = pinnedNames(lab.pinDirectory(name));
  const maps: KernelMap[] = [];
  try {
    for (const id of ids) {
      const map = KernelMap.byId(id, names.get(id));
      if (map !== undefined) maps.push(map);
    }
    maps.sort((a, b) => (a.map.name < b.map.name ? -1 : 1));
    return use(maps);
  } finally {
    for (const map of maps) map.close();
  }
}

/** The kernel keeps 15 characters of a map's name, its pin all of them. */
function pinnedNames(directory: string): Map<number, string> {
  const names = new Map<number, string>();
  let files: string[] = [];
  try {
    files = readdirSync(directory);
  } catch {
    return names;
  }
  for (const file of files) {
    const id = pinnedMapId(join(directory, file));
    // Data sections are pinned with an underscore in the dot's place.
    if (id !== undefined && !/^_(rodata|data|bss)/.test(file)) names.set(id, file);
  }
  return names;
}
