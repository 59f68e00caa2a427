/**
 * Observers: programs of five instructions that count the frames which pass one point of the network, in memory
 * that this process shares with the kernel. Whether a frame has come to a point is then seen by reading a
 * number: no system call, no sleeping, no guessing.
 */
import { closeSync } from 'node:fs';
import { EngineError } from '../../sim/engines/engine.ts';
import { createMappableArray } from '../libbpf/array-window.ts';
import { BPF_PROG_TYPE } from '../libbpf/layouts.ts';
import { errnoName, type LoadedLibbpf, requireLibbpf } from '../libbpf/libbpf.ts';
import { lastErrorName, libc } from '../libc.ts';

const PROT_READ = 1;
const MAP_SHARED = 1;
const MAP_FAILED = 2n ** 64n - 1n;

/** What an observer does with the frame that it has counted. */
export type Verdict = { readonly type: 'xdp' | 'tc'; readonly action: number };

/** Counters by number, and the programs that count. */
export class Observers {
  readonly #libbpf: LoadedLibbpf;
  readonly #map: number;
  readonly #size: number;
  readonly #address: bigint;
  /** Two words for each counter, the low one first. */
  readonly #words: Int32Array;
  readonly #programs: number[] = [];
  #open = true;

  /** @param counters how many there are; all begin with 0 */
  constructor(counters: number) {
    this.#libbpf = requireLibbpf();
    this.#size = Math.ceil((counters * 8) / 4096) * 4096;
    this.#map = createMappableArray(this.#libbpf, 'xdpsim_counts', this.#size);
    if (this.#map < 0)
      throw new EngineError('environment', `a map cannot be created: ${errnoName(this.#map)}`);
    const address = BigInt(libc().mmap(null, this.#size, PROT_READ, MAP_SHARED, this.#map, 0));
    if (address === MAP_FAILED) {
      closeSync(this.#map);
      throw new EngineError('environment', `a map cannot be mapped: ${lastErrorName()}`);
    }
    this.#address = address;
    this.#words = new Int32Array(this.#libbpf.koffi.view(address, this.#size));
  }

  /** How many frames a counter has seen, modulo 2^32. */
  count(counter: number): number {
    // Atomics, so that the compiler does not take the read out of a waiting loop.
    return Atomics.load(this.#words, counter * 2) >>> 0;
  }

  /** Loads the program for one counter. @returns its file descriptor, which stays the observers' own */
  program(counter: number, verdict: Verdict): number {
    const type = verdict.type === 'xdp' ? BPF_PROG_TYPE.XDP : BPF_PROG_TYPE.SCHED_CLS;
    const code = countAndReturn(this.#map, counter * 8, verdict.action);
    const fd = this.#libbpf.bpf.bpf_prog_load(type, 'xdpsim_observe', 'GPL', code, code.length / 8, null);
    if (fd < 0) throw new EngineError('environment', `an observer cannot be loaded: ${errnoName(fd)}`);
    this.#programs.push(fd);
    return fd;
  }

  /** May be called more than once; `count` must not be called afterwards. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const fd of this.#programs) closeSync(fd);
    closeSync(this.#map);
    libc().munmap(this.#address, this.#size);
  }
}

/** r1 = &map[offset]; r2 = 1; lock *(u64 *)r1 += r2; r0 = action; exit */
function countAndReturn(map: number, offset: number, action: number): Uint8Array {
  const code = new DataView(new ArrayBuffer(6 * 8));
  const put = (at: number, opcode: number, registers: number, immediate: number): void => {
    code.setUint8(at * 8, opcode);
    code.setUint8(at * 8 + 1, registers);
    code.setInt32(at * 8 + 4, immediate, true);
  };
  const BPF_PSEUDO_MAP_VALUE = 2;
  put(0, 0x18, (BPF_PSEUDO_MAP_VALUE << 4) | 1, map);
  put(1, 0, 0, offset);
  put(2, 0xb7, 2, 1);
  put(3, 0xdb, (2 << 4) | 1, 0);
  put(4, 0xb7, 0, action);
  put(5, 0x95, 0, 0);
  return new Uint8Array(code.buffer);
}
