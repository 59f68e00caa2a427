/**
 * One loaded object on the devices of one world, run by real frames.
 *
 * Frames go in one at a time, in windows. After each, the session finds out what came of it before it sends the
 * next: by the observers' counters in shared memory where the frame came out somewhere, by the driver's
 * statistics where it did not. So it is certain which packet each outcome belongs to. What the frames
 * themselves look like, the taps tell at the end of the window, in order.
 */
import { EngineError, type Session } from '../sim/engines/engine.ts';
import { type OutcomeBatch, STATUS } from '../sim/engines/outcome-batch.ts';
import { DEFAULT_INGRESS_IFINDEX, type PacketBatch } from '../sim/packet/packet-batch.ts';
import { XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX } from '../sim/runtime/actions.ts';
import type { MapSnapshot } from '../sim/runtime/maps.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { World } from '../sim/runtime/world.ts';
import type { FrameTap } from './frames.ts';
import { BpfObject } from './libbpf-object.ts';
import { Observers } from './observer.ts';
import { fillMaps } from './testrun-session.ts';
import { hasCutOffTag } from './veth-limits.ts';
import { COUNTERS_PER_PORT, Port } from './veth-port.ts';
import type { WorldNetwork } from './world-network.ts';

/** Frames between two looks at the taps: more brings no speed, and costs memory in every tap. */
const WINDOW = 256;

/** How long a frame may take to come out, in milliseconds. It takes microseconds, unless the machine is very busy. */
const PATIENCE = 5000;

/** Helpers after which a frame can turn up elsewhere (linux/bpf.h): tail_call, redirect, redirect_map. */
const REDIRECTING: readonly number[] = [12, 23, 51];

/** How long to look for a frame that only comes out where nobody sees it, in milliseconds. */
const GRACE = 0.2;

/** What came of a frame: one of these, with the place where it came out. */
const FATE = { gone: 0, passed: 1, sentBack: 2, redirected: 3, unseen: 4, fault: 5 } as const;

const NOTE = {
  cutOff: 'the kernel frees a frame with a cut-off VLAN tag before any packet socket sees it',
  failed: 'the kernel could not send the frame where the program wanted it',
  lost: 'the frame neither came out anywhere nor was it dropped',
} as const;

/** A redirect to something that is no device of the world: a CPU's queue, which hands the frame to the stack. */
const NOWHERE = -1;

export class VethSession implements Session {
  readonly #program: Program;
  readonly #world: World;
  readonly #network: WorldNetwork;
  readonly #observers: Observers;
  readonly #ports: Port[] = [];
  readonly #standIn: number;
  #object: BpfObject;
  #redirects = false;
  /** False once a frame was lost: the totals do not add up from then on. */
  #certain = true;
  #open = true;
  // What is known of the window under way, packet by packet.
  readonly #fate = new Uint8Array(WINDOW);
  /** Index of the port where the frame came out, or NOWHERE. */
  readonly #place = new Int16Array(WINDOW);
  readonly #notes = new Map<number, string>();
  /** How many frames each tap has to deliver in this window, and how far the assembly has come: two taps a port. */
  readonly #expected: Uint16Array;
  readonly #taken: Uint16Array;
  readonly #takenBytes: Uint32Array;

  /**
   * @param standIn ifindex of the device that takes the loopback device's place
   * @throws {EngineError} when the object or the world cannot be loaded; `network` then stays open
   */
  constructor(program: Program, world: World, network: WorldNetwork, standIn: number) {
    this.#program = program;
    this.#world = world;
    this.#network = network;
    this.#standIn = standIn;
    const { links } = network;
    this.#expected = new Uint16Array(links.length * 2);
    this.#taken = new Uint16Array(links.length * 2);
    this.#takenBytes = new Uint32Array(links.length * 2);
    this.#object = this.#load();
    this.#observers = new Observers(links.length * COUNTERS_PER_PORT);
    try {
      links.forEach((link, index) => {
        this.#ports.push(new Port(network, link, this.#observers, index * COUNTERS_PER_PORT, WINDOW));
      });
      this.#attach();
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  async run(input: PacketBatch, output: OutcomeBatch): Promise<void> {
    if (!this.#open) throw new Error('the session is closed');
    if (input.count > output.capacity) {
      throw new RangeError(`${input.count} packets do not fit into a batch of ${output.capacity} outcomes`);
    }
    output.clear();
    const arena = Buffer.from(input.bytes.buffer, input.bytes.byteOffset, input.bytes.byteLength);
    for (let first = 0; first < input.count; first += WINDOW) {
      const count = Math.min(WINDOW, input.count - first);
      this.#beginWindow();
      for (let index = 0; index < count; index++) this.#send(input, arena, first + index, index);
      await this.#frames();
      this.#checkAccounts();
      for (let index = 0; index < count; index++) this.#assemble(output, index);
    }
  }

  maps(): MapSnapshot[] {
    return this.#object.maps.filter((map) => map.readable).map((map) => map.snapshot());
  }

  async reset(): Promise<void> {
    if (this.#object.maps.every((map) => map.restorable)) {
      this.#network.enter(() => {
        for (const map of this.#object.maps) map.restore(this.#world.maps?.[map.name] ?? []);
      });
      return;
    }
    const before = this.#object;
    this.#object = this.#load();
    this.#attach();
    before.close();
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#release();
    this.#network.close();
  }

  #release(): void {
    for (const port of this.#ports) port.close();
    this.#observers.close();
    this.#object.close();
  }

  #load(): BpfObject {
    const { name, entries, object, objectPath } = this.#program;
    const file = objectPath ?? name;
    if (object === undefined) throw new EngineError('input', `${name} has no compiled object to run`);
    const live = entries.filter((entry) => entry.hook === 'xdp');
    const loaded = new BpfObject(object, { name, file, entries: live, globals: this.#world.globals ?? {} });
    try {
      // A device map's entries are devices of the thread's namespace (kernel/bpf/devmap.c).
      this.#network.enter(() => fillMaps(loaded, this.#world, file));
    } catch (error) {
      loaded.close();
      throw error;
    }
    return loaded;
  }

  #attach(): void {
    const [program] = this.#object.programs;
    this.#redirects = REDIRECTING.some((helper) => program!.helpers.has(helper));
    for (const port of this.#ports) port.attach(program!.fd);
  }

  #beginWindow(): void {
    this.#expected.fill(0);
    this.#taken.fill(0);
    this.#takenBytes.fill(0);
    if (this.#notes.size > 0) this.#notes.clear();
    for (const port of this.#ports) {
      port.outer.forget();
      port.inner.forget();
    }
  }

  #send(input: PacketBatch, arena: Buffer, packet: number, index: number): void {
    const ifindex = input.ingressIfindex[packet]!;
    const ingress = this.#portIndex(ifindex === DEFAULT_INGRESS_IFINDEX ? this.#standIn : ifindex);
    if (ingress < 0) {
      this.#note(index, FATE.fault, `the world has no device ${ifindex}`);
      return;
    }
    const port = this.#ports[ingress]!;
    try {
      port.outer.send(arena, input.offset[packet]!, input.length[packet]!);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#note(index, FATE.fault, `the frame cannot be sent: ${reason}`);
      return;
    }
    port.seen.processed += 1;
    const visible = !hasCutOffTag(input, packet);
    this.#settle(index, ingress, visible);
  }

  #note(index: number, fate: number, note: string): void {
    this.#fate[index] = fate;
    this.#notes.set(index, note);
  }

  /** Finds out what came of the frame that has just been sent to a port, and books it. */
  #settle(index: number, ingress: number, visible: boolean): void {
    const port = this.#ports[ingress]!;
    let start = 0;
    for (;;) {
      if (this.#cameOut(index, ingress, visible) || this.#ended(index, port)) return;
      const now = performance.now();
      if (start === 0) start = now;
      if (!visible && now > start + GRACE && port.statistic('processed') === port.seen.processed) {
        this.#note(index, FATE.unseen, NOTE.cutOff);
        return;
      }
      if (now > start + PATIENCE) {
        this.#certain = false;
        this.#note(index, FATE.fault, NOTE.lost);
        return;
      }
    }
  }

  /** Has the frame come to one of the observers? */
  #cameOut(index: number, ingress: number, visible: boolean): boolean {
    const port = this.#ports[ingress]!;
    const outer = port.outerCount !== port.seen.outer;
    if (outer || port.innerCount !== port.seen.inner) {
      if (!this.#redirects) {
        this.#book(index, outer ? FATE.sentBack : FATE.passed, ingress, visible);
        return true;
      }
      // It may have been redirected to the very device it came from, or to a CPU's queue.
      if (!this.#processed(port)) return false;
      if (port.statistic('redirected') === port.seen.redirected) {
        this.#book(index, outer ? FATE.sentBack : FATE.passed, ingress, visible);
      } else {
        port.seen.redirected += 1;
        this.#book(index, FATE.redirected, outer ? ingress : NOWHERE, visible, ingress);
      }
      return true;
    }
    if (!this.#redirects) return false;
    const target = this.#arrivedElsewhere(ingress);
    if (target < 0) return false;
    port.seen.redirected += 1;
    this.#book(index, FATE.redirected, target, visible);
    return true;
  }

  /** Does the driver say that the frame's way has ended? */
  #ended(index: number, port: Port): boolean {
    port.readStatistics();
    if (port.statistic('gone') !== port.seen.gone) {
      port.seen.gone += 1;
      this.#fate[index] = FATE.gone;
      return true;
    }
    if (port.statistic('failed') !== port.seen.failed) {
      // A frame that the peer did not take counts as sent back as well.
      if (port.statistic('sentBack') !== port.seen.sentBack) port.seen.sentBack += 1;
      port.seen.failed += 1;
      this.#note(index, FATE.unseen, NOTE.failed);
      return true;
    }
    if (this.#redirects && port.statistic('redirected') !== port.seen.redirected && this.#unsent()) {
      port.seen.redirected += 1;
      this.#note(index, FATE.unseen, NOTE.failed);
      return true;
    }
    return false;
  }

  /** The driver counts at the end of a poll: only then its statistics speak of this frame. */
  #processed(port: Port): boolean {
    port.readStatistics();
    return port.statistic('processed') === port.seen.processed;
  }

  #arrivedElsewhere(ingress: number): number {
    for (let index = 0; index < this.#ports.length; index++) {
      if (index !== ingress && this.#ports[index]!.outerCount !== this.#ports[index]!.seen.outer)
        return index;
    }
    return -1;
  }

  /** Has a device failed to send a frame that was redirected to it? */
  #unsent(): boolean {
    for (const port of this.#ports) {
      port.readStatistics();
      if (port.statistic('unsent') === port.seen.unsent) continue;
      port.seen.unsent += 1;
      return true;
    }
    return false;
  }

  /**
   * @param visible will a tap deliver the frame?
   * @param handedTo the port whose inner tap has the frame, where it was redirected to no device
   */
  #book(index: number, fate: number, place: number, visible: boolean, handedTo: number = place): void {
    const port = this.#ports[handedTo]!;
    const inner = fate === FATE.passed || place === NOWHERE;
    if (inner) port.seen.inner += 1;
    else port.seen.outer += 1;
    if (fate === FATE.sentBack) port.seen.sentBack += 1;
    if (!visible) {
      this.#note(index, FATE.unseen, NOTE.cutOff);
      return;
    }
    const tap = handedTo * 2 + (inner ? 1 : 0);
    this.#expected[tap] = this.#expected[tap]! + 1;
    this.#fate[index] = fate;
    this.#place[index] = place === NOWHERE ? NOWHERE - handedTo : place;
  }

  /** Waits until every tap has delivered what its observer has counted. */
  async #frames(): Promise<void> {
    let missing = 0;
    for (let tap = 0; tap < this.#expected.length; tap++) {
      if (this.#tap(tap).count < this.#expected[tap]!) missing += 1;
    }
    if (missing === 0) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(this.#framesMissing()), PATIENCE);
      const arrived = (): void => {
        missing -= 1;
        if (missing > 0) return;
        clearTimeout(timer);
        resolve();
      };
      for (let tap = 0; tap < this.#expected.length; tap++) {
        const expected = this.#expected[tap]!;
        if (this.#tap(tap).count < expected) this.#tap(tap).whenArrived(expected, arrived);
      }
    });
  }

  #framesMissing(): EngineError {
    const where = [...this.#expected].flatMap((expected, index) => {
      const { device, count } = this.#tap(index);
      return count < expected ? [`${expected - count} of ${expected} on ${device}`] : [];
    });
    return new EngineError('environment', `captured frames were lost: ${where.join(', ')}`, {
      remedy: 'run it on a less busy machine',
    });
  }

  /**
   * Holds the driver's and the observers' totals against what was booked frame by frame. They differ when one
   * packet became several frames (a broadcast redirect), or when somebody else sent some.
   */
  #checkAccounts(): void {
    if (!this.#certain) return;
    for (let index = 0; index < this.#ports.length; index++) {
      const port = this.#ports[index]!;
      port.readStatistics();
      const fits =
        port.statistic('processed') === port.seen.processed &&
        port.statistic('sentBack') === port.seen.sentBack &&
        port.statistic('redirected') === port.seen.redirected &&
        port.statistic('gone') === port.seen.gone &&
        port.statistic('failed') === port.seen.failed &&
        port.outerCount === port.seen.outer &&
        port.innerCount === port.seen.inner &&
        port.outer.count === this.#expected[index * 2]! &&
        port.inner.count === this.#expected[index * 2 + 1]!;
      if (!fits) {
        throw new EngineError(
          'environment',
          `${port.name}: more came out than went in; which packet it belongs to cannot be told`,
        );
      }
    }
  }

  #assemble(output: OutcomeBatch, index: number): void {
    const place = this.#place[index]!;
    switch (this.#fate[index]) {
      case FATE.gone:
        output.commit(XDP_DROP, 0);
        return;
      case FATE.passed:
        this.#takeFrame(output, XDP_PASS, place * 2 + 1);
        return;
      case FATE.sentBack:
        this.#takeFrame(output, XDP_TX, place * 2);
        return;
      case FATE.redirected: {
        const to = place < 0 ? undefined : this.#ports[place]!;
        const packet = this.#takeFrame(
          output,
          XDP_REDIRECT,
          to === undefined ? (NOWHERE - place) * 2 + 1 : place * 2,
        );
        output.redirect[packet] = to?.ifindex ?? 0;
        return;
      }
      default: {
        const packet = output.commit(0, 0);
        output.status[packet] = this.#fate[index] === FATE.unseen ? STATUS.unseen : STATUS.fault;
        output.notes.set(packet, { message: this.#notes.get(index) ?? '' });
      }
    }
  }

  #takeFrame(output: OutcomeBatch, action: number, tap: number): number {
    const frames = this.#tap(tap);
    const length = frames.length[this.#taken[tap]!]!;
    const from = this.#takenBytes[tap]!;
    const to = output.reserve(length);
    frames.bytes.copy(output.bytes, to, from, from + length);
    this.#taken[tap] = this.#taken[tap]! + 1;
    this.#takenBytes[tap] = from + length;
    return output.commit(action, length);
  }

  #tap(index: number): FrameTap {
    const port = this.#ports[index >> 1]!;
    return index % 2 === 0 ? port.outer : port.inner;
  }

  #portIndex(ifindex: number): number {
    for (let index = 0; index < this.#ports.length; index++) {
      if (this.#ports[index]!.ifindex === ifindex) return index;
    }
    return -1;
  }
}
