/** Frames through libpcap: the package `cap`. */
import { closeSync, openSync } from 'node:fs';
import type { Cap } from 'cap';
import { libc } from '../libc.ts';
import type { Netns } from '../network/netns.ts';
import { captureError } from './capture-error.ts';
import { type FrameSource, LONGEST_FRAME, type OnFrame } from './frame-source.ts';

export type CapModule = typeof import('cap');

/** Bytes that a frame takes in libpcap's ring at the most, as long as the offloads are off. */
const SLOT = 4096;

/**
 * `cap` leaves its libuv handle in the event loop's list when it closes, and the handle lives inside the object:
 * were the object collected, the list would point into freed memory; and of one that could not be opened, `cap` would
 * close a handle that never was. So none ever is collected; each takes a few hundred bytes.
 */
const kept: Cap[] = [];

function create({ Cap }: CapModule): Cap {
  const cap = new Cap();
  kept.push(cap);
  return cap;
}

/** Bytes of libpcap's ring, and its longest frame: what `cap` asks libpcap for (`pcap_set_snaplen`). */
const LIVE_RING: number = 32 * 1024 * 1024;
const LIVE_LONGEST = 65_535;

/**
 * Opens a device of the calling thread's namespace to watch it, whatever offloads it has.
 * @returns what the frames begin with, as `cap` calls it, and how to end
 * @throws {EngineError} where the device or the rights are missing
 */
export function watchPcap(
  module: CapModule,
  device: string,
  onFrame: OnFrame,
): { readonly linkType: string; close(): void } {
  const cap = create(module);
  const incoming = Buffer.alloc(LIVE_LONGEST);
  const linkType = withQuietStderr(() => open(cap, device, LIVE_RING, incoming));
  cap.on('packet', (length) => onFrame(incoming, Math.min(length, LIVE_LONGEST)));
  return {
    linkType,
    close() {
      cap.close();
    },
  };
}

function open(cap: Cap, device: string, ring: number, incoming: Buffer): string {
  try {
    // No filter: `inbound` loses the first frame.
    return cap.open(device, '', ring, incoming);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw captureError(device, reason, cause);
  }
}

/**
 * @param frames how many the ring has room for
 * @throws {EngineError} where the device or the rights are missing
 */
export function openPcap(
  module: CapModule,
  netns: Netns,
  device: string,
  frames: number,
  onFrame: OnFrame,
): FrameSource {
  const cap = create(module);
  const incoming = Buffer.alloc(LONGEST_FRAME);
  const outgoing = Buffer.alloc(LONGEST_FRAME);
  // In a silent namespace there is nothing to filter.
  netns.enter(() => withQuietStderr(() => open(cap, device, frames * SLOT, incoming)));
  cap.on('packet', (length) => onFrame(incoming, length));
  return {
    send(arena, offset, length) {
      arena.copy(outgoing, 0, offset, offset + length);
      cap.send(outgoing, length);
    },
    close() {
      cap.close();
    },
  };
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
