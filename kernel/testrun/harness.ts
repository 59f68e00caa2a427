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
import { BPF_INSN, BPF_PROG_TYPE } from '../libbpf/layouts.ts';
import { addressOf, type LoadedLibbpf, requireLibbpf } from '../libbpf/libbpf.ts';
import { BpfObject, type BpfProgram } from '../libbpf/object.ts';
import type { HarnessMemory } from '../native/packet-loop.ts';
import { createUnnamedNetns, enterNamespace } from '../network/netns.ts';
import { packageFile } from '../package-file.ts';
import { syscalls } from './syscalls.ts';

const FUNCTION = 'run_next';
/** The section of its global variables, which is its memory. */
const MEMORY = '.bss';
/** `struct harness` (harness.h): the word that says whether the program moves the start of frames. */
const MOVES_START = 4;

const LOOPBACK = 1;
const CALL = 0x85;
const PSEUDO_CALL = 1;
/** Number of `bpf_xdp_adjust_head` (linux/bpf.h). */
const XDP_ADJUST_HEAD = 44;

/** What a session needs of it. */
export interface Harness extends HarnessMemory {
  /** It could not make a packet's frame, or read it: it is of no use here. */
  hasFailed: boolean;
  close(): void;
}

/** What a harness has to know of the program in it. */
export type Tested = Pick<BpfProgram, 'helpers' | 'instructions'>;

/**
 * Loads the harness with an XDP program in it that takes whole frames without metadata, and leaves them without.
 * @returns undefined where that does not work here
 */
export function loadHarness(program: Tested): Harness | undefined {
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
    window.bytes.writeUInt32LE(program.helpers.has(XDP_ADJUST_HEAD) ? 1 : 0, MOVES_START * 4);
    const fd = load(libbpf, object.programs[0]!, program);
    opened.push(() => syscalls().close(fd));
    opened.push(keepDispatched(fd));
    return { fd, memory, hasFailed: false, close };
  } catch (error) {
    close();
    if (error instanceof EngineError) return undefined;
    throw error;
  }
}

function load({ bpf }: LoadedLibbpf, harness: BpfProgram, program: Tested): number {
  const around = withoutPlaceholder(harness.instructions());
  const inside = program.instructions();
  const instructions = new Uint8Array(around.length + inside.length);
  instructions.set(around);
  instructions.set(inside, around.length);
  const count = instructions.length / BPF_INSN.size;
  // The program was loaded under its own license: what that forbids is known by now.
  const fd = bpf.bpf_prog_load(BPF_PROG_TYPE.XDP, 'xdpsim_harness', 'GPL', instructions, count, null);
  if (fd < 0) throw new EngineError('environment', 'the kernel does not take the harness');
  return fd;
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
  const close = (): void => closeSync(namespace);
  try {
    attachXdp({ enter: (fn) => enterNamespace(namespace, fn) }, LOOPBACK, fd, 'generic');
  } catch (error) {
    close();
    throw error;
  }
  return close;
}
