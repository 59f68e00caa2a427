/** The socket that a TC frame belongs to, between the machine's memory and the unknowns of a path. */
import { KERNEL_FORM } from '../context/socket.ts';
import { type LinearMemory, SOCKET_BASE } from '../memory.ts';
import { FRAME_SOCKET } from './socket-helpers.ts';
import type { Term } from './term.ts';
import type { TermPool } from './term-pool.ts';

/** An unknown byte of the frame's socket, in either of its forms. */
export function frameSocketByte(pool: TermPool, at: number): Term {
  return pool.unknown(8, `${FRAME_SOCKET}.${at}`);
}

/** What the unknowns of the frame's socket are in a machine. */
export function heardSocket(pool: TermPool, { u8 }: LinearMemory): Map<Term, bigint> {
  const values = new Map<Term, bigint>([
    [pool.unknown(16, `${FRAME_SOCKET}.place`), BigInt(SOCKET_BASE & 0xffff)],
  ]);
  for (let at = 0; at < KERNEL_FORM; at++)
    values.set(frameSocketByte(pool, at), BigInt(u8[SOCKET_BASE + at]!));
  return values;
}
