/**
 * Values of one CPU of a per-CPU map (`bpf_map_lookup_percpu_elem`): what each holds is anything, but that CPU may be the one that
 * runs the program, and two lookups may find the same value. So what is written to one may be read from another.
 */
import { PathMemory } from './path-memory.ts';
import { type Block, NotFollowed, type PathState } from './path-state.ts';

export const LOOKUP_OF_CPU = 'bpf_map_lookup_percpu_elem';

/** Was it found by its CPU? */
export function isOfSomeCpu({ what, name }: Block): boolean {
  return what === 'sample' && name?.replace(/^second\./, '').startsWith(LOOKUP_OF_CPU) === true;
}

/**
 * What may be the same value as one that is written now is anything from then on.
 * @throws {NotFollowed} where that may be the value of an entry
 */
export function forgetSame(state: PathState, written: number): void {
  const { map } = state.blocks[written]!;
  const others = state.blocks.flatMap((block, at) =>
    at !== written && block.map === map && isOfSomeCpu(block) ? [at] : [],
  );
  const isOwn = !isOfSomeCpu(state.blocks[written]!);
  const mayBeOwn = !isOwn && state.blocks.some((block) => block.what === 'map value' && block.map === map);
  if (mayBeOwn)
    throw new NotFollowed('a store into the value of a CPU that may be the one that runs the program');
  for (const at of others) {
    const block = state.blocks[at]!;
    state.blocks[at] = { ...block, name: `${block.name}.${state.steps}`, memory: new PathMemory() };
  }
}
