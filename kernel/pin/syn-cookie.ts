/** SYN cookies as the machine makes them (`sim/runtime/syn-cookie.ts`), in the place of the kernel's with their random keys. */
import { HASH_MULTIPLIER } from '../../sim/runtime/chance.ts';
import { EACCES } from '../../sim/runtime/errno.ts';
import { MSS_OF_IPV4, MSS_OF_IPV6 } from '../../sim/runtime/syn-cookie.ts';
import {
  add32,
  add32Imm,
  addImm,
  andImm,
  divImm,
  exit,
  helperCall,
  type Insn,
  jumpIfAbove,
  jumpIfBelow,
  jumpIfNegative,
  load32,
  load64,
  loadMapValue,
  lshImm,
  mov,
  mov32,
  movImm,
  mul32Imm,
  or,
  rsh32Imm,
  rshImm,
  sub32,
  swap32,
  xor32,
} from './encode.ts';
import { PIN_STATE } from './pin-state.ts';

// Offsets in headers.
const IPV4_ADDRESSES = { at: 12, size: 8 } as const;
const IPV6_ADDRESSES = { at: 8, size: 32 } as const;
const TCP = { ports: 0, sequence: 4, acknowledgement: 8 } as const;

const SECOND = 1_000_000_000;
const MINUTE = 60;
const MASK = 0xff_ffff;
const BITS = 24;

/** The hash of the flow into r0, which holds the seed; uses r1. r6 is the IP header, r7 that of TCP. */
function hashFlow(ipv6: boolean): Insn[] {
  const { at, size } = ipv6 ? IPV6_ADDRESSES : IPV4_ADDRESSES;
  const words = Array.from({ length: size / 4 }, (_, index) => load32(1, 6, at + 4 * index));
  return [...words, load32(1, 7, TCP.ports)].flatMap((load) => [
    load,
    xor32(0, 1),
    mul32Imm(0, HASH_MULTIPLIER),
    mov32(1, 0),
    rsh32Imm(1, 15),
    xor32(0, 1),
  ]);
}

/** r8: the state, r5: the minute, r3: the hash of the flow. */
function begin(mapFd: number, ipv6: boolean): Insn[] {
  return [
    ...loadMapValue(8, mapFd),
    load64(5, 8, PIN_STATE.now),
    divImm(5, SECOND),
    divImm(5, MINUTE),
    mov32(5, 5),
    load32(0, 8, PIN_STATE.hash),
    ...hashFlow(ipv6),
    mov32(3, 0),
  ];
}

/** The kernel's helper says what is wrong, and which MSS; only the cookie is the machine's. */
export function generateCookie(helper: string, ipv6: boolean): (mapFd: number) => readonly Insn[] {
  const [, ...sizes] = ipv6 ? MSS_OF_IPV6 : MSS_OF_IPV4;
  return (mapFd) => {
    const replacing = [
      mov(9, 0),
      rshImm(9, 32),
      ...begin(mapFd, ipv6),
      load32(0, 8, PIN_STATE.hash),
      add32(0, 5),
      add32Imm(0, 1),
      ...hashFlow(ipv6),
      movImm(2, 0),
      ...sizes.flatMap((size) => [jumpIfBelow(9, size, 1), addImm(2, 1)]),
      add32(0, 2),
      andImm(0, MASK),
      add32(0, 3),
      lshImm(5, BITS),
      add32(0, 5),
      load32(1, 7, TCP.sequence),
      swap32(1),
      add32(0, 1),
      lshImm(9, 32),
      or(0, 9),
    ];
    return [
      mov(6, 1),
      mov(7, 2),
      helperCall(helper),
      jumpIfNegative(0, replacing.length),
      ...replacing,
      exit(),
    ];
  };
}

export function checkCookie(ipv6: boolean): (mapFd: number) => readonly Insn[] {
  return (mapFd) => {
    const judging = [
      load32(0, 8, PIN_STATE.hash),
      add32(0, 5),
      sub32(0, 9),
      add32Imm(0, 1),
      ...hashFlow(ipv6),
      sub32(4, 0),
      andImm(4, MASK),
      jumpIfAbove(4, MSS_OF_IPV4.length - 1, 2),
      movImm(0, 0),
      exit(),
    ];
    return [
      mov(6, 1),
      mov(7, 2),
      ...begin(mapFd, ipv6),
      load32(4, 7, TCP.acknowledgement),
      swap32(4),
      load32(2, 7, TCP.sequence),
      swap32(2),
      sub32(4, 2),
      sub32(4, 3),
      // The cookie's minute, and how old it is: at most one minute.
      mov32(9, 5),
      mov32(1, 4),
      rsh32Imm(1, BITS),
      sub32(9, 1),
      andImm(9, 0xff),
      jumpIfAbove(9, 1, judging.length),
      ...judging,
      movImm(0, -EACCES),
      exit(),
    ];
  };
}
