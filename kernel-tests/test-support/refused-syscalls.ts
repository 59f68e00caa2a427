/**
 * Loaded before the command, for `refused-kernel.test.ts`: makes this kernel one that lacks what the variable
 * XDPSIM_REFUSE names, by a system call filter (seccomp(2)) of this process and of every thread it starts later.
 */
import { createRequire } from 'node:module';
import type * as KoffiModule from 'koffi';

export type Refusal = 'bpf' | 'test runs';

/** Classic BPF, as seccomp wants it: code, jump if true, jump if false, constant. */
type Filter = readonly (readonly [code: number, ifTrue: number, ifFalse: number, constant: number])[];

const LOAD_WORD = 0x20;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;

/** `struct seccomp_data`: the number of the system call, and the low half of its first argument. */
const NUMBER = 0;
const FIRST_ARGUMENT = 16;

const ALLOW = 0x7fff_0000;
const FAIL_WITH = 0x0005_0000;
const EINVAL = 22;
const ENOSYS = 38;

const BPF = process.arch === 'arm64' ? 280 : 321;
const BPF_PROG_TEST_RUN = 10;

const FILTERS: Readonly<Record<Refusal, Filter>> = {
  /** A kernel without CONFIG_BPF_SYSCALL. */
  bpf: [
    [LOAD_WORD, 0, 0, NUMBER],
    [JUMP_IF_EQUAL, 0, 1, BPF],
    [RETURN, 0, 0, FAIL_WITH | ENOSYS],
    [RETURN, 0, 0, ALLOW],
  ],
  /** A kernel from before that command: it says EINVAL to those that it does not know. */
  'test runs': [
    [LOAD_WORD, 0, 0, NUMBER],
    [JUMP_IF_EQUAL, 0, 3, BPF],
    [LOAD_WORD, 0, 0, FIRST_ARGUMENT],
    [JUMP_IF_EQUAL, 0, 1, BPF_PROG_TEST_RUN],
    [RETURN, 0, 0, FAIL_WITH | EINVAL],
    [RETURN, 0, 0, ALLOW],
  ],
};

const PR_SET_NO_NEW_PRIVS = 38;
const PR_SET_SECCOMP = 22;
const SECCOMP_MODE_FILTER = 2;

function refuse(what: Refusal): void {
  const filter = FILTERS[what];
  const instructions = new DataView(new ArrayBuffer(filter.length * 8));
  for (const [index, [code, ifTrue, ifFalse, constant]] of filter.entries()) {
    instructions.setUint16(index * 8, code, true);
    instructions.setUint8(index * 8 + 2, ifTrue);
    instructions.setUint8(index * 8 + 3, ifFalse);
    instructions.setUint32(index * 8 + 4, constant, true);
  }
  const koffi = createRequire(import.meta.url)('koffi') as typeof KoffiModule;
  // `struct sock_fprog`
  const program = new DataView(new ArrayBuffer(16));
  program.setUint16(0, filter.length, true);
  program.setBigUint64(8, koffi.address(new Uint8Array(instructions.buffer)), true);
  const prctl = koffi.load('libc.so.6').func('prctl', 'int', ['int', 'ulong', 'void *', 'ulong', 'ulong']);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, null, 0, 0) !== 0) throw new Error('PR_SET_NO_NEW_PRIVS');
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, new Uint8Array(program.buffer), 0, 0) !== 0) {
    throw new Error('PR_SET_SECCOMP');
  }
}

refuse(process.env.XDPSIM_REFUSE as Refusal);
