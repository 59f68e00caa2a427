/**
 * What was read at places that a path does not know stays open until something needs them: what changes the frame is judged by
 * what lies where. Then the path becomes one for each place, and everything on it is what it would have been if it had known
 * from the start.
 */
import { byteAnywhere } from './byte-anywhere.ts';
import { packetUnknown } from './inputs.ts';
import type { OpenByte, PathState } from './path-state.ts';
import { renameTerms } from './rename-terms.ts';
import { type Term, unknownsOf } from './term.ts';

/**
 * Has the path know where everything lay that it has read.
 * @throws {Enumerate} where there are several places
 */
export function settlePlaces(state: PathState): void {
  for (const { address } of state.open) state.number(address);
  namePlaces(state);
}

/**
 * Has the path know where those bytes lay of which a term is made: how many numbers it may be is another thing for each place,
 * and all of them together are questions that only a solver answers.
 * @throws {Enumerate} where there are several places
 */
export function settlePlacesIn(state: PathState, term: Term): void {
  const unknowns = unknownsOf(term);
  for (const { address, byte } of state.open) {
    const where = unknownsOf(address);
    const isIn = [...unknownsOf(byte)].some((one) => unknowns.has(one) && !where.has(one));
    if (isIn) state.number(address);
  }
}

/** Puts the bytes themselves in the place of those that were chosen, where the path has come to know which they are. */
export function namePlaces(state: PathState): void {
  const { knowledge, pool, hook } = state;
  if (!state.open.some(({ address }) => knowledge.only(address) !== undefined)) return;
  const instead = new Map<Term, Term>();
  const left: OpenByte[] = [];
  renameTerms(state, instead, (renamed) => {
    for (const { address, byte } of state.open) {
      const place = knowledge.only(address);
      const now = renamed(address);
      const known = place === undefined ? byteAnywhere(state, now) : packetUnknown(pool, hook, Number(place));
      if (known !== undefined) instead.set(byte, known);
      if (place === undefined) left.push({ address: now, byte: known ?? renamed(byte) });
    }
  });
  state.open = left;
}
