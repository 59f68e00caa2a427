/** Does this kernel run programs for us? Tried, not guessed from a version. */

import { MAX_METADATA } from '../../sim/ebpf/packet-area.ts';
import { type Availability, EngineError } from '../../sim/engines/engine.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import { kernelIsOlderThan } from '../kernel-version.ts';
import { BPF_PROG_TYPE, TEST_RUN_OPTS, XDP_MD } from '../libbpf/layouts.ts';
import { addressOf, errnoName, requireLibbpf } from '../libbpf/libbpf.ts';
import { loadAvailability, loadProbe, programType } from '../libbpf/load-probe.ts';
import { testRunOptions } from '../libbpf/test-run-options.ts';
import { shareDefaultNetwork } from '../network/shared-network.ts';
import { syscalls } from './syscalls.ts';

const probed = new Map<number, Availability>();

/** Can programs of this kind be run with `BPF_PROG_TEST_RUN`? Asked of the kernel once per thread. */
export function testRunAvailability(hook: Hook): Availability {
  const type = programType(hook);
  let known = probed.get(type);
  if (known === undefined) {
    const loads = loadAvailability(hook);
    known = loads.available ? tryTestRun(type) : loads;
    probed.set(type, known);
  }
  return known;
}

function tryTestRun(type: number): Availability {
  const fd = loadProbe(type);
  try {
    let result: number;
    try {
      result = fd < 0 ? fd : runProbe(fd, 0);
    } catch (error) {
      // No network namespace to run in, whatever the capabilities say.
      if (error instanceof EngineError && error.remedy !== undefined) {
        return { available: false, reason: error.message, remedy: error.remedy };
      }
      throw error;
    }
    if (result === 0) return { available: true };
    const kind = type === BPF_PROG_TYPE.XDP ? 'XDP' : 'TC';
    return {
      available: false,
      reason: `BPF_PROG_TEST_RUN does not run ${kind} programs here (${errnoName(result)})`,
      remedy: kernelIsOlderThan('5.10')
        ? 'use Linux 5.10 or later'
        : 'look for a system call filter: start the container with --privileged or --security-opt seccomp=unconfined',
    };
  } finally {
    if (fd >= 0) syscalls().close(fd);
  }
}

let maxMetadata: number | undefined;

/** Of Linux 6.18: its headroom without `struct xdp_frame`. */
const USUAL_METADATA = 216;

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
    // From what most kernels take, upwards or downwards.
    let length = USUAL_METADATA;
    if (runProbe(fd, length) === 0)
      while (length < MAX_METADATA && runProbe(fd, length + 4) === 0) length += 4;
    else while (length > 0 && runProbe(fd, length) !== 0) length -= 4;
    maxMetadata = length;
    return length;
  } finally {
    syscalls().close(fd);
  }
}

function runProbe(fd: number, metaLength: number): number {
  const input = new Uint8Array(64 + metaLength);
  const context = new Uint32Array(XDP_MD.size / 4);
  context[XDP_MD.data / 4] = metaLength;
  context[XDP_MD.data_end / 4] = input.length;
  const options = testRunOptions(input, 1);
  const contextBytes = new Uint8Array(context.buffer);
  if (metaLength > 0) {
    options.setBigUint64(TEST_RUN_OPTS.ctx_in, BigInt(addressOf(contextBytes)), true);
    options.setUint32(TEST_RUN_OPTS.ctx_size_in, contextBytes.length, true);
  }
  // The one that sessions take, which find it there.
  const network = shareDefaultNetwork();
  try {
    return network.enter(() => requireLibbpf().bpf.bpf_prog_test_run_opts(fd, addressOf(options)));
  } finally {
    network.close();
  }
}
