/**
 * Pairs of small programs that differ in one thing, or in nothing that anybody sees: what a proof says of each, and whether both
 * machines run the suspected input otherwise. What is right of each pair is stated here; how it is said is recorded.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Solver } from '../../../sim/ebpf/symbolic/solver.ts';
import { testMap } from '../../../sim/ebpf/test-support/assemble.ts';
import { createWasmEngine } from '../../../sim/engines/wasm.ts';
import { toHex } from '../../../sim/packet/bytes.ts';
import { diffText } from '../../test-support/diff-text.ts';
import { type Asking, END, frame, programOf } from '../test-support/asking-programs.ts';
import { createZ3Solver, endZ3 } from '../z3-solver.ts';
import { type AgainstOptions, proveAgainst } from './against.ts';
import { confirmSuspects } from './confirm-suspects.ts';

const engine = createWasmEngine();
let solver: Solver;

beforeAll(async () => {
  solver = (await createZ3Solver())!;
});
afterAll(endZ3);

/** Frames that are long enough for all that is asked here. */
const LIMITS: NonNullable<AgainstOptions['limits']> = { shortest: 0, longest: 40, mostMetadata: 8 };

interface Pair {
  readonly is: 'equal' | 'different' | 'open';
  readonly old: Asking;
  readonly new: Asking;
  readonly globals?: Readonly<Record<string, Uint8Array>>;
}

const xdp = (text: string, more: Omit<Asking, 'text'> = {}): Asking => ({ text, ...more });
const tc = (text: string, more: Omit<Asking, 'text'> = {}): Asking => ({ text, hook: 'tc-ingress', ...more });
const returns = (action: number): string => `r0 = ${action}\nexit`;

/** Adds to a variable, which lies first in its section. */
const COUNTED = (type: 'u32' | 'u64', by: number): string =>
  `r1 = map[.data]+0\nr2 = *(${type} *)(r1 + 0)\nr2 += ${by}\n*(${type} *)(r1 + 0) = r2\nr0 = 2\nexit`;
/** Reads a constant that a loader may set. */
const KNOB = (text: string): Asking => ({
  text: `r1 = map[.rodata]\nr2 = *(u32 *)(r1 + 0)\nr0 = 2\n${text}\nif r0 == 1 goto out\nexit\nout:\nr0 = 1\nexit`,
  data: { '.rodata': { knob: [0, 0, 0, 0] } },
});
const CPUS = { maps: [testMap('cpus', 'PERCPU_ARRAY')] };
const ON_CPU = (value: number): string => `*(u32 *)(r10 - 8) = 0
  r1 = map[cpus]
  r2 = r10
  r2 += -8
  r3 = 0
  call bpf_map_lookup_percpu_elem
  if r0 == 0 goto out
  *(u32 *)(r0 + 0) = ${value}
  out:
  r0 = 2
  exit`;

/** Writes one byte of a frame, and makes the action of another. */
const COMPUTED = (value: number, action: string): string => `r2 = *(u32 *)(r1 + 0)
  r3 = *(u32 *)(r1 + 4)
  r0 = 1
  r4 = r2
  r4 += 14
  if r4 > r3 goto out
  *(u8 *)(r2 + 6) = ${value}
  r0 = *(u8 *)(r2 + 0)
  ${action}
  out:
  exit`;

const KEY = '*(u64 *)(r10 - 8) = 3';
const LOOKUP = `r1 = map[flows]
  r2 = r10
  r2 += -8
  call bpf_map_lookup_elem`;
const UPDATE = (value: number, map: string = 'flows'): string => `*(u64 *)(r10 - 16) = ${value}
  r1 = map[${map}]
  r2 = r10
  r2 += -8
  r3 = r10
  r3 += -16
  r4 = 0
  call bpf_map_update_elem`;
const DELETE = `r1 = map[flows]
  r2 = r10
  r2 += -8
  call bpf_map_delete_elem`;
const PUSH = (value: number): string => `*(u64 *)(r10 - 8) = ${value}
  r1 = map[jobs]
  r2 = r10
  r2 += -8
  r3 = 0
  call bpf_map_push_elem`;
const CLONE = (ifindex: number): string => `r6 = r1
  r2 = ${ifindex}
  r3 = 0
  call bpf_clone_redirect
  r0 = 0
  exit`;
/** The first byte behind the addresses of Ethernet. */
const MARKED = `*(u8 *)(r10 - 8) = 9
  r1 = r6
  r2 = 14
  r3 = r10
  r3 += -8
  r4 = 1
  r5 = 0
  call bpf_skb_store_bytes`;
/** Eight bytes of a ring buffer's, that are sent or given back. */
const RECORD = (value: number, end: string): string => `r1 = map[events]
  r2 = 8
  r3 = 0
  call bpf_ringbuf_reserve
  if r0 == 0 goto none
  *(u64 *)(r0 + 0) = ${value}
  r1 = r0
  r2 = 0
  call ${end}
none:
  r0 = 2
  exit`;
const SENT = (value: number, size: number = 8): string => `*(u64 *)(r10 - 8) = ${value}
  r1 = map[events]
  r2 = r10
  r2 += -8
  r3 = ${size}
  r4 = 0
  call bpf_ringbuf_output
  r0 = 2
  exit`;
/** Adds one to a variable. */
const ADDING = (text: string): Asking =>
  xdp(`r1 = map[.data]+0\nr2 = 1\n${text}\nr0 = 2\nexit`, {
    data: { '.data': { hits: [0, 0, 0, 0, 0, 0, 0, 0] } },
  });
const events = { maps: [testMap('events', 'RINGBUF')] };
const PRINTED = (text: number): string => `*(u64 *)(r10 - 8) = ${text}
  r1 = r10
  r1 += -8
  r2 = 3
  call bpf_trace_printk
  r0 = 2
  exit`;
/** A key of a tunnel, 28 bytes that are zeros behind the number. */
const KEYED = (id: number): string => `*(u64 *)(r10 - 32) = ${id}
  *(u64 *)(r10 - 24) = 0
  *(u64 *)(r10 - 16) = 0
  *(u32 *)(r10 - 8) = 0
  r1 = r6
  r2 = r10
  r2 += -32
  r3 = 28
  r4 = 0
  call bpf_skb_set_tunnel_key`;
const keyed = (action: number, ...ids: readonly number[]): Asking =>
  tc(`r6 = r1\n${ids.map(KEYED).join('\n')}\nr0 = ${action}\nexit`);
/** What changes what the kernel knows of a frame's checksum and segments, and ends. */
const skb = (...calls: readonly string[]): Asking => tc(`r6 = r1\n${calls.join('\n')}\nr0 = 0\nexit`);
const STORE = (flags: number): string => MARKED.replace('r5 = 0', `r5 = ${flags}`);
const ROOM = (flags: number): string => `r1 = r6
  r2 = 20
  r3 = 1
  r4 = ${flags}
  call bpf_skb_adjust_room`;
const LEVEL = (level: number): string => `r1 = r6\nr2 = ${level}\ncall bpf_csum_level`;
const ADDED = (sum: number): string => `r1 = r6\nr2 = ${sum}\ncall bpf_csum_update`;
/** A redirect to a neighbour: its family, and words of its address. */
const NEXT = (family: number, word: number, last: number): string => `*(u32 *)(r10 - 24) = ${family}
  *(u32 *)(r10 - 20) = ${word}
  *(u32 *)(r10 - 16) = 0
  *(u32 *)(r10 - 12) = 0
  *(u32 *)(r10 - 8) = ${last}
  r1 = 3
  r2 = r10
  r2 += -24
  r3 = 20
  r4 = 0
  call bpf_redirect_neigh
  exit`;
const NEXT_BY_ROUTE = 'r1 = 3\nr2 = 0\nr3 = 0\nr4 = 0\ncall bpf_redirect_neigh\nexit';
const flows = { maps: [testMap('flows', 'HASH')] };
const jobs = { maps: [testMap('jobs', 'QUEUE')] };
const data = (...limit: readonly number[]): Omit<Asking, 'text'> => ({
  data: { '.data': { limit, other: [0, 0, 0, 0] } },
});
const limited = (text: string, ...limit: readonly number[]): Asking =>
  xdp(`r1 = map[.data]\n${text}\n${END}`, data(...limit));

const PAIRS: Readonly<Record<string, Pair>> = {
  'the same': { is: 'equal', old: xdp(returns(2)), new: xdp(returns(2)) },
  'the same in other words': {
    is: 'equal',
    old: xdp(`${frame(20)}\nr1 = *(u8 *)(r7 + 14)\nr1 += r1\nif r1 == 84 goto out\n${END}`),
    new: xdp(`${frame(20)}\nr1 = *(u8 *)(r7 + 14)\nr1 <<= 1\nif r1 == 84 goto out\n${END}`),
  },
  'another action': { is: 'different', old: xdp(returns(2)), new: xdp(returns(1)) },
  'another action for one value': {
    is: 'different',
    old: xdp(`${frame(20)}\nr1 = *(u16 *)(r7 + 14)\nif r1 > 4000 goto out\n${END}`),
    new: xdp(`${frame(20)}\nr1 = *(u16 *)(r7 + 14)\nif r1 >= 4000 goto out\n${END}`),
  },
  'actions that are the same to nobody but the compiler': {
    is: 'equal',
    old: xdp(`${frame(20)}\nr0 = *(u8 *)(r7 + 14)\nr0 &= 1\nr0 += 1\nexit\nout:\nr0 = 1\nexit`),
    new: xdp(`${frame(20)}\nr0 = *(u8 *)(r7 + 14)\nr0 %= 2\nr0 |= 0\nr0 += 1\nexit\nout:\nr0 = 1\nexit`),
  },
  'another byte of the frame': {
    is: 'different',
    old: xdp(`${frame(20)}\n*(u8 *)(r7 + 15) = 1\n${END}`),
    new: xdp(`${frame(20)}\n*(u8 *)(r7 + 15) = 2\n${END}`),
  },
  'bytes that are copied, and two of them exchanged': {
    is: 'different',
    old: xdp(
      `${frame(20)}\nr1 = *(u8 *)(r7 + 14)\n*(u8 *)(r7 + 18) = r1\nr1 = *(u8 *)(r7 + 15)\n*(u8 *)(r7 + 19) = r1\n${END}`,
    ),
    new: xdp(
      `${frame(20)}\nr1 = *(u8 *)(r7 + 15)\n*(u8 *)(r7 + 18) = r1\nr1 = *(u8 *)(r7 + 14)\n*(u8 *)(r7 + 19) = r1\n${END}`,
    ),
  },
  'a byte of a frame that is dropped': {
    is: 'equal',
    old: xdp(`${frame(20)}\n*(u8 *)(r7 + 15) = 1\nout:\nr0 = 1\nexit`),
    new: xdp(`${frame(20)}\n*(u8 *)(r7 + 15) = 2\nout:\nr0 = 1\nexit`),
  },
  'the end cut off': {
    is: 'different',
    old: xdp(`${frame(30)}\nr1 = r6\nr2 = -2\ncall bpf_xdp_adjust_tail\n${END}`),
    new: xdp(`${frame(30)}\nr1 = r6\nr2 = -3\ncall bpf_xdp_adjust_tail\n${END}`),
  },
  'the head cut off': {
    is: 'different',
    old: xdp(`${frame(30)}\nr1 = r6\nr2 = 4\ncall bpf_xdp_adjust_head\n${END}`),
    new: xdp(`${frame(30)}\nr1 = r6\nr2 = 5\ncall bpf_xdp_adjust_head\n${END}`),
  },
  'the head cut off where the frame says how much': {
    is: 'different',
    old: xdp(`${frame(30)}\nr1 = r6\nr2 = *(u8 *)(r7 + 14)\nr2 &= 3\ncall bpf_xdp_adjust_head\n${END}`),
    new: xdp(
      `${frame(30)}\nr1 = r6\nr2 = *(u8 *)(r7 + 14)\nr2 &= 3\ncall bpf_xdp_adjust_head\nr0 = 3\nexit\nout:\nr0 = 1\nexit`,
    ),
  },
  metadata: {
    is: 'different',
    old: xdp('r6 = r1\nr2 = -4\ncall bpf_xdp_adjust_meta\nr0 = 2\nexit'),
    new: xdp('r6 = r1\nr2 = -8\ncall bpf_xdp_adjust_meta\nr0 = 2\nexit'),
  },
  'what metadata says': {
    is: 'different',
    old: xdp(
      'r6 = *(u32 *)(r1 + 8)\nr7 = *(u32 *)(r1 + 0)\nr0 = r6\nr0 += 4\nif r0 > r7 goto out\n*(u32 *)(r6 + 0) = 1\nout:\nr0 = 2\nexit',
    ),
    new: xdp(
      'r6 = *(u32 *)(r1 + 8)\nr7 = *(u32 *)(r1 + 0)\nr0 = r6\nr0 += 4\nif r0 > r7 goto out\n*(u32 *)(r6 + 0) = 2\nout:\nr0 = 2\nexit',
    ),
  },
  'the target of a redirect': {
    is: 'different',
    old: xdp('r1 = 3\nr2 = 0\ncall bpf_redirect\nexit'),
    new: xdp('r1 = 4\nr2 = 0\ncall bpf_redirect\nexit'),
  },
  'a redirect and none': {
    is: 'different',
    old: xdp('r1 = 3\nr2 = 0\ncall bpf_redirect\nexit'),
    new: xdp('r0 = 4\nexit'),
  },
  'flags of a redirect': {
    is: 'different',
    old: tc('r1 = 3\nr2 = 0\ncall bpf_redirect\nexit'),
    new: tc('r1 = 3\nr2 = 1\ncall bpf_redirect\nexit'),
  },
  'a redirect to a device and one into a map': {
    is: 'different',
    old: xdp('r1 = 3\nr2 = 0\ncall bpf_redirect\nexit', { maps: [testMap('cpus', 'CPUMAP')] }),
    new: xdp('r1 = map[cpus]\nr2 = 3\nr3 = 0\ncall bpf_redirect_map\nexit', {
      maps: [testMap('cpus', 'CPUMAP')],
    }),
  },
  'the target of a redirect that does not take place': {
    is: 'equal',
    old: xdp('r1 = 3\nr2 = 0\ncall bpf_redirect\nr0 = 2\nexit'),
    new: xdp('r1 = 4\nr2 = 0\ncall bpf_redirect\nr0 = 2\nexit'),
  },
  'a field of the context': {
    is: 'different',
    old: tc('*(u32 *)(r1 + 8) = 5\nr0 = 0\nexit'),
    new: tc('*(u32 *)(r1 + 8) = 6\nr0 = 0\nexit'),
  },
  'a byte of a frame whose action is computed': {
    is: 'different',
    old: xdp(COMPUTED(5, 'r0 %= 5')),
    new: xdp(COMPUTED(6, 'r0 %= 5')),
  },
  'a byte of a frame that a computed action always drops': {
    is: 'equal',
    old: xdp(COMPUTED(5, 'r0 &= 1')),
    new: xdp(COMPUTED(6, 'r0 &= 1')),
  },
  'a field of the context, and another': {
    is: 'different',
    old: tc('*(u32 *)(r1 + 48) = 5\nr0 = 0\nexit'),
    new: tc('*(u32 *)(r1 + 52) = 5\nr0 = 0\nexit'),
  },
  'what the context says already': {
    is: 'equal',
    old: tc('r2 = *(u32 *)(r1 + 8)\n*(u32 *)(r1 + 8) = r2\nr0 = 0\nexit'),
    new: tc('r0 = 0\nexit'),
  },
  'an entry that only one makes': {
    is: 'different',
    old: xdp(`${KEY}\n${UPDATE(1)}\nr0 = 2\nexit`, flows),
    new: xdp(returns(2), flows),
  },
  'the value of an entry': {
    is: 'different',
    old: xdp(`${KEY}\n${UPDATE(1)}\nr0 = 2\nexit`, flows),
    new: xdp(`${KEY}\n${UPDATE(2)}\nr0 = 2\nexit`, flows),
  },
  'entries made in another order': {
    is: 'equal',
    old: xdp(`${KEY}\n${UPDATE(1)}\n${UPDATE(5)}\nr0 = 2\nexit`, flows),
    new: xdp(`${KEY}\n${UPDATE(5)}\nr0 = 2\nexit`, flows),
  },
  'an entry that is taken out': {
    is: 'different',
    old: xdp(`${KEY}\n${DELETE}\nr0 = 2\nexit`, flows),
    new: xdp(returns(2), flows),
  },
  'an entry that is looked at and one that is counted': {
    is: 'different',
    old: xdp(
      `${KEY}\n${LOOKUP}\nif r0 == 0 goto out\nr1 = *(u64 *)(r0 + 0)\nr1 += 1\n*(u64 *)(r0 + 0) = r1\nout:\nr0 = 2\nexit`,
      flows,
    ),
    new: xdp(`${KEY}\n${LOOKUP}\nr0 = 2\nexit`, flows),
  },
  'a map that only the old one writes': {
    is: 'different',
    old: xdp(`${KEY}\n${UPDATE(1)}\nr0 = 2\nexit`, flows),
    new: xdp(returns(2)),
  },
  'a map that only the new one writes': {
    is: 'different',
    old: xdp(returns(2)),
    new: xdp(`${KEY}\n${UPDATE(1)}\nr0 = 2\nexit`, flows),
  },
  'a map that only one reads': {
    is: 'equal',
    old: xdp(`${KEY}\n${LOOKUP}\nr0 = 2\nexit`, flows),
    new: xdp(returns(2)),
  },
  'a map of another form': {
    is: 'open',
    old: xdp(`${KEY}\n${LOOKUP}\nif r0 == 0 goto out\n${END}`, flows),
    new: xdp(`${KEY}\n${LOOKUP}\nif r0 == 0 goto out\n${END}`, {
      maps: [testMap('flows', 'HASH', { maxEntries: 9 })],
    }),
  },
  'the same maps the other way round': {
    is: 'equal',
    old: xdp(`${KEY}\n${LOOKUP}\nif r0 == 0 goto out\n${END}`, {
      maps: [...flows.maps, testMap('more', 'ARRAY')],
    }),
    new: xdp(`${KEY}\n${LOOKUP}\nif r0 == 0 goto out\n${END}`, {
      maps: [testMap('more', 'ARRAY'), ...flows.maps],
    }),
  },
  'what is put into a queue': {
    is: 'different',
    old: xdp(`${PUSH(1)}\nr0 = 2\nexit`, jobs),
    new: xdp(`${PUSH(2)}\nr0 = 2\nexit`, jobs),
  },
  'how much is put into a queue': {
    is: 'different',
    old: xdp(`${PUSH(1)}\nr0 = 2\nexit`, jobs),
    new: xdp(`${PUSH(1)}\n${PUSH(1)}\nr0 = 2\nexit`, jobs),
  },
  'a variable': {
    is: 'different',
    old: limited('*(u32 *)(r1 + 0) = 7\nr2 = 0\nif r2 == 1 goto out', 9, 0, 0, 0),
    new: limited('*(u32 *)(r1 + 0) = 8\nr2 = 0\nif r2 == 1 goto out', 9, 0, 0, 0),
  },
  'what a variable is compared with': {
    is: 'different',
    old: limited('r2 = *(u32 *)(r1 + 0)\nif r2 == 100 goto out', 9, 0, 0, 0),
    new: limited('r2 = *(u32 *)(r1 + 0)\nif r2 == 101 goto out', 9, 0, 0, 0),
  },
  'a variable that lies elsewhere': {
    is: 'equal',
    old: limited('r2 = *(u32 *)(r1 + 0)\nif r2 == 100 goto out', 9, 0, 0, 0),
    new: xdp(`r1 = map[.data]\nr2 = *(u32 *)(r1 + 4)\nif r2 == 100 goto out\n${END}`, {
      data: { '.data': { other: [0, 0, 0, 0], limit: [9, 0, 0, 0] } },
    }),
  },
  'what a variable starts with': {
    is: 'open',
    old: limited('r2 = *(u32 *)(r1 + 0)\nif r2 == 100 goto out', 9, 0, 0, 0),
    new: limited('r2 = *(u32 *)(r1 + 0)\nif r2 == 100 goto out', 8, 0, 0, 0),
  },
  'what a variable starts with, where the user says it': {
    is: 'equal',
    globals: { limit: Uint8Array.of(5, 0, 0, 0) },
    old: limited('r2 = *(u32 *)(r1 + 0)\nif r2 == 100 goto out', 9, 0, 0, 0),
    new: limited('r2 = *(u32 *)(r1 + 0)\nif r2 == 100 goto out', 8, 0, 0, 0),
  },
  constants: {
    is: 'different',
    old: xdp(`r1 = map[.rodata]\nr2 = *(u32 *)(r1 + 0)\nr0 = r2\nexit`, {
      data: { '.rodata': { which: [1, 0, 0, 0] } },
    }),
    new: xdp(`r1 = map[.rodata]\nr2 = *(u32 *)(r1 + 0)\nr0 = r2\nexit`, {
      data: { '.rodata': { which: [2, 0, 0, 0] } },
    }),
  },
  'a constant of the loader that is compared': {
    is: 'different',
    old: KNOB('if r2 == 7 goto out'),
    new: KNOB(''),
  },
  'the byte order of a constant of the loader': {
    is: 'different',
    old: KNOB('r0 = r2'),
    new: KNOB('r2 = be32 r2\nr0 = r2'),
  },
  'how a constant of the loader is compared': {
    is: 'equal',
    old: KNOB('if r2 == 7 goto out'),
    new: KNOB('r3 = r2\nr3 -= 7\nif r3 == 0 goto out'),
  },
  'what a constant that the user gives rules out': {
    is: 'equal',
    globals: { knob: Uint8Array.of(3, 0, 0, 0) },
    old: KNOB('if r2 == 7 goto out'),
    new: KNOB(''),
  },
  'a constant of the loader that only one has': {
    is: 'equal',
    old: xdp(returns(2)),
    new: KNOB('if r2 == 7 goto out'),
  },
  'bytes of the stack': {
    is: 'open',
    old: xdp('r0 = *(u8 *)(r10 - 8)\nr0 &= 1\nr0 += 1\nexit'),
    new: xdp('r0 = *(u8 *)(r10 - 16)\nr0 &= 1\nr0 += 1\nexit'),
  },
  'bytes of the stack that decide': {
    is: 'open',
    old: xdp(`r1 = *(u8 *)(r10 - 8)\nif r1 == 3 goto out\n${END}`),
    new: xdp(returns(2)),
  },
  'the time': {
    is: 'different',
    old: xdp(`call bpf_ktime_get_ns\nif r0 > 1000 goto out\n${END}`),
    new: xdp(`call bpf_ktime_get_ns\nif r0 > 1001 goto out\n${END}`),
  },
  chance: {
    is: 'different',
    old: xdp(`call bpf_get_prandom_u32\nr0 &= 3\nif r0 == 1 goto out\n${END}`),
    new: xdp(`call bpf_get_prandom_u32\nr0 &= 3\nif r0 == 2 goto out\n${END}`),
  },
  'asking for the time without need': {
    is: 'equal',
    old: xdp('call bpf_ktime_get_ns\nr0 = 2\nexit'),
    new: xdp(returns(2)),
  },
  'a variable that only the first has': {
    is: 'different',
    old: xdp(COUNTED('u32', 1), { data: { '.data': { seen: [0, 0, 0, 0] } } }),
    new: xdp(returns(2), { data: { '.data': { other: [0, 0, 0, 0] } } }),
  },
  'a variable that only the second has': {
    is: 'different',
    old: xdp(returns(2)),
    new: xdp(COUNTED('u32', 1), { data: { '.data': { seen: [0, 0, 0, 0] } } }),
  },
  'a variable of another size': {
    is: 'different',
    old: xdp(COUNTED('u32', 1), { data: { '.data': { seen: [0, 0, 0, 0] } } }),
    new: xdp(COUNTED('u64', 2), { data: { '.data': { seen: [0, 0, 0, 0, 0, 0, 0, 0] } } }),
  },
  'variables that only one has, and nobody writes': {
    is: 'equal',
    old: xdp(COUNTED('u32', 1), { data: { '.data': { seen: [0, 0, 0, 0], mine: [1, 0, 0, 0] } } }),
    new: xdp(COUNTED('u32', 1), { data: { '.data': { seen: [0, 0, 0, 0], yours: [2, 0] } } }),
  },
  'a value of another CPU': {
    is: 'different',
    old: xdp(ON_CPU(1), CPUS),
    new: xdp(ON_CPU(2), CPUS),
  },
  'the same value of another CPU': {
    is: 'equal',
    old: xdp(ON_CPU(1), CPUS),
    new: xdp(ON_CPU(1).replace('= 1', '= 1\nr5 = 7'), CPUS),
  },
  'a call that may do something': {
    is: 'different',
    old: tc('r1 = r1\nr2 = 3\nr3 = 0\ncall bpf_clone_redirect\nr0 = 0\nexit'),
    new: tc('r0 = 0\nexit'),
  },
  'where a copy of the frame is sent': {
    is: 'different',
    old: tc(CLONE(3)),
    new: tc(CLONE(4)),
  },
  'a copy of the frame, sent before it is changed': {
    is: 'different',
    old: tc(`${CLONE(3).replace('exit', '')}\n${MARKED}\nr0 = 0\nexit`),
    new: tc(`r6 = r1\n${MARKED}\nr1 = r6\n${CLONE(3)}`),
  },
  'a copy of the frame, and the mark on it': {
    is: 'open',
    old: tc(
      `r6 = r1\n*(u32 *)(r6 + 8) = 5\nr1 = r6\n${CLONE(3).replace(/r0 = 0\s+exit/, '*(u32 *)(r6 + 8) = 6\nr0 = 0\nexit')}`,
    ),
    new: tc(
      `r6 = r1\n*(u32 *)(r6 + 8) = 7\nr1 = r6\n${CLONE(3).replace(/r0 = 0\s+exit/, '*(u32 *)(r6 + 8) = 6\nr0 = 0\nexit')}`,
    ),
  },
  'a copy that both send': {
    is: 'equal',
    old: tc(CLONE(3)),
    new: tc(`r7 = 5\n${CLONE(3)}`),
  },
  'trace lines': {
    is: 'different',
    old: xdp('*(u64 *)(r10 - 8) = 0x6968\nr1 = r10\nr1 += -8\nr2 = 3\ncall bpf_trace_printk\nr0 = 2\nexit'),
    new: xdp('*(u64 *)(r10 - 8) = 0x6f68\nr1 = r10\nr1 += -8\nr2 = 3\ncall bpf_trace_printk\nr0 = 2\nexit'),
  },
  events: {
    is: 'different',
    old: xdp(
      `*(u64 *)(r10 - 8) = 1\nr1 = map[events]\nr2 = r10\nr2 += -8\nr3 = 8\nr4 = 0\ncall bpf_ringbuf_output\nr0 = 2\nexit`,
      { maps: [testMap('events', 'RINGBUF')] },
    ),
    new: xdp(
      `*(u64 *)(r10 - 8) = 2\nr1 = map[events]\nr2 = r10\nr2 += -8\nr3 = 8\nr4 = 0\ncall bpf_ringbuf_output\nr0 = 2\nexit`,
      { maps: [testMap('events', 'RINGBUF')] },
    ),
  },
  'a copy of the frame that only one sends': {
    is: 'different',
    old: tc(CLONE(3)),
    new: tc('r0 = 0\nexit'),
  },
  'a second copy of the frame': {
    is: 'different',
    old: tc(CLONE(3)),
    new: tc(`r9 = r1\n${CLONE(3).replace('exit', 'r1 = r9')}\n${CLONE(3)}`),
  },
  'trace lines that are the same': {
    is: 'equal',
    old: xdp(PRINTED(0x6968)),
    new: xdp(`r7 = 5\n${PRINTED(0x6968)}`),
  },
  'events that are the same': {
    is: 'equal',
    old: xdp(SENT(1), events),
    new: xdp(`r7 = 5\n${SENT(1)}`, events),
  },
  'an event that is sent, and given back': {
    is: 'different',
    old: xdp(RECORD(1, 'bpf_ringbuf_submit'), events),
    new: xdp(RECORD(1, 'bpf_ringbuf_discard'), events),
  },
  'what a reserved event says': {
    is: 'different',
    old: xdp(RECORD(1, 'bpf_ringbuf_submit'), events),
    new: xdp(RECORD(2, 'bpf_ringbuf_submit'), events),
  },
  'an event in one piece and one written in place': {
    is: 'equal',
    old: xdp(RECORD(1, 'bpf_ringbuf_submit'), events),
    new: xdp(SENT(1), events),
  },
  'what an event in one piece and one written in place say': {
    is: 'different',
    old: xdp(RECORD(1, 'bpf_ringbuf_submit'), events),
    new: xdp(SENT(2), events),
  },
  'events of another length': {
    is: 'different',
    old: xdp(SENT(1, 4), events),
    new: xdp(SENT(1), events),
  },
  'whether a counter is changed atomically': {
    is: 'open',
    old: ADDING('lock *(u64 *)(r1 + 0) += r2'),
    new: ADDING('r3 = *(u64 *)(r1 + 0)\nr3 += r2\n*(u64 *)(r1 + 0) = r3'),
  },
  'where a counter is changed atomically': {
    is: 'equal',
    old: ADDING('lock *(u64 *)(r1 + 0) += r2'),
    new: ADDING('r4 = r2\nlock *(u64 *)(r1 + 0) += r4'),
  },
  'reserved events that are the same': {
    is: 'equal',
    old: xdp(RECORD(1, 'bpf_ringbuf_submit'), events),
    new: xdp(`r7 = 5\n${RECORD(1, 'bpf_ringbuf_submit')}`, events),
  },
  'the order of two tunnel keys': {
    is: 'different',
    old: keyed(0, 5, 6),
    new: keyed(0, 6, 5),
  },
  'two tunnel keys of a frame that is dropped': {
    is: 'equal',
    old: keyed(2, 5, 6),
    new: keyed(2, 6, 5),
  },
  'the checksum of the device along with a byte': {
    is: 'open',
    old: skb(STORE(0)),
    new: skb(STORE(1)),
  },
  'the checksum of the device along with the same byte': {
    is: 'equal',
    old: skb(STORE(1)),
    new: skb('r7 = 5', STORE(1)),
  },
  'the level of the checksum': {
    is: 'different',
    old: skb(LEVEL(1)),
    new: skb(LEVEL(2)),
  },
  'whether the level of the checksum is asked for': {
    is: 'equal',
    old: skb(LEVEL(0)),
    new: skb('r7 = 5'),
  },
  'the sum of the device': {
    is: 'open',
    old: skb(ADDED(5)),
    new: skb(ADDED(6)),
  },
  'the segments behind room that was made': {
    is: 'open',
    old: skb(ROOM(0)),
    new: skb(ROOM(1)),
  },
  'room that no frame gets': {
    is: 'equal',
    old: skb(ROOM(0x4000)),
    new: skb(ROOM(0x8000)),
  },
  'a sum and a tunnel key in another order': {
    is: 'equal',
    old: skb(ADDED(5), KEYED(1)),
    new: skb(KEYED(1), ADDED(5)),
  },
  'the next hop of a redirect': { is: 'different', old: tc(NEXT(2, 1, 0)), new: tc(NEXT(2, 2, 0)) },
  'the family of the next hop': { is: 'different', old: tc(NEXT(2, 1, 0)), new: tc(NEXT(10, 1, 0)) },
  'whether a next hop is named': { is: 'different', old: tc(NEXT(2, 1, 0)), new: tc(NEXT_BY_ROUTE) },
  'the end of an IPv6 next hop': { is: 'different', old: tc(NEXT(10, 1, 1)), new: tc(NEXT(10, 1, 2)) },
  'what lies behind an IPv4 next hop': { is: 'equal', old: tc(NEXT(2, 1, 1)), new: tc(NEXT(2, 1, 2)) },
  'next hops that are the same': {
    is: 'equal',
    old: tc(NEXT(10, 1, 1)),
    new: tc(`r7 = 5\n${NEXT(10, 1, 1)}`),
  },
  'a field that no engine gives a frame': {
    is: 'open',
    old: tc('r2 = *(u32 *)(r1 + 84)\nr0 = 0\nif r2 != 7 goto out\nr0 = 2\nout:\nexit'),
    new: tc('r0 = 0\nexit'),
  },
  'whether the machine stops it': {
    is: 'different',
    old: xdp(`${frame(20)}\nr0 = *(u8 *)(r7 + 14)\nr0 &= 1\nexit\nout:\nr0 = 1\nexit`),
    new: xdp('r7 = *(u32 *)(r1 + 0)\nr0 = *(u8 *)(r7 + 14)\nr0 &= 1\nexit'),
  },
};

describe('a proof of two builds that differ in', () => {
  it.each(Object.entries(PAIRS))('%s', async (name, { is, globals, ...builds }) => {
    const pair = { old: programOf('old', builds.old), new: programOf('new', builds.new) };
    const given = globals === undefined ? {} : { globals };
    const proof = await proveAgainst(pair, { solver, limits: LIMITS, longer: false, ...given });
    const { isEqual, suspects, open, unseen, paths, pairs, assumptions } = proof;
    const confirmed = await confirmSuspects(pair, suspects, { engine, shrinkSeconds: 600 });
    const lines = [
      `${isEqual ? 'equal' : 'not proved equal'}${open === undefined ? '' : `, open: ${open}`}; ${paths} paths, ${pairs} pairs`,
      ...(unseen === undefined ? [] : [unseen]),
      ...assumptions.map((line) => `assumed: ${line}`),
      ...suspects.map(
        ({ what, world, stimulus }) => `suspected: ${what}: ${JSON.stringify({ stimulus, world }, plain)}`,
      ),
      ...(suspects.length === 0 ? [] : diffText(confirmed)),
    ];
    const found = confirmed.classes.length > 0 ? 'different' : isEqual ? 'equal' : 'open';
    expect(found, lines.join('\n')).toBe(is);
    const file = `recorded/pairs/${name.replaceAll(/[^\w]+/g, '-')}.txt`;
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(file);
  });
});

function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  return value instanceof Uint8Array ? toHex(value) : value;
}
