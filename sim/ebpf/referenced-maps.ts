/** What of an object its programs need: the maps that they refer to, and the programs that their tail calls reach. */

import type { BpfObject, BpfProgram } from './bpf-object.ts';
import { BPF_PSEUDO_MAP_FD, BPF_PSEUDO_MAP_VALUE, LDDW } from './instruction.ts';

export interface Needs {
  /** Indices of maps. */
  readonly maps: ReadonlySet<number>;
  /** Indices of programs: those asked about, and what they may tail-call from the start. */
  readonly programs: ReadonlySet<number>;
}

/** Indices of the maps that a program's own instructions name. */
export function mapsReferredTo({ instructions }: BpfProgram): ReadonlySet<number> {
  const maps = new Set<number>();
  for (let slot = 0; slot < instructions.count; slot++) {
    if (instructions.opcode[slot] !== LDDW) continue;
    const source = instructions.src[slot];
    if (source === BPF_PSEUDO_MAP_FD || source === BPF_PSEUDO_MAP_VALUE) maps.add(instructions.imm[slot]!);
    slot++;
  }
  return maps;
}

/** @param entries indices of the programs that packets are given to */
export function needsOf(object: BpfObject, entries: Iterable<number>): Needs {
  const maps = new Set<number>();
  const programs = new Set<number>();
  const addProgram = (index: number): void => {
    if (index < 0 || programs.has(index)) return;
    programs.add(index);
    for (const map of mapsReferredTo(object.programs[index]!)) addMap(map);
  };
  const addMap = (index: number): void => {
    const map = object.maps[index];
    if (map === undefined || maps.has(index)) return;
    maps.add(index);
    for (const { name } of map.initial) {
      if (map.type === 'PROG_ARRAY') addProgram(object.programs.findIndex((one) => one.function === name));
      else addMap(object.maps.findIndex((one) => one.name === name));
    }
  };
  for (const entry of entries) addProgram(entry);
  return { maps, programs };
}

/**
 * The programs that only stand behind tail calls, with who makes them: those that a PROG_ARRAY holds from the start, and
 * that another program, one they do not lead back to, refers to. Of programs that call each other in a circle, each may be
 * the first.
 * @returns by index of the program, the functions of its callers
 */
export function tailCallersOf(object: BpfObject): ReadonlyMap<number, readonly string[]> {
  const reached = object.programs.map((_, index) => needsOf(object, [index]).programs);
  const callers = new Map<number, readonly string[]>();
  for (const target of object.programs.keys()) {
    const above = [...object.programs.keys()].filter(
      (caller) => caller !== target && reached[caller]!.has(target) && !reached[target]!.has(caller),
    );
    if (above.length > 0)
      callers.set(
        target,
        above.map((caller) => object.programs[caller]!.function),
      );
  }
  return callers;
}
