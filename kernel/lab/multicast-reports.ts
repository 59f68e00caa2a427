/**
 * What keeps a lab quiet: a TC program that drops multicast listener reports where they leave a device.
 *
 * Everything else that IPv6 says by itself (duplicate address detection, router solicitations) can be switched off
 * by settings. That groups are joined cannot, and every join is reported, at once and again after a while
 * (RFC 3810, section 6.1): frames in everybody's counters that nobody has sent.
 */
import { EngineError } from '../../sim/engines/engine.ts';
import { BPF_INSN, BPF_PROG_TYPE } from '../libbpf/layouts.ts';
import { errnoName, requireLibbpf } from '../libbpf/libbpf.ts';
import { libc } from '../libc.ts';
import { attach, type Device, REPORT_DROPPER } from './attachments.ts';

/** Drops the device's multicast listener reports from now on. @throws {EngineError} where the kernel refuses */
export function dropMulticastReports(device: Device): void {
  const { bpf } = requireLibbpf();
  const code = assemble(PROGRAM);
  const fd = bpf.bpf_prog_load(BPF_PROG_TYPE.SCHED_CLS, REPORT_DROPPER, 'GPL', code, PROGRAM.length, null);
  if (fd < 0) {
    throw new EngineError('environment', `a TC program cannot be loaded: ${errnoName(fd)}`, {
      remedy: 'run as root (or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN)',
    });
  }
  try {
    attach(device, 'tc-egress', fd, { first: true });
  } finally {
    libc().close(fd);
  }
}

type Instruction = readonly [code: number, registers: number, offset: number, immediate: number];

const NEXT = 13;
const DROP = 15;

/**
 * Reports go behind a hop-by-hop header of 8 bytes (RFC 3810, section 5). What is none of them goes on to the next
 * program (`TCX_NEXT`, `TC_ACT_UNSPEC`).
 */
const PROGRAM: readonly Instruction[] = [
  /*  0 */ [0xbf, 0x16, 0, 0], // r6 = skb, which the loads below take
  /*  1 */ [0x61, 0x12, 0, 0], // r2 = skb->len
  /*  2 */ [0xa5, 0x02, NEXT - 3, 63], // if r2 < 63: a load beyond the end would end the program with 0
  /*  3 */ [0x28, 0x00, 0, 12], // r0 = EtherType
  /*  4 */ [0x55, 0x00, NEXT - 5, 0x86dd],
  /*  5 */ [0x30, 0x00, 0, 14 + 6], // r0 = IPv6 next header
  /*  6 */ [0x55, 0x00, NEXT - 7, 0],
  /*  7 */ [0x30, 0x00, 0, 14 + 40], // r0 = hop-by-hop next header
  /*  8 */ [0x55, 0x00, NEXT - 9, 58],
  /*  9 */ [0x30, 0x00, 0, 14 + 40 + 8], // r0 = ICMPv6 type
  /* 10 */ [0x15, 0x00, DROP - 11, 131], // report (RFC 2710)
  /* 11 */ [0x15, 0x00, DROP - 12, 132], // done (RFC 2710)
  /* 12 */ [0x15, 0x00, DROP - 13, 143], // version 2 report (RFC 3810)
  /* 13 */ [0xb7, 0x00, 0, -1],
  /* 14 */ [0x95, 0x00, 0, 0],
  /* 15 */ [0xb7, 0x00, 0, 2], // TC_ACT_SHOT
  /* 16 */ [0x95, 0x00, 0, 0],
];

function assemble(program: readonly Instruction[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(program.length * BPF_INSN.size));
  program.forEach(([code, registers, offset, immediate], index) => {
    const at = index * BPF_INSN.size;
    view.setUint8(at + BPF_INSN.code, code);
    view.setUint8(at + BPF_INSN.registers, registers);
    view.setInt16(at + BPF_INSN.off, offset, true);
    view.setInt32(at + BPF_INSN.imm, immediate, true);
  });
  return new Uint8Array(view.buffer);
}
