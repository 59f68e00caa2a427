/** Small programs, each of which asks its surroundings one thing: what a witness has to answer. */
import type { BpfMap } from '../../../sim/ebpf/bpf-object.ts';
import type { InputLimits } from '../../../sim/ebpf/symbolic/inputs.ts';
import { testMap } from '../../../sim/ebpf/test-support/assemble.ts';
import { ASK, NO_PARAMETERS } from '../../../sim/ebpf/test-support/fib-texts.ts';
import { type WrittenData, writeElf } from '../../../sim/ebpf/test-support/write-elf.ts';
import type { Hook } from '../../../sim/runtime/actions.ts';
import type { Program } from '../../../sim/runtime/program.ts';

export interface Asking {
  readonly text: string;
  readonly hook?: Hook;
  readonly maps?: readonly BpfMap[];
  readonly data?: WrittenData;
  /** Frames that are enough for what is asked; default: all that a proof is about. */
  readonly limits?: InputLimits;
}

/** The program as whole runs take it. */
export function programOf(name: string, { text, hook = 'xdp', maps = [], data = {} }: Asking): Program {
  const object = writeElf({ main: text }, maps, data);
  return { name, entries: [{ function: 'main', hook }], object };
}

/** r6 = the context, r7 = the frame, r8 = its end; out where it has fewer bytes. */
export const frame = (size: number, hook: Hook = 'xdp'): string => `r6 = r1
  r7 = *(u32 *)(r1 + ${hook === 'xdp' ? 0 : 76})
  r8 = *(u32 *)(r1 + ${hook === 'xdp' ? 4 : 80})
  r0 = r7
  r0 += ${size}
  if r0 > r8 goto out`;

/** Passes, and drops what went out. */
export const END = `r0 = 2
  exit
  out:
  r0 = 1
  exit`;
const TC_END = `r0 = 0
  exit
  out:
  r0 = 2
  exit`;

/** r0 = the entry of the key that stands on the stack, or out where there is none. */
const lookup = (map: string): string => `r1 = map[${map}]
  r2 = r10
  r2 += -8
  call bpf_map_lookup_elem`;

const KEY = (key: number | string): string => `*(u64 *)(r10 - 8) = 0
  *(u32 *)(r10 - 8) = ${key}`;

/** `call` with a value on the stack: update, push. */
const update = (map: string, flags: number = 0): string => `r1 = map[${map}]
  r2 = r10
  r2 += -8
  r3 = r10
  r3 += -16
  r4 = ${flags}
  call bpf_map_update_elem`;

const FIB = (family: number): string => `${NO_PARAMETERS}
  *(u8 *)(r10 - 64) = ${family}
  *(u16 *)(r10 - 58) = 100`;

/** Programs at XDP. */
const AT_XDP: Readonly<Record<string, Asking>> = {
  'a length between bounds': {
    text: `${frame(20)}
      r0 = r7
      r0 += 40
      if r0 > r8 goto out
      r8 -= r7
      if r8 == 77 goto out
      ${END}`,
  },
  'TCP to a port over IPv4, by bytes and by fields': {
    text: `${frame(54)}
      r1 = *(u16 *)(r7 + 12)
      if r1 != 0x8 goto out
      r1 = *(u8 *)(r7 + 14)
      if r1 != 0x45 goto out
      r1 = *(u8 *)(r7 + 23)
      if r1 != 6 goto out
      r1 = *(u16 *)(r7 + 36)
      r1 = be16 r1
      if r1 == 80 goto out
      if r1 > 1023 goto high
      r1 = *(u8 *)(r7 + 47)
      r1 &= 0x12
      if r1 == 0x12 goto out
      high:
      r1 = *(u16 *)(r7 + 34)
      r1 = be16 r1
      r2 = *(u16 *)(r7 + 36)
      r2 = be16 r2
      if r1 < r2 goto out
      ${END}`,
  },
  'UDP over IPv6 behind a tag': {
    text: `${frame(70)}
      r1 = *(u16 *)(r7 + 12)
      if r1 != 0x81 goto out
      r1 = *(u16 *)(r7 + 16)
      if r1 != 0xdd86 goto out
      r1 = *(u16 *)(r7 + 14)
      r1 = be16 r1
      r1 &= 0xfff
      if r1 == 42 goto out
      r1 = *(u8 *)(r7 + 24)
      if r1 != 17 goto out
      r1 = *(u32 *)(r7 + 26)
      if r1 == 0x20 goto out
      r1 = *(u64 *)(r7 + 34)
      if r1 == 0 goto out
      r1 = *(u16 *)(r7 + 62)
      r1 = be16 r1
      r1 += 1
      if r1 == 5000 goto out
      ${END}`,
  },
  'ICMP, ICMPv6 and ARP': {
    text: `${frame(58)}
      r1 = *(u16 *)(r7 + 12)
      if r1 == 0x608 goto arp
      if r1 == 0xdd86 goto six
      if r1 != 0x8 goto out
      r1 = *(u8 *)(r7 + 14)
      if r1 != 0x46 goto out
      r1 = *(u8 *)(r7 + 23)
      if r1 != 1 goto out
      r1 = *(u8 *)(r7 + 38)
      if r1 == 8 goto out
      ${END.replace('out:\n', 'six:\nr1 = *(u8 *)(r7 + 20)\nif r1 != 58 goto out\nr1 = *(u8 *)(r7 + 54)\nif r1 == 128 goto out\nr0 = 3\nexit\narp:\nr1 = *(u16 *)(r7 + 20)\nif r1 == 0x100 goto out\nr0 = 3\nexit\nout:\n')}`,
  },
  'bytes that are compared in odd ways': {
    text: `${frame(40)}
      r1 = *(u8 *)(r7 + 20)
      r2 = *(u8 *)(r7 + 21)
      r3 = r1
      r3 ^= r2
      if r3 == 0xff goto out
      r3 = r1
      r3 *= 3
      r3 += r2
      if r3 == 200 goto out
      r3 = r1
      r3 <<= 4
      if r3 > 3000 goto out
      r4 = *(u32 *)(r7 + 24)
      r4 <<= 32
      r4 s>>= 32
      if r4 s< -7 goto out
      r4 = *(u16 *)(r7 + 30)
      if r4 & 0x101 goto out
      r4 = *(u64 *)(r7 + 32)
      r5 = 0x1122334455667788 ll
      if r4 == r5 goto out
      ${END}`,
  },
  'an entry of a hash map, its value, and a missing one': {
    maps: [testMap('flows', 'HASH')],
    text: `${frame(34)}
      ${KEY(7)}
      ${lookup('flows')}
      if r0 == 0 goto out
      r1 = *(u32 *)(r0 + 0)
      if r1 == 9 goto out
      r1 = *(u8 *)(r0 + 7)
      if r1 > 200 goto out
      r9 = *(u32 *)(r7 + 26)
      *(u32 *)(r10 - 8) = r9
      ${lookup('flows')}
      if r0 == 0 goto out
      r1 = *(u16 *)(r0 + 2)
      if r1 == 0x1234 goto out
      ${END}`,
  },
  'an element of an array, and one beyond it': {
    maps: [testMap('slots', 'ARRAY')],
    text: `${frame(15)}
      ${KEY(2)}
      ${lookup('slots')}
      if r0 == 0 goto out
      r1 = *(u64 *)(r0 + 0)
      if r1 == 5 goto out
      r9 = *(u8 *)(r7 + 14)
      *(u32 *)(r10 - 8) = r9
      ${lookup('slots')}
      if r0 == 0 goto out
      r1 = *(u8 *)(r0 + 1)
      if r1 == 3 goto out
      ${END}`,
  },
  'counters of each CPU': {
    maps: [
      testMap('counts', 'PERCPU_ARRAY', { valueSize: 8 }),
      testMap('users', 'PERCPU_HASH', { valueSize: 8 }),
    ],
    text: `${frame(14)}
      ${KEY(1)}
      ${lookup('counts')}
      if r0 == 0 goto out
      r1 = *(u64 *)(r0 + 0)
      if r1 > 99 goto out
      ${KEY(3)}
      ${lookup('users')}
      if r0 == 0 goto out
      r1 = *(u32 *)(r0 + 4)
      if r1 == 1 goto out
      ${END}`,
  },
  'a prefix of a trie': {
    maps: [testMap('routes', 'LPM_TRIE', { keySize: 8, valueSize: 4 })],
    text: `${frame(34)}
      *(u32 *)(r10 - 8) = 32
      r1 = *(u32 *)(r7 + 30)
      *(u32 *)(r10 - 4) = r1
      ${lookup('routes')}
      if r0 == 0 goto out
      r1 = *(u32 *)(r0 + 0)
      if r1 == 4 goto out
      ${END}`,
  },
  'a hash map that is full': {
    maps: [testMap('flows', 'HASH', { maxEntries: 5 })],
    text: `${frame(34)}
      *(u64 *)(r10 - 8) = 0
      r1 = *(u32 *)(r7 + 26)
      *(u32 *)(r10 - 8) = r1
      *(u64 *)(r10 - 16) = 1
      ${update('flows', 1)}
      if r0 s< 0 goto out
      r1 = *(u32 *)(r7 + 30)
      *(u32 *)(r10 - 8) = r1
      ${update('flows', 1)}
      if r0 s< 0 goto out
      ${END}`,
  },
  'a trie that is full': {
    maps: [testMap('routes', 'LPM_TRIE', { keySize: 8, valueSize: 8, maxEntries: 3 })],
    text: `*(u32 *)(r10 - 8) = 32
      *(u32 *)(r10 - 4) = 0x0100000a
      *(u64 *)(r10 - 16) = 1
      ${update('routes')}
      if r0 == -28 goto out
      ${END}`,
  },
  'a map too large to be filled': {
    maps: [testMap('flows', 'HASH', { maxEntries: 200_000 })],
    text: `${KEY(5)}
      *(u64 *)(r10 - 16) = 1
      ${update('flows')}
      if r0 s< 0 goto out
      ${END}`,
  },
  'keys too short to fill a map': {
    maps: [testMap('flags', 'HASH', { keySize: 1, maxEntries: 300 })],
    text: `${KEY(5)}
      *(u64 *)(r10 - 16) = 1
      ${update('flags')}
      if r0 s< 0 goto out
      ${END}`,
  },
  'a queue': {
    maps: [testMap('jobs', 'QUEUE')],
    text: `r1 = map[jobs]
      r2 = r10
      r2 += -8
      call bpf_map_pop_elem
      if r0 s< 0 goto out
      r1 = *(u64 *)(r10 - 8)
      if r1 == 77 goto out
      r1 = map[jobs]
      r2 = r10
      r2 += -8
      call bpf_map_peek_elem
      if r0 s< 0 goto out
      r1 = *(u8 *)(r10 - 8)
      if r1 == 3 goto out
      ${END}`,
  },
  'a stack, and one that is full': {
    maps: [testMap('last', 'STACK')],
    text: `r1 = map[last]
      r2 = r10
      r2 += -8
      call bpf_map_pop_elem
      if r0 s< 0 goto none
      r1 = *(u64 *)(r10 - 8)
      if r1 == 1 goto out
      r1 = map[last]
      r2 = r10
      r2 += -8
      call bpf_map_pop_elem
      if r0 s< 0 goto out
      r1 = *(u64 *)(r10 - 8)
      if r1 == 2 goto out
      none:
      *(u64 *)(r10 - 8) = 5
      r1 = map[last]
      r2 = r10
      r2 += -8
      r3 = 0
      call bpf_map_push_elem
      if r0 s< 0 goto out
      ${END}`,
  },
  'a device in a map': {
    maps: [testMap('ports', 'DEVMAP')],
    text: `${KEY(1)}
      ${lookup('ports')}
      if r0 == 0 goto out
      r1 = *(u32 *)(r0 + 0)
      if r1 == 3 goto out
      r1 = map[ports]
      r2 = 2
      r3 = 1
      call bpf_redirect_map
      exit
      out:
      r0 = 1
      exit`,
  },
  'a ring buffer that has room, and one that has none': {
    maps: [testMap('events', 'RINGBUF')],
    text: `r1 = map[events]
      r2 = 256
      r3 = 0
      call bpf_ringbuf_reserve
      if r0 == 0 goto out
      *(u64 *)(r0 + 0) = 1
      r1 = r0
      r2 = 0
      call bpf_ringbuf_submit
      r1 = map[events]
      r2 = 0
      call bpf_ringbuf_query
      if r0 > 1000 goto out
      ${END}`,
  },
  variables: {
    data: {
      '.data': { limit: [9, 0, 0, 0], on: [1, 0, 0, 0] },
      '.bss': { count: [0, 0, 0, 0, 0, 0, 0, 0] },
      '.rodata': { fixed: [3, 0, 0, 0] },
    },
    text: `r1 = map[.data]
      r2 = *(u32 *)(r1 + 0)
      if r2 == 10 goto out
      r2 = *(u8 *)(r1 + 4)
      if r2 == 0 goto out
      r1 = map[.bss]
      r2 = *(u64 *)(r1 + 0)
      if r2 > 100 goto out
      r2 += 1
      *(u64 *)(r1 + 0) = r2
      r1 = map[.rodata]
      r2 = *(u32 *)(r1 + 0)
      if r2 == 4 goto out
      ${END}`,
  },
  'bytes of the stack that nobody wrote': {
    text: `r1 = *(u8 *)(r10 - 8)
      if r1 == 5 goto out
      r2 = *(u8 *)(r10 - 16)
      if r2 == 6 goto out
      ${END}`,
  },
  clocks: {
    text: `call bpf_ktime_get_ns
      r6 = r0
      if r6 > 5000000000 goto out
      call bpf_ktime_get_boot_ns
      if r0 == 77 goto out
      r0 -= r6
      if r0 == 5 goto out
      ${END}`.replace('5000000000', '0x7fffffff'),
  },
  'the CPU': {
    text: `call bpf_get_smp_processor_id
      if r0 == 3 goto out
      ${END}`,
  },
  'random numbers': {
    text: `call bpf_get_prandom_u32
      r6 = r0
      r6 &= 7
      if r6 == 3 goto out
      call bpf_get_prandom_u32
      if r0 > 0x7fffffff goto out
      ${END}`,
  },
  'a random number that no seed gives': {
    text: `call bpf_get_prandom_u32
      if r0 == 0x12345678 goto out
      ${END}`,
  },
  'metadata, and the receive queue': {
    text: `r6 = *(u32 *)(r1 + 8)
      r7 = *(u32 *)(r1 + 0)
      r2 = *(u32 *)(r1 + 16)
      if r2 == 5 goto out
      r2 = *(u32 *)(r1 + 12)
      if r2 == 9 goto out
      r0 = r6
      r0 += 8
      if r0 > r7 goto out
      r1 = *(u32 *)(r6 + 0)
      if r1 == 0x01020304 goto out
      r1 = *(u8 *)(r6 + 5)
      if r1 == 0 goto out
      ${END}`,
  },
  'the head moved over bytes that were never there': {
    limits: { shortest: 0, longest: 20, mostMetadata: 8 },
    text: `r6 = r1
      r2 = -8
      call bpf_xdp_adjust_head
      if r0 != 0 goto out
      r7 = *(u32 *)(r6 + 0)
      r8 = *(u32 *)(r6 + 4)
      r0 = r7
      r0 += 14
      if r0 > r8 goto out
      r1 = *(u8 *)(r7 + 3)
      if r1 == 7 goto out
      ${END}`,
  },
  'the tail moved': {
    limits: { shortest: 0, longest: 44, mostMetadata: 0 },
    text: `${frame(40)}
      r1 = r6
      r2 = -20
      call bpf_xdp_adjust_tail
      if r0 != 0 goto out
      ${END}`,
  },
  ...Object.fromEntries(
    (
      [
        ['IPv4', 2],
        ['IPv6', 10],
      ] as const
    ).map(([name, family]) => [
      `a route over ${name}`,
      {
        text: `${frame(54)}
      ${FIB(family)}
      r1 = *(u32 *)(r6 + 12)
      *(u32 *)(r10 - 56) = r1
      r1 = *(u32 *)(r7 + 30)
      *(u32 *)(r10 - ${family === 2 ? 44 : 48}) = r1
      ${family === 2 ? '' : '*(u32 *)(r10 - 32) = 0xb80d0120\n*(u32 *)(r10 - 48) = 0xb80d0120'}
      r1 = *(u32 *)(r7 + 34)
      *(u32 *)(r10 - ${family === 2 ? 40 : 20}) = r1
      ${ASK}
      if r0 == 0 goto found
      if r0 == 1 goto out
      if r0 == 2 goto out
      if r0 == 3 goto out
      if r0 == 4 goto out
      if r0 == 5 goto out
      if r0 == 7 goto out
      if r0 == 8 goto out
      r0 = 2
      exit
      found:
      r1 = *(u32 *)(r10 - 56)
      if r1 == 6 goto out
      r1 = *(u8 *)(r10 - 5)
      if r1 == 0x11 goto out
      r1 = *(u8 *)(r10 - 11)
      if r1 == 0x22 goto out
      ${END}`,
      },
    ]),
  ),
  'a number in a text': {
    text: `${frame(24)}
      r1 = *(u64 *)(r7 + 14)
      *(u64 *)(r10 - 8) = r1
      r1 = r10
      r1 += -8
      r2 = 8
      r3 = 0
      r4 = r10
      r4 += -16
      call bpf_strtol
      if r0 s< 0 goto out
      r1 = *(u64 *)(r10 - 16)
      if r1 == 17 goto out
      ${END}`,
  },
};

const tc = (text: string): string => `${text}\n${TC_END}`;
/** One field of the context after the other. */
const fields = (...asked: readonly (readonly [at: number, bits: number, value: number])[]): string =>
  `r6 = r1\n${asked.map(([at, bits, value]) => `r2 = *(u${bits} *)(r6 + ${at})\nif r2 == ${value} goto out`).join('\n')}`;

const tuple = (size: number): string => `${frame(54, 'tc-ingress')}
  ${Array.from({ length: 5 }, (_, at) => `*(u64 *)(r10 - ${8 * (at + 1)}) = 0`).join('\n')}
  r1 = *(u32 *)(r7 + 26)
  *(u32 *)(r10 - 40) = r1
  r1 = *(u32 *)(r7 + 30)
  *(u32 *)(r10 - ${size === 12 ? 36 : 24}) = r1
  r1 = *(u32 *)(r7 + 34)
  *(u32 *)(r10 - ${size === 12 ? 32 : 8}) = r1
  r1 = r6
  r2 = r10
  r2 += -40
  r3 = ${size}
  r4 = -1
  r5 = 0`;

/** Programs at TC. */
const AT_TC: Readonly<Record<string, string>> = {
  'mark, priority and control block': tc(fields([8, 32, 5], [32, 32, 6], [48, 32, 7], [64, 32, 8])),
  times: tc(fields([152, 64, 9], [184, 64, 10])),
  segments: tc(fields([164, 32, 3], [176, 32, 1000], [160, 32, 70])),
  'a tag beside the frame': tc(fields([20, 32, 1], [24, 32, 0], [28, 32, 0])),
  'a tag beside the frame, and which': tc(
    `r6 = r1
      r2 = *(u32 *)(r6 + 20)
      if r2 == 0 goto out
      r2 = *(u32 *)(r6 + 28)
      if r2 == 0xa888 goto out
      r2 = *(u32 *)(r6 + 24)
      if r2 == 42 goto out`,
  ),
  'queue, index, class and napi': tc(fields([12, 32, 3], [44, 32, 4], [72, 32, 5], [84, 32, 6])),
  'the hash that stands there': tc(fields([68, 32, 7])),
  'addresses of a socket, which no engine gives': tc(fields([88, 32, 2], [92, 32, 1])),
  'protocol, devices, length and packet type': tc(
    fields([16, 32, 0xdd86], [36, 32, 4], [40, 32, 5], [0, 32, 99], [4, 32, 3]),
  ),
  'whether there is a socket, and what it is': tc(
    `r6 = r1
      r2 = *(u64 *)(r6 + 168)
      if r2 == 0 goto out
      r3 = *(u32 *)(r2 + 4)
      if r3 == 10 goto out
      r3 = *(u32 *)(r2 + 16)
      if r3 == 77 goto out`,
  ),
  'the hash computed anew': tc(
    `call bpf_get_hash_recalc
      if r0 == 0x12345678 goto out`,
  ),
  'a listening socket or a connection': tc(
    `${tuple(12)}
      call bpf_sk_lookup_tcp
      if r0 == 0 goto out
      r7 = r0
      r8 = *(u32 *)(r7 + 72)
      r9 = *(u32 *)(r7 + 16)
      r1 = r7
      call bpf_sk_release
      if r8 == 1 goto out
      if r9 == 7 goto out`,
  ),
  'a UDP socket over IPv6, on a device': tc(
    `${tuple(36)}
      call bpf_sk_lookup_udp
      if r0 == 0 goto out
      r7 = r0
      r8 = *(u32 *)(r7 + 0)
      r1 = r7
      call bpf_sk_release
      if r8 == 3 goto out`,
  ),
};

export const ASKING: Readonly<Record<string, Asking>> = {
  ...AT_XDP,
  ...Object.fromEntries(
    Object.entries(AT_TC).map(([name, text]) => [name, { text, hook: 'tc-ingress' as const }]),
  ),
};
