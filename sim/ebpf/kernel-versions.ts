/**
 * What kernels of other versions do otherwise: one table for the loader, the checks before a program runs, the helpers
 * and the models. The machine is the newest of these kernels unless it is asked to be an older one.
 *
 * Sources are titles of commits, or the list of helpers in include/uapi/linux/bpf.h at the tag. Versions are those of
 * Linus's tree: distributions carry parts of later ones. docs/kernels.md is written from here.
 */
import type { MapType } from '../runtime/maps.ts';
import { helperName } from './helper-names.ts';
import {
  BPF_ALU,
  BPF_ALU64,
  BPF_ATOMIC_ADD,
  BPF_DIV,
  BPF_END,
  BPF_LDX,
  BPF_LOAD_ACQ,
  BPF_MEMSX,
  BPF_MOD,
  BPF_MOV,
  BPF_PSEUDO_FUNC,
  BPF_STORE_REL,
  CLASS_MASK,
  type Instructions,
  isAtomic,
  isMayGoto,
  JA32,
  LDDW,
  MODE_MASK,
  OPERATION_MASK,
} from './instruction.ts';

export type KernelVersion = `${number}.${number}`;

/** What the machine is by default. */
export const NEWEST_KERNEL: KernelVersion = '6.18';
/** What is older has loops, sizes and contexts of its own, which are not known here. */
export const OLDEST_KERNEL: KernelVersion = '5.4';

export function isOlder(version: KernelVersion, than: KernelVersion): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [thanMajor = 0, thanMinor = 0] = than.split('.').map(Number);
  return major < thanMajor || (major === thanMajor && minor < thanMinor);
}

/** `KERNEL_VERSION(major, minor, 0)` of linux/version.h. */
export function versionCode(version: KernelVersion): number {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major * 65_536 + minor * 256;
}

export interface Since {
  readonly since: KernelVersion;
  /** A sentence of docs/kernels.md: what older kernels do. */
  readonly before: string;
  readonly source: string;
}

/** Of one helper, or of an instruction. */
export interface HelperBehaviour extends Since {
  readonly helper: string;
  /** What it is in docs/kernels.md; default: a helper. */
  readonly what?: 'instruction';
}

/** What helpers and instructions do otherwise. */
export const BEHAVIOURS = {
  checksumDifferenceFolds: {
    helper: 'bpf_csum_diff',
    since: '6.13',
    before:
      '`bpf_csum_diff()` returns a sum of 32 bits that is not folded, and -EINVAL for more than 512 bytes together. A program that folds once too little is wrong there; newer kernels hide the mistake.',
    source: 'bpf: bpf_csum_diff: Optimize and homogenize for all archs',
  },
  longMetadata: {
    helper: 'bpf_xdp_adjust_meta',
    since: '6.8',
    before: '`bpf_xdp_adjust_meta()` allows 32 bytes of metadata in all (later: 252).',
    source: 'net, xdp: allow metadata > 32',
  },
  adjustTailGrows: {
    helper: 'bpf_xdp_adjust_tail',
    since: '5.8',
    before: '`bpf_xdp_adjust_tail()` only shrinks frames: -EINVAL for more.',
    source: 'xdp: Allow bpf_xdp_adjust_tail() to grow packet size',
  },
  redirectMapBroadcasts: {
    helper: 'bpf_redirect_map',
    since: '5.14',
    before: '`bpf_redirect_map()` knows neither BPF_F_BROADCAST nor BPF_F_EXCLUDE_INGRESS: XDP_ABORTED.',
    source: 'xdp: Extend xdp_redirect_map with broadcast support',
  },
  adjustRoomDecapsulates: {
    helper: 'bpf_skb_adjust_room',
    since: '6.3',
    before: '`bpf_skb_adjust_room()` knows no BPF_F_ADJ_ROOM_DECAP_L3_*: -EINVAL.',
    source: 'net/core/filter.c, `bpf_skb_adjust_room` at v6.3',
  },
  adjustRoomEncapsulatesEthernet: {
    helper: 'bpf_skb_adjust_room',
    since: '5.13',
    before: '`bpf_skb_adjust_room()` knows no BPF_F_ADJ_ROOM_ENCAP_L2_ETH: -EINVAL.',
    source: 'net/core/filter.c, `bpf_skb_net_grow` at v5.13',
  },
  adjustRoomKeepsChecksum: {
    helper: 'bpf_skb_adjust_room',
    since: '5.8',
    before: '`bpf_skb_adjust_room()` knows no BPF_F_ADJ_ROOM_NO_CSUM_RESET: -EINVAL.',
    source: "bpf: Fix up bpf_skb_adjust_room helper's skb csum setting",
  },
  fibLookupSkipsNeighbours: {
    helper: 'bpf_fib_lookup',
    since: '6.3',
    before: '`bpf_fib_lookup()` knows no BPF_FIB_LOOKUP_SKIP_NEIGH: -EINVAL.',
    source: 'bpf: add BPF_FIB_LOOKUP_SKIP_NEIGH flag to bpf_fib_lookup',
  },
  fibLookupTakesTable: {
    helper: 'bpf_fib_lookup',
    since: '6.5',
    before: '`bpf_fib_lookup()` knows no BPF_FIB_LOOKUP_TBID: -EINVAL.',
    source: 'bpf: Add table ID to bpf_fib_lookup BPF helper',
  },
  fibLookupTellsSource: {
    helper: 'bpf_fib_lookup',
    since: '6.7',
    before: '`bpf_fib_lookup()` knows no BPF_FIB_LOOKUP_SRC: -EINVAL.',
    source: 'bpf: Derive source IP addr via bpf_*_fib_lookup()',
  },
  fibLookupTakesMark: {
    helper: 'bpf_fib_lookup',
    since: '6.10',
    before: '`bpf_fib_lookup()` knows no BPF_FIB_LOOKUP_MARK: -EINVAL.',
    source: 'bpf: Add support for passing mark with bpf_fib_lookup',
  },
  /** On x86-64, which the machine is: elsewhere it came later, or has not come. */
  mayGotoLooksAtClock: {
    helper: 'may_goto',
    what: 'instruction',
    since: '6.15',
    before:
      '`may_goto` ends a loop after 8,388,608 rounds; later (x86-64), when it has taken a quarter of a second.',
    source: 'bpf, x86: Add x86 JIT support for timed may_goto',
  },
} as const satisfies Readonly<Record<string, HelperBehaviour>>;

export type Behaviour = keyof typeof BEHAVIOURS;

/** Which of them a kernel has: made once, so that helpers compare no versions while packets run. */
export type KernelBehaviour = Readonly<Record<Behaviour, boolean>>;

export function behaviourOf(version: KernelVersion = NEWEST_KERNEL): KernelBehaviour {
  return Object.fromEntries(
    Object.entries(BEHAVIOURS).map(([name, { since }]) => [name, !isOlder(version, since)]),
  ) as Record<Behaviour, boolean>;
}

/** The kernels on which helpers do what they do in one version. */
export interface AlikeKernels {
  /** Those of the helpers that differ between versions. */
  readonly helpers: readonly string[];
  /** The oldest of the kernels; absent: all older ones are alike. */
  readonly from?: KernelVersion;
  /** The first one that differs; absent: none does. */
  readonly before?: KernelVersion;
}

/**
 * @param names helpers that a program calls
 * @returns undefined where every kernel is alike
 */
export function alikeKernels(
  names: Iterable<string>,
  version: KernelVersion = NEWEST_KERNEL,
): AlikeKernels | undefined {
  const called = new Set(names);
  const rows: HelperBehaviour[] = Object.values(BEHAVIOURS).filter(({ helper }) => called.has(helper));
  if (rows.length === 0) return undefined;
  const inOrder = rows.map(({ since }) => since).sort((a, b) => (isOlder(a, b) ? -1 : 1));
  const from = inOrder.findLast((since) => !isOlder(version, since));
  const before = inOrder.find((since) => isOlder(version, since));
  return {
    helpers: [...new Set(rows.map(({ helper }) => helper))].sort(),
    ...(from === undefined ? {} : { from }),
    ...(before === undefined ? {} : { before }),
  };
}

/** What programs may be or have. */
export const PROGRAM_FEATURES = {
  tailCallsWithSubprograms: {
    since: '5.10',
    before: 'A program that has subprograms may make no tail calls.',
    source: 'bpf: allow for tailcalls in BPF subprograms for x64 JIT',
  },
  frags: {
    since: '5.18',
    before: 'Programs in section `xdp.frags` do not load: frames come in one buffer.',
    source: 'bpf: introduce BPF_F_XDP_HAS_FRAGS flag in prog_flags loading the ebpf program',
  },
} as const satisfies Readonly<Record<string, Since>>;

export interface NewInstruction extends Since {
  /** What a refusal calls it. */
  readonly what: string;
  readonly is: (instructions: Instructions, slot: number) => boolean;
}

const classOf = ({ opcode }: Instructions, slot: number): number => opcode[slot]! & CLASS_MASK;
const isAlu = (instructions: Instructions, slot: number): boolean =>
  classOf(instructions, slot) === BPF_ALU || classOf(instructions, slot) === BPF_ALU64;
const operation = ({ opcode }: Instructions, slot: number): number => opcode[slot]! & OPERATION_MASK;
const isOrdered = ({ imm }: Instructions, slot: number): boolean =>
  imm[slot] === BPF_LOAD_ACQ || imm[slot] === BPF_STORE_REL;

const VERSION_4 = 'bpf: Support new sign-extension load insns, and its series (cpu v4)';

/** The instructions that came after `OLDEST_KERNEL`. */
export const NEW_INSTRUCTIONS: readonly NewInstruction[] = [
  {
    what: 'callbacks (BPF_PSEUDO_FUNC)',
    since: '5.13',
    before: 'No callbacks: functions cannot be handed to helpers.',
    source: 'bpf: Add bpf_for_each_map_elem() helper',
    is: ({ opcode, src }, slot) => opcode[slot] === LDDW && src[slot] === BPF_PSEUDO_FUNC,
  },
  {
    what: 'atomic operations other than adding (BPF_FETCH, AND, OR, XOR, XCHG, CMPXCHG)',
    since: '5.12',
    before: 'The only atomic operation is to add, without getting the old value.',
    source: 'bpf: Add instructions for atomic_[cmp]xchg',
    is: (instructions, slot) =>
      isAtomic(instructions.opcode[slot]!) &&
      instructions.imm[slot] !== BPF_ATOMIC_ADD &&
      !isOrdered(instructions, slot),
  },
  {
    what: 'load-acquire and store-release',
    since: '6.15',
    before: 'No load-acquire and no store-release.',
    source: 'bpf: Introduce load-acquire and store-release instructions',
    is: (instructions, slot) => isAtomic(instructions.opcode[slot]!) && isOrdered(instructions, slot),
  },
  {
    what: 'sign-extending loads (-mcpu=v4)',
    since: '6.6',
    before: 'No sign-extending loads (`-mcpu=v4`).',
    source: VERSION_4,
    is: (instructions, slot) =>
      classOf(instructions, slot) === BPF_LDX && (instructions.opcode[slot]! & MODE_MASK) === BPF_MEMSX,
  },
  {
    what: 'sign-extending moves (-mcpu=v4)',
    since: '6.6',
    before: 'No sign-extending moves (`-mcpu=v4`).',
    source: VERSION_4,
    is: (instructions, slot) =>
      isAlu(instructions, slot) &&
      operation(instructions, slot) === BPF_MOV &&
      instructions.offset[slot] !== 0,
  },
  {
    what: 'signed division (-mcpu=v4)',
    since: '6.6',
    before: 'No signed division (`-mcpu=v4`).',
    source: VERSION_4,
    is: (instructions, slot) => {
      const isDivision = [BPF_DIV, BPF_MOD].includes(operation(instructions, slot));
      return isAlu(instructions, slot) && isDivision && instructions.offset[slot] !== 0;
    },
  },
  {
    what: 'unconditional byte swaps (bswap, -mcpu=v4)',
    since: '6.6',
    before: 'No `bswap` (`-mcpu=v4`).',
    source: VERSION_4,
    is: (instructions, slot) =>
      classOf(instructions, slot) === BPF_ALU64 && operation(instructions, slot) === BPF_END,
  },
  {
    what: 'long jumps (gotol, -mcpu=v4)',
    since: '6.6',
    before: 'No long jumps (`-mcpu=v4`).',
    source: VERSION_4,
    is: ({ opcode }, slot) => opcode[slot] === JA32,
  },
  {
    what: 'may_goto',
    since: '6.9',
    before: 'No `may_goto`.',
    source: 'bpf: Introduce may_goto instruction',
    is: ({ opcode }, slot) => isMayGoto(opcode[slot]!),
  },
];

/** From this helper on, kernels have it since: numbers are given out in order, so each row holds up to the next. */
const HELPERS_SINCE: readonly (readonly [first: string, since: KernelVersion])[] = [
  ['bpf_skb_output', '5.5'],
  ['bpf_tcp_send_ack', '5.6'],
  ['bpf_read_branch_records', '5.7'],
  ['bpf_ktime_get_boot_ns', '5.8'],
  ['bpf_skc_to_tcp6_sock', '5.9'],
  ['bpf_load_hdr_opt', '5.10'],
  ['bpf_task_storage_get', '5.11'],
  ['bpf_check_mtu', '5.12'],
  ['bpf_for_each_map_elem', '5.13'],
  ['bpf_sys_bpf', '5.14'],
  ['bpf_timer_init', '5.15'],
  ['bpf_get_branch_snapshot', '5.16'],
  ['bpf_find_vma', '5.17'],
  ['bpf_get_retval', '5.18'],
  ['bpf_kptr_xchg', '5.19'],
  ['bpf_tcp_raw_gen_syncookie_ipv4', '6.0'],
  ['bpf_ktime_get_tai_ns', '6.1'],
  ['bpf_cgrp_storage_get', '6.2'],
];

let sinceOfHelpers: readonly KernelVersion[] | undefined;

/** By number; those before the first row are as old as `OLDEST_KERNEL`. */
function sinceByNumber(): KernelVersion[] {
  const since: KernelVersion[] = [];
  let version = OLDEST_KERNEL;
  for (let number = 1, name = helperName(1); name !== undefined; name = helperName(++number)) {
    version = HELPERS_SINCE.find(([first]) => first === name)?.[1] ?? version;
    since[number] = version;
  }
  return since;
}

/** @returns `OLDEST_KERNEL` for all that every kernel here has, and for numbers that no kernel knows */
export function helperSince(number: number): KernelVersion {
  sinceOfHelpers ??= sinceByNumber();
  return sinceOfHelpers[number] ?? OLDEST_KERNEL;
}

/** Kernel functions that the machine has. */
export const KERNEL_FUNCTIONS_SINCE: ReadonlyMap<string, KernelVersion> = new Map<string, KernelVersion>([
  ['bpf_xdp_ct_lookup', '5.18'],
  ['bpf_skb_ct_lookup', '5.18'],
  ['bpf_ct_release', '5.18'],
  ['bpf_cgroup_acquire', '6.2'],
  ['bpf_cgroup_release', '6.2'],
  ['bpf_cgroup_ancestor', '6.2'],
  ['bpf_rcu_read_lock', '6.2'],
  ['bpf_rcu_read_unlock', '6.2'],
  ['bpf_xdp_metadata_rx_timestamp', '6.3'],
  ['bpf_xdp_metadata_rx_hash', '6.3'],
  ['bpf_cgroup_from_id', '6.4'],
  ['bpf_dynptr_from_skb', '6.4'],
  ['bpf_dynptr_from_xdp', '6.4'],
  ['bpf_dynptr_slice', '6.4'],
  ['bpf_dynptr_slice_rdwr', '6.4'],
  ['bpf_iter_num_new', '6.4'],
  ['bpf_iter_num_next', '6.4'],
  ['bpf_iter_num_destroy', '6.4'],
  ['bpf_dynptr_adjust', '6.5'],
  ['bpf_dynptr_is_null', '6.5'],
  ['bpf_dynptr_is_rdonly', '6.5'],
  ['bpf_dynptr_size', '6.5'],
  ['bpf_dynptr_clone', '6.5'],
  ['bpf_map_sum_elem_count', '6.6'],
  ['bpf_xdp_metadata_rx_vlan_tag', '6.8'],
  ['bpf_xdp_get_xfrm_state', '6.8'],
  ['bpf_xdp_xfrm_state_release', '6.8'],
  ['bpf_preempt_disable', '6.10'],
  ['bpf_preempt_enable', '6.10'],
  ['bpf_xdp_flow_lookup', '6.11'],
  ['bpf_iter_bits_new', '6.11'],
  ['bpf_iter_bits_next', '6.11'],
  ['bpf_iter_bits_destroy', '6.11'],
  ['bpf_local_irq_save', '6.14'],
  ['bpf_local_irq_restore', '6.14'],
  ['bpf_res_spin_lock', '6.15'],
  ['bpf_res_spin_unlock', '6.15'],
  ['bpf_res_spin_lock_irqsave', '6.15'],
  ['bpf_res_spin_unlock_irqrestore', '6.15'],
  ['bpf_dynptr_copy', '6.15'],
  ['bpf_dynptr_memset', '6.17'],
  ['bpf_strcmp', '6.17'],
  ['bpf_strchr', '6.17'],
  ['bpf_strchrnul', '6.17'],
  ['bpf_strnchr', '6.17'],
  ['bpf_strrchr', '6.17'],
  ['bpf_strlen', '6.17'],
  ['bpf_strnlen', '6.17'],
  ['bpf_strspn', '6.17'],
  ['bpf_strcspn', '6.17'],
  ['bpf_strstr', '6.17'],
  ['bpf_strnstr', '6.17'],
  ['bpf_strcasecmp', '6.18'],
  ['bpf_xdp_pull_data', '6.18'],
]);

/** Types of maps that came after `OLDEST_KERNEL`. */
export const MAP_TYPES_SINCE: ReadonlyMap<MapType, KernelVersion> = new Map<MapType, KernelVersion>([
  ['STRUCT_OPS', '5.6'],
  ['RINGBUF', '5.8'],
  ['INODE_STORAGE', '5.10'],
  ['TASK_STORAGE', '5.11'],
  ['BLOOM_FILTER', '5.16'],
  ['USER_RINGBUF', '6.1'],
  ['CGRP_STORAGE', '6.2'],
  ['ARENA', '6.9'],
]);

/** Rows for docs/kernels.md. */
export function helperRows(): readonly (readonly [names: string, since: KernelVersion])[] {
  const versions = [
    ...new Set(sinceByNumber().filter((since) => since !== undefined && since !== OLDEST_KERNEL)),
  ];
  return versions.map((version) => {
    const numbers = sinceByNumber().flatMap((since, number) => (since === version ? [number] : []));
    const [first, last] = [numbers[0]!, numbers.at(-1)!].map(
      (number) => `\`${helperName(number)}\` (${number})`,
    );
    return [numbers.length === 1 ? first! : `${first} to ${last}`, version];
  });
}
