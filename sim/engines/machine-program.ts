/** What the engines `vm` and `wasm` share: objects loaded and checked, machines made, outcomes written down. */

import type { BpfMap, BpfObject, BpfProgram } from '../ebpf/bpf-object.ts';
import { checkProgram } from '../ebpf/check-program.ts';
import { KERNEL_FUNCTIONS } from '../ebpf/helpers/kernel-functions.ts';
import {
  behaviourOf,
  isOlder,
  type KernelVersion,
  MAP_TYPES_SINCE,
  NEWEST_KERNEL,
  PROGRAM_FEATURES,
  versionCode,
} from '../ebpf/kernel-versions.ts';
import { linkedObject } from '../ebpf/linked-object.ts';
import { missingFunction } from '../ebpf/loader/externs.ts';
import { Machine, type MachineOptions } from '../ebpf/machine.ts';
import { canCreateMap } from '../ebpf/maps/create-map.ts';
import { LruHashMap } from '../ebpf/maps/lru-hash-map.ts';
import { MAX_FRAME, XDP_LINEAR_LIMIT } from '../ebpf/memory.ts';
import {
  type KernelFacts,
  LackingError,
  loadObject,
  ObjectError,
  setGlobal,
  sourceAt,
} from '../ebpf/object.ts';
import { NewerKernelError } from '../ebpf/object-error.ts';
import { OLD_MAX_METADATA } from '../ebpf/packet-area.ts';
import { needsOf } from '../ebpf/referenced-maps.ts';
import { withSlots } from '../ebpf/world-slots.ts';
import type { PacketBatch } from '../packet/packet-batch.ts';
import { type Hook, TC_ACT_REDIRECT, XDP_REDIRECT } from '../runtime/actions.ts';
import { withDefaultDevices } from '../runtime/default-world.ts';
import { maxEntriesOf } from '../runtime/map-sizes.ts';
import type { MapSnapshot } from '../runtime/map-snapshot.ts';
import type { Program } from '../runtime/program.ts';
import type { World } from '../runtime/world.ts';
import {
  type Availability,
  EngineError,
  type Observables,
  type Refusal,
  type RefusalReason,
} from './engine.ts';
import type { OutcomeBatch, OutcomeNote, STATUS } from './outcome-batch.ts';
import { kernelOfProcess } from './process-kernel.ts';
import {
  badSkb,
  inPieces,
  longMetadata,
  noSuchEntry,
  oddMetadata,
  taggedAtIngress,
  tooLong,
  tooShort,
} from './refusal-rules.ts';

export interface MachineEntry {
  readonly hook: Hook;
  /** Index into the object's programs. */
  readonly program: number;
  /** Does it take frames in several buffers? */
  readonly frags?: boolean;
}

/** A program's object in a machine, ready to run. */
export interface MachineProgram {
  readonly machine: Machine;
  readonly entries: readonly MachineEntry[];
  /** The object's programs that can run at all: the entries, and what they may tail-call. */
  readonly wanted: ReadonlySet<number>;
}

export interface MachineProgramOptions extends MachineOptions {
  /** BTF of the kernel that CO-RE relocations are to fit. */
  readonly kernelBtf?: Uint8Array;
  /**
   * The kernel whose configuration and variables programs see; asked when an object is read. Default: the one of
   * `useKernel`, or else none.
   */
  readonly kernel?: () => KernelFacts | undefined;
  /** Changes the object once it is read: mutants are made so. Default: it stays as it is. */
  readonly change?: (object: BpfObject) => BpfObject;
}

const KERNEL_FUNCTION_NAMES: ReadonlySet<string> = new Set(KERNEL_FUNCTIONS.keys());

/** Reading an object costs a millisecond; shrinking opens the same one a thousand times. */
const objects = new WeakMap<
  Uint8Array,
  { readonly kernel: unknown; readonly asKernel: KernelVersion | undefined; readonly object: BpfObject }
>();
const NO_KERNEL = {};

/** @throws {EngineError} `input`, where object and world do not fit the machine or each other */
export function openMachine(program: Program, world: World, options: MachineProgramOptions): MachineProgram {
  if (program.object === undefined) {
    throw new EngineError('input', `${program.name} has no compiled object to run`);
  }
  const path = program.objectPath ?? program.name;
  try {
    const read = readObject(program.object, options);
    const changed = options.change === undefined ? read : options.change(read);
    const own = withSizes(withOwnGlobals(changed), program.maxEntries);
    const object = withSlots(own, world);
    for (const [name, bytes] of Object.entries(world.globals ?? {})) setGlobal(object, name, bytes);
    const entries = program.entries.map(({ function: name, hook, frags = false }) => {
      const index = object.programs.findIndex((one) => one.function === name);
      if (index < 0) {
        const known = object.programs.map((one) => one.function).join(', ') || 'none';
        throw new ObjectError(`program ${name}`, 'a program of the object', `only ${known}`);
      }
      requireComplete(object, object.programs[index]!);
      checkProgram(object, object.programs[index]!, hook, world, options.asKernel);
      requireFrags(object.programs[index]!, frags, options.asKernel);
      return { hook, program: index, frags };
    });
    const needs = needsOf(
      object,
      entries.map((entry) => entry.program),
    );
    const wanted = needs.programs;
    for (const index of needs.maps) requireMapType(object.maps[index]!, options.asKernel);
    for (const index of wanted) {
      if (entries.some((entry) => entry.program === index)) continue;
      requireComplete(object, object.programs[index]!);
      checkProgram(object, object.programs[index]!, entries[0]?.hook ?? 'xdp', world, options.asKernel);
    }
    const inDeviceMap = entries.some(({ program }) => object.programs[program]!.behindRedirect === 'devmap');
    const { copy } = program;
    const machineOptions = { ...options, inDeviceMap, ...(copy === undefined ? {} : { copy }) };
    const machine = new Machine(
      withoutForeignMaps(object, needs.maps),
      withDefaultDevices(world, object.maps),
      machineOptions,
    );
    return { machine, entries, wanted };
  } catch (error) {
    if (!(error instanceof ObjectError)) throw error;
    throw new EngineError('input', `${path}: ${error.message}`, {
      cause: error,
      ...(error instanceof LackingError
        ? { lacking: true, remedy: 'the kernel may have it: testrun runs the program' }
        : {}),
    });
  }
}

/** @throws {NewerKernelError} where the type came after the kernel that the machine is to be */
function requireMapType({ name, type }: BpfMap, asKernel: KernelVersion = NEWEST_KERNEL): void {
  const since = MAP_TYPES_SINCE.get(type);
  if (since === undefined || !isOlder(asKernel, since)) return;
  throw new NewerKernelError(`map ${name}`, `maps of type ${type}`, since, asKernel);
}

function requireFrags(program: BpfProgram, frags: boolean, asKernel: KernelVersion = NEWEST_KERNEL): void {
  const { since } = PROGRAM_FEATURES.frags;
  if (!frags || !isOlder(asKernel, since)) return;
  throw new NewerKernelError(`program ${program.function}`, 'XDP frames in several buffers', since, asKernel);
}

/** The same object, with maps that cannot be made, and that nobody refers to, replaced by empty ones. */
function withoutForeignMaps(object: BpfObject, needed: ReadonlySet<number>): BpfObject {
  const maps = object.maps.map((map, index) =>
    needed.has(index) || canCreateMap(map)
      ? map
      : {
          ...map,
          type: 'PROG_ARRAY' as const,
          typeNumber: 3,
          keySize: 4,
          valueSize: 4,
          maxEntries: 1,
          initial: [],
        },
  );
  return { ...object, maps };
}

/** Functions that the machine lacks may be in the kernel; other externs it takes from there. */
function requireComplete({ kfuncs }: BpfObject, { function: name, missing }: BpfProgram): void {
  const lacking = kfuncs.find((one) => missing.includes(missingFunction(one)));
  const other = missing.find((text) => !kfuncs.some((one) => text === missingFunction(one)));
  if (other !== undefined)
    throw new ObjectError(`program ${name}`, 'a kernel that has what it refers to', other);
  if (lacking !== undefined) throw new LackingError(`program ${name}`, 'kernel function', lacking);
}

/**
 * The object as a machine has read it last, or else as it is linked without a kernel: what has been found out about its
 * programs is kept by program, and need not be found out again.
 * @throws {ObjectError}
 */
export function knownObject(bytes: Uint8Array): BpfObject {
  return objects.get(bytes)?.object ?? linkedObject(bytes);
}

function readObject(bytes: Uint8Array, options: MachineProgramOptions): BpfObject {
  const key = options.kernel ?? kernelOfProcess() ?? NO_KERNEL;
  const known = options.kernelBtf === undefined ? objects.get(bytes) : undefined;
  const { asKernel } = options;
  if (known?.kernel === key && known.asKernel === asKernel) return known.object;
  const object = loadObject(bytes, {
    kfuncs: KERNEL_FUNCTION_NAMES,
    kernel: factsOf(options),
    ...(asKernel === undefined ? {} : { asKernel }),
    ...(options.kernelBtf === undefined ? {} : { kernelBtf: options.kernelBtf }),
  });
  if (options.kernelBtf === undefined) objects.set(bytes, { kernel: key, asKernel, object });
  return object;
}

/** What is known of the kernel; of another one than runs here, its version alone is certain. */
function factsOf({ kernel = kernelOfProcess(), asKernel }: MachineProgramOptions): KernelFacts | undefined {
  const facts = kernel?.();
  if (asKernel === undefined) return facts;
  return {
    config: (name) => facts?.config(name),
    symbol: (name) => facts?.symbol(name),
    variable: () => undefined,
    unread: (what) => (facts === undefined ? 'no kernel to ask' : facts.unread?.(what)),
    version: versionCode(asKernel),
  };
}

/** The same object, but for global variables, which every machine sets for itself. */
function withOwnGlobals(object: BpfObject): BpfObject {
  const maps = object.maps.map((map) =>
    map.global === undefined ? map : { ...map, global: { ...map.global, bytes: map.global.bytes.slice() } },
  );
  return { ...object, maps };
}

/** The same object, with a size for every map. */
function withSizes(object: BpfObject, stated: Program['maxEntries']): BpfObject {
  const maps = object.maps.map((map) => {
    const maxEntries = maxEntriesOf(map, stated);
    const inner = map.inner === undefined ? undefined : sized(map.inner, stated);
    return maxEntries === map.maxEntries && inner === map.inner ? map : { ...map, maxEntries, inner };
  });
  return { ...object, maps };
}

function sized(map: BpfMap, stated: Program['maxEntries']): BpfMap {
  const maxEntries = maxEntriesOf(map, stated);
  return maxEntries === map.maxEntries ? map : { ...map, maxEntries };
}

/** The kind of program that one of the object's is; what is only tail-called is what its caller is. */
export function hookOf({ entries }: MachineProgram, program: number): 'xdp' | 'tc' {
  const entry = entries.find((one) => one.program === program) ?? entries[0];
  return entry === undefined || entry.hook === 'xdp' ? 'xdp' : 'tc';
}

/** Nothing of an outcome is hidden inside the machine. */
export const MACHINE_OBSERVES: Observables = {
  action: 'exact',
  packet: 'always',
  metadata: true,
  redirect: true,
  maps: true,
  trace: true,
  skb: true,
  tstamp: true,
};

/** Both engines need an object, and nothing of the place that they run in. */
export function machineAvailability(program: Program | undefined): Availability {
  if (program === undefined || program.object !== undefined) return { available: true };
  return {
    available: false,
    reason: `${program.name} has no compiled object`,
    remedy: 'Compile it, or name an object with --object.',
  };
}

const MIN_SKB_FRAME = 14;

/** What no hook of the kernel is ever given, and what it is given in another form: a session runs the latter all the same. */
export function machineRefuses(
  program: Program,
  batch: PacketBatch,
  asKernel?: KernelVersion,
): Refusal | undefined {
  for (let packet = 0; packet < batch.count; packet++) {
    const hook = program.entries[batch.entry[packet]!]?.hook ?? 'xdp';
    const reason = refusalReason(program, batch, packet, asKernel) ?? taggedAtIngress(hook, batch, packet);
    if (reason !== undefined) return { packet, ...reason };
  }
  return undefined;
}

export function refusalReason(
  program: Program,
  batch: PacketBatch,
  packet: number,
  asKernel?: KernelVersion,
): RefusalReason | undefined {
  const entry = program.entries[batch.entry[packet]!];
  if (entry === undefined) return noSuchEntry(batch.entry[packet]!);
  const length = batch.length[packet]!;
  // XDP programs must cope with any length, whatever a driver may hand up; an sk_buff has had its header read.
  if (entry.hook !== 'xdp' && length < MIN_SKB_FRAME) return tooShort(MIN_SKB_FRAME, length);
  if (entry.hook === 'xdp' && entry.frags !== true && length > XDP_LINEAR_LIMIT) return inPieces(length);
  if (length > MAX_FRAME) return tooLong(MAX_FRAME, length);
  const metaLength = batch.metaLength[packet]!;
  if (metaLength % 4 !== 0) return oddMetadata(metaLength);
  if (metaLength > OLD_MAX_METADATA && !behaviourOf(asKernel).longMetadata)
    return longMetadata(OLD_MAX_METADATA, metaLength);
  return badSkb(entry.hook, batch, packet);
}

/** Appends what the machine holds after a run as the next outcome. */
export function commitOutcome(machine: Machine, output: OutcomeBatch, action: number): void {
  const { packet } = machine;
  const { dataMeta, data, frameEnd } = packet;
  const at = output.reserve(frameEnd - dataMeta);
  packet.copyOut(output.bytes, at);
  const index = output.commit(action, frameEnd - data, data - dataMeta);
  if (machine.hook === 'xdp') {
    if (action === XDP_REDIRECT) output.redirect[index] = machine.redirectTarget;
  } else {
    if (action === TC_ACT_REDIRECT) output.redirect[index] = machine.redirectTarget;
    writeSkbFields(machine, output, index);
  }
  if (machine.lines.length > 0) output.trace.set(index, machine.lines);
}

function writeSkbFields(machine: Machine, output: OutcomeBatch, index: number): void {
  const fields = machine.skbFields();
  output.mark[index] = fields.mark;
  output.priority[index] = fields.priority;
  for (let word = 0; word < 5; word++) output.cb[index * 5 + word] = fields.cb[word]!;
  if (fields.tstamp !== 0n) {
    output.tstamp[2 * index] = Number(fields.tstamp & 0xffff_ffffn);
    output.tstamp[2 * index + 1] = Number(fields.tstamp >> 32n);
  }
}

/** An outcome without a frame, and why. */
export function commitNote(
  output: OutcomeBatch,
  status: typeof STATUS.violation | typeof STATUS.fault,
  note: OutcomeNote,
): void {
  const index = output.commit(0, 0);
  output.status[index] = status;
  output.notes.set(index, note);
}

/** A message about one instruction, with its place in the C source. */
export function noteAt(program: BpfProgram, instruction: number, reason: string): OutcomeNote {
  const source = sourceAt(program, instruction);
  const place = source === undefined ? '' : ` (${source.file}:${source.line})`;
  return {
    message: `instruction ${instruction}${place}: ${reason}`,
    instruction,
    ...(source === undefined ? {} : { source: { file: source.file, line: source.line, text: source.text } }),
  };
}

/** The maps that forget by themselves. */
export function lruMaps(machine: Machine): LruHashMap[] {
  return machine.maps.filter((map) => map instanceof LruHashMap);
}

/** The maps that can be read, in order of name. Read-only data are left out, as the kernel's engine does: nothing changes them. */
export function snapshots(machine: Machine): MapSnapshot[] {
  const changing = machine.maps.filter(({ source }) => source.global?.readOnly !== true);
  const all = changing.flatMap((map) => map.snapshot() ?? []);
  return all.sort((a, b) => (a.definition.name < b.definition.name ? -1 : 1));
}
