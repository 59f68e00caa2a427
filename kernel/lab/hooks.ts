/** Which functions of an object go to which hook. */
import type { BpfObject, BpfProgram } from '../../sim/ebpf/bpf-object.ts';
import { EngineError } from '../../sim/engines/engine.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { ProgramEntry } from '../../sim/runtime/program.ts';

/**
 * The functions that are attached together: the one that is named, or all of the object, one to each hook, so that
 * an object with an XDP and a TC half gets both.
 *
 * A section `tc` does not say which direction it means. The register knows it of the functions that it has; of
 * others the name tells (`…_tx`, `egress`), or it is ingress.
 * @param register functions whose hooks are known
 * @throws {EngineError} `input`: no such function, none at all, or several for one hook
 */
export function chooseEntries(
  file: string,
  object: Pick<BpfObject, 'programs'>,
  wanted: string | undefined,
  register: readonly ProgramEntry[],
): ProgramEntry[] {
  const entries = object.programs.flatMap((program): ProgramEntry[] => {
    const hook = hookOf(program, register);
    return hook === undefined ? [] : [{ function: program.function, hook }];
  });
  const names = entries.map((entry) => entry.function).join(', ');
  if (wanted !== undefined) {
    const chosen = entries.filter((entry) => entry.function === wanted);
    if (chosen.length > 0) return chosen;
    throw new EngineError('input', `${file} has no XDP or TC program ${wanted}; it has ${names || 'none'}`);
  }
  if (entries.length === 0) throw new EngineError('input', `${file} has no XDP or TC program`);
  const rivals = entries.filter(({ hook }) => entries.filter((other) => other.hook === hook).length > 1);
  if (rivals.length === 0) return entries;
  // Of two hooks with several programs each, the first is named.
  const several = rivals.filter(({ hook }) => hook === rivals[0]!.hook).map((entry) => entry.function);
  throw new EngineError('input', `${file} has several programs for one hook: ${several.join(', ')}`, {
    remedy: `Name one: ${file}:${several[0]}`,
  });
}

const EGRESS = /egress|(^|_)(tx|out)($|_)/;

function hookOf(program: BpfProgram, register: readonly ProgramEntry[]): Hook | undefined {
  const { hook } = program;
  if (hook === undefined || hook === 'xdp' || /gress/.test(program.section)) return hook;
  const known = register.find((entry) => entry.function === program.function);
  if (known !== undefined && known.hook !== 'xdp') return known.hook;
  return EGRESS.test(program.function) ? 'tc-egress' : 'tc-ingress';
}
