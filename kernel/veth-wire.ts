/**
 * All ports of a live session: sends one frame and finds out what came of it.
 *
 * Where a frame comes out, an observer's counter in shared memory rises; where it does not, the driver's
 * statistics say why. Both are exact, so that it is certain which packet each outcome belongs to. There is no
 * sleeping: the kernel mostly has done all of it when the send returns.
 */
import { EngineError } from '../sim/engines/engine.ts';
import type { OutcomeBatch } from '../sim/engines/outcome-batch.ts';
import { DEFAULT_INGRESS_IFINDEX, type PacketBatch } from '../sim/packet/packet-batch.ts';
import { XDP_PASS, XDP_REDIRECT, XDP_TX } from '../sim/runtime/actions.ts';
import { Observers } from './observer.ts';
import { hasCutOffTag } from './veth-limits.ts';
import { COUNTERS_PER_PORT, Port } from './veth-port.ts';
import { WINDOW, Window } from './veth-window.ts';
import type { WorldNetwork } from './world-network.ts';

/** How long a frame may take, in milliseconds. It takes microseconds, unless the machine is very busy. */
const PATIENCE = 5000;
/** How long to look out for a frame that has run through the program, but was neither dropped nor has come out. */
const PATIENCE_AFTER_RUN = 500;
/** The same for a frame that nobody could see coming out. */
const PATIENCE_IF_UNSEEN = 0.2;

const CUT_OFF = 'the kernel frees a frame with a cut-off VLAN tag before any packet socket sees it';
const NOT_SENT = 'the kernel could not send the frame where the program wanted it';
const NOWHERE = 'the frame was passed on, but came to no place where it could be seen';

export class Wire {
  readonly #ports: Port[] = [];
  readonly #observers: Observers;
  readonly #window: Window;
  readonly #standIn: number;
  /** May frames turn up elsewhere than at the port they came in by? */
  #redirects = false;

  /**
   * Prepares every link of the network; no program is attached yet.
   * @param standIn ifindex of the device that takes the loopback device's place
   */
  constructor(network: WorldNetwork, standIn: number) {
    this.#standIn = standIn;
    this.#observers = new Observers(network.links.length * COUNTERS_PER_PORT);
    try {
      network.links.forEach((link, index) => {
        this.#ports.push(new Port(network, link, this.#observers, index * COUNTERS_PER_PORT, WINDOW));
      });
    } catch (error) {
      this.close();
      throw error;
    }
    this.#window = new Window(this.#ports.flatMap(({ outer, inner }) => [outer, inner]));
  }

  /** Puts a program on every device. @param redirects can it send frames elsewhere? */
  attach(fd: number, redirects: boolean): void {
    this.#redirects = redirects;
    for (const port of this.#ports) port.attach(fd);
  }

  beginWindow(): void {
    this.#window.begin();
  }

  /** Sends one packet of the batch, and returns when it is known what came of it. At most `WINDOW` a window. */
  send(input: PacketBatch, arena: Buffer, packet: number): void {
    const ifindex = input.ingressIfindex[packet]!;
    const port = this.#port(ifindex === DEFAULT_INGRESS_IFINDEX ? this.#standIn : ifindex);
    if (port === undefined) {
      this.#window.failed(`the world has no device ${ifindex}`);
      return;
    }
    try {
      port.outer.send(arena, input.offset[packet]!, input.length[packet]!);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#window.failed(`the frame cannot be sent: ${reason}`);
      return;
    }
    port.seen.processed += 1;
    this.#settle(port, !hasCutOffTag(input, packet));
  }

  /**
   * Ends the window: waits for the frames, and holds all totals against what was booked frame by frame.
   * @throws {EngineError} where one packet became several frames (a broadcast redirect), or none where one was
   *   expected: then it cannot be told which frame belongs to which packet
   */
  async endWindow(output: OutcomeBatch): Promise<void> {
    await this.#window.frames();
    const deadline = performance.now() + PATIENCE_AFTER_RUN;
    // The driver counts a frame a little after it has sent it.
    for (let port = this.#misfit(); port !== undefined; port = this.#misfit()) {
      if (performance.now() < deadline) continue;
      throw new EngineError(
        'environment',
        `${port.name}: other frames came out than went in; which packet they belong to cannot be told`,
      );
    }
    this.#window.appendTo(output);
  }

  close(): void {
    for (const port of this.#ports) port.close();
    this.#observers.close();
  }

  #settle(port: Port, visible: boolean): void {
    let start = 0;
    for (;;) {
      if (this.#cameOut(port, visible) || this.#ended(port)) return;
      const now = performance.now();
      if (start === 0) start = now;
      // `#ended` has just read the statistics.
      const ran = port.statistic('processed') === port.seen.processed;
      if (ran && now > start + (visible ? PATIENCE_AFTER_RUN : PATIENCE_IF_UNSEEN)) {
        this.#window.unseen(visible ? NOWHERE : CUT_OFF);
        return;
      }
      if (now > start + PATIENCE) {
        throw new EngineError('environment', `${port.name}: a frame was sent and never reached the program`, {
          remedy: 'run it on a less busy machine',
        });
      }
    }
  }

  /** Has the frame come to one of the observers? Then it is booked. */
  #cameOut(port: Port, visible: boolean): boolean {
    const outer = port.outerCount !== port.seen.outer;
    if (!outer && port.innerCount === port.seen.inner)
      return this.#redirects && this.#cameOutElsewhere(port, visible);
    // It may have been redirected to the very device that it came in by, or to a CPU, which hands it to the stack.
    if (this.#redirects && !this.#hasProcessed(port)) return false;
    const redirected = this.#redirects && port.statistic('redirected') !== port.seen.redirected;
    if (redirected) port.seen.redirected += 1;
    else if (outer) port.seen.sentBack += 1;
    if (outer) port.seen.outer += 1;
    else port.seen.inner += 1;
    const action = redirected ? XDP_REDIRECT : outer ? XDP_TX : XDP_PASS;
    const tap = this.#ports.indexOf(port) * 2 + (outer ? 0 : 1);
    if (visible) this.#window.departed(action, tap, redirected && outer ? port.ifindex : 0);
    else this.#window.unseen(CUT_OFF);
    return true;
  }

  #cameOutElsewhere(port: Port, visible: boolean): boolean {
    for (let index = 0; index < this.#ports.length; index++) {
      const target = this.#ports[index]!;
      if (target === port || target.outerCount === target.seen.outer) continue;
      port.seen.redirected += 1;
      target.seen.outer += 1;
      if (visible) this.#window.departed(XDP_REDIRECT, index * 2, target.ifindex);
      else this.#window.unseen(CUT_OFF);
      return true;
    }
    return false;
  }

  /** Does the driver say that the frame has come to its end? Then that is booked. */
  #ended(port: Port): boolean {
    port.readStatistics();
    const { seen } = port;
    if (port.statistic('gone') !== seen.gone) {
      seen.gone += 1;
      this.#window.gone();
      return true;
    }
    if (port.statistic('failed') !== seen.failed) {
      // A frame that the peer did not take counts as sent back as well.
      if (port.statistic('sentBack') !== seen.sentBack) seen.sentBack += 1;
      seen.failed += 1;
      this.#window.unseen(NOT_SENT);
      return true;
    }
    if (this.#redirects && port.statistic('redirected') !== seen.redirected && this.#targetFailed()) {
      seen.redirected += 1;
      this.#window.unseen(NOT_SENT);
      return true;
    }
    return false;
  }

  /** The driver counts at the end of a poll: only then do its statistics speak of this frame. */
  #hasProcessed(port: Port): boolean {
    port.readStatistics();
    return port.statistic('processed') === port.seen.processed;
  }

  /** Has a device failed to send a frame that was redirected to it? */
  #targetFailed(): boolean {
    for (const target of this.#ports) {
      target.readStatistics();
      if (target.statistic('unsent') === target.seen.unsent) continue;
      target.seen.unsent += 1;
      return true;
    }
    return false;
  }

  /** A port where something came out that was not booked, or the other way round. */
  #misfit(): Port | undefined {
    for (let index = 0; index < this.#ports.length; index++) {
      const port = this.#ports[index]!;
      const fits = port.agreesWithSeen() && this.#window.fits(index * 2) && this.#window.fits(index * 2 + 1);
      if (!fits) return port;
    }
    return undefined;
  }

  #port(ifindex: number): Port | undefined {
    for (const port of this.#ports) if (port.ifindex === ifindex) return port;
    return undefined;
  }
}
