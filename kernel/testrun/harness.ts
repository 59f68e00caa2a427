/**
 * A program of ours around the one under test (kernel/native/harness.bpf.c): with it one `BPF_PROG_TEST_RUN` takes a
 * thousand packets, which is ten times as fast as a call for each.
 *
 * The program under test is a function of it, instruction by instruction what libbpf loaded before: the verifier has
 * judged that, and judges it here once more. Where it refuses (the stack or the depth of calls does not suffice for one
 * more function, say), or anything else is missing, packets run by a call each.
 */
import { closeSync, readFileSync } from 'node:fs';
import { HELPERS } from '../../sim/ebpf/helpers/index.ts';
import { BPF_PSEUDO_CALL, CALL } from '../../sim/ebpf/instruction.ts';
import { EngineError } from '../../sim/engines/engine.ts';
import { ArrayWindow } from '../libbpf/array-window.ts';
import { attachXdp } from '../libbpf/attach.ts';
import { BPF_INSN, BPF_PROG_TYPE } from '../libbpf/layouts.ts';
import { addressOf, type LoadedLibbpf, requireLibbpf } from '../libbpf/libbpf.ts';
import { type FunctionType, loadProgram, type ProgramToLoad } from '../libbpf/load-program.ts';
import { BpfObject, type BpfProgram } from '../libbpf/object.ts';
import { testRunOptions } from '../libbpf/test-run-options.ts';
import type { HarnessMemory } from '../native/packet-loop.ts';
import { createUnnamedNetns, enterNamespace } from '../network/netns.ts';
import { packageFile } from '../package-file.ts';
import { btfWithFunction } from '../pin/btf-with-function.ts';
import type { ProgramTypes } from '../pin/pins.ts';
import { syscalls } from './syscalls.ts';

const FUNCTION = 'run_next';
/** The section of its global variables, which is its memory. */
const MEMORY = '.bss';
/** `struct harness` (harness.h): the word that says whether the program moves the start of frames. */
const MOVES_START = 4;

const LOOPBACK = 1;

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
    window.bytes.writeUInt32LE([...program.helpers].some(moves) ? 1 : 0, MOVES_START * 4);
    const fd = load(libbpf, object.programs[0]!, program, frags);
    opened.push(() => syscalls().close(fd));
    opened.push(keepDispatched(fd));
    if (!repeatsFast(libbpf, fd))
      throw new EngineError('environment', 'the kernel takes milliseconds for each call');
    return { fd, memory, hasFailed: false, close };
  } catch {
    // Too many open files, say: whatever it is, packets can run by a call each.
    close();
    return undefined;
  }
}

/** Does this helper move the frame or its metadata, or lead to a program that may? */
function moves(helper: number): boolean {
  const effects = HELPERS.get(helper)?.effects;
  return effects === undefined || effects.packet === 'moved' || effects.leavesProgram === true;
}

/** @returns a file descriptor of the harness with the program in it */
function load(libbpf: LoadedLibbpf, harness: BpfProgram, program: Tested, frags: boolean): number {
  const around = withoutPlaceholder(harness.instructions());
  const inside = program.instructions();
  const instructions = new Uint8Array(around.length + inside.length);
  instructions.set(around);
  instructions.set(inside, around.length);
  const whole: ProgramToLoad = {
    type: BPF_PROG_TYPE.XDP,
    name: 'xdpsim_harness',
    // The program was loaded under its own license: what that forbids is known by now.
    license: 'GPL',
    instructions,
    // Tail calls go from and to programs that are alike in these two.
    attachType: program.attachType,
    hasFrags: frags,
  };
  let fd = loadProgram(libbpf, whole);
  // Callbacks, and tail calls from a function, the kernel takes only with types.
  if (fd < 0) fd = loadWithTypes(libbpf, whole, around.length / BPF_INSN.size, program.types());
  if (fd < 0) throw new EngineError('environment', 'the kernel does not take the harness');
  return fd;
}

/**
 * Loads with the types of the tested program's functions.
 * @param start slot of that program's first instruction
 * @returns a file descriptor, or a negative number
 */
function loadWithTypes(
  libbpf: LoadedLibbpf,
  whole: ProgramToLoad,
  start: number,
  types: ProgramTypes | undefined,
): number {
  const extended = types && btfWithFunction(types.btf, types.types, 'xdpsim_harness');
  if (extended === undefined) return -1;
  const btf = libbpf.bpf.bpf_btf_load(extended.bytes, extended.bytes.length, null);
  if (btf < 0) return btf;
  try {
    const moved = types!.functions.map(([slot, typeId]): FunctionType => [start + slot, typeId]);
    return loadProgram(libbpf, {
      ...whole,
      types: { btf, functions: [[0, extended.functionId], ...moved] },
    });
  } finally {
    syscalls().close(btf);
  }
}

/** Its main function: the one that it calls comes behind it, and is what another takes the place of. */
function withoutPlaceholder(instructions: Uint8Array): Uint8Array {
  const view = new DataView(instructions.buffer, instructions.byteOffset, instructions.byteLength);
  for (let at = 0; at < instructions.length; at += BPF_INSN.size) {
    if (view.getUint8(at) !== CALL || view.getUint8(at + BPF_INSN.registers) >> 4 !== BPF_PSEUDO_CALL)
      continue;
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
    try {
      // The kernel ends namespaces when it has time; until then the program would keep all of its maps.
      attachXdp(inside, LOOPBACK, -1, 'generic');
    } catch {
      // Then it is when the namespace ends.
    }
    closeSync(namespace);
  };
}

/** Is a test run that repeats as fast as that should make it? Tried with no packets at all. */
function repeatsFast({ bpf }: LoadedLibbpf, fd: number): boolean {
  const frame = new Uint8Array(64);
  const options = testRunOptions(frame, 2);
  for (let round = 0; round < TRIES; round++) {
    const before = performance.now();
    if (bpf.bpf_prog_test_run_opts(fd, addressOf(options)) < 0) return false;
    if (performance.now() - before < FAST) return true;
  }
  return false;
}
