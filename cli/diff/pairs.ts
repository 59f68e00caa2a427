/** Which programs of two builds belong together. */
import { encodeInstructions } from '../../sim/ebpf/instruction.ts';
import { loadObject } from '../../sim/ebpf/object.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { BuildPair } from '../../verify/diff/pair.ts';
import type { Build, BuildProgram } from './builds.ts';
import { loadingDifferences } from './loading.ts';

export interface ProgramPair {
  readonly name: string;
  readonly old: BuildProgram;
  readonly new: BuildProgram;
}

export interface Pairing {
  readonly pairs: readonly ProgramPair[];
  /** What is in one build only, on another hook, or loaded otherwise: sentences. */
  readonly unpaired: readonly string[];
}

/** By the function's name; where each build has one program, or one of a kind, these. */
export function pairPrograms(old: Build, next: Build): Pairing {
  const partners = partnersOf(old.programs, next.programs);
  const pairs: ProgramPair[] = [];
  const unpaired: string[] = [];
  for (const one of old.programs) {
    const other = partners.get(one);
    if (other === undefined) unpaired.push(`program ${one.program.name} is only in ${old.label}`);
    else if (hookOf(one) !== hookOf(other)) {
      unpaired.push(
        `program ${one.program.name}: hook ${hookOf(one)} in ${old.label}, ${hookOf(other)} in ${next.label}`,
      );
    } else {
      const { name } = one.program;
      const pair = { old: one.program, new: other.program };
      const { sentences, isRefused } = loadingDifferences(name, pair, [old.label, next.label]);
      unpaired.push(...sentences);
      if (!isRefused) pairs.push({ name, old: one, new: other });
    }
  }
  const paired = new Set(partners.values());
  for (const one of next.programs)
    if (!paired.has(one)) unpaired.push(`program ${one.program.name} is only in ${next.label}`);
  return { pairs, unpaired };
}

function partnersOf(
  old: readonly BuildProgram[],
  next: readonly BuildProgram[],
): Map<BuildProgram, BuildProgram> {
  const partners = new Map<BuildProgram, BuildProgram>();
  if (old.length === 1 && next.length === 1) return partners.set(old[0]!, next[0]!);
  for (const one of old) {
    const isAlike = (other: BuildProgram): boolean => hookOf(other) === hookOf(one);
    const named = next.find(({ program }) => program.name === one.program.name);
    const [only, ...others] = next.filter(isAlike);
    const isAlone = others.length === 0 && old.filter(isAlike).length === 1;
    const partner = named ?? (isAlone ? only : undefined);
    if (partner !== undefined) partners.set(one, partner);
  }
  return partners;
}

/** Where it stands: "tc-egress"; "xdp/devmap" where only a redirect runs it. */
function hookOf({ program }: BuildProgram): string {
  const { hook, behindRedirect } = program.entries[0]!;
  return behindRedirect === undefined ? hook : `${hook}/${behindRedirect}`;
}

/** Are they the same instructions over the same maps and variables? Then no packet can tell them apart. */
export function isIdentical({ old, new: next }: BuildPair): boolean {
  const a = contentOf(old);
  return a !== undefined && a === contentOf(next);
}

function contentOf({ object: bytes, entries, maxEntries }: Program): string | undefined {
  if (bytes === undefined) return undefined;
  const object = loadObject(bytes);
  // A tail call leads into any of the others.
  const programs = object.programs.map((program) => [
    program.function,
    Buffer.from(encodeInstructions(program.instructions)).toString('base64'),
  ]);
  const maps = object.maps.map((map) => ({
    ...map,
    ...{ keyType: 0, valueType: 0, mapExtra: String(map.mapExtra) },
    inner: map.inner === undefined ? undefined : { ...map.inner, mapExtra: '', keyType: 0, valueType: 0 },
    global:
      map.global === undefined
        ? undefined
        : {
            bytes: Buffer.from(map.global.bytes).toString('base64'),
            // Types and symbols have them in another order, and tell nothing that an instruction could.
            variables: [...map.global.variables]
              .map(([name, { offset, size }]) => [name, offset, size] as const)
              .sort(([a], [b]) => (a < b ? -1 : 1)),
          },
  }));
  return JSON.stringify([entries, programs, maps, object.kfuncs, maxEntries]);
}
