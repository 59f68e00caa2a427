/**
 * What came of each frame of one window, and the frames themselves as the taps deliver them: booked while the
 * frames are sent, put together at the end. Reused from window to window; no object is made per frame.
 */
import { EngineError } from '../sim/engines/engine.ts';
import { type OutcomeBatch, STATUS } from '../sim/engines/outcome-batch.ts';
import { XDP_DROP, type XDP_PASS, type XDP_REDIRECT, type XDP_TX } from '../sim/runtime/actions.ts';
import type { FrameTap } from './frames.ts';

/** Frames between two looks at the taps: more brings no speed, and costs memory in every tap. */
export const WINDOW = 256;

/** How long the taps may take to deliver, in milliseconds. They take microseconds, unless the machine is very busy. */
const PATIENCE = 5000;

/** Actions whose frames come out somewhere. Only their order in each tap tells which frame is whose. */
export type Departure = typeof XDP_PASS | typeof XDP_TX | typeof XDP_REDIRECT;

/** Stands in `#tap` for packets that no tap delivers. */
const NO_TAP = 0xffff;

export class Window {
  readonly #taps: readonly FrameTap[];
  readonly #action = new Int32Array(WINDOW);
  readonly #status = new Uint8Array(WINDOW);
  readonly #tap = new Uint16Array(WINDOW);
  readonly #redirect = new Uint32Array(WINDOW);
  readonly #notes = new Map<number, string>();
  /** How many frames each tap has to deliver, and how far the assembly has come. */
  readonly #expected: Uint16Array;
  readonly #taken: Uint16Array;
  readonly #takenBytes: Uint32Array;
  #count = 0;

  constructor(taps: readonly FrameTap[]) {
    this.#taps = taps;
    this.#expected = new Uint16Array(taps.length);
    this.#taken = new Uint16Array(taps.length);
    this.#takenBytes = new Uint32Array(taps.length);
  }

  begin(): void {
    this.#count = 0;
    this.#expected.fill(0);
    this.#taken.fill(0);
    this.#takenBytes.fill(0);
    if (this.#notes.size > 0) this.#notes.clear();
    for (const tap of this.#taps) tap.forget();
  }

  /** The next packet was dropped or aborted. */
  gone(): void {
    this.#book(XDP_DROP, STATUS.ran, NO_TAP, 0);
  }

  /**
   * The next packet left by a tap's device.
   * @param tap an index of the constructor's list
   * @param redirect where a redirect went; 0 for none
   */
  departed(action: Departure, tap: number, redirect: number): void {
    this.#expected[tap] = this.#expected[tap]! + 1;
    this.#book(action, STATUS.ran, tap, redirect);
  }

  /** The next packet ran, and what came of it cannot be seen. */
  unseen(reason: string): void {
    this.#notes.set(this.#count, reason);
    this.#book(0, STATUS.unseen, NO_TAP, 0);
  }

  /** The next packet did not run. */
  failed(reason: string): void {
    this.#notes.set(this.#count, reason);
    this.#book(0, STATUS.fault, NO_TAP, 0);
  }

  /**
   * Waits until every tap has delivered what was booked for it.
   * @throws {EngineError} where frames are lost between observer and tap
   */
  async frames(): Promise<void> {
    const late = this.#taps.flatMap((tap, index) => (tap.count < this.#expected[index]! ? [index] : []));
    if (late.length === 0) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(this.#framesMissing()), PATIENCE);
      let missing = late.length;
      const arrived = (): void => {
        missing -= 1;
        if (missing > 0) return;
        clearTimeout(timer);
        resolve();
      };
      for (const index of late) this.#taps[index]!.whenArrived(this.#expected[index]!, arrived);
    });
  }

  /** Has this tap delivered just what was booked, and nothing more? */
  fits(tap: number): boolean {
    return this.#taps[tap]!.count === this.#expected[tap]!;
  }

  /** Appends the outcomes of the window, in order. */
  appendTo(output: OutcomeBatch): void {
    for (let index = 0; index < this.#count; index++) {
      const tap = this.#tap[index]!;
      const length = tap === NO_TAP ? 0 : this.#takeFrame(output, tap);
      const packet = output.commit(this.#action[index]!, length);
      output.status[packet] = this.#status[index]!;
      output.redirect[packet] = this.#redirect[index]!;
      if (this.#status[index] !== STATUS.ran) {
        output.notes.set(packet, { message: this.#notes.get(index)! });
      }
    }
  }

  #book(action: number, status: number, tap: number, redirect: number): void {
    const index = this.#count++;
    this.#action[index] = action;
    this.#status[index] = status;
    this.#tap[index] = tap;
    this.#redirect[index] = redirect;
  }

  /** Copies the tap's next frame to where `commit` will look for it. @returns its length */
  #takeFrame(output: OutcomeBatch, tap: number): number {
    const frames = this.#taps[tap]!;
    const length = frames.length[this.#taken[tap]!]!;
    const from = this.#takenBytes[tap]!;
    const to = output.reserve(length);
    frames.bytes.copy(output.bytes, to, from, from + length);
    this.#taken[tap] = this.#taken[tap]! + 1;
    this.#takenBytes[tap] = from + length;
    return length;
  }

  #framesMissing(): EngineError {
    const where = this.#taps.flatMap(({ device, count }, index) => {
      const expected = this.#expected[index]!;
      return count < expected ? [`${expected - count} of ${expected} on ${device}`] : [];
    });
    return new EngineError('environment', `captured frames were lost: ${where.join(', ')}`, {
      remedy: 'run it on a less busy machine',
    });
  }
}
