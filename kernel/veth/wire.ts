/**
 * All ports of a live session: sends one frame and finds out what came of it.
 *
 * Where a frame comes out, an observer's counter in shared memory rises; where it does not, the driver's
 * statistics say why, or the dispatcher. All are exact, so that it is certain which packet each outcome belongs to.
 * There is no sleeping: the kernel mostly has done all of it when the send returns.
 */
import { EngineError } from '../../sim/engines/engine.ts';
import type { OutcomeBatch } from '../../sim/engines/outcome-batch.ts';
import { DEFAULT_INGRESS_IFINDEX, type PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { WorldNetwork } from '../network/world-network.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { FramePath } from './frame-path.ts';
import { hasCutOffTag } from './limits.ts';
import { Observers } from './observer.ts';
import { CUT_OFF, NOT_SENT, type PendingFrame } from './pending-frame.ts';
import { COUNTERS_PER_PORT, Port } from './port.ts';
import { settleAtTc } from './tc.ts';
import { WINDOW, Window } from './window.ts';
import { settleAtXdp } from './xdp.ts';

/** How long a frame may take, in milliseconds. It takes microseconds, unless the machine is very busy. */
const PATIENCE = 20_000;
/** How long to look out for a frame that has run through the program, but was neither dropped nor has come out. */
const PATIENCE_AFTER_RUN = 500;
/**
 * The same where a thread of the kernel's has to get its turn: one of a CPU map, or ksoftirqd. On a machine with twenty
 * times as many processes as cores that took more than half a second.
 */
const PATIENCE_FOR_THREADS = 5000;
/** The same for a frame that nobody could see coming out. */
const PATIENCE_IF_UNSEEN = 0.2;

const NOWHERE = 'the frame was passed on, but came to no place where it could be seen';

export class Wire {
  readonly #ports: Port[] = [];
  readonly #observers: Observers;
  readonly #window: Window;
  readonly #dispatcher: Dispatcher | undefined;
  readonly #standIn: number;
  /** The one frame under way; reused from frame to frame. */
  #pending: PendingFrame | undefined;

  /**
   * Prepares every link of the network; no program is attached yet.
   * @param standIn ifindex of the device that takes the loopback device's place
   * @param dispatcher stands on every device, if there is one; stays the caller's
   */
  constructor(network: WorldNetwork, standIn: number, dispatcher?: Dispatcher) {
    this.#standIn = standIn;
    this.#dispatcher = dispatcher;
    this.#observers = new Observers(network.links.length * COUNTERS_PER_PORT);
    // Of what runs through TC, taps can see two frames a packet.
    const kept = dispatcher === undefined ? WINDOW : 2 * WINDOW;
    try {
      network.links.forEach((link, index) => {
        this.#ports.push(
          new Port(network, link, this.#observers, index * COUNTERS_PER_PORT, kept, dispatcher),
        );
      });
    } catch (error) {
      this.close();
      throw error;
    }
    this.#window = new Window(this.#ports.flatMap(({ outer, inner }) => [outer, inner]));
  }

  /** Puts an XDP program on every device, where no dispatcher stands. */
  attach(fd: number): void {
    for (const port of this.#ports) port.attach(fd);
  }

  beginWindow(): void {
    this.#window.begin();
  }

  /** Sends one packet of the batch, and returns when it is known what came of it. At most `WINDOW` a window. */
  send(input: PacketBatch, arena: Buffer, packet: number, path: FramePath): void {
    const ifindex = input.ingressIfindex[packet]!;
    const port = this.#port(ifindex === DEFAULT_INGRESS_IFINDEX ? this.#standIn : ifindex);
    if (port === undefined) {
      this.#window.failed(`the world has no device ${ifindex}`);
      return;
    }
    const outwards = path.hook === 'tc-egress';
    this.#dispatcher?.begin(path.turn, input, packet, !outwards);
    try {
      const tap = outwards ? port.inner : port.outer;
      tap.send(arena, input.offset[packet]!, input.length[packet]!);
    } catch (error) {
      // A frame that is shot on its way out was not sent, says the kernel: it had its turn all the same.
      if (!outwards || this.#dispatcher?.hasRun !== true) {
        const reason = error instanceof Error ? error.message : String(error);
        this.#window.failed(`the frame cannot be sent: ${reason}`);
        return;
      }
    }
    if (!outwards) port.seen.processed += 1;
    this.#settle(this.#takeOff(path, port, !hasCutOffTag(input, packet)));
  }

  /**
   * Ends the window: waits for the frames, and holds all totals against what was booked frame by frame.
   * @throws {EngineError} where one packet became several frames (a broadcast redirect), or none where one was
   *   expected: then it cannot be told which frame belongs to which packet
   */
  async endWindow(output: OutcomeBatch): Promise<void> {
    await this.#window.frames();
    const deadline = performance.now() + PATIENCE_FOR_THREADS;
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

  #takeOff(path: FramePath, port: Port, visible: boolean): PendingFrame {
    this.#pending ??= {
      ports: this.#ports,
      window: this.#window,
      dispatcher: this.#dispatcher,
      path,
      port,
      visible,
    };
    this.#pending.path = path;
    this.#pending.port = port;
    this.#pending.visible = visible;
    return this.#pending;
  }

  #settle(pending: PendingFrame): void {
    const { path, port, visible, dispatcher } = pending;
    const atTc = path.hook !== 'xdp';
    const patience = path.redirectsToCpus ? PATIENCE_FOR_THREADS : PATIENCE_AFTER_RUN;
    let start = 0;
    for (;;) {
      if (atTc ? settleAtTc(pending) : settleAtXdp(pending)) return;
      const now = performance.now();
      if (start === 0) start = now;
      if (now < start + (visible ? patience : PATIENCE_IF_UNSEEN)) continue;
      if (atTc && dispatcher!.hasRun) {
        this.#window.unseen(NOT_SENT);
        return;
      }
      if (path.hook !== 'tc-egress') {
        port.readStatistics();
        if (port.statistic('processed') === port.seen.processed) {
          this.#window.unseen(visible ? NOWHERE : CUT_OFF);
          return;
        }
      }
      if (now > start + PATIENCE) {
        throw new EngineError('environment', `${port.name}: a frame was sent and never reached the program`, {
          remedy: 'run it on a less busy machine',
        });
      }
    }
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
