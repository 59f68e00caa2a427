/**
 * A program on the inputs of a path through another one: whatever that path knows of packet and maps holds, and what its
 * helpers answered is answered again where the same is asked.
 */
import { addBlock } from './access.ts';
import type { Inputs } from './inputs.ts';
import { PathMemory } from './path-memory.ts';
import { PathState } from './path-state.ts';

/**
 * @param inputs of the second program, in the pool of the first, with the first one's names (`MapNaming`)
 * @param program its index in its object
 * @param first a path of the first program that has ended
 */
export function startSecond(inputs: Inputs, program: number, first: PathState): PathState {
  const begin = inputs.start(program);
  const state = new PathState({
    pool: inputs.pool,
    hook: inputs.hook,
    program,
    packet: begin.packet,
    knowledge: first.knowledge.copy(),
  });
  state.registers[1] = begin.registers[1];
  state.registers[10] = begin.registers[10];
  state.values = first.values;
  state.doubt = first.doubt;
  state.foretold = first.answers;
  for (const entry of first.entries) {
    const map = inputs.mapOf(entry.map);
    if (map === undefined) continue;
    const ordinal = state.entries.filter((one) => one.map === map).length;
    const { valueSize, programWritable } = inputs.machine.maps[map]!;
    const block = addBlock(state, {
      what: 'map value',
      map,
      size: valueSize,
      writable: programWritable,
      name: inputs.entryName(map, ordinal),
      memory: new PathMemory(),
    });
    const isThere = first.knowledge.settle(entry.wasThere);
    state.entries = [...state.entries, { ...entry, map, isThere, block }];
  }
  return state;
}
