/**
 * Which helpers and kernel functions the running kernel lets a type of program call: a program of two instructions for
 * each, and what the verifier says to it (kernel/bpf/verifier.c, `check_helper_call`, `check_kfunc_call`).
 */
import { readFileSync } from 'node:fs';
import { addressOf, requireLibbpf } from '../../kernel/libbpf/libbpf.ts';
import { syscalls } from '../../kernel/testrun/syscalls.ts';
import { BTF_KIND, parseBtf } from '../../sim/ebpf/btf.ts';
import { BPF_PSEUDO_KFUNC_CALL } from '../../sim/ebpf/instruction.ts';

/** `enum bpf_prog_type` (linux/bpf.h). */
const PROGRAM_TYPE = { xdp: 6, tc: 3 } as const;

export type ProgramType = keyof typeof PROGRAM_TYPE;

/** `struct bpf_prog_load_opts` (bpf/bpf.h). */
const LOAD_OPTS = { log_level: 88, log_size: 92, log_buf: 96, size: 104 } as const;
const LOG_BYTES = 1 << 14;

/** `gpl`: only with a license that is compatible with the GPL; `sleeps`: by name, but no such program may sleep. */
export type HelperPermission = 'no' | 'yes' | 'gpl' | 'sleeps';

export function helperPermission(type: ProgramType, number: number): HelperPermission {
  const log = logOfCall(type, number, 0, 'GPL');
  if (/cannot use helper|unknown func|invalid func/.test(log)) return 'no';
  if (/might sleep/.test(log)) return 'sleeps';
  const closed = logOfCall(type, number, 0, 'Proprietary');
  return /cannot call GPL-restricted/.test(closed) ? 'gpl' : 'yes';
}

/** A function of the kernel that is marked as one for programs. */
export interface KernelFunction {
  readonly name: string;
  /** Of its type in the kernel's BTF. */
  readonly id: number;
}

/** By their tags in the kernel's BTF. */
export function allKernelFunctions(): KernelFunction[] {
  const btf = parseBtf(readFileSync('/sys/kernel/btf/vmlinux'));
  const found: KernelFunction[] = [];
  for (let id = 1; id < btf.count; id++) {
    if (btf.kind(id) !== BTF_KIND.DECL_TAG || btf.name(id) !== 'bpf_kfunc') continue;
    found.push({ name: btf.name(btf.target(id)), id: btf.target(id) });
  }
  return found;
}

/**
 * Those that may sleep are not allowed to packet programs. Whether those on a driver's metadata are, the verifier does not
 * say of programs without a device: they are made for XDP.
 */
export function kernelFunctionIsAllowed(type: ProgramType, id: number): boolean {
  const log = logOfCall(type, id, BPF_PSEUDO_KFUNC_CALL, 'GPL');
  if (log.includes('require device-bound program')) return type === 'xdp';
  return !/is not allowed|program must be sleepable/.test(log);
}

function logOfCall(type: ProgramType, number: number, pseudo: number, license: string): string {
  const { bpf } = requireLibbpf();
  const bytes = new Uint8Array(16);
  bytes[0] = 0x85;
  bytes[1] = pseudo << 4;
  new DataView(bytes.buffer).setInt32(4, number, true);
  bytes[8] = 0x95;
  const log = new Uint8Array(LOG_BYTES);
  const options = new Uint8Array(LOAD_OPTS.size);
  const view = new DataView(options.buffer);
  view.setBigUint64(0, BigInt(LOAD_OPTS.size), true);
  view.setUint32(LOAD_OPTS.log_level, 1, true);
  view.setUint32(LOAD_OPTS.log_size, LOG_BYTES, true);
  view.setBigUint64(LOAD_OPTS.log_buf, BigInt(addressOf(log)), true);
  const fd = bpf.bpf_prog_load(PROGRAM_TYPE[type], 'probe', license, bytes, 2, options);
  if (fd >= 0) syscalls().close(fd);
  return new TextDecoder().decode(log.subarray(0, log.indexOf(0)));
}
