/** Loads programs that we put together ourselves, with what libbpf would say of them to the kernel. */
import { BPF_INSN, PROG_LOAD_OPTS } from './layouts.ts';
import { addressOf, type LoadedLibbpf } from './libbpf.ts';
import { isMomentary } from './load-failure.ts';

const BPF_F_XDP_HAS_FRAGS = 1 << 5;
/** `struct bpf_func_info`. */
const FUNC_INFO_SIZE = 8;
/** How often to ask again where a signal came in between (a profiler's, say); libbpf itself asks five times. */
const ATTEMPTS = 3;

/** Where a function of a program begins, in slots, and the number of its type. */
export type FunctionType = readonly [start: number, typeId: number];

export interface ProgramToLoad {
  /** `enum bpf_prog_type`. */
  readonly type: number;
  readonly name: string;
  readonly license: string;
  readonly instructions: Uint8Array;
  /** `enum bpf_attach_type`. */
  readonly attachType: number;
  /** XDP: does it take frames in several buffers? */
  readonly hasFrags: boolean;
  /** Types of all of its functions: a descriptor of the BTF that they are in, and what they are. */
  readonly types?: { readonly btf: number; readonly functions: readonly FunctionType[] } | undefined;
}

/** @returns a file descriptor, or a negative errno */
export function loadProgram({ bpf }: LoadedLibbpf, program: ProgramToLoad): number {
  const { type, name, license, instructions, attachType, hasFrags, types } = program;
  const options = new Uint8Array(PROG_LOAD_OPTS.size);
  const view = new DataView(options.buffer);
  view.setBigUint64(PROG_LOAD_OPTS.sz, BigInt(PROG_LOAD_OPTS.size), true);
  view.setUint32(PROG_LOAD_OPTS.expected_attach_type, attachType, true);
  view.setUint32(PROG_LOAD_OPTS.prog_flags, hasFrags ? BPF_F_XDP_HAS_FRAGS : 0, true);
  const rows = Uint32Array.from((types?.functions ?? []).flat());
  if (types !== undefined) {
    view.setUint32(PROG_LOAD_OPTS.prog_btf_fd, types.btf, true);
    view.setBigUint64(PROG_LOAD_OPTS.func_info, BigInt(addressOf(rows)), true);
    view.setUint32(PROG_LOAD_OPTS.func_info_cnt, types.functions.length, true);
    view.setUint32(PROG_LOAD_OPTS.func_info_rec_size, FUNC_INFO_SIZE, true);
  }
  const count = instructions.length / BPF_INSN.size;
  const once = (): number => bpf.bpf_prog_load(type, name, license, instructions, count, options);
  let result = once();
  for (let again = 0; again < ATTEMPTS && isMomentary({ stage: 'load', error: result }); again++)
    result = once();
  // Asked once more, so that the rows are not collected while the kernel reads them.
  return rows.length >= 0 ? result : -1;
}
