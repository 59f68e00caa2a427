/**
 * What came of each frame of one window, and the frames themselves as the taps deliver them: booked while the
 * frames are sent, put together at the end. Reused from window to window; no object is made per frame.
 */
import { EngineError } from '../../sim/engines/engine.ts';
import { type OutcomeBatch, STATUS } from '../../sim/engines/outcome-batch.ts';
import type { FrameTap } from '../frames/frames.ts';
import type { Dispatcher } from './dispatcher.ts';

/** Frames between two looks at the taps: more brings no speed, and costs memory in every tap. */
export const WINDOW = 256;

/** How long the taps may take to deliver, in milliseconds. They take microseconds, unless the machine is very busy. */
const PATIENCE = 20_000;

/** In the place of a tap: for packets that none delivers, and for those that the dispatcher shows. */
export const NO_TAP = 0xffff;
export const FROM_DISPATCHER = 0xfffe;

/** Frames that one packet can leave in taps beside the one that shows what came of it. */
const SKIPS = 2;
const CB_WORDS = 5;

export class Window {
  readonly #taps: readonly FrameTap[];
  readonly #action = new Int32Array(WINDOW);
  readonly #status = new Uint8Array(WINDOW);
  readonly #tap = new Uint16Array(WINDOW);
  readonly #redirect = new Uint32Array(WINDOW);
  /** `mark`, `priority` and `cb` of those that ran through TC. */
  readonly #mark = new Uint32Array(WINDOW);
  readonly #priority = new Uint32Array(WINDOW);
  readonly #cb = new Uint32Array(WINDOW * CB_WORDS);
  /** For each packet, taps with a frame that comes before its own and shows nothing. */
  readonly #skip = new Uint16Array(WINDOW * SKIPS);
  /** Frames that the dispatcher showed, one behind the other. */
  #shown: Buffer = Buffer.alloc(0);
  readonly #shownAt = new Uint32Array(WINDOW);
  readonly #shownLength = new Uint32Array(WINDOW);
  #shownUsed = 0;
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
    this.#shownUsed = 0;
    this.#skip.fill(NO_TAP);
    this.#expected.fill(0);
    this.#taken.fill(0);
    this.#takenBytes.fill(0);
    if (this.#notes.size > 0) this.#notes.clear();
    for (const tap of this.#taps) tap.forget();
  }

  /** The next packet is gone: dropped, aborted or shot. */
  gone(action: number): void {
    this.#book(action, STATUS.ran, NO_TAP, 0);
  }

  /**
   * The next packet left by a tap's device. Only the order in each tap tells which frame is whose.
   * @param tap an index of the constructor's list
   * @param redirect where a redirect went; 0 for none
   */
  departed(action: number, tap: number, redirect: number): void {
    this.#expected[tap] = this.#expected[tap]! + 1;
    this.#book(action, STATUS.ran, tap, redirect);
  }

  /**
   * The next packet had its turn at TC.
   * @param tap where its frame comes out; `FROM_DISPATCHER`: what the dispatcher has is shown; `NO_TAP`: it is gone
   * @param redirect where a redirect went; 0 for none
   */
  judged(dispatcher: Dispatcher, tap: number, redirect: number): void {
    const index = this.#count;
    if (tap === FROM_DISPATCHER) this.#show(dispatcher.frame, dispatcher.length);
    else if (tap !== NO_TAP) this.#expected[tap] = this.#expected[tap]! + 1;
    this.#book(dispatcher.verdict, STATUS.ran, tap, redirect);
    this.#mark[index] = dispatcher.mark;
    this.#priority[index] = dispatcher.priority;
    for (let word = 0; word < CB_WORDS; word++) this.#cb[index * CB_WORDS + word] = dispatcher.cb(word);
  }

  /** A tap sees the next packet, once and before anything else of it, where that shows nothing: at most twice. */
  skip(tap: number): void {
    const at = this.#count * SKIPS;
    this.#skip[this.#skip[at] === NO_TAP ? at : at + 1] = tap;
    this.#expected[tap] = this.#expected[tap]! + 1;
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
      for (let skip = index * SKIPS; skip < (index + 1) * SKIPS; skip++) {
        if (this.#skip[skip] !== NO_TAP) this.#passOver(this.#skip[skip]!);
      }
      const length = this.#takeFrame(output, index);
      const packet = output.commit(this.#action[index]!, length);
      output.status[packet] = this.#status[index]!;
      output.redirect[packet] = this.#redirect[index]!;
      output.mark[packet] = this.#mark[index]!;
      output.priority[packet] = this.#priority[index]!;
      for (let word = 0; word < CB_WORDS; word++) {
        output.cb[packet * CB_WORDS + word] = this.#cb[index * CB_WORDS + word]!;
      }
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
    this.#mark[index] = 0;
    this.#priority[index] = 0;
    for (let word = 0; word < CB_WORDS; word++) this.#cb[index * CB_WORDS + word] = 0;
  }

  #show(frame: Buffer, length: number): void {
    if (this.#shownUsed + length > this.#shown.length) {
      const grown = Buffer.alloc(Math.max(WINDOW * 256, (this.#shownUsed + length) * 2));
      this.#shown.copy(grown, 0, 0, this.#shownUsed);
      this.#shown = grown;
    }
    frame.copy(this.#shown, this.#shownUsed, 0, length);
    this.#shownAt[this.#count] = this.#shownUsed;
    this.#shownLength[this.#count] = length;
    this.#shownUsed += length;
  }

  /** Copies a packet's frame to where `commit` will look for it. @returns its length */
  #takeFrame(output: OutcomeBatch, index: number): number {
    const tap = this.#tap[index]!;
    if (tap === NO_TAP) return 0;
    if (tap === FROM_DISPATCHER) {
      const shown = this.#shownLength[index]!;
      const at = this.#shownAt[index]!;
      // First: making room may make another arena.
      const to = output.reserve(shown);
      this.#shown.copy(output.bytes, to, at, at + shown);
      return shown;
    }
    const frames = this.#taps[tap]!;
    const from = this.#takenBytes[tap]!;
    const length = this.#passOver(tap);
    const to = output.reserve(length);
    frames.bytes.copy(output.bytes, to, from, from + length);
    return length;
  }

  /** Steps over a tap's next frame. @returns its length */
  #passOver(tap: number): number {
    const length = this.#taps[tap]!.length[this.#taken[tap]!]!;
    this.#taken[tap] = this.#taken[tap]! + 1;
    this.#takenBytes[tap] = this.#takenBytes[tap]! + length;
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
