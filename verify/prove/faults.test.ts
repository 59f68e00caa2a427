/** Small programs with one fault each, and right ones: what ordinary packets refute without a solver. */
import { describe, expect, it } from 'vitest';
import { NO_SOLVER } from '../../sim/ebpf/symbolic/solver.ts';
import { ASK, IPV4_PARAMETERS } from '../../sim/ebpf/test-support/fib-texts.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import { isOfHeaders } from '../invariants/rules.ts';
import { proveProgram } from './prove.ts';
import { type Asking, frame, programOf } from './test-support/asking-programs.ts';

/** Frames that are long enough for what is asked here. */
const LIMITS = { shortest: 0, longest: 62, mostMetadata: 0 };
/** Frames of IPv4 without options, at r7. */
const V4 = `${frame(54)}
  r1 = *(u16 *)(r7 + 12)
  if r1 != 0x8 goto out
  r1 = *(u8 *)(r7 + 14)
  if r1 != 0x45 goto out`;
const V6 = `${frame(62)}
  r1 = *(u16 *)(r7 + 12)
  if r1 != 0xdd86 goto out
  r1 = *(u8 *)(r7 + 14)
  r1 &= 0xf0
  if r1 != 0x60 goto out`;
const PROTO = (number: number): string => `r1 = *(u8 *)(r7 + 23)\nif r1 != ${number} goto out`;
const END = (action: number): string => `r0 = ${action}\nexit\nout:\nr0 = 1\nexit`;

const program = (text: string, action = 3): Asking => ({ text: `${text}\n${END(action)}` });
const change = (at: number, by: string): string =>
  `r1 = *(u8 *)(r7 + ${at})\nr1 ${by}\n*(u8 *)(r7 + ${at}) = r1`;
/** The header's checksum after a protocol that is 11 higher (RFC 1624, eqn. 3). */
const MENDED = `r1 = *(u16 *)(r7 + 24)
  r1 = be16 r1
  r1 ^= 0xffff
  r1 += 11
  r2 = r1
  r2 >>= 16
  r1 += r2
  r1 ^= 0xffff
  r1 &= 0xffff
  r1 = be16 r1
  *(u16 *)(r7 + 24) = r1`;
const set = (at: number, byte: number): string => `*(u8 *)(r7 + ${at}) = ${byte}`;

/** An ICMP error in the place of the packet, whose header it quotes: its fragment word is left as that packet had it. */
const ERROR = `${Array.from({ length: 10 }, (_, word) => `r1 = *(u16 *)(r7 + ${14 + 2 * word})\n*(u16 *)(r7 + ${42 + 2 * word}) = r1`).join('\n')}
  *(u16 *)(r7 + 16) = 0x3000
  ${set(23, 1)}
  *(u64 *)(r7 + 34) = 3`;

/** An ICMP error in front of the beginning of the packet, which it quotes, from the address that this went to. */
const ANSWER = `if r0 != r8 goto out
  r1 = r6
  r2 = -12
  call bpf_xdp_adjust_tail
  if r0 != 0 goto out
  r1 = r6
  r2 = -28
  call bpf_xdp_adjust_head
  if r0 != 0 goto out
  r7 = *(u32 *)(r6 + 0)
  r8 = *(u32 *)(r6 + 4)
  r0 = r7
  r0 += 70
  if r0 > r8 goto out
  *(u64 *)(r7 + 0) = 0
  *(u32 *)(r7 + 8) = 0
  *(u16 *)(r7 + 12) = 8
  *(u32 *)(r7 + 14) = 0x38000045
  *(u32 *)(r7 + 18) = 0
  *(u32 *)(r7 + 22) = 0x140
  r1 = *(u32 *)(r7 + 54)
  *(u32 *)(r7 + 30) = r1
  r1 = *(u32 *)(r7 + 58)
  *(u32 *)(r7 + 26) = r1
  *(u64 *)(r7 + 34) = 3`;

/** Asks for the route of the frame at r7, and sends it to the next hop: where there is one. */
const ROUTE = `${IPV4_PARAMETERS}
  *(u16 *)(r10 - 58) = 50
  ${ASK}
  if r0 != 0 goto out
  ${[0, 2, 4].map((at) => `r1 = *(u16 *)(r10 - ${6 - at})\n*(u16 *)(r7 + ${at}) = r1`).join('\n')}
  r1 = *(u32 *)(r10 - 56)
  r2 = 0
  call bpf_redirect`;

/** Sends the frame to a next hop that the kernel finds. */
const neighbour = (hook: Hook, ttl: string): Asking => ({
  text: `${frame(54, hook)}
    ${V4.slice(V4.indexOf('r1 = *(u16 *)(r7 + 12)'))}
    ${ttl}
    r1 = 3
    r2 = 0
    r3 = 0
    r4 = 0
    call bpf_redirect_neigh
    exit
    out:
    r0 = 2
    exit`,
  hook,
});

/** The refuted properties of a program, and what is open of its lengths, fragments and TTLs. */
async function found(asking: Asking): Promise<string[]> {
  const { properties } = await proveProgram(programOf('test', asking), { solver: NO_SOLVER, limits: LIMITS });
  return properties
    .filter(
      ({ status, invariant }) =>
        status === 'refuted' || (status === 'undecided' && !invariant.startsWith('checksum')),
    )
    .map(({ invariant, status }) => (status === 'refuted' ? invariant : `${invariant} open`))
    .sort();
}

describe('a program that', () => {
  it.each<readonly [string, Asking, readonly string[]]>([
    ['changes nothing', program(V4), []],
    ['changes what it drops', program(`${V4}\n${set(22, 0)}`, 1), []],
    [
      'loses the checksum behind a TTL',
      program(`${V4}\n${change(22, '+= 7')}`),
      ['checksum/ipv4', 'ttl/expired open', 'ttl/wrapped open'],
    ],
    ['sets a TTL to 0', program(`${V4}\n${set(22, 0)}`), ['checksum/ipv4', 'ttl/expired']],
    ['writes a total length', program(`${V4}\n${change(17, '+= 1')}`), ['checksum/ipv4', 'lengths/total']],
    [
      'makes fragments',
      program(`${V4}\n${set(20, 0x20)}`),
      ['checksum/ipv4', 'fragments/changed', 'fragments/set'],
    ],
    [
      'marks an ICMP error as a fragment where it is about one',
      program(`${V4}\nr1 = r7\nr1 += 62\nif r1 > r8 goto out\n${PROTO(17)}\n${ERROR}`),
      ['checksum/icmp', 'checksum/ipv4', 'fragments/set', 'fragments/written open'],
    ],
    [
      'makes an ICMP error that is no fragment',
      program(`${V4}\nr1 = r7\nr1 += 62\nif r1 > r8 goto out\n${PROTO(17)}\n${ERROR}\n*(u16 *)(r7 + 20) = 0`),
      ['checksum/icmp', 'checksum/ipv4', 'fragments/written open'],
    ],
    [
      'answers groups with ICMP errors from there',
      program(`${V4}\n${ANSWER}`),
      ['checksum/icmp', 'checksum/ipv4', 'reply/group-source'],
    ],
    [
      'writes a UDP length',
      program(`${V4}\n${PROTO(17)}\n${set(39, 8)}`),
      ['checksum/udp', 'fragments/written open', 'lengths/udp'],
    ],
    [
      'writes a TCP data offset',
      program(`${V4}\n${PROTO(6)}\n${set(46, 0x40)}`),
      ['checksum/tcp', 'fragments/written open', 'lengths/tcp-offset'],
    ],
    [
      'answers an echo without its checksum',
      program(`${V4}\n${PROTO(1)}\n${set(34, 0)}`),
      ['checksum/icmp', 'fragments/written open'],
    ],
    [
      'writes another EtherType',
      program(`${V4}\n*(u16 *)(r7 + 12) = 0xdd86`),
      ['ethertype/stale', 'lengths open'],
    ],
    [
      'calls TCP UDP, and mends the header’s checksum',
      program(`${V4}\n${PROTO(6)}\n${set(23, 17)}\n${MENDED}`),
      ['lengths/udp'],
    ],
    ['sets a hop limit to 0', program(`${V6}\n${set(21, 0)}`), ['ttl/expired']],
    [
      'takes the UDP checksum off over IPv6',
      program(`${V6}\nr1 = *(u8 *)(r7 + 20)\nif r1 != 17 goto out\n*(u16 *)(r7 + 60) = 0`),
      ['checksum/udp'],
    ],
    [
      'reads ports of later fragments',
      program(`${V4}\n${PROTO(17)}\nr1 = *(u16 *)(r7 + 36)\nif r1 == 0x3500 goto out`),
      ['fragments/ports-read open'],
    ],
    [
      'swaps ports, of later fragments, too',
      program(
        `${V4}\n${PROTO(17)}\nr1 = *(u16 *)(r7 + 34)\nr2 = *(u16 *)(r7 + 36)\n*(u16 *)(r7 + 34) = r2\n*(u16 *)(r7 + 36) = r1`,
      ),
      ['fragments/written'],
    ],
    [
      'swaps ports of whole packets',
      program(
        `${V4}\n${PROTO(17)}\nr1 = *(u16 *)(r7 + 20)\nr1 &= 0xff3f\nif r1 != 0 goto out\nr1 = *(u16 *)(r7 + 34)\nr2 = *(u16 *)(r7 + 36)\n*(u16 *)(r7 + 34) = r2\n*(u16 *)(r7 + 36) = r1`,
      ),
      [],
    ],
    [
      'writes behind a fragment header of IPv6, later fragments too',
      program(`${V6}\nr1 = *(u8 *)(r7 + 20)\nif r1 != 44 goto out\n*(u8 *)(r7 + 61) = 0`),
      ['fragments/written open'],
    ],
    [
      'writes behind a fragment header of IPv6 with offset 0',
      program(
        `${V6}\nr1 = *(u8 *)(r7 + 20)\nif r1 != 44 goto out\nr1 = *(u16 *)(r7 + 56)\nr1 &= 0xf8ff\nif r1 != 0 goto out\n*(u8 *)(r7 + 61) = 0`,
      ),
      [],
    ],
    [
      'reads behind the frame',
      program('r7 = *(u32 *)(r1 + 0)\nr1 = *(u8 *)(r7 + 0)\nif r1 == 1 goto out'),
      ['verifier/stopped'],
    ],
    ['returns what nobody knows', program(V4, 9), ['action/unknown']],
    ['routes and leaves the TTL', program(`${V4}\n${ROUTE}`, 4), ['ttl/not-lowered']],
    [
      'routes what has the EtherType of IPv4, whatever it is, and leaves the TTL',
      program(`${frame(34)}\nr1 = *(u16 *)(r7 + 12)\nif r1 != 8 goto out\n${ROUTE}`, 4),
      ['ttl/not-lowered'],
    ],
    [
      'routes and lowers the TTL',
      program(`${V4}\n${change(22, '+= -1')}\n${ROUTE}`, 4),
      ['checksum/ipv4', 'ttl/expired open', 'ttl/not-lowered open', 'ttl/step open', 'ttl/wrapped'],
    ],
    ['leaves the next hop to the kernel, and the TTL', neighbour('tc-ingress', ''), ['ttl/not-lowered']],
    ['leaves both to the kernel behind its stack', neighbour('tc-egress', ''), []],
    [
      'leaves the next hop to the kernel, and lowers the TTL',
      neighbour('tc-ingress', change(22, '+= -1')),
      ['checksum/ipv4', 'ttl/expired open', 'ttl/not-lowered open', 'ttl/wrapped'],
    ],
    ['redirects nowhere', program(V4, 4), ['redirect/no-target']],
    // BPF_FIB_LOOKUP_TBID: what the machine cannot do is no fault of the program.
    [
      'asks the machine for what it does not model',
      program(`${V4}\n${ROUTE.replace('r4 = 0', 'r4 = 8')}`, 4),
      ['ttl/not-lowered open'],
    ],
  ])('%s', async (_, asking, expected) => expect(await found(asking)).toEqual(expected));
});

it.each([
  ['a quoted packet that is as it came', '', false],
  ['a quoted packet with another address', change(54, '+= 1'), true],
] as const)(
  'says of %s, in a fragment, that it may be wrong: only what was written may',
  async (_, more, is) => {
    const asking = program(`${V4}\n${ANSWER}\n${more}`);
    const { properties } = await proveProgram(programOf('test', asking), {
      solver: NO_SOLVER,
      limits: LIMITS,
    });
    expect(properties.some(({ invariant }) => invariant === 'checksum/other')).toBe(is);
  },
);

it('proves and refutes nothing of headers where the first byte is taken for that of an IP header', async () => {
  const text = `${frame(34, 'tc-ingress')}
    r1 = *(u8 *)(r7 + 0)
    if r1 != 0x45 goto out
    *(u8 *)(r7 + 22) = 0
    ${END(0)}`;
  const asking: Asking = { text, hook: 'tc-ingress' };
  const { properties } = await proveProgram(programOf('test', asking), { solver: NO_SOLVER, limits: LIMITS });
  const statuses = (isHeader: boolean): string[] => [
    ...new Set(
      properties.flatMap(({ invariant, status }) => (isOfHeaders(invariant) === isHeader ? [status] : [])),
    ),
  ];
  expect(properties.some(({ invariant }) => invariant.startsWith('lengths'))).toBe(true);
  expect([statuses(true), statuses(false)]).toEqual([['undecided'], ['proved']]);
});
