/**
 * What has to be undone however the process ends: by falling off its end, by an uncaught exception, by
 * `process.exit`, by SIGINT, SIGTERM or SIGHUP. (After SIGKILL the next run cleans up: `leftovers.ts`.)
 */

import { constants } from 'node:os';
import { visibleLine } from '../../sim/runtime/visible-text.ts';

type Dispose = () => void;

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

const pending = new Set<Dispose>();
let listening = false;

/**
 * Has `dispose` called when the process ends. It must do its work synchronously and may be called when what it
 * removes is already gone.
 *
 * A signal that nobody else listens to still ends the process with that signal, after the disposal. Where
 * somebody does (a command that finishes its report on Ctrl-C), that listener decides when the process ends.
 * @returns takes the registration back, without calling `dispose`
 */
export function disposeOnExit(dispose: Dispose): () => void {
  pending.add(dispose);
  listen();
  return () => {
    pending.delete(dispose);
    if (pending.size === 0) unlisten();
  };
}

/** Youngest first, since later things stand on earlier ones; one failure must not keep the others from their turn. */
function disposeAll(): void {
  for (const dispose of [...pending].reverse()) {
    pending.delete(dispose);
    try {
      dispose();
    } catch (error) {
      process.stderr.write(
        `xdpsim: cleaning up: ${visibleLine(error instanceof Error ? error.message : String(error))}\n`,
      );
    }
  }
}

function onSignal(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  disposeAll();
  unlisten();
  // With the last listener gone the signal has its default effect, so that a shell sees how the process died. The first
  // process of a PID namespace has no default effects (pid_namespaces(7)).
  if (process.pid === 1) process.exit(128 + constants.signals[signal]);
  process.kill(process.pid, signal);
}

function listen(): void {
  if (listening) return;
  listening = true;
  process.on('exit', disposeAll);
  for (const signal of SIGNALS) process.on(signal, onSignal);
}

function unlisten(): void {
  if (!listening) return;
  listening = false;
  process.off('exit', disposeAll);
  for (const signal of SIGNALS) process.off(signal, onSignal);
}
