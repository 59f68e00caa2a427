/** Where a program attaches, as its section's name says (libbpf, `section_defs`; iproute2's older habits). */

import type { Hook } from '../../runtime/actions.ts';
import type { Attachment } from '../bpf-object.ts';
import { BTF_KIND, type Btf } from '../btf.ts';
import type { CodeFunction } from './code.ts';

const XDP = /^xdp/;
const TC = /^(tc|tcx|classifier|cls|action|act|ingress|egress)([/_.-]|$)/;

/** Programs of a netkit device are TC programs to libbpf, and run where one of its two ends sends (drivers/net/netkit.c). */
const NETKIT = /^netkit\/(primary|peer)([/_.-]|$)/;

/** A program that stands in a map and runs on what is redirected there: `xdp/devmap`, `xdp.frags/cpumap`, `xdp_devmap/…`. */
const BEHIND_REDIRECT = /^xdp(?:\.frags)?[/_](devmap|cpumap)(?:[/_.-]|$)/;

/** `xdp.frags`, `xdp.frags/devmap`, and what libbpf makes of no other. */
const FRAGS = /^xdp\.frags(?:\/|$)/;

/**
 * Sections of every other type of program that libbpf knows (`section_defs`), and what the type is called. Some of
 * their programs get a `__sk_buff` or an `xdp_md` without being TC or XDP programs.
 */
const OTHER_TYPES: readonly (readonly [pattern: RegExp, type: string])[] = [
  [/^socket/, 'socket filter'],
  [/^sk_reuseport/, 'sk_reuseport'],
  [/^(u|k)(ret)?probe|^kprobe\.multi|^usdt|^ksyscall|^kretsyscall/, 'kprobe'],
  [/^(tracepoint|tp)([/.]|$)/, 'tracepoint'],
  [/^(raw_tracepoint|raw_tp)/, 'raw tracepoint'],
  [/^(tp_btf|fentry|fexit|fmod_ret|iter)([/.]|$)/, 'tracing'],
  [/^(freplace)([/.]|$)/, 'extension (freplace)'],
  [/^(lsm)/, 'lsm'],
  [/^(perf_event)/, 'perf_event'],
  [/^(lwt_)/, 'lightweight tunnel'],
  [/^(cgroup_skb|cgroup\/skb)/, 'cgroup_skb'],
  [/^cgroup/, 'cgroup'],
  [/^(sockops)/, 'sockops'],
  [/^(sk_skb)/, 'sk_skb'],
  [/^(sk_msg)/, 'sk_msg'],
  [/^(sk_lookup)/, 'sk_lookup'],
  [/^(lirc_mode2)/, 'lirc_mode2'],
  [/^(flow_dissector)/, 'flow_dissector'],
  [/^(netfilter)/, 'netfilter'],
  [/^(struct_ops)/, 'struct_ops'],
  [/^(syscall)/, 'syscall'],
];

export function attachmentOf(main: CodeFunction, btf: Btf | undefined): Attachment {
  // A question mark in front: libbpf is not to load the program unless asked.
  const section = main.section.section.name.replace(/^\?/, '');
  const behindRedirect = BEHIND_REDIRECT.exec(section)?.[1] as Attachment['behindRedirect'];
  const otherType = OTHER_TYPES.find(([pattern]) => pattern.test(section))?.[1];
  const hook = otherType === undefined ? hookOf(section, main, btf) : undefined;
  const isGuessed = hook !== undefined && hook !== 'xdp' && !TC.test(section) && !NETKIT.test(section);
  return { hook, behindRedirect, frags: FRAGS.test(section), otherType, isGuessed };
}

function hookOf(section: string, main: CodeFunction, btf: Btf | undefined): Hook | undefined {
  if (XDP.test(section)) return 'xdp';
  if (NETKIT.test(section)) return 'tc-egress';
  // A bare `tc` does not say which direction; the function's name may.
  const direction = /egress/.test(section) || /egress/.test(main.name) ? 'tc-egress' : 'tc-ingress';
  if (TC.test(section)) return /ingress/.test(section) ? 'tc-ingress' : direction;
  const context = main.typeId === undefined || btf === undefined ? undefined : contextOf(btf, main.typeId);
  if (context === 'xdp_md') return 'xdp';
  return context === '__sk_buff' ? direction : undefined;
}

/** The name of the struct that the function's only parameter points to. */
function contextOf(btf: Btf, functionType: number): string | undefined {
  if (btf.kind(functionType) !== BTF_KIND.FUNC) return undefined;
  const prototype = btf.target(functionType);
  const parameter = btf.kind(prototype) === BTF_KIND.FUNC_PROTO ? btf.parameters(prototype)[0] : undefined;
  if (parameter === undefined) return undefined;
  const pointer = btf.resolve(parameter.typeId);
  if (btf.kind(pointer) !== BTF_KIND.PTR) return undefined;
  const struct = btf.resolve(btf.target(pointer));
  return btf.kind(struct) === BTF_KIND.STRUCT ? btf.name(struct) : undefined;
}
