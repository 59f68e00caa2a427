/** The register of programs: one line each. Every suite, the command line and the reports start from here. */
import type { ProgramDefinition } from '../runtime/program.ts';
import { icmpEcho } from './icmp_echo.ts';
import { xdpDrop } from './xdp_drop.ts';
import { xdpPass } from './xdp_pass.ts';
import { xdpTraceDrop } from './xdp_trace_drop.ts';

export const programs: readonly ProgramDefinition[] = [xdpPass, xdpDrop, xdpTraceDrop, icmpEcho];

export function programByName(name: string): ProgramDefinition | undefined {
  return programs.find((program) => program.name === name);
}
