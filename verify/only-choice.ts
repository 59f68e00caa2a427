/** Where an object leaves no choice what a loader puts into its tail-call maps: one program, and one slot that is called. */
import { isConstant, KIND } from '../sim/ebpf/analysis/abstract-value.ts';
import { analyse } from '../sim/ebpf/analysis/analysis.ts';
import type { BpfObject, BpfProgram } from '../sim/ebpf/bpf-object.ts';
import { programLayout } from '../sim/ebpf/context/program-layout.ts';
import { helperAt } from '../sim/ebpf/helpers/helper-at.ts';
import { linkedObject } from '../sim/ebpf/linked-object.ts';
import { ObjectError } from '../sim/ebpf/object.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { GuessedSlot } from './guessed-slots.ts';

/**
 * Is nothing else possible than what was guessed: has the object one program besides the tested one, and do all of its tail calls
 * name the one slot that this is in?
 */
export function isOnlyChoice(program: Program, guesses: readonly GuessedSlot[]): boolean {
  if (program.object === undefined) return false;
  let object: BpfObject;
  try {
    object = linkedObject(program.object);
  } catch (error) {
    if (error instanceof ObjectError) return false;
    throw error;
  }
  const isXdp = program.entries.some(({ hook }) => hook === 'xdp');
  const alike = object.programs.filter(({ hook }) => hook !== undefined && (hook === 'xdp') === isXdp);
  const entries = new Set(program.entries.map((entry) => entry.function));
  const others = alike.filter((one) => !entries.has(one.function));
  if (others.length !== 1) return false;
  const called = new Set(alike.flatMap((one) => slotsCalledBy(object, one)));
  return called.size === 1 && guesses.every(({ map, index }) => called.has(slotName(map, index)));
}

const TAIL_CALL = 'bpf_tail_call';
/** Of a slot that only a run tells. */
const SOME_SLOT = 'some slot';

function slotName(map: string, index: number): string {
  return `${map}[${index}]`;
}

function slotsCalledBy(object: BpfObject, own: BpfProgram): string[] {
  const { calls } = analyse({
    program: own,
    maps: object.maps,
    layout: programLayout(own.hook === 'xdp' ? 'xdp' : 'tc', own),
    helperAt: (slot) => helperAt(object, own, slot),
    enteredWith: 'context',
  });
  return [...calls].flatMap(([slot, { registers }]) => {
    if (helperAt(object, own, slot)?.name !== TAIL_CALL) return [];
    const [, , array, index] = registers;
    const map = array?.kind === KIND.map ? object.maps[array.map] : undefined;
    if (map === undefined || index === undefined) return [SOME_SLOT];
    if (map.maxEntries === 1) return [slotName(map.name, 0)];
    return [isConstant(index) ? slotName(map.name, index.min) : SOME_SLOT];
  });
}
