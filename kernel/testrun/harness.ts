/**
 * A program of ours around the one under test (kernel/native/harness.bpf.c): with it one `BPF_PROG_TEST_RUN` takes a
 * thousand packets, which is ten times as fast as a call for each.
 *
 * The program under test is a function of it, instruction by instruction what libbpf loaded before: the verifier has
 * judged that, and judges it here once more. Where it refuses (the stack or the depth of calls does not suffice for one
 * more function, say), or anything else is missing, packets run by a call each.
 */
import { closeSync, readFileSync } from 'node:fs';
import { EngineError } from '../../sim/engines/engine.ts';
import { ArrayWindow } from '../libbpf/array-window.ts';
import { attachXdp } from '../libbpf/attach.ts';
import { BPF_INSN, BPF_PROG_TYPE, PROG_LOAD_OPTS, TEST_RUN_OPTS } from '../libbpf/layouts.ts';
import { addressOf, type LoadedLibbpf, type Pointer, requireLibbpf } from '../libbpf/libbpf.ts';
import { isMomentary } from '../libbpf/load-failure.ts';
import { BpfObject, type BpfProgram } from '../libbpf/object.ts';
import type { HarnessMemory } from '../native/packet-loop.ts';
import { createUnnamedNetns, enterNamespace } from '../network/netns.ts';
import { packageFile } from '../package-file.ts';
import { btfWithFunction } from '../pin/btf-with-function.ts';
import { functionInfo } from '../pin/pins.ts';
import { syscalls } from './syscalls.ts';

const FUNCTION = 'run_next';
/** The section of its global variables, which is its memory. */
const MEMORY = '.bss';
/** `struct harness` (harness.h): the word that says whether the program moves the start of frames. */
const MOVES_START = 4;

const LOOPBACK = 1;
const CALL = 0x85;
const PSEUDO_CALL = 1;
/** Numbers of helpers (linux/bpf.h) that move the start of a frame or of its metadata, or lead to a program that may. */
const MOVING = { tail_call: 12, xdp_adjust_head: 44, xdp_adjust_meta: 54 } as const;
const BPF_F_XDP_HAS_FRAGS = 1 << 5;
/** `struct bpf_func_info`: slot and type. */
const FUNC_INFO_SIZE = 8;
/** How often to ask again; libbpf itself asks five times. */
const ATTEMPTS = 3;

/** What a session needs of it. */
export interface Harness extends HarnessMemory {
  /** It could not make a packet's frame, or read it: it is of no use here. */
  hasFailed: boolean;
  close(): void;
}

/** Milliseconds for a call that should take two microseconds, and how often it may be disturbed. */
const FAST = 1;
const TRIES = 5;

/** What a harness has to know of the program in it. */
export type Tested = Pick<BpfProgram, 'attachType' | 'helpers' | 'instructions' | 'types'>;

/**
 * Loads the harness with an XDP program in it.
 * @param frags does the program take frames in several buffers? The harness gives it such ones as fit into one.
 * @returns undefined where that does not work here
 */
export function loadHarness(program: Tested, frags: boolean = false): Harness | undefined {
  const opened: (() => void)[] = [];
  const close = (): void => {
    for (const end of opened.splice(0).reverse()) end();
  };
  try {
    const libbpf = requireLibbpf();
    const object = new BpfObject(readFileSync(packageFile('kernel/native/built/harness.o')), {
      name: 'xdpsim_harness',
      file: 'harness.o',
      entries: [{ function: FUNCTION, hook: 'xdp' }],
    });
    opened.push(() => object.close());
    const map = object.map(MEMORY);
    const window = map === undefined ? undefined : ArrayWindow.open(map.fd, map.definition.valueSize);
    if (window === undefined) throw new EngineError('environment', 'the harness has no memory');
    opened.push(() => window.close());
    const memory = addressOf(window.bytes);
    const moves = Object.values(MOVING).some((helper) => program.helpers.has(helper));
    window.bytes.writeUInt32LE(moves ? 1 : 0, MOVES_START * 4);
    const fd = load(libbpf, object.programs[0]!, program, frags);
    opened.push(() => syscalls().close(fd));
    opened.push(keepDispatched(fd));
    if (!repeatsFast(libbpf, fd, memory))
      throw new EngineError('environment', 'the kernel takes milliseconds for each call');
    return { fd, memory, hasFailed: false, close };
  } catch {
    // Too many open files, say: whatever it is, packets can run by a call each.
    close();
    return undefined;
  }
}

/** @returns a file descriptor of the harness with the program in it */
function load(libbpf: LoadedLibbpf, harness: BpfProgram, program: Tested, frags: boolean): number {
  const around = withoutPlaceholder(harness.instructions());
  const inside = program.instructions();
  const instructions = new Uint8Array(around.length + inside.length);
  instructions.set(around);
  instructions.set(inside, around.length);
  const options = new Uint8Array(PROG_LOAD_OPTS.size);
  const view = new DataView(options.buffer);
  view.setBigUint64(PROG_LOAD_OPTS.sz, BigInt(PROG_LOAD_OPTS.size), true);
  // Tail calls go from and to programs that are alike in both.
  view.setUint32(PROG_LOAD_OPTS.expected_attach_type, program.attachType, true);
  view.setUint32(PROG_LOAD_OPTS.prog_flags, frags ? BPF_F_XDP_HAS_FRAGS : 0, true);
  const count = instructions.length / BPF_INSN.size;
  const once = (): number =>
    // The program was loaded under its own license: what that forbids is known by now.
    libbpf.bpf.bpf_prog_load(BPF_PROG_TYPE.XDP, 'xdpsim_harness', 'GPL', instructions, count, options);
  const withOptions = (): number => {
    let result = once();
    // A signal came in between: a profiler's, say.
    for (let again = 0; again < ATTEMPTS && isMomentary({ stage: 'load', error: result }); again++)
      result = once();
    return result;
  };
  const fd = withOptions();
  if (fd >= 0) return fd;
  // Callbacks, and tail calls from a function, the kernel takes only with types.
  const typed = withTypes(libbpf, program, around.length / BPF_INSN.size, view, withOptions);
  if (typed < 0) throw new EngineError('environment', 'the kernel does not take the harness');
  return typed;
}

/**
 * Loads with the types of the program's functions.
 * @param start slot of the program's first instruction
 * @returns a file descriptor, or a negative number
 */
function withTypes(
  { bpf }: LoadedLibbpf,
  program: Tested,
  start: number,
  options: DataView,
  load: () => number,
): number {
  const types = program.types();
  const extended = types && btfWithFunction(types.btf, types.types, 'xdpsim_harness');
  if (types === undefined || extended === undefined) return -1;
  const btf = bpf.bpf_btf_load(extended.bytes, extended.bytes.length, null);
  if (btf < 0) return btf;
  try {
    const moved = types.functions.map(([slot, typeId]) => [start + slot, typeId] as const);
    const functions = functionInfo([[0, extended.functionId], ...moved]);
    options.setUint32(PROG_LOAD_OPTS.prog_btf_fd, btf, true);
    options.setBigUint64(PROG_LOAD_OPTS.func_info, BigInt(addressOf(functions)), true);
    options.setUint32(PROG_LOAD_OPTS.func_info_cnt, functions.length / 2, true);
    options.setUint32(PROG_LOAD_OPTS.func_info_rec_size, FUNC_INFO_SIZE, true);
    const fd = load();
    // Read once more, so that it is not collected while the kernel reads it.
    return functions.length > 0 ? fd : -1;
  } finally {
    syscalls().close(btf);
  }
}

/** Its main function: the one that it calls comes behind it, and is what another takes the place of. */
function withoutPlaceholder(instructions: Uint8Array): Uint8Array {
  const view = new DataView(instructions.buffer, instructions.byteOffset, instructions.byteLength);
  for (let at = 0; at < instructions.length; at += BPF_INSN.size) {
    if (view.getUint8(at) !== CALL || view.getUint8(at + BPF_INSN.registers) >> 4 !== PSEUDO_CALL) continue;
    return instructions.subarray(0, at + (1 + view.getInt32(at + BPF_INSN.imm, true)) * BPF_INSN.size);
  }
  throw new EngineError('environment', 'the harness calls nothing');
}

/**
 * Before a test run that repeats, the kernel patches the call of the program into its dispatcher (net/core/filter.c,
 * `bpf_prog_change_xdp`), and takes it out again behind it, which is 17 ms together. Not where it is there already, as
 * for a program that is attached somewhere: to the loopback device of a namespace in which nothing else is.
 * @returns ends that
 */
function keepDispatched(fd: number): () => void {
  const namespace = createUnnamedNetns();
  const inside: Parameters<typeof attachXdp>[0] = { enter: (fn) => enterNamespace(namespace, fn) };
  try {
    attachXdp(inside, LOOPBACK, fd, 'generic');
  } catch (error) {
    closeSync(namespace);
    throw error;
  }
  return () => {
    // The kernel ends namespaces when it has time; until then the program would keep all of its maps.
    attachXdp(inside, LOOPBACK, -1, 'generic');
    closeSync(namespace);
  };
}

/** Is a test run that repeats as fast as that should make it? Tried with no packets at all. */
function repeatsFast({ bpf }: LoadedLibbpf, fd: number, memory: Pointer): boolean {
  const options = new Uint8Array(TEST_RUN_OPTS.size);
  const view = new DataView(options.buffer);
  view.setUint32(TEST_RUN_OPTS.sz, TEST_RUN_OPTS.size, true);
  view.setBigUint64(TEST_RUN_OPTS.data_in, BigInt(memory), true);
  view.setUint32(TEST_RUN_OPTS.data_size_in, 64, true);
  view.setUint32(TEST_RUN_OPTS.repeat, 2, true);
  for (let round = 0; round < TRIES; round++) {
    const before = performance.now();
    if (bpf.bpf_prog_test_run_opts(fd, addressOf(options)) < 0) return false;
    if (performance.now() - before < FAST) return true;
  }
  return false;
}
