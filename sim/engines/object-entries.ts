/** The programs of an object as entries: what its sections say of each. */
import type { BpfObject, BpfProgram } from '../ebpf/bpf-object.ts';
import type { ProgramEntry } from '../runtime/program.ts';

/** The XDP and TC programs; `tc` without a direction is taken for ingress. */
export function entriesOfObject({ programs }: BpfObject): ProgramEntry[] {
  return programs.flatMap((program) => {
    const { function: name, hook, behindRedirect } = program;
    if (hook === undefined) return [];
    const behind = behindRedirect === undefined ? {} : { behindRedirect };
    return [{ function: name, hook, ...behind, ...fragsOf(program) }];
  });
}

/** The same entries, with what the object says of frames in several buffers: no model can know how it was compiled. */
export function withFrags(entries: readonly ProgramEntry[], { programs }: BpfObject): ProgramEntry[] {
  return entries.map(({ frags: _, ...entry }) => ({
    ...entry,
    ...fragsOf(programs.find((one) => one.function === entry.function)),
  }));
}

function fragsOf(program: BpfProgram | undefined): Pick<ProgramEntry, 'frags'> {
  return program?.frags === true ? { frags: true } : {};
}
