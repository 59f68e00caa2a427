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
      loaded = load(createRequire(import.meta.url));
    } catch (error) {
      failure = error;
    }
  }
  return loaded;
}

/** What package.json asks for: beside ours, another package may have brought another version of the binary. */
export const KOFFI_VERSION = '3.3.4';

/**
 * The package with the binary for this platform, where koffi's own loader arrives after it has looked for the C library in
 * Node's binary and wrapped what is deprecated, in twice the time. Where it is not at hand, koffi knows where to look.
 */
function load(require: NodeJS.Require): Koffi {
  try {
    const native = require(`@koromix/koffi-${process.platform}-${process.arch}`) as Koffi;
    if (native.version === KOFFI_VERSION) return native;
  } catch {
    // Installed elsewhere, or built here.
  }
  return require('koffi') as Koffi;
}

/** The first line of what went wrong when koffi was loaded; undefined where it is there. */
export function koffiFailure(): string | undefined {
  if (loadKoffi() !== undefined) return undefined;
  const message = failure instanceof Error ? failure.message : String(failure);
  return message.split('\n')[0];
}
