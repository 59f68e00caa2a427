/** Messages that wait for their reader, in order. */
export class Inbox<T> {
  readonly #waiting: T[] = [];
  #failure: unknown;
  #isBroken = false;
  #wake: (() => void) | undefined;

  put(message: T): void {
    this.#waiting.push(message);
    this.#wake?.();
  }

  /** No more messages: those that wait are still read, then readers get this error. */
  breakOff(error: unknown): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    this.#failure = error;
    this.#wake?.();
  }

  /** The next message, as soon as there is one. For one reader at a time. */
  async take(): Promise<T> {
    while (this.#waiting.length === 0) {
      if (this.#isBroken) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#waiting.shift()!;
  }
}
