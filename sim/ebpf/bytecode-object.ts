/** Bare instructions as an object, for what runs objects. */

import type { BpfMap, BpfObject } from './bpf-object.ts';
import { functionStarts } from './check-instructions.ts';
import type { Instructions } from './instruction.ts';

/**
 * An object of one XDP program, `main`, with the functions that its calls lead to.
 * @throws {InstructionError} where a call leads outside of the program
 */
export function objectOfBytecode(instructions: Instructions, maps: readonly BpfMap[] = []): BpfObject {
  const starts = functionStarts(instructions);
  return {
    license: 'GPL',
    kernelVersion: undefined,
    maps,
    kfuncs: [],
    variables: [],
    btf: undefined,
    programs: [
      {
        function: 'main',
        section: 'xdp',
        hook: 'xdp',
        behindRedirect: undefined,
        frags: false,
        otherType: undefined,
        isGuessed: false,
        instructions,
        subprograms: starts.map((start, index) => ({
          name: index === 0 ? 'main' : `function_${start}`,
          start,
          count: (starts[index + 1] ?? instructions.count) - start,
          typeId: undefined,
        })),
        lineInfo: [],
        poisoned: new Map(),
        missing: [],
      },
    ],
  };
}
