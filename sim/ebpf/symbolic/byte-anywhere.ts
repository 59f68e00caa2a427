/**
 * Bytes of the frame at places that a path does not know, as behind headers of any length: one term for each, that chooses
 * between the bytes that may lie there. So one path stands for all lengths of the headers, as long as nothing needs the
 * places themselves.
 */
import type { Hook } from '../../runtime/actions.ts';
import { candidates } from './candidates.ts';
import { packetUnknown } from './inputs.ts';
import type { Term } from './term.ts';
import type { TermPool } from './term-pool.ts';

/** Between how many places a term chooses. */
const MOST_PLACES = 64;
/** Numbers that are looked through for these. */
const WIDEST = 1024n;

/** Whose bytes they are: a path's, or those of the inputs of all paths. */
interface Frame {
  readonly pool: TermPool;
  readonly hook: Hook;
}

const addresses = new WeakMap<Term, Term>();
/** One address has one term: who reads there twice finds the same. */
const known = new WeakMap<Term, Term | null>();

/** The byte that lay at an address when the packet came; undefined: it may lie in too many places. */
export function byteAnywhere(frame: Frame, address: Term): Term | undefined {
  let byte = known.get(address);
  if (byte === undefined) {
    byte = chosen(frame, address) ?? null;
    known.set(address, byte);
    if (byte?.operation === 'ite') addresses.set(byte, address);
  }
  return byte ?? undefined;
}

/** Where such a byte lies; undefined: it is none. */
export function addressOf(byte: Term): Term | undefined {
  return addresses.get(byte);
}

function chosen({ pool, hook }: Frame, address: Term): Term | undefined {
  const { min, max } = address;
  // By what the term itself says: what a path knows besides would make several terms of one byte.
  const places = max - min < WIDEST ? candidates(address, min, max) : undefined;
  const last = places?.pop();
  if (places === undefined || last === undefined || places.length >= MOST_PLACES) return undefined;
  let byte = packetUnknown(pool, hook, Number(last));
  for (const place of places.reverse()) {
    const isHere = pool.equal(address, pool.constant(64, place));
    byte = pool.ite(isHere, packetUnknown(pool, hook, Number(place)), byte);
  }
  return byte;
}
