/**
 * A trace buffer of our own: an instance of the kernel's tracing in which only `bpf_trace_printk` is switched on.
 * What is read from its pipe is taken from nobody else, as it would be from the one trace pipe of the machine.
 *
 * tracefs is mounted nowhere for this: the mount's only handle is a descriptor, and it ends with that.
 */
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { EngineError } from '../../sim/engines/engine.ts';
import { disposeOnExit } from '../process/cleanup.ts';
import { syscalls } from '../testrun/syscalls.ts';

const EVENT = 'events/bpf_trace/bpf_trace_printk/enable';

export class TraceInstance {
  readonly #tracefs: number;
  readonly #directory: string;
  readonly #pipe: number;
  readonly #keepOnExit: () => void;
  readonly #decoder = new TextDecoder();
  readonly #chunk: Uint8Array = new Uint8Array(65_536);
  #rest = '';
  #open = true;

  /**
   * @param lab what is left of a killed process is removed with the lab of this name
   * @throws {EngineError} `environment`, where tracing cannot be used
   */
  constructor(lab: string) {
    this.#tracefs = mountTracefs();
    this.#directory = `${root(this.#tracefs)}/instances/${prefix(lab)}${process.pid}`;
    try {
      mkdirSync(this.#directory);
      writeFileSync(`${this.#directory}/${EVENT}`, '1');
      this.#pipe = openSync(`${this.#directory}/trace_pipe`, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (cause) {
      remove(this.#directory);
      closeSync(this.#tracefs);
      throw new EngineError('environment', 'the kernel does not let programs be traced', {
        remedy: 'run as root on Linux 5.9 or later with CONFIG_FTRACE',
        cause,
      });
    }
    this.#keepOnExit = disposeOnExit(() => this.close());
  }

  /** The lines that were printed since the last call, as trace_pipe shows them, without their newlines. */
  read(): string[] {
    for (;;) {
      let count: number;
      try {
        count = readSync(this.#pipe, this.#chunk);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') break;
        throw error;
      }
      if (count === 0) break;
      this.#rest += this.#decoder.decode(this.#chunk.subarray(0, count), { stream: true });
    }
    const lines = this.#rest.split('\n');
    this.#rest = lines.pop()!;
    return lines;
  }

  /** May be called more than once. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#keepOnExit();
    closeSync(this.#pipe);
    remove(this.#directory);
    closeSync(this.#tracefs);
  }
}

/** Removes what followers of this lab's trace left behind; those that are read are in use, and stay. */
export function removeTraceInstances(lab: string): void {
  let tracefs: number;
  try {
    tracefs = mountTracefs();
  } catch {
    return;
  }
  try {
    const directory = `${root(tracefs)}/instances`;
    for (const name of readdirSync(directory)) {
      if (name.startsWith(prefix(lab)) && /^\d+$/.test(name.slice(prefix(lab).length))) {
        remove(`${directory}/${name}`);
      }
    }
  } catch {
    // A kernel without instances has none of ours.
  } finally {
    closeSync(tracefs);
  }
}

function prefix(lab: string): string {
  return `xdpsim-${lab}-trace-`;
}

function root(tracefs: number): string {
  return `/proc/self/fd/${tracefs}`;
}

function mountTracefs(): number {
  const tracefs = syscalls().mountDetached('tracefs');
  if (tracefs >= 0) return tracefs;
  throw new EngineError('environment', 'tracefs cannot be mounted', {
    remedy: 'run as root on a kernel with CONFIG_FTRACE',
  });
}

function remove(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Not there, or in use.
  }
}
