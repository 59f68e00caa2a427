/**
 * Whole Ethernet frames, in and out of a device, through libpcap (the package `cap`).
 *
 * `cap` is an optional dependency with native code, and its code loads in one thread of a process only: the main
 * thread here. It is loaded on first use.
 */
import { closeSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';
import type { Cap } from 'cap';
import { type Availability, EngineError } from '../sim/engines/engine.ts';
import { libc } from './libc.ts';
import type { Netns } from './netns.ts';

/** The longest frame that is ever sent or taken: what a page holds, and a VLAN tag. */
const LONGEST = 4096;
/** Bytes that a frame takes in libpcap's ring at the most, as long as the offloads are off. */
const SLOT = 4096;

type CapModule = typeof import('cap');

let loaded: CapModule | undefined;
let failure: string | undefined;

/** Can frames be sent and captured from this thread? Says nothing about rights. */
export function framesAvailability(): Availability {
  if (!isMainThread) {
    return {
      available: false,
      reason: 'the package cap works on the main thread only',
      remedy: 'run it with --workers 0',
    };
  }
  if (load() !== undefined) return { available: true };
  return {
    available: false,
    reason: `the package cap cannot be loaded (${failure})`,
    remedy: 'apt-get install build-essential python3 libpcap-dev && npm install cap',
  };
}

function load(): CapModule | undefined {
  if (loaded === undefined && failure === undefined) {
    try {
      loaded = createRequire(import.meta.url)('cap') as CapModule;
    } catch (error) {
      failure = (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
    }
  }
  return loaded;
}

/**
 * `cap` leaves its libuv handle in the event loop's list when it closes, and the handle lives inside the object:
 * were the object collected, the list would point into freed memory. So none ever is; each takes a few hundred bytes.
 */
const closed: Cap[] = [];

/**
 * One device's frames. What it sends, it does not receive. Frames that arrive are kept, one behind the other,
 * until `forget` is called: nothing is made per frame.
 */
export class FrameTap {
  readonly device: string;
  /** The frames that have arrived since `forget`: frame `i` has `length[i]` bytes, directly behind those before. */
  bytes: Buffer;
  readonly length: Uint32Array;
  count = 0;
  #used = 0;
  #overflow = false;
  readonly #cap: Cap;
  readonly #outgoing: Buffer = Buffer.alloc(LONGEST);
  readonly #incoming: Buffer = Buffer.alloc(LONGEST);
  #expected = Number.POSITIVE_INFINITY;
  #arrived: (() => void) | undefined;
  #open = true;

  /**
   * @param device a device in `netns`, its offloads off (or the ring has room for a few frames only)
   * @param window how many frames may arrive between two calls of `forget`; the ring holds twice as many
   * @throws {EngineError} where `cap`, the device or the rights are missing
   */
  constructor(netns: Netns, device: string, window: number) {
    const available = framesAvailability();
    if (!available.available) {
      throw new EngineError('environment', available.reason, { remedy: available.remedy });
    }
    this.device = device;
    this.bytes = Buffer.alloc(window * 256);
    this.length = new Uint32Array(window);
    this.#cap = new loaded!.Cap();
    try {
      netns.enter(() =>
        // No filter: `inbound` loses the first frame, and in a silent namespace there is nothing to filter.
        withQuietStderr(() => this.#cap.open(device, '', window * 2 * SLOT, this.#incoming)),
      );
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new EngineError('environment', `${device} cannot be captured: ${reason}`, {
        remedy: 'run as root (or with CAP_NET_RAW)',
        cause,
      });
    }
    this.#cap.on('packet', (length) => this.#take(length));
  }

  /**
   * Sends one frame.
   * @throws {Error} with libpcap's message where the kernel refuses it (too long) or has dropped it at once
   */
  send(arena: Buffer, offset: number, length: number): void {
    arena.copy(this.#outgoing, 0, offset, offset + length);
    this.#cap.send(this.#outgoing, length);
  }

  /** Calls back once, as soon as `count` frames are there: at once, if they are. */
  whenArrived(count: number, callback: () => void): void {
    if (this.count >= count) {
      callback();
      return;
    }
    this.#expected = count;
    this.#arrived = callback;
  }

  /** Have more frames arrived than the window allows? Then the last ones are not kept. */
  get overflowed(): boolean {
    return this.#overflow;
  }

  /** Starts the next window: frames that have arrived so far are overwritten. */
  forget(): void {
    this.count = 0;
    this.#used = 0;
    this.#overflow = false;
  }

  /** May be called more than once. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#cap.close();
    closed.push(this.#cap);
  }

  #take(length: number): void {
    if (this.count === this.length.length) {
      this.#overflow = true;
      return;
    }
    if (this.#used + length > this.bytes.length) this.#grow(length);
    this.#incoming.copy(this.bytes, this.#used, 0, length);
    this.length[this.count] = length;
    this.#used += length;
    this.count += 1;
    if (this.count >= this.#expected) {
      this.#expected = Number.POSITIVE_INFINITY;
      this.#arrived?.();
    }
  }

  #grow(length: number): void {
    const grown = Buffer.alloc(Math.max(this.#used + length, this.bytes.length * 2));
    this.bytes.copy(grown, 0, 0, this.#used);
    this.bytes = grown;
  }
}

/**
 * `cap` asks libpcap for the device's IPv4 network, which nothing here needs, and writes a warning to stderr where
 * there is none. It goes nowhere instead.
 */
function withQuietStderr<T>(fn: () => T): T {
  const nowhere = openSync('/dev/null', 'w');
  const stderr = libc().dup(2);
  libc().dup2(nowhere, 2);
  try {
    return fn();
  } finally {
    libc().dup2(stderr, 2);
    libc().close(stderr);
    closeSync(nowhere);
  }
}
