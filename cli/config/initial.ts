/** A configuration file to start from: the programs that lie in the folder. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { loadObject } from '../../sim/ebpf/object.ts';
import { readBytes } from '../input/read-file.ts';
import type { Config } from './shape.ts';

/** Folders that hold no sources of the project's. */
const OTHERS: ReadonlySet<string> = new Set([
  'node_modules',
  'dist',
  'build',
  'target',
  'vendor',
  'third_party',
]);
/** Deeper down lies what others have put there. */
const MAX_DEPTH = 6;
const MAX_FILES = 200;

/** Sources named *.bpf.c, and XDP and TC objects that none of them makes; relative to the folder, in order. */
export function findPrograms(folder: string): string[] {
  const files: string[] = [];
  walk(folder, '', 0, files);
  const sources = files.filter((file) => file.endsWith('.bpf.c'));
  const stems = new Set(sources.map((file) => stemOf(file)));
  const objects = files.filter(
    (file) => file.endsWith('.o') && !stems.has(stemOf(file)) && isProgram(join(folder, file)),
  );
  return [...sources, ...objects].sort();
}

function walk(root: string, below: string, depth: number, files: string[]): void {
  let entries: ReturnType<typeof list>;
  try {
    entries = list(join(root, below));
  } catch {
    return;
  }
  for (const entry of entries) {
    if (files.length >= MAX_FILES) return;
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) {
      if (depth < MAX_DEPTH && !entry.name.startsWith('.') && !OTHERS.has(entry.name))
        walk(root, path, depth + 1, files);
    } else if (entry.isFile() && /\.(bpf\.c|o)$/.test(entry.name)) files.push(path);
  }
}

function list(folder: string) {
  return readdirSync(folder, { withFileTypes: true });
}

/** `filter` of `src/filter.bpf.c` and of `out/filter.bpf.o`. */
function stemOf(path: string): string {
  return path
    .split('/')
    .at(-1)!
    .replace(/\.(c|o)$/, '')
    .replace(/\.bpf$/, '');
}

function isProgram(path: string): boolean {
  try {
    return loadObject(readBytes(path)).programs.some(({ hook }) => hook !== undefined);
  } catch {
    return false;
  }
}

/** @param programs objects and sources, as the file is to name them */
export function initialConfig(programs: readonly string[]): Config {
  return {
    compiler: { cflags: [] },
    programs: programs.map((object) => ({ object })),
    minCoverage: 80,
    off: {},
    baseline: 'xdpsim.baseline.json',
  };
}

const SCHEMA = './node_modules/xdpsim/docs/schema/config.json';

/** @param format the ending of the file's name */
export function configText(config: Config, format: 'json' | 'js' | 'ts'): string {
  if (format === 'json') return `${JSON.stringify({ $schema: SCHEMA, ...config }, null, 2)}\n`;
  const body = JSON.stringify(config, null, 2).replaceAll(/^(\s*)"([a-zA-Z]+)":/gm, '$1$2:');
  return format === 'js'
    ? `/** @type {import('xdpsim').Config} */\nexport default ${body};\n`
    : `import type { Config } from 'xdpsim';\n\nexport default ${body} satisfies Config;\n`;
}
