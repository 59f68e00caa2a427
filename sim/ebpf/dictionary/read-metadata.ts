/** Which programs go by metadata that others have put in front of a frame: a driver, or a program that ran before. */
import type { ProgramEntry } from '../../runtime/program.ts';
import { KIND } from '../analysis/abstract-value.ts';
import { analyse } from '../analysis/analysis.ts';
import { isHelperCall } from '../analysis/control-flow.ts';
import { nextSlots } from '../analysis/next-slots.ts';
import type { BpfObject, BpfProgram } from '../bpf-object.ts';
import { areWellFormed } from '../check-instructions.ts';
import { programLayout } from '../context/program-layout.ts';
import { helperAt } from '../helpers/helper-at.ts';

/** A function, and where it is attached. */
type Entry = Pick<ProgramEntry, 'function' | 'hook'>;

/**
 * Does one of these programs ask where metadata begins before it changes where that is? What it finds there then is not its own, as it is
 * in the room that `bpf_xdp_adjust_meta` made.
 */
export function readsMetadata(object: BpfObject, entries: readonly Entry[]): boolean {
  return entries.some(({ function: name, hook }) => {
    const program = object.programs.find((one) => one.function === name);
    return program !== undefined && loadsDataMeta(object, program, hook === 'xdp' ? 'xdp' : 'tc');
  });
}

function loadsDataMeta(object: BpfObject, program: BpfProgram, hook: 'xdp' | 'tc'): boolean {
  const { instructions } = program;
  if (!areWellFormed(instructions)) return false;
  const layout = programLayout(hook, program);
  const { accesses } = analyse({
    program,
    maps: object.maps,
    layout,
    helperAt: (slot) => helperAt(object, program, slot),
    enteredWith: 'context',
    frozen: () => undefined,
  });
  const loads = [...accesses].flatMap(([slot, { pointer }]) =>
    pointer.kind === KIND.context &&
    pointer.min === pointer.max &&
    pointer.min + instructions.offset[slot]! === layout.dataMeta
      ? [slot]
      : [],
  );
  if (loads.length === 0) return false;
  const before = beforeRoom(object, program);
  return loads.some((slot) => before.has(slot));
}

/** Slots that a run may come to before it changes how much metadata there is. */
function beforeRoom(object: BpfObject, program: BpfProgram): ReadonlySet<number> {
  const { instructions } = program;
  const seen = new Set([0]);
  // A set hands out what is added to it meanwhile, too.
  for (const slot of seen) {
    if (isHelperCall(instructions, slot) && helperAt(object, program, slot)?.name === 'bpf_xdp_adjust_meta')
      continue;
    for (const next of nextSlots(instructions, slot)) if (next < instructions.count) seen.add(next);
  }
  return seen;
}
