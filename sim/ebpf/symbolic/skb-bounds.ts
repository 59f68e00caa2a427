/** What helpers on an sk_buff share: its bounds, its protocol, room in front of it (net/core/filter.c, net/core/skbuff.c). */
import { SK_BUFF } from '../context/sk-buff.ts';
import { packetByte } from './access.ts';
import { contextWord } from './context-fields.ts';
import type { Inputs } from './inputs.ts';
import type { PathState } from './path-state.ts';
import type { Term } from './term.ts';

/** What a helper returns. */
export function result(state: PathState, value: number): Term {
  return state.pool.constant(64, value);
}

export function isZero(state: PathState, term: Term): boolean {
  return state.decide(state.pool.equal(term, state.pool.constant(term.width, 0)));
}

/** Sets the frame's bounds, and what follows from its length; metadata does not survive. */
export function setBounds(state: PathState, data: Term, end: Term): void {
  const { packet, pool } = state;
  packet.data = data;
  packet.end = end;
  packet.meta = data;
  packet.generation++;
  state.context.store(pool, SK_BUFF.len, pool.extract(pool.subtract(end, data), 0, 32));
}

/** `skb->protocol` in host order, 16 bits. */
export function protocol(inputs: Inputs, state: PathState): Term {
  return state.pool.swapBytes(state.pool.extract(contextWord(inputs, state, SK_BUFF.protocol), 0, 16));
}

/** @param value host order, 16 bits */
export function setProtocol(state: PathState, value: Term): void {
  const { pool } = state;
  state.context.store(pool, SK_BUFF.protocol, pool.swapBytes(value));
}

export function is(state: PathState, term: Term, value: number): boolean {
  return state.decide(state.pool.equal(term, state.pool.constant(term.width, value)));
}

/** Moves the first bytes of the frame, and its start with them. */
export function moveFront(inputs: Inputs, state: PathState, size: number, by: number): void {
  const { pool, packet } = state;
  const start = Number(state.number(packet.data));
  const front = Array.from({ length: size }, (_, at) => packetByte(inputs, state, start + at));
  for (const [at, byte] of front.entries()) packet.bytes.setByte(start + by + at, byte);
  if (by < 0) {
    for (let at = 0; at < -by; at++) packet.bytes.setByte(start + by + size + at, pool.constant(8, 0));
  }
  setBounds(state, pool.addConst(packet.data, by), packet.end);
}

/** Is it to be cut into segments? */
export function isGso(inputs: Inputs, state: PathState): boolean {
  return !isZero(state, contextWord(inputs, state, SK_BUFF.gsoSize));
}
