/** `--max-entries NAME=N`: the sizes of maps that a loader would set. */
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { leavesSizeToLoader, maxEntriesOf } from '../../sim/runtime/map-sizes.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { inputFailure } from '../failure.ts';
import { count } from '../terminal.ts';
import { MANY, parseCount } from './options.ts';

/**
 * The programs with the sizes that the user states.
 * @param options `NAME=N`, as given
 * @throws {Failure} for another form, and for a map that none of the programs has
 */
export function withMaxEntries(programs: readonly Program[], options: readonly string[]): Program[] {
  if (options.length === 0) return [...programs];
  const sizes = options.map((option) => ({ option, size: parse(option) }));
  const known = new Set(programs.flatMap(sizedMaps));
  for (const { size } of sizes) {
    const [name] = size;
    if (known.has(name)) continue;
    const has = [...known].sort().join(', ') || 'none';
    throw inputFailure(`--max-entries ${name}: no such map; available: ${has}`);
  }
  return programs.map((program) => {
    // Of several programs, each takes the sizes of its own maps: a command that repeats a finding names it alone.
    const names = new Set(sizedMaps(program));
    const own = sizes.filter(({ size: [name] }) => names.has(name));
    if (own.length === 0) return program;
    const repeat = own.flatMap(({ option }) => ['--max-entries', option]);
    return {
      ...program,
      maxEntries: Object.fromEntries(own.map(({ size }) => size)),
      ...(program.commandLine === undefined ? {} : { commandLine: [...program.commandLine, ...repeat] }),
    };
  });
}

/** Sections with variables are maps as well, of one value that no loader can choose the number of. */
function sizedMaps(program: Program): string[] {
  return mapsOf(program).flatMap((map) => (map.global === undefined ? [map.name] : []));
}

function parse(option: string): [name: string, entries: number] {
  const equals = option.indexOf('=');
  if (equals <= 0) throw inputFailure(`--max-entries takes NAME=N, not “${option}”`);
  const name = option.slice(0, equals);
  const entries = parseCount(`--max-entries ${name}`, MANY)(option.slice(equals + 1));
  if (entries > 0xffff_ffff) throw inputFailure(`--max-entries ${name}: at most ${0xffff_ffff} entries`);
  return [name, entries];
}

/** One line for each map whose size nobody states: which one was taken, and how to choose another. */
export function assumedSizes(programs: readonly Program[]): string[] {
  const lines = programs.flatMap((program) =>
    mapsOf(program)
      .filter((map) => leavesSizeToLoader(map) && program.maxEntries?.[map.name] === undefined)
      .map((map) => {
        const entries = maxEntriesOf(map);
        return `map ${map.name} has no max_entries: using ${count(entries)} (--max-entries ${map.name}=N)`;
      }),
  );
  return [...new Set(lines)];
}

/** With the templates of maps in maps, `tables.inner`. Without an object, and for one that cannot be read, none: whoever runs it says what is wrong. */
function mapsOf({ object }: Program): readonly BpfMap[] {
  if (object === undefined) return [];
  try {
    return linkedObject(object).maps.flatMap((map) => (map.inner === undefined ? [map] : [map, map.inner]));
  } catch {
    return [];
  }
}
