/**
 * Quiescence: tells when nothing moves in the network any more, by counting and not by waiting.
 *
 * A frame that is sent runs in softirqs on the sending CPU, and so does all that follows from it: what a softirq
 * sends is queued on its own CPU. So the sender stays on one CPU, and sends a probe frame behind: when that
 * has come through its own wire, everything that was queued before it has been worked off. What has been
 * queued meanwhile stands before the next one. When several of them in a row find that no frame has been recorded
 * since the one before, none is left. (Threaded NAPI or packet steering would break this; nothing here turns them on.)
 */
import { EngineError } from '../../sim/engines/engine.ts';
import { XDP_DROP } from '../../sim/runtime/actions.ts';
import { attachXdp } from '../libbpf/attach.ts';
import { createNetns, type Netns } from '../network/netns.ts';
import { syscalls } from '../testrun/syscalls.ts';
import { Observers } from '../veth/observer.ts';
import { Sockets } from './sockets.ts';

const NEAR = { name: 'near', ifindex: 10 } as const;
const FAR = { name: 'far', ifindex: 11 } as const;
/** "Local Experimental EtherType 1" (IEEE 802). */
const FRAME: Uint8Array = Uint8Array.of(2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5, 0, 0);

/** Probe frames in a row that must find nothing new. A step on a frame's way takes two at the most. */
const QUIET = 4;
/** How long one of them may take, in milliseconds. It takes microseconds, unless the machine is very busy. */
const PATIENCE = 5000;

export class Quiescence {
  readonly #netns: Netns = createNetns();
  readonly #sockets: Sockets = new Sockets(this.#netns);
  #observers: Observers | undefined;

  /** @throws {EngineError} where the rights are missing */
  constructor() {
    try {
      this.#build();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * Calls `send` and returns when all that comes of it is over.
   * @param recorded how many frames have been recorded so far
   * @param most how many more may be: then it returns at once, since frames may run in circles for ever
   * @throws {EngineError} when the machine does not get there
   */
  around(send: () => void, recorded: () => number, most: number): void {
    onOneCpu(() => {
      const first = recorded();
      send();
      let last = recorded();
      for (let quiet = 0; quiet < QUIET && last - first <= most; quiet++) {
        this.#pass();
        if (recorded() === last) continue;
        last = recorded();
        quiet = -1;
      }
    });
  }

  close(): void {
    this.#sockets.close();
    this.#netns.close();
    this.#observers?.close();
  }

  #build(): void {
    this.#netns.sysctl('ipv6/conf/all/disable_ipv6', 1);
    this.#netns.sysctl('ipv6/conf/default/disable_ipv6', 1);
    this.#netns.ip([
      `link add name ${NEAR.name} index ${NEAR.ifindex} type veth peer name ${FAR.name} index ${FAR.ifindex}`,
      `link set dev ${NEAR.name} arp off up`,
      `link set dev ${FAR.name} arp off up`,
    ]);
    this.#observers = new Observers(1);
    attachXdp(this.#netns, FAR.ifindex, this.#observers.program(0, { type: 'xdp', action: XDP_DROP }));
    pumpUntil(
      () => this.#sockets.sendFrame(NEAR.ifindex, FRAME),
      () => this.#seen > 0,
      'the probe frames’ own wire',
    );
    // Frames of the pumping that come late count for these here.
    for (let pass = 0; pass < QUIET; pass++) this.#pass();
  }

  get #seen(): number {
    return this.#observers!.count(0);
  }

  #pass(): void {
    const before = this.#seen;
    this.#sockets.sendFrame(NEAR.ifindex, FRAME);
    const deadline = performance.now() + PATIENCE;
    // Mostly it has come through when the send returns; else ksoftirqd has taken over, and needs this CPU.
    while (this.#seen === before) {
      if (performance.now() < deadline) Atomics.wait(PAUSE, 0, 0, 0.1);
      else
        throw new EngineError('environment', 'frames do not come through', {
          remedy: 'use a less busy machine',
        });
    }
  }
}

const PAUSE: Int32Array = new Int32Array(new SharedArrayBuffer(4));

/**
 * Does something again and again until it has had an effect: a device drops what is sent before the kernel has
 * noticed, in its own time, that its wire is connected.
 * @throws {EngineError} after five seconds
 */
export function pumpUntil(pump: () => void, done: () => boolean, what: string): void {
  const deadline = performance.now() + PATIENCE;
  for (;;) {
    pump();
    if (done()) return;
    if (performance.now() > deadline) throw new EngineError('environment', `${what} does not come up`);
    Atomics.wait(PAUSE, 0, 0, 1);
  }
}

function onOneCpu(work: () => void): void {
  const sys = syscalls();
  const before = sys.affinity();
  const first = before.findIndex((byte) => byte !== 0);
  const only = new Uint8Array(before.length);
  only[first] = before[first]! & -before[first]!;
  sys.setAffinity(only);
  try {
    work();
  } finally {
    sys.setAffinity(before);
  }
}
