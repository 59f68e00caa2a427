import { dirname } from 'node:path';
import type { Mutant } from './mutants.ts';
import { interval } from './sample.ts';

export interface Result {
  readonly mutant: Mutant;
  /** `unreached`: no test reaches it. `equivalent`: it survived, and docs/testing.md says why it must. */
  readonly status: 'killed' | 'endless' | 'survived' | 'unreached' | 'equivalent';
  /** The test that failed. */
  readonly by?: string | undefined;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** The room that a file is in: at most three folders. */
export function folderOf(file: string): string {
  return dirname(file).split('/').slice(0, 3).join('/');
}

/** Killed (or endless) of those that are not equivalent, with its interval. */
export function score(results: readonly Result[]): string {
  const counted = results.filter(({ status }) => status !== 'equivalent');
  const killed = counted.filter(({ status }) => status === 'killed' || status === 'endless').length;
  const [low, high] = interval(killed, counted.length);
  const share = counted.length === 0 ? '-' : percent(killed / counted.length);
  return `${share} (${killed} of ${counted.length}; 95 %: ${percent(low)} to ${percent(high)})`;
}

export function report(results: readonly Result[]): string {
  const lines: string[] = [];
  const place = ({ mutant }: Result): string => `${mutant.file}:${mutant.line}:${mutant.column}`;
  const open = results.filter(({ status }) => status === 'survived' || status === 'unreached');
  open.sort((a, b) => a.mutant.file.localeCompare(b.mutant.file) || a.mutant.start - b.mutant.start);
  if (open.length > 0) lines.push('Survivors:');
  for (const result of open) {
    const { mutant, status } = result;
    lines.push(
      `  ${place(result)} ${mutant.mutator}: ${mutant.change}${status === 'unreached' ? ' (no test reaches it)' : ''}`,
    );
    lines.push(`      ${mutant.source}`);
  }
  const folders = new Map<string, Result[]>();
  for (const result of results) {
    const folder = folderOf(result.mutant.file);
    folders.set(folder, [...(folders.get(folder) ?? []), result]);
  }
  lines.push('Score by folder:');
  for (const [folder, ofFolder] of [...folders].sort(([a], [b]) => a.localeCompare(b)))
    lines.push(`  ${folder.padEnd(28)} ${score(ofFolder)}`);
  const count = (status: Result['status']): number =>
    results.filter((result) => result.status === status).length;
  lines.push(
    `Killed ${count('killed')}, endless ${count('endless')}, survived ${count('survived')}, not reached ${count('unreached')}, equivalent ${count('equivalent')}`,
    `Score: ${score(results)}`,
  );
  return lines.join('\n');
}
