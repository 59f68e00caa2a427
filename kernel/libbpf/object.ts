/** A compiled object in the kernel: opened from memory, its globals set, loaded, closed. */

import { namesOfMade, templateOf } from '../../sim/ebpf/made-maps.ts';
import { BPF_F_ZERO_SEED } from '../../sim/ebpf/maps/live-map.ts';
import { EngineError, type Pinning } from '../../sim/engines/engine.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import { E2BIG } from '../../sim/runtime/errno.ts';
import { maxEntriesOf } from '../../sim/runtime/map-sizes.ts';
import type { MapType } from '../../sim/runtime/maps.ts';
import type { ProgramEntry } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { instructionsOf, pinPrograms, typesOf } from '../pin/pin-object.ts';
import type { PinnedWorld, Pins, ProgramTypes } from '../pin/pins.ts';
import { syscalls } from '../testrun/syscalls.ts';
import { BPF_F_MMAPABLE } from './array-window.ts';
import { requireBpfElf } from './check-elf.ts';
import { setGlobals } from './globals.ts';
import { BPF_ATTACH_TYPE, BPF_INSN, BPF_PROG_TYPE, OBJECT_OPEN_OPTS } from './layouts.ts';
import { addressOf, bytesAt, errnoName, type LoadedLibbpf, type Pointer, requireLibbpf } from './libbpf.ts';
import { describeLoadFailure, isMomentary, isTooComplex, type LoadFailure } from './load-failure.ts';
import { createLike, type MadeMap, type MapTemplate, makeMap, templateFor } from './made-maps.ts';
import { BpfMap, mapTypeName } from './map.ts';
import { listenToLibbpf } from './messages.ts';
import { needsOfEntries } from './object-needs.ts';

export interface ObjectOptions {
  /** Names the object in the kernel: letters, digits and underscores are kept, up to 15. */
  readonly name: string;
  /** How messages call the object. */
  readonly file: string;
  /** The functions to load; others are left out, unless the object starts with them in a PROG_ARRAY. */
  readonly entries: readonly ProgramEntry[];
  /** What global variables start with, by name. */
  readonly globals?: Readonly<Record<string, Uint8Array>>;
  /** The programs and maps that user space puts into slots of maps, by map name; they are loaded, too. */
  readonly slots?: World['slots'];
  /** What maps hold at first, by name: here, only the names of those that user space makes count. */
  readonly contents?: World['maps'];
  /** Maps of other objects that take the place of this one's own, by name. */
  readonly sharedMaps?: Readonly<Record<string, BpfMap>>;
  /** Sizes of maps, by name: see `maxEntriesOf`. */
  readonly maxEntries?: Readonly<Record<string, number>>;
  /** Gives the programs this clock and these random numbers in the place of the kernel's, where that works. */
  readonly pin?: PinnedWorld;
}

/** One loaded function. */
export interface BpfProgram {
  readonly name: string;
  readonly hook: Hook;
  readonly fd: number;
  /** Numbers of the helpers that it or its subprograms call. */
  readonly helpers: ReadonlySet<number>;
  /** `enum bpf_prog_type`. */
  readonly type: number;
  /** `enum bpf_attach_type`. */
  readonly attachType: number;
  /** It and its subprograms, as the kernel was given them. */
  instructions(): Uint8Array;
  /** Types of its functions, where they are known. */
  types(): ProgramTypes | undefined;
}

const CALL = 0x85;
/** What the source register of a call says: a helper (0), a subprogram (1), a kernel function. */
const PSEUDO_HELPER = 0;
const PSEUDO_KFUNC = 2;
/** Number of `bpf_map_lookup_percpu_elem` (linux/bpf.h). */
const LOOKUP_PERCPU_ELEM = 195;
const TIMER_INIT = 169;
const LOG_BYTES = 16 * 1024 * 1024;

const ENOENT = -2;
const EBADF = -9;

export class BpfObject {
  /** In the order of `ObjectOptions.entries`. */
  readonly programs: readonly BpfProgram[];
  /** All maps that a program can change or that the world can fill, in order of name; `.rodata` is not among them. */
  readonly maps: readonly BpfMap[];
  /** Numbers of the helpers that any of the loaded functions call, those that only a tail call reaches included. */
  readonly helpers: ReadonlySet<number>;
  readonly callsKernelFunctions: boolean;
  /** What `ObjectOptions.pin` has led to. */
  readonly pinning: Pinning;
  readonly #pins: Pins | undefined;
  readonly #libbpf: LoadedLibbpf;
  /** Those that a world makes after templates; none where the constructor fails before it makes any. */
  #made: readonly MadeMap[] = [];
  #handle: Pointer;

  /**
   * Loads an object into the kernel.
   * @throws {EngineError} `input`: not a BPF object, no such function, a global that does not fit, or refused by
   *   the verifier, whose log is in `log`; `environment`: no libbpf, no rights
   */
  constructor(bytes: Uint8Array, options: ObjectOptions) {
    requireBpfElf(bytes, options.file);
    this.#libbpf = requireLibbpf();
    const opened = openAndLoad(this.#libbpf, bytes, options);
    this.#handle = opened.handle;
    try {
      const pointers = loadedPrograms(this.#libbpf, opened.handle);
      this.#makeMaps(opened.templates, options);
      fillSlots(this.#libbpf, opened.handle, options, this.#made);
      const entries = new Set(opened.programs.map(({ pointer }) => pointer));
      const pinned = pinPrograms(this.#libbpf, opened.handle, pointers, entries, bytes, options.pin);
      const { pins, pinning } = pinned;
      this.#pins = pins;
      this.pinning = pinning;
      this.programs = opened.programs.map(({ pointer, entry }) => {
        const fd = this.#libbpf.bpf.bpf_program__fd(pointer);
        const copy = pins?.sourceOf(fd);
        return {
          name: entry.function,
          hook: entry.hook,
          fd: pins?.copyOf(fd) ?? fd,
          helpers: callsOf(this.#libbpf, pointer).helpers,
          type: this.#libbpf.bpf.bpf_program__type(pointer),
          attachType: this.#libbpf.bpf.bpf_program__expected_attach_type(pointer),
          instructions: () => copy?.instructions ?? instructionsOf(this.#libbpf, pointer),
          types: () =>
            copy === undefined ? typesOf(this.#libbpf, opened.handle, pointer, bytes) : copy.types,
        };
      });
      const calls = pointers.map((one) => callsOf(this.#libbpf, one));
      this.helpers = new Set(calls.flatMap(({ helpers }) => [...helpers]));
      this.callsKernelFunctions = calls.some(({ kernelFunctions }) => kernelFunctions);
      this.maps = this.#loadedMaps(opened.initial);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  map(name: string): BpfMap | undefined {
    return this.maps.find((map) => map.name === name);
  }

  /** Closes the programs and maps; the kernel frees them. May be called more than once. */
  close(): void {
    if (this.#handle === 0) return;
    this.#pins?.close();
    // Nothing where the constructor fails.
    for (const map of this.maps ?? []) map.close();
    for (const { fd } of this.#made) syscalls().close(fd);
    this.#made = [];
    this.#libbpf.bpf.bpf_object__close(this.#handle);
    this.#handle = 0;
  }

  /** Brings a pinned clock and pinned random numbers back to where they started. */
  resetPins(): void {
    this.#pins?.reset();
  }

  #makeMaps(templates: Opened['templates'], { contents, slots, file }: ObjectOptions): void {
    for (const name of namesOfMade({ maps: contents, slots })) {
      const template = templates.get(templateOf(name)!);
      if (template === undefined)
        throw new EngineError('input', `the world has a map ${name} for which ${file} has no template`);
      this.#made = [...this.#made, makeMap(this.#libbpf, this.#handle, template, name, file)];
    }
  }

  #loadedMaps(initial: ReadonlyMap<string, Uint8Array>): BpfMap[] {
    const { bpf } = this.#libbpf;
    const details = {
      changesOtherCpus: this.helpers.has(LOOKUP_PERCPU_ELEM),
      holdsTimers: this.helpers.has(TIMER_INIT),
    };
    const maps = this.#made.map(({ fd, definition }) => new BpfMap(this.#libbpf, fd, definition, details));
    for (const pointer of walk((previous) => bpf.bpf_object__next_map(this.#handle, previous))) {
      const name = mapName(this.#libbpf, pointer);
      const internal = bpf.bpf_map__is_internal(pointer);
      if ((internal && !isWritableSection(name)) || bpf.bpf_map__fd(pointer) < 0) continue;
      const definition = {
        name,
        type: mapTypeName(bpf.bpf_map__type(pointer)),
        keySize: bpf.bpf_map__key_size(pointer),
        valueSize: bpf.bpf_map__value_size(pointer),
        maxEntries: bpf.bpf_map__max_entries(pointer),
      };
      const own = {
        ...details,
        initial: initial.get(name),
        mappable: (bpf.bpf_map__map_flags(pointer) & BPF_F_MMAPABLE) !== 0,
      };
      maps.push(new BpfMap(this.#libbpf, bpf.bpf_map__fd(pointer), definition, own));
    }
    return maps.sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}

/**
 * Puts programs and maps into the slots that a world names.
 * @throws {EngineError} `input`, where there is no such map, program or slot, or the kernel refuses it
 */
function fillSlots(
  libbpf: LoadedLibbpf,
  handle: Pointer,
  { slots = {}, file }: ObjectOptions,
  made: readonly MadeMap[],
): void {
  const { bpf } = libbpf;
  const maps = walk((previous) => bpf.bpf_object__next_map(handle, previous));
  const programs = loadedPrograms(libbpf, handle);
  for (const [mapOfSlots, list] of Object.entries(slots)) {
    const map = maps.find((one) => mapName(libbpf, one) === mapOfSlots);
    if (map === undefined)
      throw new EngineError('input', `the world fills a map ${mapOfSlots} that ${file} does not have`);
    // Not made, since none of the programs refers to it.
    if (bpf.bpf_map__fd(map) < 0) continue;
    const ofPrograms = bpf.bpf_map__type(map) === BPF_MAP_TYPE_PROG_ARRAY;
    for (const { key, name } of list) {
      const where = `${file}: slot ${Buffer.from(key).toString('hex')} of map ${mapOfSlots}`;
      const fd = ofPrograms
        ? fdOf(
            programs.find((one) => bpf.bpf_program__name(one) === name),
            bpf.bpf_program__fd,
          )
        : (made.find((one) => one.definition.name === name)?.fd ??
          fdOf(
            maps.find((one) => mapName(libbpf, one) === name),
            bpf.bpf_map__fd,
          ));
      if (fd === undefined) {
        throw new EngineError(
          'input',
          `${where}: there is no ${ofPrograms ? 'XDP or TC function' : 'map'} ${name}`,
        );
      }
      if (key.length !== bpf.bpf_map__key_size(map)) {
        throw new EngineError('input', `${where}: a key has ${bpf.bpf_map__key_size(map)} bytes`);
      }
      const value = new Uint8Array(Uint32Array.of(fd).buffer);
      const result = bpf.bpf_map_update_elem(bpf.bpf_map__fd(map), key, value, 0);
      if (result < 0) throw new EngineError('input', `${where} does not take ${name}: ${errnoName(result)}`);
    }
  }
}

function fdOf(found: Pointer | undefined, of: (found: Pointer) => number): number | undefined {
  return found === undefined ? undefined : of(found);
}

function loadedPrograms({ bpf }: LoadedLibbpf, handle: Pointer): Pointer[] {
  return walk((previous) => bpf.bpf_object__next_program(handle, previous)).filter(
    (pointer) => bpf.bpf_program__fd(pointer) >= 0,
  );
}

interface Calls {
  readonly helpers: ReadonlySet<number>;
  readonly kernelFunctions: boolean;
}

/** What a function and its subprograms call. */
function callsOf(libbpf: LoadedLibbpf, pointer: Pointer): Calls {
  const instructions = instructionsOf(libbpf, pointer);
  const view = new DataView(instructions.buffer, instructions.byteOffset, instructions.byteLength);
  const helpers = new Set<number>();
  let kernelFunctions = false;
  for (let at = 0; at < instructions.length; at += BPF_INSN.size) {
    if (view.getUint8(at) !== CALL) continue;
    const source = view.getUint8(at + BPF_INSN.registers) >> 4;
    if (source === PSEUDO_HELPER) helpers.add(view.getInt32(at + BPF_INSN.imm, true));
    else if (source === PSEUDO_KFUNC) kernelFunctions = true;
  }
  return { helpers, kernelFunctions };
}

interface Opened {
  readonly handle: Pointer;
  readonly programs: readonly { readonly pointer: Pointer; readonly entry: ProgramEntry }[];
  /** What `.data` and `.bss` sections start with, by section name. */
  readonly initial: ReadonlyMap<string, Uint8Array>;
  /** How the maps in maps of maps are to be, by the name of the map of maps. */
  readonly templates: ReadonlyMap<string, MapTemplate>;
}

/**
 * Programs that the verifier has given up on, after a million instructions say, by the bytes of their object: that takes
 * seconds each time, and ends in the same way.
 */
const tooComplex = new WeakMap<Uint8Array, Map<string, EngineError>>();

/** How often to ask again where a signal came in between. libbpf itself asks five times. */
const ATTEMPTS = 3;

function openAndLoad(libbpf: LoadedLibbpf, bytes: Uint8Array, options: ObjectOptions): Opened {
  const { entries, maxEntries, slots, globals } = options;
  const values = Object.entries(globals ?? {}).map(([name, value]) => [name, ...value]);
  const what = JSON.stringify([entries, maxEntries, slots, values]);
  const known = tooComplex.get(bytes)?.get(what);
  if (known !== undefined) throw known;
  const needs = needsOfEntries(
    bytes,
    options.entries.map((entry) => entry.function),
    options.slots,
  );
  // Those that a world names have to be there to be put anywhere.
  const isNamed = Object.keys(options.slots ?? {}).length > 0;
  const siblings = isNamed ? (needs?.targets ?? 'all') : 'none';
  let parts: Parts = { siblings, left: needs?.unusedMaps ?? NONE, leftAlways: false };
  let result = tryToLoad(libbpf, bytes, options, parts);
  for (let again = 0; again < ATTEMPTS && 'error' in result && isMomentary(result); again++) {
    result = tryToLoad(libbpf, bytes, options, parts);
  }
  if ('error' in result && result.error === EBADF) {
    // A PROG_ARRAY starts with functions that are no entries: libbpf had no descriptor to put there.
    parts = { ...parts, siblings: needs?.targets ?? 'all' };
    result = tryToLoad(libbpf, bytes, options, parts);
  }
  if ('error' in result && result.error !== -E2BIG && parts.left.size > 0) {
    // A map that this kernel does not make matters to those only that refer to it.
    parts = { ...parts, leftAlways: true };
    result = tryToLoad(libbpf, bytes, options, parts);
  }
  if ('handle' in result) return result;
  // Once more, to hear why. A kernel that changed its mind meanwhile is believed.
  const log = new Uint8Array(LOG_BYTES);
  let loud: Opened | LoadFailure = result;
  const messages = listenToLibbpf(() => {
    loud = tryToLoad(libbpf, bytes, options, parts, log);
  });
  if ('handle' in (loud as Opened | LoadFailure)) return loud as unknown as Opened;
  const said = textOf(log);
  const failure = describeLoadFailure(result, { ...options, bytes }, messages, said);
  if (isTooComplex(result, said)) {
    const refused = tooComplex.get(bytes) ?? new Map<string, EngineError>();
    tooComplex.set(bytes, refused.set(what, failure));
  }
  throw failure;
}

/** Which parts of an object are loaded. */
interface Parts {
  readonly siblings: Siblings;
  /** Maps that none of the functions refers to. */
  readonly left: ReadonlySet<string>;
  /** Are all of those left out? Else only maps of programs, which would need functions that nobody calls. */
  readonly leftAlways: boolean;
}

const NONE: ReadonlySet<string> = new Set();
const BPF_MAP_TYPE_ARRAY = 2;
const BPF_MAP_TYPE_PROG_ARRAY = 3;

function leaveMaps(libbpf: LoadedLibbpf, maps: readonly Pointer[], { left, leftAlways }: Parts): void {
  const { bpf } = libbpf;
  for (const map of maps) {
    if (!left.has(mapName(libbpf, map)) || bpf.bpf_map__is_internal(map)) continue;
    const ofPrograms = bpf.bpf_map__type(map) === BPF_MAP_TYPE_PROG_ARRAY;
    if (!ofPrograms && !leftAlways) continue;
    bpf.bpf_map__set_autocreate(map, false);
    // libbpf fills maps of programs whether it has made them or not; other maps only where it has.
    if (ofPrograms) bpf.bpf_map__set_type(map, BPF_MAP_TYPE_ARRAY);
  }
}

function tryToLoad(
  libbpf: LoadedLibbpf,
  bytes: Uint8Array,
  options: ObjectOptions,
  parts: Parts,
  log?: Uint8Array,
): Opened | LoadFailure {
  const { bpf, koffi } = libbpf;
  // An aligned copy: libelf reads the headers in place, and libbpf reads the bytes until the object is loaded.
  const object = new Uint8Array(bytes);
  const name = new TextEncoder().encode(`${options.name.replace(/\W/g, '_').slice(0, 15)}\0`);
  const openOptions = new Uint8Array(OBJECT_OPEN_OPTS.size);
  const view = new DataView(openOptions.buffer);
  view.setBigUint64(OBJECT_OPEN_OPTS.sz, BigInt(OBJECT_OPEN_OPTS.size), true);
  view.setBigUint64(OBJECT_OPEN_OPTS.object_name, BigInt(addressOf(name)), true);
  if (log !== undefined) {
    view.setBigUint64(OBJECT_OPEN_OPTS.kernel_log_buf, BigInt(addressOf(log)), true);
    view.setBigUint64(OBJECT_OPEN_OPTS.kernel_log_size, BigInt(log.length), true);
  }
  const handle = bpf.bpf_object__open_mem(object, object.length, openOptions);
  if (handle === 0) return { stage: 'open', error: -koffi.errno() };
  let keep = false;
  const shown: number[] = [];
  try {
    const maps = walk((previous) => bpf.bpf_object__next_map(handle, previous));
    // libbpf would pin maps declared `LIBBPF_PIN_BY_NAME` in the host's /sys/fs/bpf, and another run would find its counts in them.
    for (const map of maps) bpf.bpf_map__set_pin_path(map, null);
    makeArraysMappable(libbpf, maps);
    seedBloomFilters(libbpf, maps);
    for (const map of maps) setSize(libbpf, map, options.maxEntries);
    const templates = templatesOf(libbpf, maps, options.maxEntries);
    shown.push(...showSized(libbpf, maps, templates));
    leaveMaps(libbpf, maps, parts);
    shareMaps(libbpf, maps, options);
    const programs = selectPrograms(libbpf, handle, options, parts.siblings);
    setGlobals(
      { btf: bpf.bpf_object__btf(handle), elf: bytes, file: options.file },
      (section) => sectionBytes(libbpf, maps, section),
      options.globals ?? {},
    );
    const initial = initialContents(libbpf, maps);
    const error = bpf.bpf_object__load(handle);
    if (error < 0) return { stage: 'load', error };
    keep = true;
    return { handle, programs, initial, templates };
  } finally {
    for (const fd of shown) syscalls().close(fd);
    if (!keep) bpf.bpf_object__close(handle);
  }
}

/**
 * Finds the entries' functions, gives them their type where the section's name does not, and leaves out the rest.
 * @param siblings which other functions to load too, since a tail call can reach them
 */
function selectPrograms(
  { bpf }: LoadedLibbpf,
  handle: Pointer,
  { file, entries }: ObjectOptions,
  siblings: Siblings,
): Opened['programs'] {
  const pointers = walk((previous) => bpf.bpf_object__next_program(handle, previous));
  const byName = new Map(pointers.map((pointer) => [bpf.bpf_program__name(pointer), pointer]));
  const programs = entries.map((entry) => {
    const pointer = byName.get(entry.function);
    if (pointer === undefined) {
      const known = byName.size === 0 ? 'it has no programs' : `it has ${[...byName.keys()].join(', ')}`;
      throw new EngineError('input', `${file} has no function ${entry.function}: ${known}`);
    }
    setType(bpf, pointer, entry, file);
    return { pointer, entry };
  });
  const wanted = new Set(programs.map(({ pointer }) => pointer));
  // A section with a question mark in front ("?xdp") is not loaded unless asked.
  for (const pointer of wanted) bpf.bpf_program__set_autoload(pointer, true);
  for (const pointer of pointers) {
    if (wanted.has(pointer)) continue;
    if (!isSibling(bpf, pointer, siblings)) bpf.bpf_program__set_autoload(pointer, false);
  }
  return programs;
}

/** Functions that are no entries, but that maps of programs start with. */
type Siblings = 'none' | 'all' | ReadonlySet<string>;

function isSibling(bpf: LoadedLibbpf['bpf'], pointer: Pointer, siblings: Siblings): boolean {
  if (siblings === 'none') return false;
  const type = settleType(bpf, pointer);
  const callable = type === BPF_PROG_TYPE.XDP || type === BPF_PROG_TYPE.SCHED_CLS;
  return callable && (siblings === 'all' || siblings.has(bpf.bpf_program__name(pointer)));
}

/**
 * A program's type, as it will be loaded. What is written as an action (`SEC("action")`) becomes a classifier: both run on the same packets by the same
 * rules (net/core/filter.c, `tc_cls_act_verifier_ops`), and maps of programs hold one type only.
 */
function settleType(bpf: LoadedLibbpf['bpf'], pointer: Pointer): number {
  const type = bpf.bpf_program__type(pointer);
  if (type !== BPF_PROG_TYPE.SCHED_ACT) return type;
  bpf.bpf_program__set_type(pointer, BPF_PROG_TYPE.SCHED_CLS);
  return BPF_PROG_TYPE.SCHED_CLS;
}

function setType(bpf: LoadedLibbpf['bpf'], pointer: Pointer, entry: ProgramEntry, file: string): void {
  const type = entry.hook === 'xdp' ? BPF_PROG_TYPE.XDP : BPF_PROG_TYPE.SCHED_CLS;
  const declared = settleType(bpf, pointer);
  const section = bpf.bpf_program__section_name(pointer);
  if (declared === BPF_PROG_TYPE.UNSPEC) bpf.bpf_program__set_type(pointer, type);
  else if (declared !== type) {
    throw new EngineError(
      'input',
      `${file}: ${entry.function} is in section "${section}" and cannot run at ${entry.hook}`,
    );
  }
  const attach = bpf.bpf_program__expected_attach_type(pointer);
  if (
    type === BPF_PROG_TYPE.XDP &&
    (attach === BPF_ATTACH_TYPE.XDP_DEVMAP || attach === BPF_ATTACH_TYPE.XDP_CPUMAP)
  ) {
    throw new EngineError(
      'input',
      `${file}: ${entry.function} is in section "${section}": it runs behind a redirect only, never by itself`,
    );
  }
}

function setSize(libbpf: LoadedLibbpf, map: Pointer, stated: ObjectOptions['maxEntries']): void {
  const { bpf } = libbpf;
  const maxEntries = bpf.bpf_map__max_entries(map);
  const type = mapTypeName(bpf.bpf_map__type(map));
  const wanted = maxEntriesOf({ name: mapName(libbpf, map), type, maxEntries }, stated);
  if (wanted !== maxEntries) bpf.bpf_map__set_max_entries(map, wanted);
}

function shareMaps(
  libbpf: LoadedLibbpf,
  maps: readonly Pointer[],
  { file, sharedMaps }: ObjectOptions,
): void {
  for (const [name, shared] of Object.entries(sharedMaps ?? {})) {
    const map = maps.find((one) => mapName(libbpf, one) === name);
    const result = map === undefined ? ENOENT : libbpf.bpf.bpf_map__reuse_fd(map, shared.fd);
    if (result < 0)
      throw new EngineError('input', `${file} cannot share a map ${name}: ${errnoName(result)}`);
  }
}

/** Arrays of at least this many bytes are mapped into this process; smaller ones are read as quickly by a call. */
const MAPPED_BYTES = 0x1_0000;

/**
 * Lets large arrays be read by mapping them, which no program notices. Inner maps have to have the flags of those
 * that they stand for (kernel/bpf/map_in_map.c, `bpf_map_meta_equal`): where there are maps of maps, all stay as they
 * are.
 */
function makeArraysMappable({ bpf }: LoadedLibbpf, maps: readonly Pointer[]): void {
  const typeOf = (map: Pointer): MapType => mapTypeName(bpf.bpf_map__type(map));
  if (maps.some((map) => typeOf(map) === 'ARRAY_OF_MAPS' || typeOf(map) === 'HASH_OF_MAPS')) return;
  for (const map of maps) {
    if (typeOf(map) !== 'ARRAY' || bpf.bpf_map__is_internal(map)) continue;
    const bytes = Math.ceil(bpf.bpf_map__value_size(map) / 8) * 8 * bpf.bpf_map__max_entries(map);
    if (bytes < MAPPED_BYTES) continue;
    bpf.bpf_map__set_map_flags(map, bpf.bpf_map__map_flags(map) | BPF_F_MMAPABLE);
  }
}

/**
 * Lets Bloom filters hash from 0, as the machine's do: which values they take for others is no chance then. Inner maps
 * have to have the flags of those that they stand for.
 */
function seedBloomFilters({ bpf }: LoadedLibbpf, maps: readonly Pointer[]): void {
  const typeOf = (map: Pointer): MapType => mapTypeName(bpf.bpf_map__type(map));
  if (maps.some((map) => typeOf(map) === 'ARRAY_OF_MAPS' || typeOf(map) === 'HASH_OF_MAPS')) return;
  for (const map of maps) {
    if (typeOf(map) !== 'BLOOM_FILTER') continue;
    bpf.bpf_map__set_map_flags(map, bpf.bpf_map__map_flags(map) | BPF_F_ZERO_SEED);
  }
}

/** A section's bytes: `.rodata` is the map `<object>.rodata` while the object is open. */
function sectionBytes(
  libbpf: LoadedLibbpf,
  maps: readonly Pointer[],
  section: string,
): { address: Pointer; size: number } | undefined {
  const { bpf } = libbpf;
  const map = maps.find((one) => bpf.bpf_map__is_internal(one) && mapName(libbpf, one) === section);
  if (map === undefined) return undefined;
  const size = new BigUint64Array(1);
  const address = bpf.bpf_map__initial_value(map, size);
  return address === 0 ? undefined : { address, size: Number(size[0]) };
}

function templatesOf(
  libbpf: LoadedLibbpf,
  maps: readonly Pointer[],
  stated: ObjectOptions['maxEntries'],
): Map<string, MapTemplate> {
  return new Map(
    maps.flatMap((map) => {
      const name = mapName(libbpf, map);
      const template = templateFor(libbpf, map);
      if (template === undefined) return [];
      const { type, maxEntries } = template;
      const definition = { name: `${name}.inner`, type: mapTypeName(type), maxEntries };
      return [[name, { ...template, maxEntries: maxEntriesOf(definition, stated) }] as const];
    }),
  );
}

/**
 * The kernel is shown a map to know how those inside are to be. libbpf makes it, but of no other size than the object says.
 * @returns descriptors of those that were made here: to be closed once the object is loaded
 */
function showSized(
  libbpf: LoadedLibbpf,
  maps: readonly Pointer[],
  templates: ReadonlyMap<string, MapTemplate>,
): number[] {
  const { bpf } = libbpf;
  return maps.flatMap((map) => {
    const template = templates.get(mapName(libbpf, map));
    const inner = bpf.bpf_map__inner_map(map);
    if (template === undefined || bpf.bpf_map__max_entries(inner) === template.maxEntries) return [];
    const fd = createLike(libbpf, template);
    if (fd < 0) return [];
    bpf.bpf_map__set_inner_map_fd(map, fd);
    return [fd];
  });
}

function initialContents(libbpf: LoadedLibbpf, maps: readonly Pointer[]): Map<string, Uint8Array> {
  const contents = new Map<string, Uint8Array>();
  for (const map of maps) {
    if (!libbpf.bpf.bpf_map__is_internal(map)) continue;
    const name = mapName(libbpf, map);
    if (!isWritableSection(name)) continue;
    const bytes = sectionBytes(libbpf, maps, name);
    if (bytes !== undefined) contents.set(name, bytesAt(bytes.address, bytes.size));
  }
  return contents;
}

/** Sections go by their own names (`.bss`), without the object's that libbpf puts in front. */
function mapName({ bpf }: LoadedLibbpf, map: Pointer): string {
  const name = bpf.bpf_map__name(map);
  return bpf.bpf_map__is_internal(map) ? name.slice(name.indexOf('.')) : name;
}

function isWritableSection(name: string): boolean {
  return name.startsWith('.data') || name.startsWith('.bss');
}

function walk(next: (previous: Pointer) => Pointer): Pointer[] {
  const found: Pointer[] = [];
  for (let pointer = next(0); pointer !== 0; pointer = next(pointer)) found.push(pointer);
  return found;
}

function textOf(log: Uint8Array): string {
  const end = log.indexOf(0);
  return new TextDecoder().decode(log.subarray(0, end < 0 ? log.length : end)).trimEnd();
}
