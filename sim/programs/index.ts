/** The register of programs: one line each. Every suite, the command line and the reports start from here. */
import type { ProgramDefinition } from '../runtime/program.ts';
import { account } from './account.ts';
import { icmpDrop } from './icmp_drop.ts';
import { icmpEcho } from './icmp_echo.ts';
import { icmpFilter } from './icmp_filter.ts';
import { layerCoop } from './layer_coop.ts';
import { metaMark } from './meta_mark.ts';
import { portFilter } from './port_filter.ts';
import { protoCount } from './proto_count.ts';
import { protoCountHash } from './proto_count_hash.ts';
import { redirect } from './redirect.ts';
import { redirectMap } from './redirect_map.ts';
import { router } from './router.ts';
import { tcpFilter } from './tcp_filter.ts';
import { xdpDrop } from './xdp_drop.ts';
import { xdpPass } from './xdp_pass.ts';
import { xdpTraceDrop } from './xdp_trace_drop.ts';

export const programs: readonly ProgramDefinition[] = [
  xdpPass,
  xdpDrop,
  xdpTraceDrop,
  icmpEcho,
  tcpFilter,
  icmpFilter,
  portFilter,
  icmpDrop,
  protoCount,
  protoCountHash,
  layerCoop,
  metaMark,
  redirect,
  redirectMap,
  account,
  router,
];

export function programByName(name: string): ProgramDefinition | undefined {
  return programs.find((program) => program.name === name);
}
