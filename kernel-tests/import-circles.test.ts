/** No file of the project imports itself by way of others: each can be read, and moved, after what it stands on. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, it } from 'vitest';
import { SOURCE_ROOT } from '../bpf/compile.ts';

const SKIPPED: ReadonlySet<string> = new Set(['node_modules', 'dist']);

/** IPv4, ICMP, TCP and their neighbours call each other, as protocols do. */
const MAY_BE_MUTUAL = 'sim/network/stack/';

/** `import … from`, `export … from`, `import '…'`, `import('…')`, types included, and workers' `new URL('…')`. */
const REFERENCES =
  /\b(?:import|export)\s[^;'"]*?\bfrom\s+'(\.[^']+)'|\bimport\(\s*'(\.[^']+)'|\bimport\s+'(\.[^']+)'|\bnew URL\(\s*'(\.[^']+\.m?ts)'/g;

type Graph = ReadonlyMap<string, readonly string[]>;

function importGraph(root: string): Graph {
  const files = sourcesIn(root);
  return new Map(
    files.map((file) => [
      relative(root, file),
      referencesIn(readFileSync(file, 'utf8'))
        .map((reference) => join(dirname(file), reference))
        .filter(existsSync)
        .map((target) => relative(root, target)),
    ]),
  );
}

function referencesIn(source: string): string[] {
  return [...source.matchAll(REFERENCES)].map((match) => match.slice(1).find((path) => path !== undefined)!);
}

function sourcesIn(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory())
      return SKIPPED.has(entry.name) || entry.name.startsWith('.') ? [] : sourcesIn(path);
    return /\.m?[tj]s$/.test(entry.name) ? [path] : [];
  });
}

/** Strongly connected components of more than one file, and files that import themselves (Tarjan 1972). */
function circlesOf(graph: Graph): string[][] {
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const circles: string[][] = [];
  const visit = (file: string): void => {
    order.set(file, order.size);
    low.set(file, order.get(file)!);
    stack.push(file);
    for (const next of graph.get(file) ?? []) {
      if (!order.has(next)) visit(next);
      if (stack.includes(next)) low.set(file, Math.min(low.get(file)!, low.get(next)!));
    }
    if (low.get(file) !== order.get(file)) return;
    const component = stack.splice(stack.indexOf(file));
    if (component.length > 1 || graph.get(file)?.includes(file) === true) circles.push(component.sort());
  };
  for (const file of graph.keys()) if (!order.has(file)) visit(file);
  return circles;
}

it('sees circles of values, of types and of dynamic imports, and nothing else', () => {
  const sources = {
    a: "import { b } from './b';",
    b: "import type { C } from './c';\nexport type { D } from './d';",
    c: "type A = import('./a').A;",
    d: "import './e';\nimport {\n  type F,\n  f,\n} from './f';",
    e: "import { readFileSync } from 'node:fs'; // no import of './d'",
    f: "const worker = new URL('./g.ts', import.meta.url);",
    g: "export * from './f';",
  };
  const graph = new Map(
    Object.entries(sources).map(([name, source]) => [
      name,
      referencesIn(source).map((path) => path.replace(/^\.\/|\.ts$/g, '')),
    ]),
  );
  expect(graph.get('d')).toEqual(['e', 'f']);
  expect(graph.get('e')).toEqual([]);
  expect(circlesOf(graph)).toEqual([
    ['f', 'g'],
    ['a', 'b', 'c'],
  ]);
});

it('finds no import circles, types included, but for the network stack', () => {
  const graph = importGraph(SOURCE_ROOT);
  expect(graph.size).toBeGreaterThan(500);
  const circles = circlesOf(graph);
  expect(circles.filter((files) => !files.every((file) => file.startsWith(MAY_BE_MUTUAL)))).toEqual([]);
  // Otherwise the exception is no longer needed.
  expect(circles).not.toEqual([]);
});
