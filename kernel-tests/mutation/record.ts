/** Which tests reach which regions; recorded once and kept for as long as a test file and all that it reaches stay as they are. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Recording } from './recording.ts';
import { regionsOf } from './regions.ts';
import type { Tester } from './tester.ts';

const hashOf = (text: string): string => createHash('sha1').update(text).digest('hex');

interface Kept {
  /** Of the test file and of the sources that it reaches, by name. */
  readonly hashes: Readonly<Record<string, string>>;
  readonly recording: Recording;
}

export async function record(
  tester: Tester,
  directory: string,
  sources: ReadonlyMap<string, string>,
  testFiles: readonly string[],
): Promise<Recording[]> {
  const cache = join('node_modules', '.cache', 'mutation');
  mkdirSync(cache, { recursive: true });
  const keptIn = (testFile: string): string => join(cache, `${testFile.replaceAll('/', '__')}.json`);
  const text = (file: string): string => {
    const path = join(directory, file);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  };

  const recordings: Recording[] = [];
  const missing = testFiles.filter((testFile) => {
    if (!existsSync(keptIn(testFile))) return true;
    const kept = JSON.parse(readFileSync(keptIn(testFile), 'utf8')) as Kept;
    if (Object.entries(kept.hashes).some(([file, hash]) => hashOf(text(file)) !== hash)) return true;
    recordings.push(kept.recording);
    return false;
  });
  if (missing.length === 0) return recordings;

  process.stderr.write(`Recording what ${missing.length} test files reach\n`);
  const out = join(directory, '.recordings');
  const regions = Object.fromEntries(
    [...sources].map(([file, source]) => [file, regionsOf(file, source).length]),
  );
  const { failures } = await tester.ask({
    task: { mode: 'record', directory: out, regions },
    testFiles: missing,
  });
  for (const failure of failures) process.stderr.write(`fails without a mutant, left out: ${failure}\n`);
  const failed = new Set(failures.map((failure) => failure.split(':')[0]));
  for (const name of readdirSync(out)) {
    const recording = JSON.parse(readFileSync(join(out, name), 'utf8')) as Recording;
    if (failed.has(recording.testFile)) continue;
    const reached = new Set([recording.testFile, ...Object.keys(recording.outside)]);
    for (const test of Object.values(recording.tests))
      for (const file of Object.keys(test.reached)) reached.add(file);
    const hashes = Object.fromEntries([...reached].map((file) => [file, hashOf(text(file))]));
    writeFileSync(keptIn(recording.testFile), JSON.stringify({ hashes, recording } satisfies Kept));
    recordings.push(recording);
  }
  return recordings;
}
