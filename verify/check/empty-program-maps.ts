/**
 * Program maps that every world states, and states as empty: a tail call through one comes back each time, and is meant to. So it is
 * with hooks that a tool fills while it runs, of xdpcap say.
 */
import type { BpfObject } from '../../sim/ebpf/bpf-object.ts';
import { helperAt } from '../../sim/ebpf/helpers/helper-at.ts';
import { CALL, LDDW } from '../../sim/ebpf/instruction.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { ProvedWay } from '../prove/aid.ts';
import { mapPassed } from '../unreached.ts';

/** The ways into other programs that these maps close. */
export function waysIntoEmptyMaps(object: BpfObject, worlds: readonly World[]): ProvedWay[] {
  const { maps } = object;
  const empty = new Set(
    [...maps.keys()].filter((index) => {
      const { name, type } = maps[index]!;
      return (
        type === 'PROG_ARRAY' && worlds.length > 0 && worlds.every((one) => one.slots?.[name]?.length === 0)
      );
    }),
  );
  return empty.size === 0 ? [] : object.programs.flatMap((program) => waysOf(object, program, empty));
}

function waysOf(
  object: BpfObject,
  program: BpfObject['programs'][number],
  empty: ReadonlySet<number>,
): ProvedWay[] {
  const { instructions, subprograms } = program;
  return subprograms.flatMap(({ name, start, count }) => {
    const ways: ProvedWay[] = [];
    for (let slot = start; slot < start + count; slot++) {
      const isCall = instructions.opcode[slot] === CALL;
      const isTailCall = isCall && helperAt(object, program, slot)?.effects.leavesProgram === true;
      const map = isTailCall ? mapPassed(instructions, start, slot, 2) : undefined;
      if (map !== undefined && empty.has(map))
        ways.push({ function: name, instruction: slot - start, taken: true });
      if (instructions.opcode[slot] === LDDW) slot++;
    }
    return ways;
  });
}
