/** Loads from the frame at places that a path does not know. */
import { hasBytes } from './access.ts';
import { byteAnywhere } from './byte-anywhere.ts';
import type { Inputs } from './inputs.ts';
import type { OpenByte, PathState } from './path-state.ts';
import type { Value } from './path-value.ts';
import { isConst, type Term } from './term.ts';

/**
 * Bytes of a frame that is as it came.
 * @returns undefined: they are to be read where they are for certain
 * @throws {Split} or {PathViolation} as any load
 */
export function loadAnywhere(
  inputs: Inputs,
  state: PathState,
  pointer: Value,
  offset: number,
  size: number,
): Term | undefined {
  const { pool, packet } = state;
  const { region } = pointer;
  if (region?.kind !== 'packet' || region.generation !== packet.generation) return undefined;
  if (!isAsItCame(inputs, state)) return undefined;
  const address = pool.addConst(pointer.term, offset);
  if (state.knowledge.only(address) !== undefined || address.min < BigInt(inputs.data)) return undefined;
  const read: OpenByte[] = [];
  for (let index = 0; index < size; index++) {
    const place = pool.addConst(address, index);
    const byte = byteAnywhere(state, place);
    if (byte === undefined) return undefined;
    read.push({ address: place, byte });
  }
  if (!isWithin(state, pool.less(packet.end, pool.addConst(address, size))))
    hasBytes(state, region.generation, address, size);
  const isNew = ({ byte }: OpenByte): boolean => !state.open.some((one) => one.byte === byte);
  state.open = [...state.open, ...read.filter(isNew)];
  return pool.concat(read.map(({ byte }) => byte).reverse());
}

/** Nobody has written to the frame, nor moved where it begins and ends. */
function isAsItCame(inputs: Inputs, { packet }: PathState): boolean {
  const begin = inputs.begin;
  return packet.bytes.isEmpty && packet.data === begin.data && packet.end === begin.end;
}

/** Does a bound that the path has met say that this one is not passed? It asked for as many bytes, or for more. */
function isWithin(state: PathState, isPassed: Term): boolean {
  const { pool, knowledge, unlimited } = state;
  const [end, needed] = isPassed.operands;
  if (isPassed.operation !== 'ult' || (needed!.operation !== 'sum' && !isConst(needed!))) return false;
  return (unlimited ?? knowledge).constraints.some(({ condition }) => {
    const [bound] = condition.operation === 'xor' ? condition.operands : [];
    const [other, more] = bound?.operation === 'ult' ? bound.operands : [];
    if (other !== end || more === undefined || more.width !== needed!.width) return false;
    const { operation, value, min } = pool.subtract(more, needed!);
    // That much more than what has a least value, and it does not wrap where both are as far apart as their bounds.
    return (
      operation === 'const' &&
      needed!.min + value === more.min &&
      needed!.max + value === more.max &&
      min >= 0n
    );
  });
}
