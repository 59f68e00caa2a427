/**
 * What user space has put into maps and variables: a path holds for all of it, nonsense included. A frame whose headers are
 * copied from a map is only as right as what the map holds, which is for user space to say.
 */
import type { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import { type Term, unknownsOf } from '../../sim/ebpf/symbolic/term.ts';
import type { TermPool } from '../../sim/ebpf/symbolic/term-pool.ts';
import type { Asked, Guide } from './frame-layout.ts';

/** Unknowns that stand for bytes of a map's value, or of a variable, as they were before the packet came. */
const CONTENTS = /^(?:map|global)(\d+)\./;

/** The map, or the data section, whose contents a term depends on. */
export function contentsIn(inputs: Inputs, term: Term): string | undefined {
  for (const { name } of unknownsOf(term)) {
    const number = CONTENTS.exec(name)?.[1];
    if (number !== undefined) return nameOf(inputs, Number(number));
  }
  return undefined;
}

/** The map that a term depends on by bytes that none of the others depends on. */
export function contentsBeside(inputs: Inputs, term: Term, others: readonly Term[]): string | undefined {
  if (contentsIn(inputs, term) === undefined) return undefined;
  const known = new Set(others.flatMap((one) => [...unknownsOf(one)]));
  for (const unknown of unknownsOf(term)) {
    const number = known.has(unknown) ? undefined : CONTENTS.exec(unknown.name)?.[1];
    if (number !== undefined) return nameOf(inputs, Number(number));
  }
  return undefined;
}

function nameOf(inputs: Inputs, number: number): string {
  const map = inputs.mapOf(number);
  return map === undefined ? `#${number}` : inputs.machine.maps[map]!.name;
}

/**
 * Goes where the path goes, and notices when what a map holds decides which headers there are. Whether a UDP sum comes out as 0 is
 * another matter: it follows from whatever a map holds, and the program has to be right for all of it.
 */
export class ContentsGuide implements Guide {
  readonly pool: TermPool;
  readonly #inputs: Inputs;
  readonly #guide: Guide;
  /** The map that has decided something. */
  contents: string | undefined;

  constructor(inputs: Inputs, guide: Guide) {
    this.pool = guide.pool;
    this.#inputs = inputs;
    this.#guide = guide;
  }

  decide(condition: Term, about: Asked = 'headers'): boolean {
    if (about === 'headers') this.contents ??= contentsIn(this.#inputs, condition);
    return this.#guide.decide(condition, about);
  }

  number(term: Term): bigint {
    this.contents ??= contentsIn(this.#inputs, term);
    return this.#guide.number(term);
  }
}
