/** `--interface`: the checksums of what a device sends and receives, as it happens. */

import { watchDevice } from '../../kernel/frames/watch.ts';
import { CaptureChecker, type CheckOptions } from '../../verify/captures/checker.ts';
import { onInterrupt } from '../interrupt.ts';
import { reportLine } from '../output.ts';
import { count, rate, type Terminal } from '../terminal.ts';
import type { FileReport } from './check-file.ts';

export interface LiveOptions {
  /** Ends after so many packets. */
  readonly count?: number | undefined;
  /** Ends after so many seconds. */
  readonly time?: number | undefined;
}

/** Milliseconds between two progress lines. */
const PROGRESS_INTERVAL = 250;

/** @returns the report, and whether the user ended it */
export async function checkDevice(
  device: string,
  options: CheckOptions,
  limits: LiveOptions,
  terminal: Terminal,
): Promise<{ readonly report: FileReport; readonly isInterrupted: boolean }> {
  const checker = new CaptureChecker(options);
  const interrupt = onInterrupt();
  const start = performance.now();
  const seconds = (): number => (performance.now() - start) / 1000;
  // Node's Buffer would share its bytes where a plain array copies them.
  let plain: Uint8Array = new Uint8Array(0);
  let linkType = 0;
  await new Promise<void>((resolve, reject) => {
    let close = (): void => {};
    let failure: unknown;
    const end = (): void => {
      close();
      if (failure === undefined) resolve();
      else reject(failure);
    };
    const most = limits.count ?? Number.POSITIVE_INFINITY;
    try {
      const watch = watchDevice(device, (buffer, length) => {
        if (checker.packets >= most) return;
        if (plain.buffer !== buffer.buffer || plain.byteOffset !== buffer.byteOffset) {
          plain = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
        }
        try {
          checker.checkPacket(plain, 0, length, linkType);
        } catch (error) {
          failure = error;
          end();
        }
        // Not within the call: libpcap is still in its loop.
        if (checker.packets >= most) setImmediate(end);
      });
      linkType = watch.linkType;
      const progress = setInterval(() => {
        terminal.progress(
          () =>
            `${device}: ${count(checker.packets)} packets (${rate(checker.packets, seconds())}), ${count(checker.faultCount)} faults`,
        );
      }, PROGRESS_INTERVAL);
      const timer = limits.time === undefined ? undefined : setTimeout(end, limits.time * 1000);
      let isOpen = true;
      close = () => {
        if (!isOpen) return;
        isOpen = false;
        clearInterval(progress);
        clearTimeout(timer);
        watch.close();
      };
      interrupt.signal.addEventListener('abort', end, { once: true });
    } catch (error) {
      reject(error);
      return;
    }
    reportLine(
      `xdpsim: watching ${device}${limits.count === undefined && limits.time === undefined ? '; Ctrl-C ends it' : ''}`,
    );
  }).finally(() => {
    terminal.clearProgress();
    interrupt.release();
  });
  checker.end();
  const report = { file: device, checker, seconds: seconds(), error: undefined };
  return { report, isInterrupted: interrupt.cause !== undefined };
}
