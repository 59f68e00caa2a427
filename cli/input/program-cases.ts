/** Cases from files, also such as were saved for another program, whose worlds fill maps that this one does not have. */
import type { Case, CasesFromCaptureOptions } from '../../corpus/cases/case.ts';
import { mapNamed } from '../../sim/ebpf/made-maps.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { reportLine } from '../output.ts';
import { targetOf } from './map-file.ts';
import { casesFromFile } from './packets.ts';

/** Returns the name of the first map that the world fills and the program does not have; undefined where it has them all. */
export function lackingMap({ maps = {}, slots = {} }: World, program: Program): string | undefined {
  const filled = [...Object.keys(maps), ...Object.keys(slots)];
  if (filled.length === 0) return undefined;
  const { maps: own } = targetOf(program);
  return filled.find((name) => mapNamed(own, name) === undefined);
}

/**
 * The cases in a file, as `casesFromFile` reads them. Of those whose world this program cannot be in, it is the packets that somebody
 * wants: they meet the world that packets of a capture do, and standard error says so once. So it does of a file without packets.
 * @param builds of one program, which all run the cases
 */
export async function* casesForProgram(
  path: string,
  builds: readonly Program[],
  options: CasesFromCaptureOptions & { readonly world: World },
): AsyncGenerator<Case, void, undefined> {
  let isSaid = false;
  let isEmpty = true;
  for await (const one of casesFromFile(path, options)) {
    isEmpty &&= one.stimuli.length === 0;
    const other =
      one.world === options.world ? undefined : builds.find((build) => lackingMap(one.world, build));
    if (other === undefined) {
      yield one;
      continue;
    }
    if (!isSaid) reportLine(withoutWorldText(path, one, other));
    isSaid = true;
    yield { ...one, world: options.world };
  }
  if (isEmpty) reportLine(`${path === '-' ? 'standard input' : path}: no packets`);
}

function withoutWorldText(path: string, { program, world }: Case, other: Program): string {
  return `${path}: saved for ${program}; ${other.name} has no map “${lackingMap(world, other)}”, so it gets the packets without their world`;
}
