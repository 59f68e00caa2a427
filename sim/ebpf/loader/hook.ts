/** Where a program attaches, as its section's name says (libbpf, `section_defs`; iproute2's older habits). */
import type { Hook } from '../../runtime/actions.ts';
import { BTF_KIND, type Btf } from '../btf.ts';
import type { CodeFunction } from './code.ts';

const XDP = /^xdp/;
const TC = /^(tc|tcx|classifier|cls|action|act|ingress|egress)([/_.-]|$)/;

/** Sections of programs that get a `__sk_buff` without being TC programs. */
const OTHERS = /^(socket|cgroup_skb|cgroup\/skb|sk_skb|sk_reuseport|lwt_|flow_dissector|netfilter)/;

/** Undefined for programs that are neither XDP nor TC. */
export function guessHook(main: CodeFunction, btf: Btf | undefined): Hook | undefined {
  // A question mark in front: libbpf is not to load the program unless asked.
  const section = main.section.section.name.replace(/^\?/, '');
  if (XDP.test(section)) return 'xdp';
  // A bare `tc` does not say which direction; the function's name may.
  const direction = /egress/.test(section) || /egress/.test(main.name) ? 'tc-egress' : 'tc-ingress';
  if (TC.test(section)) return /ingress/.test(section) ? 'tc-ingress' : direction;
  const context = main.typeId === undefined || btf === undefined ? undefined : contextOf(btf, main.typeId);
  if (context === 'xdp_md') return 'xdp';
  return context === '__sk_buff' && !OTHERS.test(section) ? direction : undefined;
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
