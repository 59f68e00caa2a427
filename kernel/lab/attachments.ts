/**
 * Attaching programs to devices so that they stay when the command ends, seeing what is attached, and detaching it:
 * XDP in native or generic mode, TC by tcx where the kernel has it (since Linux 6.6) and by clsact where it has not.
 */
import { EngineError } from '../../sim/engines/engine.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import { attachTc } from '../libbpf/attach.ts';
import { errnoName, requireLibbpf } from '../libbpf/libbpf.ts';
import type { Netns } from '../network/netns.ts';
import { programInfo, withProgram } from './kernel-objects.ts';
import type { AttachMode } from './lab-state.ts';

/** The name of the program that keeps a device quiet (`multicast-reports.ts`). */
export const REPORT_DROPPER = 'xdpsim_no_mld';

/** include/uapi/linux/if_link.h */
const XDP_FLAGS = { generic: 1 << 1, native: 1 << 2 } as const;

/** `enum bpf_attach_type` (linux/bpf.h). */
const TCX = { 'tc-ingress': 46, 'tc-egress': 47 } as const;

/** `struct bpf_xdp_query_opts` (bpf/libbpf.h): offsets in bytes. */
const XDP_QUERY = { sz: 0, drv_prog_id: 12, skb_prog_id: 20, size: 32 } as const;

/** `struct bpf_tc_hook`, `struct bpf_tc_opts` and `enum bpf_tc_attach_point` (bpf/libbpf.h). */
const TC_HOOK = { sz: 0, ifindex: 8, attach_point: 12, size: 24 } as const;
const TC_OPTS = { sz: 0, prog_id: 16, handle: 20, priority: 24, size: 32 } as const;
const TC_POINT = { 'tc-ingress': 1, 'tc-egress': 2 } as const;
/** Of the filters that the lab makes for users' programs: the one of `multicast-reports.ts` comes before them. */
const TC_FILTER = { handle: 1, priority: 2 } as const;

const EINVAL = -22;
/** More programs on one hook than anybody attaches (BPF_MPROG_MAX is 64). */
const MOST_PROGRAMS = 64;

interface Functions {
  bpf_xdp_attach(ifindex: number, fd: number, flags: number, options: null): number;
  bpf_xdp_query(ifindex: number, flags: number, options: Uint8Array): number;
  bpf_prog_attach(fd: number, target: number, type: number, flags: number): number;
  bpf_prog_detach2(fd: number, target: number, type: number): number;
  bpf_prog_query(
    target: number,
    type: number,
    flags: number,
    attachFlags: null,
    ids: Uint32Array,
    count: Uint32Array,
  ): number;
  bpf_tc_query(hook: Uint8Array, options: Uint8Array): number;
  bpf_tc_detach(hook: Uint8Array, options: Uint8Array): number;
}

let loaded: Functions | undefined;

function functions(): Functions {
  if (loaded !== undefined) return loaded;
  const library = requireLibbpf().koffi.load('libbpf.so.1');
  loaded = {
    bpf_xdp_attach: library.func('bpf_xdp_attach', 'int', ['int', 'int', 'uint32_t', 'void *']),
    bpf_xdp_query: library.func('bpf_xdp_query', 'int', ['int', 'int', 'void *']),
    bpf_prog_attach: library.func('bpf_prog_attach', 'int', ['int', 'int', 'int', 'unsigned int']),
    bpf_prog_detach2: library.func('bpf_prog_detach2', 'int', ['int', 'int', 'int']),
    bpf_prog_query: library.func('bpf_prog_query', 'int', [
      'int',
      'int',
      'uint32_t',
      'void *',
      'void *',
      'void *',
    ]),
    bpf_tc_query: library.func('bpf_tc_query', 'int', ['void *', 'void *']),
    bpf_tc_detach: library.func('bpf_tc_detach', 'int', ['void *', 'void *']),
  };
  return loaded;
}

/** A device, where it stands. */
export interface Device {
  readonly netns: Netns;
  readonly name: string;
  readonly ifindex: number;
}

/** A program on a device, whoever put it there. */
export interface Attached {
  readonly hook: Hook;
  readonly mode: AttachMode;
  readonly id: number;
  /** At most 15 characters. */
  readonly name: string;
}

/**
 * All programs on a device, but for the one that keeps it quiet; of clsact filters those that the lab's own loader
 * put there.
 */
export function attachedTo(device: Device): Attached[] {
  const all = [
    ...attachedXdp(device),
    ...attachedTc(device, 'tc-ingress'),
    ...attachedTc(device, 'tc-egress'),
  ];
  return all.filter((one) => one.name !== REPORT_DROPPER);
}

export interface AttachOptions {
  /** Of XDP; default native. */
  readonly mode?: 'native' | 'generic';
  /** Of TC; default tcx where the kernel has it. */
  readonly tc?: 'tcx' | 'clsact';
  /** Before the programs of users, where the kernel has no order of its own. */
  readonly first?: boolean;
}

/**
 * Attaches a program to a device.
 * @returns how it is attached
 * @throws {EngineError} where the driver or the kernel refuses
 */
export function attach(device: Device, hook: Hook, fd: number, options: AttachOptions = {}): AttachMode {
  const { netns, ifindex, name } = device;
  if (hook === 'xdp') {
    const mode = options.mode ?? 'native';
    xdp(device, fd, mode);
    return mode;
  }
  if (options.tc !== 'clsact') {
    const result = netns.enter(() => functions().bpf_prog_attach(fd, ifindex, TCX[hook], 0));
    if (result === 0) return 'tcx';
    // A kernel that does not know the attach type says EINVAL.
    if (options.tc === 'tcx' || result !== EINVAL) {
      throw new EngineError(
        'environment',
        `a TC program cannot be attached to ${name} at ${hook}: ${errnoName(result)}`,
      );
    }
  }
  const priority = options.first === true ? TC_FILTER.priority - 1 : TC_FILTER.priority;
  attachTc(netns, ifindex, hook === 'tc-ingress' ? 'ingress' : 'egress', fd, priority);
  return 'clsact';
}

/** Takes a program off its device; none there is as good. */
export function detach(device: Device, { hook, mode, id }: Omit<Attached, 'name'>): void {
  const { netns, ifindex } = device;
  if (mode === 'native' || mode === 'generic') {
    xdp(device, -1, mode);
  } else if (mode === 'tcx') {
    const type = TCX[hook as keyof typeof TCX];
    withProgram(id, (fd) => netns.enter(() => functions().bpf_prog_detach2(fd, ifindex, type)));
  } else {
    netns.enter(() => functions().bpf_tc_detach(tcHook(ifindex, hook as keyof typeof TC_POINT), tcFilter()));
  }
}

function xdp({ netns, ifindex, name }: Device, fd: number, mode: 'native' | 'generic'): void {
  const result = netns.enter(() => functions().bpf_xdp_attach(ifindex, fd, XDP_FLAGS[mode], null));
  if (result === 0) return;
  throw new EngineError('environment', `${mode} XDP cannot be attached to ${name}: ${errnoName(result)}`, {
    ...(mode === 'native' ? { remedy: 'some drivers know generic XDP only: --mode generic' } : {}),
  });
}

function attachedXdp({ netns, ifindex }: Device): Attached[] {
  const options = new DataView(new ArrayBuffer(XDP_QUERY.size));
  options.setBigUint64(XDP_QUERY.sz, BigInt(XDP_QUERY.size), true);
  const result = netns.enter(() => functions().bpf_xdp_query(ifindex, 0, new Uint8Array(options.buffer)));
  if (result < 0) return [];
  const modes = [
    ['native', options.getUint32(XDP_QUERY.drv_prog_id, true)],
    ['generic', options.getUint32(XDP_QUERY.skb_prog_id, true)],
  ] as const;
  return modes.flatMap(([mode, id]) => (id === 0 ? [] : [describe('xdp', mode, id)]));
}

function attachedTc({ netns, ifindex }: Device, hook: 'tc-ingress' | 'tc-egress'): Attached[] {
  const ids = new Uint32Array(MOST_PROGRAMS);
  const count = new Uint32Array([ids.length]);
  const found: Attached[] = [];
  netns.enter(() => {
    if (functions().bpf_prog_query(ifindex, TCX[hook], 0, null, ids, count) === 0) {
      for (const id of ids.subarray(0, count[0])) found.push(describe(hook, 'tcx', id));
    }
    const filter = tcFilter();
    if (functions().bpf_tc_query(tcHook(ifindex, hook), filter) === 0) {
      found.push(describe(hook, 'clsact', new DataView(filter.buffer).getUint32(TC_OPTS.prog_id, true)));
    }
  });
  return found;
}

function describe(hook: Hook, mode: AttachMode, id: number): Attached {
  return { hook, mode, id, name: programInfo(id)?.name ?? '' };
}

function tcHook(ifindex: number, hook: keyof typeof TC_POINT): Uint8Array {
  const view = new DataView(new ArrayBuffer(TC_HOOK.size));
  view.setBigUint64(TC_HOOK.sz, BigInt(TC_HOOK.size), true);
  view.setInt32(TC_HOOK.ifindex, ifindex, true);
  view.setUint32(TC_HOOK.attach_point, TC_POINT[hook], true);
  return new Uint8Array(view.buffer);
}

function tcFilter(): Uint8Array {
  const view = new DataView(new ArrayBuffer(TC_OPTS.size));
  view.setBigUint64(TC_OPTS.sz, BigInt(TC_OPTS.size), true);
  view.setUint32(TC_OPTS.handle, TC_FILTER.handle, true);
  view.setUint32(TC_OPTS.priority, TC_FILTER.priority, true);
  return new Uint8Array(view.buffer);
}
