/**
 * The optional packages with native code, `cap` and `raw-socket`. Their code is compiled for one version of Node, and it
 * loads in one thread of a process only: the main thread here. Without them raw sockets through koffi serve.
 */
import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';

export type NativePackage = 'cap' | 'raw-socket';

export type Loaded<T> = { readonly module: T } | NativeProblem;

/** Why a package cannot be used, and what lets it be. */
export interface NativeProblem {
  readonly reason: string;
  readonly remedy: string;
}

/** What has to be there before `npm rebuild` can build it. */
const BUILD: Readonly<Record<NativePackage, string>> = {
  cap: 'apt-get install build-essential python3 libpcap-dev && npm rebuild cap',
  'raw-socket': 'apt-get install build-essential python3 && npm rebuild raw-socket',
};

/** Versions of Node by the version of their interface for native code (`process.versions.modules`). */
const NODE_BY_MODULES: Readonly<Record<string, number>> = {
  108: 18,
  115: 20,
  127: 22,
  131: 23,
  137: 24,
  141: 25,
  147: 26,
};

const loaded = new Map<NativePackage, Loaded<unknown>>();

/** Loads a package on first use; what went wrong then is remembered. */
export function loadNative<T>(name: NativePackage): Loaded<T> {
  let known = loaded.get(name) as Loaded<T> | undefined;
  if (known === undefined) {
    known = isMainThread ? tryToLoad<T>(name) : inWorkerThread(name);
    loaded.set(name, known);
  }
  return known;
}

function inWorkerThread(name: NativePackage): NativeProblem {
  return {
    reason: `the package ${name} works on the main thread only`,
    remedy: 'Use it from the main thread.',
  };
}

function tryToLoad<T>(name: NativePackage): Loaded<T> {
  try {
    return { module: createRequire(import.meta.url)(name) as T };
  } catch (error) {
    return problemOf(name, error instanceof Error ? error.message : String(error));
  }
}

/** @param message what Node, or the dynamic linker, says when it is loaded */
export function problemOf(name: NativePackage, message: string): NativeProblem {
  const built = /NODE_MODULE_VERSION (\d+)/.exec(message)?.[1];
  if (built !== undefined && built !== process.versions.modules) {
    const node = NODE_BY_MODULES[built];
    const what = node === undefined ? `NODE_MODULE_VERSION ${built}` : `Node ${node}`;
    return {
      reason: `the package ${name} was built for ${what}, and this is Node ${process.versions.node}`,
      remedy: `npm rebuild ${name}`,
    };
  }
  const isAbsent = /^Cannot find (module|package)/.test(message);
  return {
    reason: isAbsent
      ? `the package ${name} is not built`
      : `the package ${name} cannot be loaded (${message.split('\n')[0]})`,
    remedy: BUILD[name],
  };
}
