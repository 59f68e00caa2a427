/** Does this kernel, with these rights, run programs for us? Tried with two instructions, not guessed from a version. */
import { readFileSync } from 'node:fs';
import type { Availability } from '../sim/engines/engine.ts';
import type { Hook } from '../sim/runtime/actions.ts';
import { addressOf, errnoName, libbpfAvailability, requireLibbpf } from './libbpf.ts';
import { BPF_PROG_TYPE, TEST_RUN_OPTS, XDP_MD } from './libbpf-layouts.ts';
import { syscalls } from './testrun-syscalls.ts';

const CAP_NET_ADMIN = 12n;
const CAP_SYS_ADMIN = 21n;
const CAP_BPF = 39n;

const AVAILABLE: Availability = { available: true };

/** Bits of the effective capabilities of the calling thread; undefined where /proc does not tell. */
export function effectiveCapabilities(): bigint | undefined {
  try {
    const line = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/thread-self/status', 'latin1'));
    return line === null ? undefined : BigInt(`0x${line[1]}`);
  } catch {
    return undefined;
  }
}

export function mayLoadPrograms(capabilities: bigint): boolean {
  const has = (bit: bigint): boolean => ((capabilities >> bit) & 1n) === 1n;
  return has(CAP_SYS_ADMIN) || (has(CAP_BPF) && has(CAP_NET_ADMIN));
}

const probed = new Map<number, Availability>();

/** Can programs of this kind be run with `BPF_PROG_TEST_RUN`? Asked of the kernel once per thread. */
export function testRunAvailability(hook: Hook): Availability {
  const libbpf = libbpfAvailability();
  if (!libbpf.available) return libbpf;
  const type = hook === 'xdp' ? BPF_PROG_TYPE.XDP : BPF_PROG_TYPE.SCHED_CLS;
  let known = probed.get(type);
  if (known === undefined) {
    known = tryTestRun(type);
    probed.set(type, known);
  }
  return known;
}

function tryTestRun(type: number): Availability {
  const capabilities = effectiveCapabilities();
  if (capabilities !== undefined && !mayLoadPrograms(capabilities)) {
    const root = process.geteuid?.() === 0;
    return {
      available: false,
      reason: root ? 'the rights CAP_BPF and CAP_NET_ADMIN are missing' : 'not running as root',
      remedy: root
        ? 'start the container with --cap-add=BPF --cap-add=NET_ADMIN (or --privileged)'
        : 'run it with sudo (or give it CAP_BPF and CAP_NET_ADMIN)',
    };
  }
  const fd = loadProbe(type);
  if (fd < 0) {
    return {
      available: false,
      reason: `the kernel refuses to load a program (${errnoName(fd)})`,
      remedy:
        fd === -1
          ? 'run it as root outside of user namespaces, in a container with --privileged'
          : 'use a kernel with CONFIG_BPF_SYSCALL, Linux 5.10 or later',
    };
  }
  try {
    const result = runProbe(fd, 0);
    if (result === 0) return AVAILABLE;
    return {
      available: false,
      reason: `this kernel has no BPF_PROG_TEST_RUN for ${type === BPF_PROG_TYPE.XDP ? 'XDP' : 'TC'} programs (${errnoName(result)})`,
      remedy: 'use Linux 5.10 or later',
    };
  } finally {
    syscalls().close(fd);
  }
}

let maxMetadata: number | undefined;

/**
 * How many bytes of metadata a test run takes: found by trying, since it grew from 32 to what the headroom holds.
 * 0 where test runs do not work.
 */
export function maxTestRunMetadata(): number {
  if (maxMetadata !== undefined) return maxMetadata;
  if (!testRunAvailability('xdp').available) return 0;
  const fd = loadProbe(BPF_PROG_TYPE.XDP);
  if (fd < 0) return 0;
  try {
    let length = 252;
    while (length > 0 && runProbe(fd, length) !== 0) length -= 4;
    maxMetadata = length;
    return length;
  } finally {
    syscalls().close(fd);
  }
}

/** `r0 = 2; exit`: XDP_PASS, or TC_ACT_SHOT. @returns a file descriptor, or a negative errno */
function loadProbe(type: number): number {
  const instructions = Uint8Array.of(0xb7, 0, 0, 0, 2, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);
  return requireLibbpf().bpf.bpf_prog_load(type, 'xdpsim_probe', 'GPL', instructions, 2, null);
}

function runProbe(fd: number, metaLength: number): number {
  const input = new Uint8Array(64 + metaLength);
  const context = new Uint32Array(XDP_MD.size / 4);
  context[XDP_MD.data / 4] = metaLength;
  context[XDP_MD.data_end / 4] = input.length;
  const options = new Uint8Array(TEST_RUN_OPTS.size);
  const view = new DataView(options.buffer);
  view.setUint32(TEST_RUN_OPTS.sz, TEST_RUN_OPTS.size, true);
  view.setBigUint64(TEST_RUN_OPTS.data_in, BigInt(addressOf(input)), true);
  view.setUint32(TEST_RUN_OPTS.data_size_in, input.length, true);
  view.setUint32(TEST_RUN_OPTS.repeat, 1, true);
  const contextBytes = new Uint8Array(context.buffer);
  if (metaLength > 0) {
    view.setBigUint64(TEST_RUN_OPTS.ctx_in, BigInt(addressOf(contextBytes)), true);
    view.setUint32(TEST_RUN_OPTS.ctx_size_in, contextBytes.length, true);
  }
  return requireLibbpf().bpf.bpf_prog_test_run_opts(fd, addressOf(options));
}
