/** Which tests a mutant is tried with, and in what order. */
import { dirname } from 'node:path';
import type { Recording } from './recording.ts';

export interface Choice {
  readonly testFile: string;
  readonly names: readonly string[];
  /** As recorded. */
  readonly ms: number;
}

/** What a test file costs before its first test. */
const START_MS = 500;

/** A test beside the file is likelier to notice than one that is far away. */
function distance(file: string, testFile: string): number {
  if (testFile === file.replace(/\.ts$/, '.test.ts')) return 1;
  if (dirname(testFile) === dirname(file)) return 3;
  const room = (path: string): string => path.split('/').slice(0, 2).join('/');
  return room(testFile) === room(file) ? 6 : 10;
}

/** Tests that reach the region; near and quick ones first, until `allowance` milliseconds are spent. */
export function chooseTests(
  recordings: readonly Recording[],
  file: string,
  region: number,
  allowance: number,
): Choice[] {
  const choices: Choice[] = [];
  for (const { testFile, outside, tests } of recordings) {
    const always = outside[file]?.includes(region) === true;
    const names = Object.keys(tests).filter(
      (name) => always || tests[name]!.reached[file]?.includes(region) === true,
    );
    if (names.length === 0) continue;
    const ms = names.reduce((sum, name) => sum + tests[name]!.ms, START_MS);
    choices.push({ testFile, names, ms });
  }
  choices.sort((a, b) => a.ms * distance(file, a.testFile) - b.ms * distance(file, b.testFile));
  let spent = 0;
  return choices.filter(({ ms }, index) => {
    const fits = index === 0 || spent + ms <= allowance;
    if (fits) spent += ms;
    return fits;
  });
}
