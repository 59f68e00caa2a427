/** The programs of an object whose text is looked at in a check: the entries, and what their tail calls lead to. */
import type { BpfObject, BpfProgram } from '../../sim/ebpf/bpf-object.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { ObjectError } from '../../sim/ebpf/object.ts';
import { needsOf } from '../../sim/ebpf/referenced-maps.ts';
import { withSlots } from '../../sim/ebpf/world-slots.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { NamedWorld, Program } from '../../sim/runtime/program.ts';
import type { CheckFinding } from './finding.ts';

export interface TailCalled {
  /** Programs of the object that are tested by themselves: what they do is reported there. */
  readonly testedApart?: ReadonlySet<string> | undefined;
  /** What is stated of maps of programs. */
  readonly worlds?: readonly NamedWorld[] | undefined;
}

export interface ReachedProgram {
  readonly object: BpfObject;
  readonly own: BpfProgram;
  readonly hook: Hook;
}

/** For each entry: itself, and what it can tail-call as initialisers of the object and stated worlds say. */
export function* reachedPrograms(
  program: Program,
  { testedApart, worlds = [] }: TailCalled,
): Generator<ReachedProgram, void, void> {
  if (program.object === undefined) return;
  let object: BpfObject;
  try {
    object = linkedObject(program.object);
  } catch (error) {
    if (error instanceof ObjectError) return;
    throw error;
  }
  for (const { function: name, hook } of program.entries) {
    const entry = object.programs.findIndex((one) => one.function === name);
    if (entry < 0) continue;
    for (const index of reachedFrom(object, entry, worlds)) {
      const own = object.programs[index]!;
      const isEntry = program.entries.some((one) => one.function === own.function);
      if (index !== entry && (isEntry || testedApart?.has(own.function) === true)) continue;
      yield { object, own, hook };
    }
  }
}

/** The program itself, and those that its tail calls can lead to. */
function reachedFrom(object: BpfObject, entry: number, worlds: readonly NamedWorld[]): ReadonlySet<number> {
  const reached = new Set([entry, ...needsOf(object, [entry]).programs]);
  for (const { world } of worlds) {
    if (world.slots === undefined) continue;
    for (const index of needsOf(withSlots(object, world), [entry]).programs) reached.add(index);
  }
  return reached;
}

/** Two findings in the same line that say the same: of two entries that come to one program, say. */
export function isSameText(one: CheckFinding, other: CheckFinding): boolean {
  return (
    one.summary === other.summary &&
    one.source?.file === other.source?.file &&
    one.source?.line === other.source?.line
  );
}
