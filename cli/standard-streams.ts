/**
 * Standard output and standard error of the command. Making Node's streams for them takes as long as running a thousand
 * packets: while nobody has asked for a stream, what is printed goes to its descriptor.
 */
import { fstatSync } from 'node:fs';
import { writeFully } from '../corpus/files/write-fully.ts';

export type StandardStream = 'stdout' | 'stderr';

type Listener = (error: NodeJS.ErrnoException) => void;

export const DESCRIPTORS = { stdout: 1, stderr: 2 } as const;

/** What hears of errors of streams that nobody has asked for. */
const unmade = new Map<StandardStream, Listener>();
/** Those of which it has heard: nothing more is written there. */
const failed = new Set<StandardStream>();

/**
 * Says who hears of errors, of all that is written from now on. Node's stream is made when `process` is asked for it.
 */
export function listenToErrors(name: StandardStream, listener: Listener): void {
  const own = Object.getOwnPropertyDescriptor(process, name);
  // Somebody may have it already, and want to see what is printed; and the next one takes no time.
  if (own === undefined || areStreamsLoaded()) {
    process[name].on('error', listener);
    return;
  }
  unmade.set(name, listener);
  Object.defineProperty(process, name, {
    ...own,
    get() {
      unmade.delete(name);
      Object.defineProperty(process, name, own);
      process[name].on('error', listener);
      return process[name];
    },
  });
}

/**
 * Writes to the descriptor.
 * @returns what is left for Node's stream to write: all where somebody has asked for it; undefined where nothing is left
 */
export function writeDirectly(name: StandardStream, bytes: Uint8Array): Uint8Array | undefined {
  const listener = unmade.get(name);
  // A terminal may be in a mode in which writing does not wait, and that its other users need.
  if (listener === undefined || isDevice(name)) return bytes;
  if (failed.has(name)) return undefined;
  try {
    const written = writeFully(DESCRIPTORS[name], bytes, true);
    // A pipe that whoever made it has put in that mode: the stream waits until there is room.
    if (written < bytes.length) return bytes.subarray(written);
  } catch (error) {
    failed.add(name);
    // As a stream does: who printed hears of it later, when what it prints is printed.
    process.nextTick(listener, error);
  }
  return undefined;
}

/** Is it a terminal? */
export function isTerminal(name: StandardStream): boolean {
  if (unmade.has(name) && !isDevice(name)) return false;
  return process[name].isTTY === true;
}

/** Has Node loaded what all of its streams are made of? */
function areStreamsLoaded(): boolean {
  const { moduleLoadList = [] } = process as { readonly moduleLoadList?: readonly string[] };
  return moduleLoadList.length === 0 || moduleLoadList.includes('NativeModule stream');
}

/** Major number of /dev/null and its like on Linux (Documentation/admin-guide/devices.txt): what is written there is gone at once. */
const MEMORY_DEVICES = 1;

/** Is it a device that may be a terminal? */
function isDevice(name: StandardStream): boolean {
  try {
    const stat = fstatSync(DESCRIPTORS[name]);
    return stat.isCharacterDevice() && !(process.platform === 'linux' && stat.rdev >> 8 === MEMORY_DEVICES);
  } catch {
    // The stream says what is wrong with it.
    return true;
  }
}
