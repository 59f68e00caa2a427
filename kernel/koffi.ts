/** koffi, loaded on first use: a machine without it (no prebuilt binary, no compiler) can still import this folder. */
import { createRequire } from 'node:module';
import type * as KoffiModule from 'koffi';

export type Koffi = typeof KoffiModule;

let loaded: Koffi | undefined;
let failure: unknown;

/** koffi, or undefined where it cannot be loaded; `koffiFailure` then says why. */
export function loadKoffi(): Koffi | undefined {
  if (loaded === undefined && failure === undefined) {
    try {
      loaded = createRequire(import.meta.url)('koffi') as Koffi;
    } catch (error) {
      failure = error;
    }
  }
  return loaded;
}

/** The first line of what went wrong when koffi was loaded; undefined where it is there. */
export function koffiFailure(): string | undefined {
  if (loadKoffi() !== undefined) return undefined;
  const message = failure instanceof Error ? failure.message : String(failure);
  return message.split('\n')[0];
}
