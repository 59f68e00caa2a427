/**
 * Which fields of contexts and sockets the running kernel's verifier lets programs access. Unit tests ask the machine for the
 * same by what is recorded: XDPSIM_RECORD=1 npx vitest run kernel-tests/accesses.test.ts
 */
import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { requireLibbpf } from '../kernel/libbpf/libbpf.ts';
import {
  encode,
  exit,
  helperCall,
  type Insn,
  insn,
  jumpIfNotEqual,
  load64,
  mov,
  movImm,
} from '../kernel/pin/encode.ts';
import { syscalls } from '../kernel/testrun/syscalls.ts';
import {
  type Kind,
  RECORDED_ACCESSES,
  recordedAccesses,
  STRUCTURES,
  type Structure,
  type Table,
  tableOf,
} from '../sim/ebpf/test-support/accesses.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const BPF_PROG_TYPE = { xdp: 6, tc: 3 } as const;
/** `struct __sk_buff` */
const SKB_SK = 168;
const SIZE_BITS: Readonly<Record<number, number>> = { 1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18 };

/** A pointer to the structure, from the context in r1 to r1. */
function pointerTo(structure: Structure): Insn[] {
  if (structure === 'xdp_md' || structure === '__sk_buff') return [];
  const socket = [load64(1, 1, SKB_SK), jumpIfNotEqual(1, 0, 2), movImm(0, 0), exit()];
  if (structure === 'sock_common') return socket;
  const helper = helperCall(structure === 'sock' ? 'bpf_sk_fullsock' : 'bpf_tcp_sock');
  return [...socket, helper, jumpIfNotEqual(0, 0, 2), movImm(0, 0), exit(), mov(1, 0)];
}

function access(kind: Kind, offset: number, size: number): Insn {
  const bits = SIZE_BITS[size]!;
  if (kind === 'write') return insn(0x63 | bits, 1, 2, offset, 0);
  return insn((kind === 'read' ? 0x61 : 0x81) | bits, 0, 1, offset, 0);
}

function allows(structure: Structure, kind: Kind, offset: number, size: number): boolean {
  const { bpf } = requireLibbpf();
  const instructions = encode([
    ...pointerTo(structure),
    movImm(2, 0),
    access(kind, offset, size),
    movImm(0, 0),
    exit(),
  ]);
  const type = structure === 'xdp_md' ? BPF_PROG_TYPE.xdp : BPF_PROG_TYPE.tc;
  const fd = bpf.bpf_prog_load(type, 'accesses', 'GPL', instructions, instructions.length / 8, null);
  if (fd >= 0) syscalls().close(fd);
  return fd >= 0;
}

describeKernel('accesses to contexts and sockets', ['root', 'testrun', 'linux 6.18'], () => {
  it('that the kernel allows are those that were recorded', () => {
    const tables = {} as Record<Structure, Table>;
    for (const structure of STRUCTURES)
      tables[structure] = tableOf(structure, (kind, offset, size) => allows(structure, kind, offset, size));
    if (process.env.XDPSIM_RECORD !== undefined)
      writeFileSync(RECORDED_ACCESSES, `${JSON.stringify(tables, undefined, 2)}\n`);
    expect(tables).toEqual(recordedAccesses());
  });
});
