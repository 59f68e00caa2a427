/**
 * What takes the place of helpers whose answers depend on clock or chance: functions that give what the machine gives
 * (`sim/ebpf/machine.ts`, `sim/ebpf/helpers/`), from a state that lies in a map.
 *
 * A call of such a function clobbers what the call of the helper did (r1 to r5) and returns in r0, so that one
 * instruction takes the place of one.
 */

import { HELPERS } from '../../sim/ebpf/helpers/index.ts';
import { idleTaskName, TASK_COMM_LEN } from '../../sim/ebpf/helpers/task-helpers.ts';
import {
  HASH_MULTIPLIER,
  HASH_SHIFT,
  HASHED_BYTES,
  HASHED_FROM,
  NETNS_COOKIE,
  RANDOM_MIX,
  RANDOM_STEP,
  ROOT_CGROUP,
  SOCKET_COOKIE,
} from '../../sim/runtime/chance.ts';
import { INITIAL_JIFFIES, NANOSECONDS_PER_JIFFY } from '../../sim/runtime/clock.ts';
import { ENOMEM, EPERM } from '../../sim/runtime/errno.ts';
import { kernelIsOlderThan } from '../kernel-version.ts';
import {
  add,
  add32Imm,
  addImm,
  divImm,
  exit,
  helperCall,
  type Insn,
  jump,
  jumpIfAbove,
  jumpIfAtMost,
  jumpIfEqual,
  jumpIfNotEqual,
  load32,
  load64,
  loadImm64,
  loadMapValue,
  mayGoto,
  mov,
  mov32,
  mov32Imm,
  movImm,
  mul32Imm,
  rsh32Imm,
  store32,
  store64,
  storeImm8,
  storeImm64,
  xor32,
} from './encode.ts';
import { PIN_STATE } from './pin-state.ts';
import { checkCookie, generateCookie } from './syn-cookie.ts';

export interface Substitute {
  /** The helper's number. */
  readonly helper: number;
  readonly name: string;
  /** Does the answer come from the clock? Then packets have to move it on. */
  readonly clock: boolean;
  /** May the answer still be another one, by chance? */
  readonly unsteady: boolean;
  /** The function that is called instead, or what takes the place of the call: a number, that of the CPU, what is in r1. */
  readonly body: ((mapFd: number, cpu: number) => readonly Insn[]) | number | 'cpu' | 'first argument';
}

const now = (mapFd: number): readonly Insn[] => [
  ...loadMapValue(1, mapFd),
  load64(0, 1, PIN_STATE.now),
  exit(),
];

const jiffies = (mapFd: number): readonly Insn[] => [
  ...loadMapValue(1, mapFd),
  load64(0, 1, PIN_STATE.now),
  divImm(0, NANOSECONDS_PER_JIFFY),
  ...loadImm64(1, INITIAL_JIFFIES),
  add(0, 1),
  exit(),
];

/** `Machine.nextRandom`, step by step. */
const random = (mapFd: number): readonly Insn[] => [
  ...loadMapValue(1, mapFd),
  load32(2, 1, PIN_STATE.random),
  add32Imm(2, RANDOM_STEP),
  store32(1, PIN_STATE.random, 2),
  mov32(3, 2),
  rsh32Imm(3, RANDOM_MIX.first),
  xor32(3, 2),
  mul32Imm(3, RANDOM_MIX.firstFactor),
  mov32(4, 3),
  rsh32Imm(4, RANDOM_MIX.second),
  xor32(3, 4),
  mul32Imm(3, RANDOM_MIX.secondFactor),
  mov32(0, 3),
  rsh32Imm(0, RANDOM_MIX.last),
  xor32(0, 3),
  exit(),
];

/** `struct __sk_buff` */
const SKB_LEN = 0;
const SKB_HASH = 68;

/** On the stack. */
const BUFFER = -HASHED_BYTES;

/** `hashBytes` (sim/runtime/chance.ts) over the bytes at r10 - 64, r8 of them, into r0. */
function hashBuffer(): readonly Insn[] {
  const rounds: Insn[][] = [];
  for (let word = 0; word < HASHED_BYTES / 4; word++) {
    rounds.push([
      load32(1, 10, BUFFER + 4 * word),
      xor32(0, 1),
      mul32Imm(0, HASH_MULTIPLIER),
      mov32(1, 0),
      rsh32Imm(1, HASH_SHIFT),
      xor32(0, 1),
    ]);
  }
  const insns: Insn[] = [mov32(0, 8)];
  const length = rounds[0]!.length + 1;
  for (const [word, round] of rounds.entries()) {
    // What is left of the rounds is passed over when the bytes are used up.
    const left = (rounds.length - word) * length - 1;
    insns.push(jumpIfAtMost(8, 4 * word, left), ...round);
  }
  return insns;
}

/**
 * The kernel's flow hash has a random key. Where a hash is there already, it stays; a fresh one is replaced by the
 * machine's, in the sk_buff too, so that `skb->hash` shows it.
 */
const flowHash = (mapFd: number): readonly Insn[] => {
  const hashing = [
    ...Array.from({ length: HASHED_BYTES / 8 }, (_, index) => storeImm64(10, BUFFER + 8 * index, 0)),
    mov(1, 6),
    movImm(2, HASHED_FROM),
    mov(3, 10),
    addImm(3, BUFFER),
    mov(4, 8),
    helperCall('bpf_skb_load_bytes'),
    ...hashBuffer(),
    ...loadMapValue(1, mapFd),
    load32(1, 1, PIN_STATE.hash),
    xor32(0, 1),
    jumpIfNotEqual(0, 0, 1),
    mov32Imm(0, 1),
    mov(7, 0),
    mov(1, 6),
    mov(2, 0),
    helperCall('bpf_set_hash'),
    mov(0, 7),
  ];
  const sizing = [
    load32(8, 6, SKB_LEN),
    addImm(8, -HASHED_FROM),
    jumpIfAtMost(8, HASHED_BYTES, 1),
    movImm(8, HASHED_BYTES),
    // A frame always has more bytes than the MAC addresses; the verifier cannot know.
    jumpIfNotEqual(8, 0, 1),
    movImm(8, 1),
  ];
  const length = sizing.length + hashing.length;
  return [
    mov(6, 1),
    load32(7, 6, SKB_HASH),
    helperCall('bpf_get_hash_recalc'),
    jumpIfNotEqual(7, 0, length + 1),
    jumpIfEqual(0, 0, length),
    ...sizing,
    ...hashing,
    exit(),
  ];
};

/** Lets the helper fill the buffer, and puts the name of the idle task over it, as far as there is room. */
const idleName = (_mapFd: number, cpu: number): readonly Insn[] => {
  const name = idleTaskName(cpu);
  const insns: Insn[] = [mov(6, 1), mov(7, 2), helperCall('bpf_get_current_comm')];
  const rounds = Array.from({ length: TASK_COMM_LEN }, (_, index) => [
    // What is left is passed over where the buffer ends, whose last byte is 0 already.
    jumpIfAtMost(7, index + 1, 2 * (TASK_COMM_LEN - index) - 1),
    storeImm8(6, index, name.charCodeAt(index) || 0),
  ]);
  return [...insns, ...rounds.flat(), movImm(0, 0), exit()];
};

/** Asks for a namespace that there is not. */
const noNamespace = (): readonly Insn[] => [
  movImm(1, -1),
  movImm(2, -1),
  helperCall('bpf_get_ns_current_pid_tgid'),
  exit(),
];

/** Reads from an address that is none of user space's. */
const noUserMemory = (helper: string) => (): readonly Insn[] => [movImm(3, -1), helperCall(helper), exit()];

/**
 * Since 6.18 the kernel takes a timer's memory without waiting (`kmalloc_nolock`), and programs that make timers in quick
 * succession are told -ENOMEM now and then, by chance. Asks again until there is memory; the kernel ends the loop after 250 ms.
 */
const initWithPatience = (): readonly Insn[] => {
  if (kernelIsOlderThan('6.18')) return [helperCall('bpf_timer_init'), exit()];
  const again = [mov(1, 6), mov(2, 7), mov(3, 8), helperCall('bpf_timer_init')];
  return [
    mov(6, 1),
    mov(7, 2),
    mov(8, 3),
    ...again,
    jumpIfNotEqual(0, -ENOMEM, 2),
    mayGoto(1),
    jump(-again.length - 3),
    exit(),
  ];
};

/** Nanoseconds: 146 years, which is in the future for clocks that count from 1970, too. */
const NEVER = 1n << 62n;

/** Arms a timer for a time that no run lasts: as in the machine, callbacks do not run between packets. */
const startLater = (): readonly Insn[] => [...loadImm64(2, NEVER), helperCall('bpf_timer_start'), exit()];

/** Of the root control group, level 0 is itself, and there is no other. @param level the argument with it */
const ancestor = (level: number) => (): readonly Insn[] => [
  mov32(level, level),
  movImm(0, ROOT_CGROUP),
  jumpIfEqual(level, 0, 1),
  movImm(0, 0),
  exit(),
];

/** What stands for the variable (`PinnedVariables`) on the CPUs that the machine has. */
const variableOf = (_mapFd: number, cpu: number): readonly Insn[] => [
  mov32(2, 2),
  movImm(0, 0),
  jumpIfAbove(2, cpu, 1),
  mov(0, 1),
  exit(),
];

/** Values there are on the world's CPU only, whatever number the one has that the program runs on, and however many there are. */
const valueOfOneCpu = (_mapFd: number, cpu: number): readonly Insn[] => [
  mov32(3, 3),
  movImm(0, 0),
  jumpIfNotEqual(3, cpu, 1),
  helperCall('bpf_map_lookup_elem'),
  exit(),
];

/** A session may also see to its answer by running on that CPU. */
export const CPU_HELPER = 'bpf_get_smp_processor_id';

/** By the names of helpers: of all that depend on what a session can state, and of those that must not act in a test run. */
const BODIES: Readonly<Record<string, Substitute['body']>> = {
  bpf_ktime_get_ns: now,
  bpf_ktime_get_boot_ns: now,
  bpf_ktime_get_coarse_ns: now,
  bpf_ktime_get_tai_ns: now,
  bpf_jiffies64: jiffies,
  bpf_get_prandom_u32: random,
  bpf_get_hash_recalc: flowHash,
  bpf_get_numa_node_id: 0,
  [CPU_HELPER]: 'cpu',
  bpf_get_current_pid_tgid: 0,
  bpf_get_current_uid_gid: 0,
  bpf_get_current_comm: idleName,
  bpf_send_signal: -EPERM,
  bpf_send_signal_thread: -EPERM,
  bpf_get_ns_current_pid_tgid: noNamespace,
  bpf_probe_read_user: noUserMemory('bpf_probe_read_user'),
  bpf_probe_read_user_str: noUserMemory('bpf_probe_read_user_str'),
  bpf_timer_init: initWithPatience,
  bpf_timer_start: startLater,
  bpf_get_cgroup_classid: 0,
  bpf_skb_cgroup_classid: 0,
  bpf_get_socket_cookie: SOCKET_COOKIE,
  bpf_get_netns_cookie: NETNS_COOKIE,
  bpf_skb_cgroup_id: ROOT_CGROUP,
  bpf_skb_ancestor_cgroup_id: ancestor(2),
  bpf_get_current_cgroup_id: ROOT_CGROUP,
  bpf_get_current_ancestor_cgroup_id: ancestor(1),
  bpf_tcp_raw_gen_syncookie_ipv4: generateCookie('bpf_tcp_raw_gen_syncookie_ipv4', false),
  bpf_tcp_raw_gen_syncookie_ipv6: generateCookie('bpf_tcp_raw_gen_syncookie_ipv6', true),
  bpf_tcp_raw_check_syncookie_ipv4: checkCookie(false),
  bpf_tcp_raw_check_syncookie_ipv6: checkCookie(true),
  bpf_map_lookup_percpu_elem: valueOfOneCpu,
  bpf_per_cpu_ptr: variableOf,
  bpf_this_cpu_ptr: 'first argument',
};

/** Those whose answers chance may still decide. */
const UNSTEADY: ReadonlySet<string> = new Set(['bpf_timer_init']);

/** By the helpers' numbers. */
export const SUBSTITUTES: ReadonlyMap<number, Substitute> = new Map(
  [...HELPERS.values()].flatMap(({ number, name, effects }): [number, Substitute][] => {
    const body = BODIES[name];
    const clock = effects.dependsOn.includes('clock');
    const unsteady = UNSTEADY.has(name);
    return body === undefined ? [] : [[number, { helper: number, name, clock, unsteady, body }]];
  }),
);

/** Moves the clock on; stands in front of a program, where r1 is the context and r2 to r5 hold nothing. */
export function advanceClock(mapFd: number): readonly Insn[] {
  return [
    ...loadMapValue(2, mapFd),
    load64(3, 2, PIN_STATE.now),
    load64(4, 2, PIN_STATE.tick),
    add(3, 4),
    store64(2, PIN_STATE.now, 3),
  ];
}
