/**
 * The machine around a running program: memory, maps, packet, clock, random numbers, redirect target, trace lines.
 *
 * It knows nothing of how instructions are executed. The interpreter and compiled programs both run inside one of
 * these, and helpers see nothing else.
 */
import type { SkbInput, SkbTunnel } from '../packet/packet-batch.ts';
import type { Hook } from '../runtime/actions.ts';
import { nextRandomState, randomOf } from '../runtime/chance.ts';
import type { SkbOutcome } from '../runtime/context.ts';
import { E2BIG } from '../runtime/errno.ts';
import { createFib, type Fib } from '../runtime/fib-lookup.ts';
import { indexKey } from '../runtime/map-snapshot.ts';
import { DEFAULT_EGRESS_IFINDEX, type MapEntry, type World } from '../runtime/world.ts';
import type { BpfMap, BpfObject } from './bpf-object.ts';
import type { ContextLayout } from './context/context-access.ts';
import { SK_BUFF, SK_BUFF_LAYOUT, writeSkBuff, writeSkbInput } from './context/sk-buff.ts';
import { fillSocket, looksAtSocket, writeSocket } from './context/socket.ts';
import { WorldSockets } from './context/world-sockets.ts';
import { writeXdpMd, XDP_DEVMAP_LAYOUT, XDP_LAYOUT } from './context/xdp-md.ts';
import { type PlacedVariable, placeKernelVariables } from './kernel-variables.ts';
import { behaviourOf, type KernelBehaviour, type KernelVersion } from './kernel-versions.ts';
import { createMap, roomForMaps } from './maps/create-map.ts';
import { type LiveMap, scratchForKey } from './maps/live-map.ts';
import { ArrayOfMaps, HashOfMaps } from './maps/map-of-maps.ts';
import { CONTEXT_BASE, LinearMemory, MACHINE_WORD } from './memory.ts';
import { ObjectError, WorldError } from './object-error.ts';
import { ETHERNET_HEADER, PacketArea } from './packet-area.ts';
import { TUNNEL, TunnelInfo } from './tunnel-info.ts';

/** A program asked a helper for something that the kernel can do and the machine cannot. */
export class Unsupported extends Error {}

/**
 * Thrown by a helper that was asked for what the verifier forbids, where signatures do not say so: the program stops, as
 * after any other violation. The message is the verifier's.
 */
export class Forbidden extends Error {}

/** Thrown where a run is to end with the copy of the packet that a helper has just sent (`MachineOptions.copy`). */
export class CopySent extends Error {}

export interface MachineOptions {
  /** The kernel that the machine is to be, as far as `kernel-versions.ts` knows how it differs. Default: the newest. */
  readonly asKernel?: KernelVersion;
  /** Do its XDP programs stand in a device map? Then they may read `egress_ifindex` (`World.egressIfindex`). */
  readonly inDeviceMap?: boolean;
  /** Runs at TC end with this copy of the packet, or as dropped (`Program.copy`). Default: where the program ends. */
  readonly copy?: number;
  /** Bytes of memory to start with, besides what maps take: see `ROOM_FOR_BATCHES`. Default: little. */
  readonly room?: number;
}

/** What a callback of a helper gets: `bpf_loop` an index and the context, the other one map, key, value, context. */
export type CallbackKind = 'loop' | 'element';

/** Calls a function of the running program back; returns the lower half of its r0. */
export type Invoke = (
  target: number,
  kind: CallbackKind,
  a: number,
  b: number,
  c: number,
  d: number,
) => number;

/** Bytes of the keys that the object's own initialisers have, padded. */
const SCRATCH_KEY = scratchForKey(0);

/** From so many entries of the world on, a map is brought back as a whole. */
export const MANY_ENTRIES = 256;

export class Machine {
  readonly object: BpfObject;
  readonly options: MachineOptions;
  /** What the kernel does otherwise than others. */
  readonly kernel: KernelBehaviour;
  readonly memory: LinearMemory;
  readonly packet: PacketArea;
  /** The object's maps, in the object's order. */
  readonly maps: readonly LiveMap[];
  /** The kernel's variables, in the object's order. */
  readonly variables: readonly PlacedVariable[];
  /** The world's routes. */
  readonly fib: Fib;
  /** The world's sockets. */
  readonly sockets: WorldSockets;
  world: World;
  hook: Hook = 'xdp';
  layout: ContextLayout;
  /** Lines that this run printed. */
  lines: string[] = [];
  /** How the engine calls callbacks; engines set it. */
  invoke: Invoke = () => {
    throw new Error('this engine cannot call back');
  };
  /** The program, as an index into `object.programs`, that a tail call asks for; -1: none. Engines set it back. */
  tailCall = -1;
  /** Bytes behind the address that the last `slice_or_null` helper returned, and whether they may be written. */
  sliceSize = 0;
  sliceWritable = false;
  /** Is it in the packet? */
  sliceOnPacket = false;
  /** Has the helper that just ran made packet pointers void, though not every call of it does? Engines set it back. */
  packetMoved = false;

  /** What the program told a tunnel device about the frame, or such a device told it. */
  readonly tunnel: TunnelInfo = new TunnelInfo();
  /** The tunnels that frames of the batch at hand came out of. */
  tunnels: readonly SkbTunnel[] = [];

  readonly #xdpLayout: ContextLayout;
  readonly #scratch: number;
  /** Maps that the world fills with so much that they remember it. */
  readonly #kept: ReadonlySet<LiveMap>;
  readonly #looksAtSocket: boolean;
  /** Copies of the packet that this run has sent. */
  #copies = 0;
  readonly #skb: SkbOutcome = { mark: 0, priority: 0, cb: new Uint32Array(5), tstamp: 0n };
  readonly #macs: ReadonlyMap<number, Uint8Array>;

  /** @throws {ObjectError} where the object's maps cannot be made, or the world does not fit them */
  constructor(object: BpfObject, world: World, options: MachineOptions = {}) {
    this.memory = new LinearMemory(roomForMaps(object.maps) + (options.room ?? 0));
    this.object = object;
    this.options = options;
    this.kernel = behaviourOf(options.asKernel);
    this.world = world;
    this.#xdpLayout = options.inDeviceMap === true ? XDP_DEVMAP_LAYOUT : XDP_LAYOUT;
    this.layout = this.#xdpLayout;
    this.packet = new PacketArea(this.memory, this.layout, this.kernel);
    this.maps = object.maps.map((map, index) => createMap(this.memory, map, index, object.btf));
    this.variables = placeKernelVariables(this.memory, object.variables, world.kernelFill ?? 0);
    let largest = SCRATCH_KEY + 8;
    for (const { keySize, valueSize } of object.maps)
      largest = Math.max(largest, scratchForKey(keySize) + valueSize);
    this.#scratch = this.memory.allocate(largest);
    this.#macs = new Map((world.devices ?? []).map((device) => [device.ifindex, device.mac]));
    this.fib = routesOf(world);
    this.sockets = socketsOf(this.memory, world);
    writeSocket(this.memory);
    this.#looksAtSocket = object.programs.some(looksAtSocket);
    this.#startClock();
    for (const map of this.maps) this.#initialise(map);
    this.#checkWorld();
    for (const map of this.maps) this.#load(map);
    this.#kept = new Set(
      this.maps.filter((map) => this.#entriesOf(map).length >= MANY_ENTRIES && map.keep()),
    );
  }

  /** Maps, clock and random numbers as they were when the machine was made. */
  reset(): void {
    this.#startClock();
    for (const map of this.maps) {
      if (this.#kept.has(map)) map.restore();
      else map.clear();
      map.timers?.clear();
    }
    for (const map of this.maps) if (!this.#kept.has(map)) this.#initialise(map);
    for (const map of this.maps) if (!this.#kept.has(map)) this.#load(map);
  }

  /** The map whose descriptor lies at `address`. */
  mapAt(address: number): LiveMap {
    return this.maps[this.memory.i32[address >> 2]!]!;
  }

  /** Puts a packet and its context in place and forgets what the last run left. */
  begin(
    hook: Hook,
    bytes: Uint8Array,
    offset: number,
    length: number,
    metaLength: number,
    ifindex: number,
    rxQueueIndex: number,
    skb?: SkbInput,
  ): void {
    this.useHook(hook);
    const words = this.memory.i32;
    words[MACHINE_WORD.redirectTarget] = 0;
    words[MACHINE_WORD.redirectFlags] = 0;
    words[MACHINE_WORD.tailCalls] = 0;
    words[MACHINE_WORD.hashKnown] = 0;
    this.#copies = 0;
    if (this.lines.length > 0) this.lines = [];
    const { tick } = this.world;
    if (tick !== undefined && tick !== 0n) {
      this.memory.setU64(MACHINE_WORD.time * 4, BigInt.asUintN(64, this.time + tick));
    }
    if (hook === 'xdp') {
      writeXdpMd(this.memory, ifindex, rxQueueIndex, words[MACHINE_WORD.egress]!);
      this.packet.placeXdp(bytes, offset, length, metaLength);
    } else {
      // The packet first: the context's fields are read off it.
      this.packet.placeSkb(bytes, offset, length, metaLength);
      const { dataMeta, data, dataEnd } = this.packet;
      // A frame on its way out may be one that is forwarded.
      const ingressIfindex = hook === 'tc-ingress' ? ifindex : (skb?.ingressIfindex ?? 0);
      if (this.#looksAtSocket) fillSocket(this.memory, data, length);
      writeSkBuff(this.memory, data, length, { ifindex, ingressIfindex, mac: this.#macs.get(ifindex) });
      if (skb !== undefined) {
        writeSkbInput(this.memory.view, CONTEXT_BASE, length, skb);
        words[MACHINE_WORD.hashKnown] = skb.hash ? 1 : 0;
        // Whoever puts a tag beside the frame has measured the MAC header.
        if (skb.vlan !== undefined) words[MACHINE_WORD.macLength] = ETHERNET_HEADER;
        if (skb.noSocket === true) words[(CONTEXT_BASE + SK_BUFF.sk) >> 2] = 0;
        if (skb.tunnel !== undefined) {
          this.tunnels = [skb.tunnel];
          words[MACHINE_WORD.tunnel] = TUNNEL.given;
        }
      }
      this.packet.setBounds(dataMeta, data, dataEnd);
      if (skb?.linear) this.packet.setLinear(skb.linear);
    }
  }

  /** Says what kind of program runs next; `begin` does so by itself. */
  useHook(hook: Hook): void {
    if (hook === this.hook) return;
    this.hook = hook;
    this.layout = hook === 'xdp' ? this.#xdpLayout : SK_BUFF_LAYOUT;
    this.packet.useLayout(this.layout);
  }

  /** The `__sk_buff` fields that outcomes show, as the program left them. The same object every time. */
  skbFields(): Readonly<SkbOutcome> {
    const base = CONTEXT_BASE >> 2;
    const words = this.memory.i32;
    this.#skb.mark = words[base + SK_BUFF.mark / 4]!;
    this.#skb.priority = words[base + SK_BUFF.priority / 4]!;
    for (let word = 0; word < 5; word++) this.#skb.cb[word] = words[base + SK_BUFF.cb / 4 + word]!;
    this.#skb.tstamp = this.memory.u64(CONTEXT_BASE + SK_BUFF.tstamp);
    return this.#skb;
  }

  /** The upper half of a helper's argument, 0 being the first. */
  high(argument: number): number {
    return this.memory.i32[MACHINE_WORD.argumentHigh + argument]!;
  }

  /** Has the verifier put instructions in the place of this call? */
  get isInlined(): boolean {
    return this.memory.i32[MACHINE_WORD.inlined] !== 0;
  }

  /** Sets the upper half of a helper's result and returns its lower half. */
  result64(value: bigint): number {
    this.memory.i32[MACHINE_WORD.resultHigh] = Number(BigInt.asIntN(32, value >> 32n));
    return Number(BigInt.asIntN(32, value));
  }

  /** Nanoseconds; the clock stands still while a packet runs, and moves on by the world's `tick` from one to the next. */
  get time(): bigint {
    return this.memory.u64(MACHINE_WORD.time * 4);
  }

  get cpu(): number {
    return this.memory.i32[MACHINE_WORD.cpu]!;
  }

  /** The next of the random numbers that the world's seed gives. */
  nextRandom(): number {
    const words = this.memory.i32;
    const state = nextRandomState(words[MACHINE_WORD.random]!);
    words[MACHINE_WORD.random] = state;
    return randomOf(state);
  }

  redirect(target: number, flags: number): void {
    this.memory.i32[MACHINE_WORD.redirectTarget] = target;
    this.memory.i32[MACHINE_WORD.redirectFlags] = flags;
  }

  get redirectTarget(): number {
    return this.memory.i32[MACHINE_WORD.redirectTarget]! >>> 0;
  }

  /**
   * A copy of the packet goes out, or would where the world has such a device.
   * @throws {CopySent} where the run is to end with it
   */
  sendCopy(target: number, flags: number): void {
    if (this.options.copy !== this.#copies++) return;
    this.redirect(target, flags);
    throw new CopySent();
  }

  /** Is it a copy of the packet that is asked for, and not what the program makes of the packet itself? */
  get isOfCopies(): boolean {
    return this.options.copy !== undefined && this.hook !== 'xdp';
  }

  #startClock(): void {
    const words = this.memory.i32;
    // The first packet moves the clock on to the time of the world.
    const tick = this.world.tick ?? 0n;
    this.memory.setU64(MACHINE_WORD.time * 4, BigInt.asUintN(64, (this.world.time ?? 0n) - tick));
    this.memory.setU64(MACHINE_WORD.tick * 4, BigInt.asUintN(64, tick));
    words[MACHINE_WORD.random] = this.world.randomSeed ?? 0;
    words[MACHINE_WORD.cpu] = this.world.cpu ?? 0;
    words[MACHINE_WORD.egress] = this.world.egressIfindex ?? DEFAULT_EGRESS_IFINDEX;
  }

  #checkWorld(): void {
    for (const name of Object.keys(this.world.maps ?? {})) {
      if (this.maps.some((map) => map.name === name)) continue;
      const names = this.maps.map((one) => one.name).join(', ') || 'none';
      throw new ObjectError(`map ${name} of the world`, 'a map of the object', `only ${names}`);
    }
  }

  #entriesOf(map: LiveMap): readonly MapEntry[] {
    return this.world.maps?.[map.name] ?? [];
  }

  /** What the world says that a map holds. */
  #load(map: LiveMap): void {
    const { keySize, valueSize } = map.definition;
    for (const { key, value } of this.#entriesOf(map)) {
      const where = `map ${map.name} of the world`;
      if (key.length !== keySize || value.length !== valueSize) {
        const expected = `a key of ${keySize} and a value of ${valueSize} bytes`;
        throw new ObjectError(where, expected, `${key.length} and ${value.length}`);
      }
      const result = map.load(key, value, this.#scratch);
      if (result < 0) throw refusedEntry(map, where, key, -result);
    }
  }

  /** Static initialisers: maps in maps by name, programs in program arrays by function. */
  #initialise(map: LiveMap): void {
    const source: BpfMap = map.source;
    for (const { key, name } of source.initial) {
      const where = `initial value ${key} of map ${map.name}`;
      const keyAt = this.#scratch;
      this.memory.u8.fill(0, keyAt, keyAt + SCRATCH_KEY);
      this.memory.u8.set(typeof key === 'number' ? indexKey(key) : key, keyAt);
      if (map instanceof ArrayOfMaps || map instanceof HashOfMaps) {
        const inner = this.maps.find((one) => one.name === name);
        if (inner === undefined) throw new ObjectError(where, 'a map of the object', name);
        if (map.insert(keyAt, inner.address) !== 0) throw new ObjectError(where, 'a slot', 'none');
      } else {
        const program = this.object.programs.findIndex((one) => one.function === name);
        if (program < 0) throw new ObjectError(where, 'a program of the object', name);
        const valueAt = keyAt + SCRATCH_KEY;
        this.memory.setU32(valueAt, program + 1);
        if (map.update(keyAt, valueAt, 0) !== 0) throw new ObjectError(where, 'a slot of the map', `${key}`);
      }
    }
  }
}

/** Why a map does not take an entry: an index that it has not, or more entries than it has room for. */
function refusedEntry(map: LiveMap, where: string, key: Uint8Array, errno: number): ObjectError {
  const { maxEntries } = map.definition;
  const digits = Array.from(key, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return errno === E2BIG
    ? new ObjectError(
        where,
        `entries for a map of ${maxEntries}`,
        `one too many, or beyond the last, key ${digits}`,
      )
    : new ObjectError(where, 'an entry that fits', `key ${digits} refused with errno ${errno}`);
}

function routesOf(world: World): Fib {
  return asked('devices and routes that fit each other', () => createFib(world));
}

function socketsOf(memory: LinearMemory, world: World): WorldSockets {
  return asked('sockets that can be opened', () => new WorldSockets(memory, world.sockets ?? []));
}

function asked<T>(expected: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof SyntaxError) && !(error instanceof RangeError)) throw error;
    throw new WorldError(expected, error.message);
  }
}
