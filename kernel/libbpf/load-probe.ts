/** Does this kernel, with these rights, take programs from us? Tried with two instructions, not guessed from a version. */
import type { Availability } from '../../sim/engines/engine.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import { LOADING, lackOf } from '../process/capabilities.ts';
import { syscalls } from '../testrun/syscalls.ts';
import { BPF_PROG_TYPE } from './layouts.ts';
import { errnoName, libbpfAvailability, requireLibbpf } from './libbpf.ts';

const EPERM = 1;

/** The kernel's type of the programs that stand at a hook. */
export function programType(hook: Hook): number {
  return hook === 'xdp' ? BPF_PROG_TYPE.XDP : BPF_PROG_TYPE.SCHED_CLS;
}

const probed = new Map<number, Availability>();

/** Can programs of this kind be loaded? Asked of the kernel once per thread. */
export function loadAvailability(hook: Hook): Availability {
  const libbpf = libbpfAvailability();
  if (!libbpf.available) return libbpf;
  const type = programType(hook);
  let known = probed.get(type);
  if (known === undefined) {
    known = tryLoad(type);
    probed.set(type, known);
  }
  return known;
}

function tryLoad(type: number): Availability {
  const lack = lackOf(LOADING);
  if (lack !== undefined) return lack;
  const fd = loadProbe(type);
  if (fd < 0) {
    return {
      available: false,
      reason: `the kernel refuses to load a program (${errnoName(fd)})`,
      remedy:
        fd === -EPERM
          ? 'run it as root outside of user namespaces, in a container with --privileged'
          : 'use a kernel with CONFIG_BPF_SYSCALL, Linux 5.10 or later',
    };
  }
  syscalls().close(fd);
  return { available: true };
}

/** `r0 = 2; exit`: XDP_PASS, or TC_ACT_SHOT. @returns a file descriptor, or a negative errno */
export function loadProbe(type: number): number {
  const instructions = Uint8Array.of(0xb7, 0, 0, 0, 2, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);
  return requireLibbpf().bpf.bpf_prog_load(type, 'xdpsim_probe', 'GPL', instructions, 2, null);
}
