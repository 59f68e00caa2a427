/**
 * Whole Ethernet frames, in and out of a device: through libpcap (the package `cap`) where that can be loaded, and
 * through a packet socket otherwise, which takes more time and needs nothing but koffi.
 */
import type { Availability } from '../../sim/engines/engine.ts';
import { loadNative } from '../native-package.ts';
import type { Netns } from '../network/netns.ts';
import type { FrameSource, OnFrame } from './frame-source.ts';
import { PacketSocket } from './packet-socket.ts';
import { type CapModule, openPcap } from './pcap-source.ts';

/** Can frames be sent and captured from this thread? Says nothing about rights. Always so on Linux. */
export function framesAvailability(): Availability {
  if (process.platform === 'linux') {
    const slow = slowFrames();
    if (slow === undefined) return { available: true };
    return {
      available: true,
      note: `frames go through packet sockets, which is slower: ${slow.reason} (${slow.remedy})`,
    };
  }
  return { available: false, reason: `this is ${process.platform}, not Linux`, remedy: 'run it on Linux' };
}

/** Undefined where `cap` serves; else why not, and what lets it. */
export function slowFrames(): { readonly reason: string; readonly remedy: string } | undefined {
  const cap = loadNative<CapModule>('cap');
  return 'module' in cap ? undefined : cap;
}

/**
 * One device's frames. What it sends, it does not receive. Frames that arrive are kept, one behind the other,
 * until `forget` is called: nothing is made per frame.
 */
export class FrameTap {
  readonly device: string;
  /** The frames that have arrived since `forget`: frame `i` has `length[i]` bytes, directly behind those before. */
  bytes: Buffer;
  readonly length: Uint32Array;
  #count = 0;
  #used = 0;
  #overflow = false;
  readonly #source: FrameSource;
  #expected = Number.POSITIVE_INFINITY;
  #arrived: (() => void) | undefined;
  #open = true;

  /**
   * @param device a device in `netns`, its offloads off (or the ring has room for a few frames only)
   * @param window how many frames may arrive between two calls of `forget`; twice as many are kept by the kernel
   * @throws {EngineError} where the device or the rights are missing
   */
  constructor(netns: Netns, device: string, window: number) {
    this.device = device;
    this.bytes = Buffer.alloc(window * 256);
    this.length = new Uint32Array(window);
    const onFrame: OnFrame = (buffer, length) => this.#take(buffer, length);
    const cap = loadNative<CapModule>('cap');
    this.#source =
      'module' in cap
        ? openPcap(cap.module, netns, device, window * 2, onFrame)
        : new PacketSocket(netns, device, window * 2, onFrame);
  }

  /**
   * Sends one frame.
   * @throws {Error} where the kernel refuses it (too long) or has dropped it at once
   */
  send(arena: Buffer, offset: number, length: number): void {
    this.#source.send(arena, offset, length);
  }

  /** How many frames have arrived since `forget`. */
  get count(): number {
    this.#source.poll?.();
    return this.#count;
  }

  /** Calls back once, as soon as `count` frames are there: at once, if they are. */
  whenArrived(count: number, callback: () => void): void {
    if (this.count >= count) {
      callback();
      return;
    }
    this.#expected = count;
    this.#arrived = callback;
    if (this.#source.poll !== undefined) this.#watch();
  }

  /** Have more frames arrived than the window allows? Then the last ones are not kept. */
  get overflowed(): boolean {
    return this.#overflow;
  }

  /** Starts the next window: frames that have arrived so far are overwritten. */
  forget(): void {
    this.#source.poll?.();
    this.#count = 0;
    this.#used = 0;
    this.#overflow = false;
    this.#arrived = undefined;
  }

  /** May be called more than once. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#source.close();
  }

  /** Looks again and again, and lets everything else have its turn in between. */
  #watch(): void {
    setImmediate(() => {
      if (!this.#open || this.#arrived === undefined) return;
      this.#source.poll!();
      this.#watch();
    });
  }

  #take(buffer: Buffer, length: number): void {
    if (this.#count === this.length.length) {
      this.#overflow = true;
      return;
    }
    if (this.#used + length > this.bytes.length) this.#grow(length);
    buffer.copy(this.bytes, this.#used, 0, length);
    this.length[this.#count] = length;
    this.#used += length;
    this.#count += 1;
    if (this.#count >= this.#expected) {
      const arrived = this.#arrived;
      this.#expected = Number.POSITIVE_INFINITY;
      this.#arrived = undefined;
      arrived?.();
    }
  }

  #grow(length: number): void {
    const grown = Buffer.alloc(Math.max(this.#used + length, this.bytes.length * 2));
    this.bytes.copy(grown, 0, 0, this.#used);
    this.bytes = grown;
  }
}
