/** One packet under a model: the context with the kernel's rules for what a program may move and where it may send. */
import { behaviourOf, type KernelBehaviour } from '../ebpf/kernel-versions.ts';
import { copyWords, readU32le } from '../packet/bytes.ts';
import type { PacketBatch, SkbInput } from '../packet/packet-batch.ts';
import { type Hook, TC_ACT_REDIRECT, TC_ACT_SHOT, XDP_ABORTED, XDP_REDIRECT } from '../runtime/actions.ts';
import { flowHash, nextRandomState, randomOf } from '../runtime/chance.ts';
import type { Frame, ModelContext, SkbFields } from '../runtime/context.ts';
import { EACCES, EINVAL } from '../runtime/errno.ts';
import type { FibLookup } from '../runtime/fib.ts';
import { createFib, type Fib } from '../runtime/fib-lookup.ts';
import type { ModelMap } from '../runtime/model-map.ts';
import type { World } from '../runtime/world.ts';

/** Bytes before the packet (`XDP_PACKET_HEADROOM`), of which the kernel keeps `struct xdp_frame` for itself. */
const HEADROOM = 256;
const XDP_FRAME_SIZE = 40;
/** A page less headroom and `struct skb_shared_info`: what a program sees of a frame. */
const XDP_LINEAR = 3520;
const HARD_END = HEADROOM + XDP_LINEAR;
/** Larger than any frame. */
const ROOM = HEADROOM + 65_536 + 8192;
const PAGE = 4096;
const ETH_HLEN = 14;
/** The longest metadata: `skb_shared_info.meta_len` is a u8 (net/core/xdp.c, `xdp_metalen_invalid`). */
const MAX_METADATA = 252;
const OLD_MAX_METADATA = 32;
/** Up to here a loop copies faster than `set`, which needs a `subarray`: an object per packet. */
const LOOP_BYTES = 1024;

/** `bpf_redirect_map` may name an action for a miss in its low two bits, and these (kernel/bpf/devmap.c). */
const REDIRECT_ACTIONS = 3;
const BPF_F_BROADCAST = 1 << 3;
const BPF_F_EXCLUDE_INGRESS = 1 << 4;
/** `bpf_redirect` in TC. */
const BPF_F_INGRESS = 1;

const NO_HASH = -1;

export class ModelRun implements ModelContext {
  hook: Hook = 'xdp';
  readonly frame: Frame = {
    bytes: new Uint8Array(ROOM),
    dataMeta: HEADROOM,
    data: HEADROOM,
    dataEnd: HEADROOM,
  };
  ingressIfindex = 1;
  rxQueueIndex = 0;
  readonly skb: SkbFields = {
    mark: 0,
    priority: 0,
    cb: new Uint32Array(5),
    tstamp: 0n,
    ingressIfindex: 0,
    vlan: undefined,
    queueMapping: 0,
    tcIndex: 0,
    tcClassid: 0,
  };
  readonly world: World;
  /** Where the last redirect leads: an ifindex. */
  redirectTarget = 0;
  time: bigint;
  readonly cpu: number;
  /** What was printed; undefined where nothing was. */
  lines: string[] | undefined = undefined;
  /** Bytes of the frame behind `dataEnd`, which a program cannot see. */
  private hidden = 0;
  /** Where stale bytes may lie. */
  private dirtyFrom = HEADROOM;
  private dirtyTo = HEADROOM;
  private maps: ReadonlyMap<string, ModelMap>;
  private lastName: string | undefined;
  private lastMap: ModelMap | undefined;
  private readonly globals: ReadonlyMap<string, Uint8Array>;
  private readonly fib: Fib;
  private readonly kernel: KernelBehaviour;
  private readonly view: DataView;
  /** Of the arenas that packets come from and go to: making one costs as much as copying a packet. */
  private readonly input = new ArenaView();
  private readonly output = new ArenaView();
  /** Nanoseconds from packet to packet. */
  private readonly tick: bigint;
  private randomState: number;
  /** The frame's flow hash; -1: none yet. */
  private hash = NO_HASH;

  /** @throws {SyntaxError} when an address or a prefix of the world is none */
  constructor(world: World, maps: ReadonlyMap<string, ModelMap>, kernel: KernelBehaviour = behaviourOf()) {
    this.kernel = kernel;
    this.world = world;
    this.maps = maps;
    this.globals = new Map(Object.entries(world.globals ?? {}));
    this.fib = createFib(world);
    this.view = new DataView(this.frame.bytes.buffer);
    this.tick = world.tick ?? 0n;
    this.time = timeBefore(world);
    this.randomState = world.randomSeed ?? 0;
    this.cpu = world.cpu ?? 0;
  }

  /** Clock and random numbers as they were at the start, and fresh maps. */
  restart(maps: ReadonlyMap<string, ModelMap>): void {
    this.maps = maps;
    this.lastName = undefined;
    this.time = timeBefore(this.world);
    this.randomState = this.world.randomSeed ?? 0;
  }

  /** Length of the whole frame in bytes. */
  get length(): number {
    return this.frame.dataEnd - this.frame.data + this.hidden;
  }

  /** Puts a packet into place. Around it lie zeros, so that a model that reads too far does so reproducibly. */
  begin(hook: Hook, batch: PacketBatch, index: number): void {
    const { frame } = this;
    const metaLength = batch.metaLength[index]!;
    const length = batch.length[index]!;
    // Metadata takes its room from the headroom (net/bpf/test_run.c, `bpf_prog_test_run_xdp`).
    const start = HEADROOM - metaLength;
    const end = HEADROOM + length;
    if (this.dirtyFrom < start) frame.bytes.fill(0, this.dirtyFrom, start);
    if (this.dirtyTo > end) this.clear(end, this.dirtyTo);
    const from = batch.offset[index]! - metaLength;
    const size = metaLength + length;
    if (size <= LOOP_BYTES) copyWords(this.input.of(batch.bytes), from, this.view, start, size);
    else frame.bytes.set(batch.bytes.subarray(from, from + size), start);
    const visible = hook === 'xdp' && length > XDP_LINEAR ? XDP_LINEAR : length;
    this.hook = hook;
    this.hidden = length - visible;
    frame.dataMeta = start;
    frame.data = HEADROOM;
    frame.dataEnd = HEADROOM + visible;
    this.dirtyFrom = start;
    this.dirtyTo = end;
    this.ingressIfindex = batch.ingressIfindex[index]!;
    this.rxQueueIndex = batch.rxQueueIndex[index]!;
    this.redirectTarget = 0;
    this.lines = undefined;
    this.hash = NO_HASH;
    if (this.tick !== 0n) this.time = BigInt.asUintN(64, this.time + this.tick);
    if (hook !== 'xdp') this.setSkb(batch.skb.size === 0 ? undefined : batch.skb.get(index));
  }

  /** Up to three bytes behind `to` are cleared, too: there is nothing but zeros. */
  private clear(from: number, to: number): void {
    if (to - from > LOOP_BYTES) this.frame.bytes.fill(0, from, to);
    else for (let at = from; at < to; at += 4) this.view.setInt32(at, 0);
  }

  private setSkb(input: SkbInput | undefined): void {
    this.skb.mark = input?.mark ?? 0;
    this.skb.priority = input?.priority ?? 0;
    for (let word = 0; word < 5; word++) this.skb.cb[word] = input?.cb?.[word] ?? 0;
    this.skb.tstamp = input?.tstamp ?? 0n;
    this.skb.ingressIfindex = this.hook === 'tc-ingress' ? this.ingressIfindex : (input?.ingressIfindex ?? 0);
    this.skb.vlan = input?.vlan;
    this.skb.queueMapping = input?.queueMapping ?? 0;
    this.skb.tcIndex = input?.tcIndex ?? 0;
    this.skb.tcClassid = input?.tcClassid ?? 0;
    if (input?.hash) this.hash = input.hash;
  }

  /** Metadata and frame as they are now. */
  copyOut(to: Uint8Array, at: number): void {
    const { bytes, dataMeta, dataEnd } = this.frame;
    const size = dataEnd + this.hidden - dataMeta;
    if (size <= LOOP_BYTES) copyWords(this.view, dataMeta, this.output.of(to), at, size);
    else to.set(bytes.subarray(dataMeta, dataMeta + size), at);
  }

  map(name: string): ModelMap {
    // Most models ask for the same one again.
    if (name === this.lastName) return this.lastMap!;
    const map = this.maps.get(name);
    if (map === undefined) throw new RangeError(this.noMap(name));
    this.lastName = name;
    this.lastMap = map;
    return map;
  }

  private noMap(name: string): string {
    const has = this.maps.size === 0 ? 'none' : [...this.maps.keys()].join(', ');
    return `it asks for a map “${name}”, and its definition lists ${has}`;
  }

  global(name: string, otherwise: number): number {
    const bytes = this.globals.get(name);
    if (bytes === undefined) return otherwise;
    let value = 0;
    for (let index = Math.min(bytes.length, 4) - 1; index >= 0; index--) value = value * 256 + bytes[index]!;
    return value;
  }

  globalBytes(name: string): Uint8Array | undefined {
    return this.globals.get(name);
  }

  random(): number {
    this.randomState = nextRandomState(this.randomState);
    return randomOf(this.randomState);
  }

  flowHash(): number {
    if (this.hash === NO_HASH) {
      const { data, dataEnd } = this.frame;
      this.hash = flowHash(this.view, data, dataEnd + this.hidden, this.world.hashSeed ?? 0);
    }
    return this.hash;
  }

  setHash(hash: number): void {
    this.hash = hash >>> 0;
  }

  forgetHash(): void {
    this.hash = NO_HASH;
  }

  trace(line: string): void {
    if (this.lines === undefined) this.lines = [];
    this.lines.push(line);
  }

  /** net/core/filter.c, `bpf_xdp_redirect` and `bpf_redirect`. */
  redirect(ifindex: number, flags: number = 0): number {
    if (this.hook === 'xdp') {
      if (flags !== 0) return XDP_ABORTED;
      this.redirectTarget = ifindex;
      return XDP_REDIRECT;
    }
    if ((flags & ~BPF_F_INGRESS) !== 0) return TC_ACT_SHOT;
    this.redirectTarget = ifindex;
    return TC_ACT_REDIRECT;
  }

  /** include/linux/filter.h, `__bpf_xdp_redirect_map`. */
  redirectMap(map: string, key: number, flags: number = 0): number {
    const broadcasts = this.kernel.redirectMapBroadcasts ? BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS : 0;
    if ((flags & ~(REDIRECT_ACTIONS | broadcasts)) !== 0) return XDP_ABORTED;
    if ((flags & BPF_F_BROADCAST) !== 0) return XDP_REDIRECT;
    const target = this.map(map);
    const slot = target.lookupIndex(key);
    if (slot === undefined) return flags & REDIRECT_ACTIONS;
    const { type } = target.definition;
    // Maps of CPUs and sockets lead to the key itself.
    this.redirectTarget = type === 'CPUMAP' || type === 'XSKMAP' ? key : readU32le(slot, 0);
    return XDP_REDIRECT;
  }

  fibLookup(lookup: FibLookup): number {
    return this.hook === 'xdp' ? this.fib.lookup(lookup) : this.fib.lookupOfSkb(lookup, this.length);
  }

  /** net/core/filter.c, `bpf_xdp_adjust_head`: metadata moves along. */
  adjustHead(delta: number): number {
    const { frame } = this;
    const metaLength = frame.data - frame.dataMeta;
    const data = frame.data + delta;
    if (data < XDP_FRAME_SIZE + metaLength || data > frame.dataEnd - ETH_HLEN) return -EINVAL;
    if (metaLength > 0) frame.bytes.copyWithin(frame.dataMeta + delta, frame.dataMeta, frame.data);
    frame.dataMeta += delta;
    frame.data = data;
    if (frame.dataMeta < this.dirtyFrom) this.dirtyFrom = frame.dataMeta;
    return 0;
  }

  /** net/core/filter.c, `bpf_xdp_adjust_tail`: what is gained is zeroed. */
  adjustTail(delta: number): number {
    const { frame } = this;
    const dataEnd = frame.dataEnd + delta;
    if (this.hidden > 0) return this.adjustFragments(delta);
    if (delta >= 0 && !this.kernel.adjustTailGrows) return -EINVAL;
    if (dataEnd > HARD_END || dataEnd < frame.data + ETH_HLEN) return -EINVAL;
    if (delta > 0) frame.bytes.fill(0, frame.dataEnd, dataEnd);
    frame.dataEnd = dataEnd;
    if (dataEnd > this.dirtyTo) this.dirtyTo = dataEnd;
    return 0;
  }

  /** `bpf_xdp_frags_increase_tail` and `bpf_xdp_frags_shrink_tail`: each fragment is at most a page. */
  private adjustFragments(delta: number): number {
    const { frame } = this;
    const end = frame.dataEnd + this.hidden;
    if (delta < 0 && -delta > this.length - ETH_HLEN) return -EINVAL;
    if (delta > 0 && delta > (-this.hidden & (PAGE - 1))) return -EINVAL;
    if (delta > 0) frame.bytes.fill(0, end, end + delta);
    this.hidden += delta;
    if (this.hidden < 0) {
      frame.dataEnd += this.hidden;
      this.hidden = 0;
    }
    this.dirtyTo = Math.max(this.dirtyTo, end + delta);
    return 0;
  }

  /** net/core/filter.c, `bpf_xdp_adjust_meta`. */
  adjustMeta(delta: number): number {
    const { frame } = this;
    const dataMeta = frame.dataMeta + delta;
    if (dataMeta < XDP_FRAME_SIZE || dataMeta > frame.data) return -EINVAL;
    const length = frame.data - dataMeta;
    if (length % 4 !== 0 || length > (this.kernel.longMetadata ? MAX_METADATA : OLD_MAX_METADATA))
      return -EACCES;
    frame.dataMeta = dataMeta;
    if (dataMeta < this.dirtyFrom) this.dirtyFrom = dataMeta;
    return 0;
  }
}

/** The first packet moves the clock on to the time of the world. */
function timeBefore(world: World): bigint {
  return BigInt.asUintN(64, (world.time ?? 0n) - (world.tick ?? 0n));
}

/** The view of an array that stays the same from packet to packet. */
class ArenaView {
  private bytes: Uint8Array = new Uint8Array(0);
  private view: DataView = new DataView(this.bytes.buffer);

  of(bytes: Uint8Array): DataView {
    if (this.bytes !== bytes) {
      this.bytes = bytes;
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    return this.view;
  }
}
