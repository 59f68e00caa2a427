/** Which mutants are tried, and what their results say about all of them. */
import { createHash } from 'node:crypto';
import type { Mutant } from './mutants.ts';

/** `count` of the mutants, chosen by a hash of the seed, the place and the change: the same for everybody. */
export function sample(mutants: readonly Mutant[], count: number, seed: string): Mutant[] {
  const keyed = mutants.map((mutant) => {
    const { file, start, mutator, replacement } = mutant;
    const key = createHash('sha1')
      .update(`${seed}\0${file}\0${start}\0${mutator}\0${replacement}`)
      .digest('hex');
    return { key, mutant };
  });
  keyed.sort((a, b) => (a.key < b.key ? -1 : 1));
  return keyed.slice(0, count).map(({ mutant }) => mutant);
}

/** The same of each folder, one of each after the other: cut short, it still has as many of each. */
export function samplePerFolder(
  mutants: readonly Mutant[],
  folderOf: (file: string) => string,
  count: number,
  seed: string,
): Mutant[] {
  const folders = new Map<string, Mutant[]>();
  for (const mutant of mutants) {
    const folder = folderOf(mutant.file);
    const known = folders.get(folder);
    if (known === undefined) folders.set(folder, [mutant]);
    else known.push(mutant);
  }
  const samples = [...folders.values()].map((ofFolder) => sample(ofFolder, count, seed));
  return Array.from({ length: count }, (_, index) => samples.flatMap((one) => one[index] ?? [])).flat();
}

/** Wilson's interval for a proportion, at 95 %: of `total` tries, `successes` succeeded. */
export function interval(successes: number, total: number): readonly [low: number, high: number] {
  if (total === 0) return [0, 1];
  const z = 1.96;
  const share = successes / total;
  const centre = share + (z * z) / (2 * total);
  const spread = z * Math.sqrt((share * (1 - share)) / total + (z * z) / (4 * total * total));
  const scale = 1 + (z * z) / total;
  return [Math.max(0, (centre - spread) / scale), Math.min(1, (centre + spread) / scale)];
}
