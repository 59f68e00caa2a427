/** What this process may do: its capabilities, one by one (capabilities(7)). */
import { readFileSync } from 'node:fs';
import type { Availability } from '../../sim/engines/engine.ts';

/** Bit numbers (include/uapi/linux/capability.h). */
const CAPABILITIES = {
  CAP_NET_ADMIN: 12,
  CAP_NET_RAW: 13,
  CAP_SYS_ADMIN: 21,
  CAP_PERFMON: 38,
  CAP_BPF: 39,
} as const;

export type Capability = keyof typeof CAPABILITIES;

/**
 * Loading and running XDP and TC programs. Without CAP_PERFMON the verifier refuses what it takes from root: arithmetic
 * and comparisons on pointers in most programs that read packets, and `bpf_printk`.
 */
export const LOADING: readonly Capability[] = ['CAP_BPF', 'CAP_PERFMON', 'CAP_NET_ADMIN'];
/** Making network namespaces and entering them. */
export const NAMESPACES: readonly Capability[] = ['CAP_SYS_ADMIN'];
/** Devices, programs on them, and frames of any kind. */
export const LIVE: readonly Capability[] = [...LOADING, 'CAP_NET_RAW', 'CAP_SYS_ADMIN'];

/** Those that CAP_SYS_ADMIN includes (include/linux/capability.h, `bpf_capable`, `perfmon_capable`). */
const INCLUDED: ReadonlySet<Capability> = new Set(['CAP_BPF', 'CAP_PERFMON']);

/** Bits of the effective capabilities of the calling thread; undefined where /proc does not tell. */
export function effectiveCapabilities(): bigint | undefined {
  try {
    const line = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/thread-self/status', 'latin1'));
    return line === null ? undefined : BigInt(`0x${line[1]}`);
  } catch {
    return undefined;
  }
}

export type Standing = 'yes' | 'by CAP_SYS_ADMIN' | 'no';

/** @param effective as `effectiveCapabilities` gives them */
export function standingOf(capability: Capability, effective: bigint): Standing {
  if (has(capability, effective)) return 'yes';
  return INCLUDED.has(capability) && has('CAP_SYS_ADMIN', effective) ? 'by CAP_SYS_ADMIN' : 'no';
}

function has(capability: Capability, effective: bigint): boolean {
  return ((effective >> BigInt(CAPABILITIES[capability])) & 1n) === 1n;
}

/** Of the needed ones, those that this thread lacks. None where that cannot be told: the kernel will tell then. */
export function missingCapabilities(
  needed: readonly Capability[],
  effective: bigint | undefined = effectiveCapabilities(),
): Capability[] {
  if (effective === undefined) return [];
  return needed.filter((one) => standingOf(one, effective) === 'no');
}

/** Unavailable with the capabilities that are missing, and how to get them; undefined where none is. */
export function lackOf(
  needed: readonly Capability[],
  effective?: bigint,
  isRoot: boolean = process.geteuid?.() === 0,
): Extract<Availability, { available: false }> | undefined {
  const missing = missingCapabilities(needed, effective);
  if (missing.length === 0) return undefined;
  const verb = missing.length === 1 ? 'is' : 'are';
  return {
    available: false,
    reason: `${isRoot ? '' : 'not running as root, and '}${inWords(missing)} ${verb} missing`,
    remedy: remedyFor(missing, isRoot),
  };
}

/** How to get capabilities: root in a container lacks some, and everybody else all. */
export function remedyFor(
  missing: readonly Capability[],
  isRoot: boolean = process.geteuid?.() === 0,
): string {
  if (!isRoot) return `run it with sudo, or give it ${inWords(missing)}`;
  const options = missing.map((one) => `--cap-add=${one.slice('CAP_'.length)}`);
  return `start the container with ${options.join(' ')}, or with --privileged`;
}

function inWords(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
