/**
 * SIGINT (Ctrl-C), SIGTERM and SIGHUP all mean the same: end the run, report what was done. A second one means: at
 * once. A reader that has gone (`| head -1`) ends a run in the same way.
 *
 * Everything goes through here, so that a signal always has an effect: as the first process of a container (PID 1) a
 * process without a handler does not get the signal at all.
 */
import { EXIT } from './failure.ts';

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

type Handler = (cause: InterruptCause) => void;

/**
 * What a run was ended by. `part ended`: a signal that ended a process of the run's before that could have a handler; the
 * run gets the same signal, if it was for the whole group.
 */
export type InterruptCause = NodeJS.Signals | 'output closed' | 'part ended';

/** Is it one of the signals that mean: end the run? */
export function isInterruption(signal: NodeJS.Signals | null): boolean {
  return signal !== null && SIGNALS.includes(signal);
}

/** The youngest gets the signal. */
const handlers: Handler[] = [];
let isListening = false;

/** From now on a signal that no handler takes ends the process, with its clean-up and exit code 130. */
export function listenForSignals(): void {
  if (isListening) return;
  isListening = true;
  for (const signal of SIGNALS) process.on(signal, interrupt);
}

/** For a process whose parent gets the signals, too, and passes them on. */
export function ignoreSignals(): void {
  isListening = true;
  for (const signal of SIGNALS) process.on(signal, () => {});
}

/** As if the signal had come. @returns whether a handler took it; without one a signal ends the process */
export function interrupt(cause: InterruptCause): boolean {
  const handler = handlers.at(-1);
  if (handler !== undefined) {
    handler(cause);
    return true;
  }
  if (cause !== 'output closed') process.exit(EXIT.interrupted);
  return false;
}

/**
 * Takes all signals until the returned function is called.
 * @returns gives them back to whoever had them before
 */
export function handleSignals(handler: Handler): () => void {
  listenForSignals();
  handlers.push(handler);
  return () => {
    const at = handlers.lastIndexOf(handler);
    if (at >= 0) handlers.splice(at, 1);
  };
}

export interface Interrupt {
  readonly signal: AbortSignal;
  /** What came first; undefined where nothing came. */
  readonly cause: InterruptCause | undefined;
  /** Gives signals their usual meaning back. */
  release(): void;
}

/** How long a second signal waits for `atOnce`. */
const AT_ONCE_MS = 250;

/**
 * The first signal aborts; the second one ends the process.
 * @param atOnce is called before it ends: for what a clean-up at exit cannot do
 */
export function onInterrupt(atOnce: () => Promise<void> | void = () => {}): Interrupt {
  const controller = new AbortController();
  let first: InterruptCause | undefined;
  let isEnding = false;
  const release = handleSignals((cause) => {
    if (first === undefined || first === 'part ended') {
      first = cause;
      controller.abort();
      return;
    }
    if (cause === 'output closed' || cause === 'part ended') return;
    if (isEnding) process.exit(EXIT.interrupted);
    isEnding = true;
    setTimeout(() => process.exit(EXIT.interrupted), AT_ONCE_MS);
    void Promise.resolve(atOnce()).finally(() => process.exit(EXIT.interrupted));
  });
  return {
    signal: controller.signal,
    get cause() {
      return first;
    },
    release,
  };
}
