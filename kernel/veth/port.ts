/**
 * One device of a live session and its peer: where frames go in, and the places where they are seen coming out.
 *
 * ```
 *   outside                inside
 *   outer tap ── peer ──── device ── [program under test] ── inner tap ── the stack, which gets nothing
 *      XDP observer                                             TC observer
 * ```
 *
 * Frames that the program sends back or redirects come out at a peer; a native XDP program has to be there, or
 * veth loses them: the observer is that program. Frames that the program passes are seen by a packet socket on
 * the device; then the TC observer counts and drops them, so that the kernel neither answers nor forwards them
 * (and another TC observer drops what the kernel would send by itself).
 *
 * Programs with TC functions get a dispatcher on the device: its XDP half in the place of the program under test, its
 * TC halves before the TC observers, that is behind the inner tap for frames that come in.
 */
import { TC_ACT_SHOT, XDP_PASS } from '../../sim/runtime/actions.ts';
import { FrameTap } from '../frames/frames.ts';
import { attachTc, attachXdp } from '../libbpf/attach.ts';
import { type Ethtool, openEthtool } from '../network/ethtool.ts';
import type { Netns } from '../network/netns.ts';
import type { Link, WorldNetwork } from '../network/world-network.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { Observers } from './observer.ts';

/** How many counters of the observers one port takes. */
export const COUNTERS_PER_PORT = 3;

/** Behind the dispatcher, where that has to be attached by clsact. */
const OBSERVER_PRIORITY = 2;

type Question = 'processed' | 'sentBack' | 'redirected' | 'gone' | 'failed' | 'unsent';

/** Which of the driver's statistics are added up for each question (drivers/net/veth.c, `veth_rq_stats_desc`). */
const QUESTIONS: Readonly<Record<Question, RegExp>> = {
  /** Frames that XDP has dealt with, whatever came of them. */
  processed: /^rx_queue_\d+_xdp_packets$/,
  sentBack: /^rx_queue_\d+_xdp_tx$/,
  redirected: /^rx_queue_\d+_xdp_redirect$/,
  /** Dropped or aborted, or returned with an unknown action. */
  gone: /^rx_queue_\d+_xdp_drops$/,
  /** Not to be sent back or redirected: no such device, or too long for it. */
  failed: /^rx_queue_\d+_(drops|xdp_tx_errors)$/,
  /** Frames redirected to this device that it could not send. */
  unsent: /^tx_queue_\d+_xdp_xmit_errors$/,
};

/** Frames that cannot be sent on belong to whoever redirected them: they are not counted among this port's own. */
const ACCOUNTED: readonly Question[] = ['processed', 'sentBack', 'redirected', 'gone', 'failed'];

export class Port {
  readonly ifindex: number;
  readonly name: string;
  readonly outer: FrameTap;
  readonly inner: FrameTap;
  /** What has been accounted for so far; the session adds to these as it finds out what came of each frame. */
  readonly seen: Record<Question | 'outer' | 'inner', number> = {
    processed: 0,
    sentBack: 0,
    redirected: 0,
    gone: 0,
    failed: 0,
    unsent: 0,
    outer: 0,
    inner: 0,
  };
  readonly #network: WorldNetwork;
  readonly #observers: Observers;
  readonly #counter: number;
  readonly #statistics: Ethtool;
  readonly #indexes: Readonly<Record<Question, readonly number[]>>;

  /**
   * @param counter the first of three counters that are this port's
   * @param window how many frames each tap keeps
   */
  constructor(
    network: WorldNetwork,
    link: Link,
    observers: Observers,
    counter: number,
    window: number,
    dispatcher?: Dispatcher,
  ) {
    this.#network = network;
    this.#observers = observers;
    this.#counter = counter;
    this.ifindex = link.device.ifindex;
    this.name = link.device.name;
    const { inside, outside } = network;
    const shot = { type: 'tc', action: TC_ACT_SHOT } as const;
    attachTc(inside, this.ifindex, 'ingress', observers.program(counter + 1, shot), OBSERVER_PRIORITY);
    attachTc(inside, this.ifindex, 'egress', observers.program(counter + 2, shot), OBSERVER_PRIORITY);
    // Only now, when the kernel's own frames do not come out any more.
    attachXdp(outside, this.ifindex, observers.program(counter, { type: 'xdp', action: XDP_PASS }));
    this.#statistics = openEthtool(inside, this.name);
    const names = this.#statistics.statisticNames();
    this.#indexes = Object.fromEntries(
      Object.entries(QUESTIONS).map(([question, pattern]) => [
        question,
        names.flatMap((name, index) => (pattern.test(name) ? [index] : [])),
      ]),
    ) as Record<Question, number[]>;
    dispatcher?.attach(inside, this.ifindex);
    this.#statistics.offloadsOff();
    offloadsOff(outside, link.peer);
    this.outer = new FrameTap(outside, link.peer, window);
    try {
      this.inner = new FrameTap(inside, this.name, window);
    } catch (error) {
      this.outer.close();
      throw error;
    }
  }

  /** Puts the program under test in place. */
  attach(fd: number): void {
    attachXdp(this.#network.inside, this.ifindex, fd);
    // A native program switches GRO on by itself, which would melt frames together (drivers/net/veth.c, `veth_xdp_set`).
    this.#statistics.offloadsOff();
  }

  /** How many frames have come out at the peer. */
  get outerCount(): number {
    return this.#observers.count(this.#counter);
  }

  /** How many frames the program has passed. */
  get innerCount(): number {
    return this.#observers.count(this.#counter + 1);
  }

  readStatistics(): void {
    this.#statistics.readStatistics();
  }

  /** The answer as of the last `readStatistics`. */
  statistic(question: Question): number {
    let sum = 0;
    for (const index of this.#indexes[question]) sum += this.#statistics.statistic(index);
    return sum;
  }

  /** Do the statistics, read anew, and the counters say what `seen` says? */
  agreesWithSeen(): boolean {
    this.readStatistics();
    if (this.outerCount !== this.seen.outer || this.innerCount !== this.seen.inner) return false;
    for (const question of ACCOUNTED) {
      if (this.statistic(question) !== this.seen[question]) return false;
    }
    return true;
  }

  close(): void {
    this.outer.close();
    this.inner.close();
    this.#statistics.close();
  }
}

function offloadsOff(netns: Netns, device: string): void {
  const ethtool = openEthtool(netns, device);
  ethtool.offloadsOff();
  ethtool.close();
}
