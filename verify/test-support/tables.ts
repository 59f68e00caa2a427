/** What modules export besides functions and classes: numbers of the kernel and of protocols, tables, rules, records of helpers. */
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { packageFile } from '../../kernel/package-file.ts';
import { fingerprint } from './recorded.ts';

/** Modules below a folder, without tests and what serves them. */
export function modulesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(
      (file) =>
        file.endsWith('.ts') &&
        !/\.(test|d)\.ts$/.test(file) &&
        !/(^|\/)(test-support|conformance|fixtures|recorded)\//.test(file),
    )
    .map((file) => join(folder, file))
    .sort();
}

/** A value without what runs, so that two of them can be told apart; each object once. */
function shown(value: unknown, seen: Set<object>): unknown {
  if (typeof value === 'function') return 'function';
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'symbol') return 'symbol';
  if (typeof value === 'number' && !Number.isFinite(value)) return `${value}`;
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof RegExp) return `${value}`;
  if (ArrayBuffer.isView(value)) return [...(value as Uint8Array)].join(' ');
  if (seen.has(value)) return 'see above';
  seen.add(value);
  const below = (one: unknown): unknown => shown(one, seen);
  if (value instanceof Map) return [...value].map(([key, one]) => [below(key), below(one)]);
  if (value instanceof Set) return [...value].map(below);
  if (Array.isArray(value)) return value.map(below);
  // Of instances, what they hold, and what they make of it when they are asked.
  const held = Object.entries(value).map(([key, one]) => [key, below(one)]);
  const made = accessorsOf(value).map((key) => [key, below(value[key as keyof typeof value])]);
  return Object.fromEntries([...held, ...made]);
}

function accessorsOf(value: object): string[] {
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === null || prototype === Object.prototype) return [];
  const descriptors = Object.entries(Object.getOwnPropertyDescriptors(prototype));
  return descriptors.filter(([, { get }]) => get !== undefined).map(([name]) => name);
}

/** Longer lines are recorded as fingerprints. */
const LONGEST = 400;

/** The same as a text to record. A call names the folder, so that the mutation tester sees what is loaded. */
export function tablesText(lines: readonly string[]): string {
  const text = lines.map((line) => {
    if (line.length <= LONGEST) return line;
    const name = line.slice(0, line.indexOf(' = '));
    return `${name} = ${fingerprint(name, line.split(/(?<=[}\]]),/))}`;
  });
  return `${text.join('\n')}\n`;
}

/**
 * `module.ts name = value`, of all that the modules of a folder export as data.
 * @param name of the folder, in the package
 */
export async function tablesOf(name: 'sim' | 'verify'): Promise<string[]> {
  const folder = packageFile(name);
  const lines: string[] = [];
  for (const file of modulesBelow(folder)) {
    const module = (await import(file)) as Readonly<Record<string, unknown>>;
    for (const [exported, value] of Object.entries(module).sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (typeof value === 'function') continue;
      lines.push(`${relative(folder, file)} ${exported} = ${JSON.stringify(shown(value, new Set()))}`);
    }
  }
  return lines;
}
