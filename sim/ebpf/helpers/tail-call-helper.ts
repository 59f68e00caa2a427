/** `bpf_tail_call` (kernel/bpf/core.c): leaves the program for another one, or fails and goes on. */
import { ENOENT } from '../../runtime/errno.ts';
import { MAX_TAIL_CALLS } from '../limits.ts';
import { SlotMap } from '../maps/slot-map.ts';
import { MACHINE_WORD } from '../memory.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';

export const TAIL_CALL_HELPERS: readonly Helper[] = [
  {
    number: 12,
    name: 'bpf_tail_call',
    arguments: ['context', 'map', 'anything'],
    returns: 'void',
    maps: ['PROG_ARRAY'],
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, leavesProgram: true },
    symbolic: 'exact',
    // On success the engine finds `tailCall` set and does not come back to the caller.
    run: (machine, _context, mapAddress, index) => {
      const map = machine.mapAt(mapAddress);
      const slot = map instanceof SlotMap ? map.lookupIndex(index >>> 0) : 0;
      const words = machine.memory.i32;
      if (slot === 0 || words[MACHINE_WORD.tailCalls]! >= MAX_TAIL_CALLS) return -ENOENT;
      words[MACHINE_WORD.tailCalls]!++;
      machine.tailCall = machine.memory.u32(slot) - 1;
      return 0;
    },
  },
];
