/**
 * Small programs, each right and with one defect of those that real programs have with checksums and lengths: what the
 * oracle must find and name, and where it must be silent. One source is compiled four ways: XDP and TC, right and faulty.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileBpf } from '../../bpf/compile.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { GeneratorHints, Program } from '../../sim/runtime/program.ts';
import type { CauseId } from '../../verify/explain/cause.ts';

export interface ChecksumSpecimen {
  /** The C file's stem. */
  readonly name: string;
  /** Default: both. */
  readonly hooks?: readonly Hook[];
  /** The first finding's field: `tcp.checksum`, `lengths/total`. */
  readonly field: string;
  /** What the explanation says; absent for invariants, which say it themselves. */
  readonly cause?: CauseId;
  readonly hints: GeneratorHints;
  /** Part of the C line that the finding names. */
  readonly line: string;
}

/** Almost only packets of these kinds. */
function only(...kinds: readonly string[]): GeneratorHints {
  return { kinds: Object.fromEntries(kinds.map((kind) => [kind, 40])) };
}

const XDP_ONLY: readonly Hook[] = ['xdp'];

export const CHECKSUM_SPECIMENS: readonly ChecksumSpecimen[] = [
  {
    name: 'folded_once',
    field: 'icmp.checksum',
    cause: 'folded once',
    hints: only('icmp-echo'),
    line: 'icmp->checksum = ~sum;',
  },
  {
    name: 'fold_forgotten',
    field: 'tcp.checksum',
    cause: 'fold forgotten',
    hints: only('tcp'),
    line: 'tcp->check = ~sum;',
  },
  {
    name: 'carry_lost',
    field: 'ipv4.checksum',
    cause: 'carry lost',
    hints: only('tcp', 'udp'),
    line: 'ip->check = check;',
  },
  {
    name: 'delta_byte_order',
    field: 'tcp.checksum',
    cause: 'delta byte order',
    hints: only('tcp6'),
    line: 'tcp->check = update(tcp->check, bpf_ntohs(from), bpf_ntohs(to));',
  },
  {
    name: 'udp_none_updated',
    field: 'udp.checksum',
    cause: 'udp none updated',
    hints: only('udp'),
    line: 'udp->check = updated == 0 ? 0xffff : updated;',
  },
  {
    name: 'udp_zero_lost',
    field: 'udp.checksum',
    cause: 'udp zero lost',
    hints: only('udp'),
    line: 'udp->check = update(udp->check, from, to);',
  },
  {
    name: 'port_left',
    field: 'udp.checksum',
    cause: 'not updated',
    hints: only('udp', 'udp6'),
    line: 'udp->dest = to;',
  },
  {
    name: 'address_left',
    field: 'tcp.checksum',
    cause: 'not updated',
    hints: only('tcp'),
    line: 'packet.ip->saddr = to;',
  },
  {
    name: 'icmp_pseudo_header',
    field: 'icmp.checksum',
    cause: 'pseudo-header counted',
    hints: only('icmp-echo'),
    line: 'icmp->checksum = update32(icmp->checksum, from, to);',
  },
  {
    name: 'icmp_error_outer',
    field: 'icmp.checksum',
    cause: 'not updated',
    hints: only('icmp-other'),
    line: 'udp->source = to;',
  },
  {
    name: 'icmp_error_inner',
    field: 'ipv4#2.checksum',
    cause: 'not updated',
    hints: only('icmp-other'),
    line: 'inner->tos = 0xb8;',
  },
  {
    name: 'early_return',
    field: 'ipv4.checksum',
    cause: 'not updated',
    hints: only('udp', 'tcp'),
    line: 'ip->tos = 0x10;',
  },
  {
    name: 'ihl_not_multiplied',
    field: 'ipv4.checksum',
    cause: 'ihl not multiplied',
    hints: only('udp', 'tcp'),
    line: 'ip->check = ~fold(sum);',
  },
  {
    name: 'fragment_ports',
    field: 'udp.checksum',
    cause: 'later fragment',
    hints: only('udp'),
    line: 'udp->',
  },
  {
    name: 'tail_left_out',
    field: 'icmp.checksum',
    cause: 'tail left out',
    hints: only('icmp-echo'),
    line: 'icmp->checksum = ~fold(sum);',
  },
  {
    name: 'odd_byte',
    field: 'icmp.checksum',
    cause: 'odd byte misplaced',
    hints: only('icmp-echo'),
    line: 'icmp->checksum = ~fold(sum);',
  },
  {
    name: 'delta_twice',
    field: 'tcp.checksum',
    cause: 'delta twice',
    hints: only('tcp'),
    line: 'tcp->check = update32(tcp->check, from, to);',
  },
  {
    name: 'payload_grown',
    field: 'udp.checksum',
    cause: 'not updated',
    hints: only('udp'),
    line: 'udp->len = bpf_htons(bpf_ntohs(length) + 4);',
  },
  {
    name: 'payload_cut',
    field: 'udp.checksum',
    cause: 'not updated',
    hints: only('udp'),
    line: 'RESIZE(ctx, -2)',
  },
  {
    name: 'nat64_none',
    hooks: XDP_ONLY,
    field: 'udp.checksum',
    cause: 'udp none carried to ipv6',
    hints: only('udp'),
    line: '__builtin_memcpy(',
  },
  {
    name: 'vlan_offset',
    hooks: XDP_ONLY,
    field: 'ipv4.checksum',
    cause: 'wrong place',
    hints: only('udp', 'tcp'),
    line: 'ip->check = ~fold(sum);',
  },
  {
    name: 'total_length',
    field: 'lengths/total',
    hints: { kinds: { 'ip-other': 40 }, protocols: [253] },
    line: 'RESIZE(ctx, -4)',
  },
  { name: 'total_byte_order', field: 'lengths/total', hints: only('tcp'), line: 'packet.ip->tot_len = to;' },
  { name: 'payload_length', field: 'lengths/payload', hints: only('udp6'), line: 'RESIZE(ctx, -2)' },
  { name: 'udp_length', field: 'lengths/udp', hints: only('udp'), line: 'packet.ip->tot_len = to;' },
  {
    name: 'surplus',
    field: 'lengths/surplus',
    hints: { kinds: { 'ip-other': 40 }, protocols: [253] },
    line: 'packet.ip->tot_len = to;',
  },
  { name: 'fragment_flag', field: 'fragments/set', hints: only('udp'), line: 'packet.ip->frag_off = to;' },
  { name: 'tcp_offset', field: 'lengths/tcp-offset', hints: only('tcp'), line: 'tcp->doff = ' },
];

export const SPECIMEN_HOOKS: readonly Hook[] = ['xdp', 'tc-ingress'];

/**
 * Compiles one of them.
 * @throws {Error} with the compiler's messages
 */
export function buildChecksumSpecimen({ name }: ChecksumSpecimen, hook: Hook, faulty: boolean): Program {
  const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-specimen-'));
  try {
    const object = join(scratch, `${name}.o`);
    const defines = [...(hook === 'xdp' ? [] : ['TC']), ...(faulty ? ['FAULTY'] : [])];
    compileBpf(`kernel-tests/checksum-specimens/${name}.bpf.c`, object, {
      options: defines.map((define) => `-D${define}`),
    });
    return {
      name: faulty ? `${name}, faulty` : name,
      entries: [{ function: 'specimen', hook }],
      object: new Uint8Array(readFileSync(object)),
    };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
