/**
 * Finds the entries of a per-CPU array that are not zero on some CPU.
 *
 * The kernel does not map per-CPU arrays into a process, and copies each entry of each CPU for a lookup: a second for
 * two million. So a program of its own looks at them where they lie, a block of entries in each run, and lists what it
 * finds in memory that this process shares; the kernel repeats it until the array is through:
 *
 * ```
 *   state   ┌──────┬───────┬────────┬────────┬───
 *           │ next │ count │ hit[0] │ hit[1] │ …      u32 each
 *           └──────┴───────┴────────┴────────┴───
 *   if (state->count > ROOM - BLOCK) return;                        full: it is emptied, and the run goes on
 *   for (index = state->next; index < state->next + BLOCK; index++)
 *     for (cpu = 0; cpu < CPUS; cpu++)
 *       if (bpf_map_lookup_percpu_elem(map, &index, cpu) is not all zero) { hit[count++] = index; break; }
 *   state->next += BLOCK;
 * ```
 */
import { EngineError } from '../../sim/engines/engine.ts';
import {
  add,
  addImm,
  andImm,
  encode,
  exit,
  helperCall,
  type Insn,
  jump,
  jumpIfAbove,
  jumpIfBelow,
  jumpIfEqual,
  jumpIfNotEqual,
  load8,
  load16,
  load32,
  load64,
  loadMap,
  loadMapValue,
  lshImm,
  mov,
  movImm,
  or,
  store32,
} from '../pin/encode.ts';
import { syscalls } from '../testrun/syscalls.ts';
import { ArrayWindow, createMappableArray } from './array-window.ts';
import { BPF_PROG_TYPE, TEST_RUN_OPTS } from './layouts.ts';
import { addressOf, errnoName, type LoadedLibbpf } from './libbpf.ts';
import { testRunOptions } from './test-run-options.ts';

/** How many hits are listed at once: a power of two, so that masking keeps an index in bounds. */
const ROOM = 8192;
const NEXT = 0;
const COUNT = 4;
const HITS = 8;
const STATE_BYTES = HITS + ROOM * 4;

const MOST_PER_RUN = 64;
/** The verifier walks through every round of the loops: about so many instructions are left to it, and no more than the limit. */
const WALKED = 16_384;
const MOST_WALKED = 500_000;

/** As many as fill the list once, about. */
const FIRST_RUNS = 256;

const EINTR = -4;

/** What the scan needs to know of the array. */
export interface PerCpuArray {
  readonly fd: number;
  readonly entries: number;
  readonly valueSize: number;
  /** How many CPUs have values. */
  readonly cpus: number;
}

export class PerCpuScan {
  readonly #libbpf: LoadedLibbpf;
  readonly #entries: number;
  readonly #perRun: number;
  readonly #program: number;
  readonly #map: number;
  readonly #window: ArrayWindow;
  /** Where the next run starts, how many hits there are, and which. */
  readonly #state: Uint32Array;
  readonly #frame = new Uint8Array(64);
  readonly #options: DataView = testRunOptions(this.#frame, 1);

  private constructor(
    libbpf: LoadedLibbpf,
    entries: number,
    perRun: number,
    fds: { program: number; map: number },
    window: ArrayWindow,
  ) {
    this.#libbpf = libbpf;
    this.#entries = entries;
    this.#perRun = perRun;
    this.#program = fds.program;
    this.#map = fds.map;
    this.#window = window;
    this.#state = new Uint32Array(window.bytes.buffer, window.bytes.byteOffset, STATE_BYTES / 4);
  }

  /** @returns undefined where this kernel cannot: it is too old, or the values are too long for its verifier */
  static open(libbpf: LoadedLibbpf, array: PerCpuArray): PerCpuScan | undefined {
    const walked = array.cpus * (10 + array.valueSize / 4);
    if (walked > MOST_WALKED) return undefined;
    const perRun = Math.max(1, Math.min(MOST_PER_RUN, Math.floor(WALKED / walked)));
    const map = createMappableArray(libbpf, 'xdpsim_scan', STATE_BYTES);
    if (map < 0) return undefined;
    const window = ArrayWindow.open(map, STATE_BYTES);
    const code = encode(scanning(array, map, perRun));
    const type = BPF_PROG_TYPE.SCHED_CLS;
    const program =
      window === undefined
        ? -1
        : libbpf.bpf.bpf_prog_load(type, 'xdpsim_scan', 'GPL', code, code.length / 8, null);
    if (window !== undefined && program >= 0) {
      return new PerCpuScan(libbpf, array.entries, perRun, { program, map }, window);
    }
    window?.close();
    syscalls().close(map);
    return undefined;
  }

  /**
   * The indices of all entries that are not zero, in order, some thousands at a time: a view, good until the next ones
   * are asked for. Nothing else may change the array meanwhile.
   */
  *written(): Iterable<Uint32Array> {
    const state = this.#state;
    state[NEXT / 4] = 0;
    // Runs that find the list full are in vain: in an array full of values, few are asked for at once.
    let runs = FIRST_RUNS;
    for (let next = 0; next < this.#entries; ) {
      state[COUNT / 4] = 0;
      const left = Math.ceil((this.#entries - next) / this.#perRun);
      this.#options.setUint32(TEST_RUN_OPTS.repeat, Math.min(runs, left), true);
      const result = this.#libbpf.bpf.bpf_prog_test_run_opts(this.#program, addressOf(this.#options));
      // A signal ends a test run early: it goes on from where it was.
      if (result < 0 && result !== EINTR) {
        throw new EngineError('environment', `cannot look through a per-CPU array: ${errnoName(result)}`);
      }
      const count = state[COUNT / 4]!;
      runs = count > ROOM / 2 ? FIRST_RUNS : runs * 8;
      if (count > 0) yield state.subarray(HITS / 4, HITS / 4 + count);
      next = state[NEXT / 4]!;
    }
  }

  close(): void {
    this.#window.close();
    syscalls().close(this.#program);
    syscalls().close(this.#map);
  }
}

/** The program of the head of this file. r6: state, r7: index, r8: entries done, r9: CPU. */
function scanning({ fd, valueSize, cpus }: PerCpuArray, state: number, perRun: number): Insn[] {
  const value = collected(valueSize);
  const hit = [
    load32(1, 6, COUNT),
    andImm(1, ROOM - 1),
    mov(2, 1),
    lshImm(2, 2),
    add(2, 6),
    store32(2, HITS, 7),
    addImm(1, 1),
    store32(6, COUNT, 1),
  ];
  const eachCpu = [
    ...loadMap(1, fd),
    mov(2, 10),
    addImm(2, -4),
    mov(3, 9),
    helperCall('bpf_map_lookup_percpu_elem'),
    jumpIfEqual(0, 0, value.length + 1),
    ...value,
    // Past the two that end the loop, and the jump behind them.
    jumpIfNotEqual(5, 0, 3),
    addImm(9, 1),
  ];
  const eachEntry = [
    store32(10, -4, 7),
    movImm(9, 0),
    ...eachCpu,
    jumpIfBelow(9, cpus, -(eachCpu.length + 1)),
    jump(hit.length),
    ...hit,
    addImm(7, 1),
    addImm(8, 1),
  ];
  const whole = [
    load32(7, 6, NEXT),
    movImm(8, 0),
    ...eachEntry,
    jumpIfBelow(8, perRun, -(eachEntry.length + 1)),
    store32(6, NEXT, 7),
  ];
  return [
    ...loadMapValue(6, state),
    load32(1, 6, COUNT),
    jumpIfAbove(1, ROOM - perRun, whole.length),
    ...whole,
    movImm(0, 0),
    exit(),
  ];
}

/** r5 = all bytes of the value at r0, one over the other */
function collected(size: number): Insn[] {
  const insns = [movImm(5, 0)];
  for (let at = 0; at < size; ) {
    const left = size - at;
    const [bytes, load] =
      left >= 8 ? [8, load64] : left >= 4 ? [4, load32] : left >= 2 ? [2, load16] : [1, load8];
    insns.push((load as typeof load64)(1, 0, at), or(5, 1));
    at += bytes as number;
  }
  return insns;
}
