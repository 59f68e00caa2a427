/** Attaching programs to devices: native XDP and clsact by libbpf's netlink functions, tcx by bpf(2). */
import { EngineError } from '../../sim/engines/engine.ts';
import type { Netns } from '../network/netns.ts';
import { errnoName, requireLibbpf } from './libbpf.ts';

/** include/uapi/linux/if_link.h */
const XDP_FLAGS = { generic: 1 << 1, native: 1 << 2 } as const;

/** `enum bpf_tc_attach_point` (bpf/libbpf.h). */
const TC_POINT = { ingress: 1, egress: 2 } as const;

/** `struct bpf_tc_hook` and `struct bpf_tc_opts` (bpf/libbpf.h): offsets in bytes. */
const TC_HOOK = { sz: 0, ifindex: 8, attach_point: 12, parent: 16, size: 24 } as const;
const TC_OPTS = { sz: 0, prog_fd: 8, flags: 12, prog_id: 16, handle: 20, priority: 24, size: 32 } as const;
const BPF_TC_F_REPLACE = 1;
const EEXIST = -17;

/** `enum bpf_attach_type` (linux/bpf.h). */
const TCX = { ingress: 46, egress: 47 } as const;

interface AttachFunctions {
  bpf_xdp_attach(ifindex: number, fd: number, flags: number, options: null): number;
  bpf_tc_hook_create(hook: Uint8Array): number;
  bpf_tc_attach(hook: Uint8Array, options: Uint8Array): number;
  bpf_prog_attach(fd: number, target: number, type: number, flags: number): number;
}

let loaded: AttachFunctions | undefined;

function functions(): AttachFunctions {
  if (loaded !== undefined) return loaded;
  const library = requireLibbpf().koffi.load('libbpf.so.1');
  loaded = {
    bpf_xdp_attach: library.func('bpf_xdp_attach', 'int', ['int', 'int', 'uint32_t', 'void *']),
    bpf_tc_hook_create: library.func('bpf_tc_hook_create', 'int', ['void *']),
    bpf_tc_attach: library.func('bpf_tc_attach', 'int', ['void *', 'void *']),
    bpf_prog_attach: library.func('bpf_prog_attach', 'int', ['int', 'int', 'int', 'uint']),
  };
  return loaded;
}

/**
 * Puts a program on a device, in the place of one that may be there in the same mode already; -1 takes it off.
 * @param mode in the driver, or behind it
 * @throws {EngineError} where the driver refuses: for veth, an MTU above 3506
 */
export function attachXdp(
  netns: Pick<Netns, 'enter'>,
  ifindex: number,
  fd: number,
  mode: 'native' | 'generic' = 'native',
): void {
  const result = netns.enter(() => functions().bpf_xdp_attach(ifindex, fd, XDP_FLAGS[mode], null));
  if (result === 0) return;
  throw new EngineError(
    'environment',
    `${mode} XDP cannot be attached to device ${ifindex}: ${errnoName(result)}`,
  );
}

/**
 * Puts a program on a device's ingress or egress by tcx: it runs before everything that clsact has there.
 * @returns false where the kernel has no tcx (before Linux 6.6)
 */
export function attachTcx(netns: Netns, ifindex: number, point: 'ingress' | 'egress', fd: number): boolean {
  return netns.enter(() => functions().bpf_prog_attach(fd, ifindex, TCX[point], 0)) === 0;
}

/**
 * Puts a program, in direct-action mode, on a device's ingress or egress, in the place of one that was put there so.
 * @param priority the lowest number runs first; the next one runs if it returns `TC_ACT_UNSPEC`
 */
export function attachTc(
  netns: Netns,
  ifindex: number,
  point: 'ingress' | 'egress',
  fd: number,
  priority: number = 1,
): void {
  const hook = new DataView(new ArrayBuffer(TC_HOOK.size));
  hook.setBigUint64(TC_HOOK.sz, BigInt(TC_HOOK.size), true);
  hook.setInt32(TC_HOOK.ifindex, ifindex, true);
  // One clsact serves both directions.
  hook.setUint32(TC_HOOK.attach_point, TC_POINT.ingress | TC_POINT.egress, true);
  const options = new DataView(new ArrayBuffer(TC_OPTS.size));
  options.setBigUint64(TC_OPTS.sz, BigInt(TC_OPTS.size), true);
  options.setInt32(TC_OPTS.prog_fd, fd, true);
  options.setUint32(TC_OPTS.flags, BPF_TC_F_REPLACE, true);
  options.setUint32(TC_OPTS.handle, 1, true);
  options.setUint32(TC_OPTS.priority, priority, true);
  const result = netns.enter(() => {
    const created = functions().bpf_tc_hook_create(new Uint8Array(hook.buffer));
    if (created !== 0 && created !== EEXIST) return created;
    hook.setUint32(TC_HOOK.attach_point, TC_POINT[point], true);
    return functions().bpf_tc_attach(new Uint8Array(hook.buffer), new Uint8Array(options.buffer));
  });
  if (result === 0) return;
  throw new EngineError(
    'environment',
    `a TC program cannot be attached to device ${ifindex} at ${point}: ${errnoName(result)}`,
    { remedy: 'use a kernel with CONFIG_NET_SCH_INGRESS and CONFIG_NET_CLS_BPF' },
  );
}
