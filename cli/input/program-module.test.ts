import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { EXIT, toFailure } from '../failure.ts';
import { definitionOfModule } from './program-module.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-module-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** A whole definition, with which every test differs in one place. */
const WHOLE = `{
  name: 'mine', summary: 's', description: 'd',
  entries: [{ function: 'mine', hook: 'xdp', model: () => 2 }],
  maps: [{ name: 'm', type: 'HASH', keySize: 4, valueSize: 8, maxEntries: 10 }],
  worlds: [{ name: 'empty', world: {} }],
  examples: [{ name: 'one', stimulus: { packet: new Uint8Array(60) }, action: 2 }],
  hints: { ports: [80], kinds: { tcp: 3 } },
}`;

let modules = 0;
function moduleFile(source: string, extension: string = 'mjs'): string {
  const path = join(scratch, `module-${++modules}.${extension}`);
  writeFileSync(path, source);
  return path;
}

async function messageOf(source: string, extension?: string): Promise<string> {
  const path = moduleFile(source, extension);
  try {
    await definitionOfModule(path);
  } catch (error) {
    const failure = toFailure(error);
    expect(failure?.exitCode).toBe(EXIT.input);
    expect(failure!.message).not.toContain('\n');
    return failure!.message.replace(`${path}: `, '');
  }
  return 'taken';
}

describe('a module that defines a program', () => {
  it.each(['mjs', 'ts', 'cts'])('is taken whole (.%s)', async (extension) => {
    const source = extension === 'cts' ? `module.exports = ${WHOLE}` : `export default ${WHOLE}`;
    const definition = await definitionOfModule(moduleFile(source, extension));
    expect(definition).toMatchObject({ name: 'mine', hints: { ports: [80] }, worlds: [{ name: 'empty' }] });
    expect(definition.entries[0]!.model({} as never)).toBe(2);
  });

  it.each<[change: string, message: string | RegExp]>([
    [
      'd.entries[0].hook = "nohook"',
      'entries[0].hook: expected one of xdp, tc-ingress, tc-egress, got "nohook"',
    ],
    ['d.entries[0].hook = "tc_egress"', /got "tc_egress"; did you mean “tc-egress”\?$/],
    ['d.entries[0].model = "fast"', 'entries[0].model: expected a function, got "fast"'],
    ['d.entries = []', 'entries: expected at least one item, got an empty list'],
    ['d.entries = 5', 'entries: expected a list, got 5'],
    ['d.entries.push(d.entries[0])', 'entries[1].function: a second entry of the name “mine”'],
    [
      'const t = { ...d.entries[0], function: "t", hook: "tc-ingress" }; d.entries.push(t, { ...t, after: "mine" })',
      'taken',
    ],
    [
      'const t = { ...d.entries[0], function: "t", hook: "tc-ingress", after: "mine" }; d.entries.push(t, t)',
      'entries[2].function: a second entry of the name “t”',
    ],
    [
      'd.entries[0].after = "x"',
      /^entries\[0\]\.after: “mine” cannot run after “x”: only a tc-ingress entry/,
    ],
    ['d.worlds[0].world = null', 'worlds[0].world: expected an object, got null'],
    ['d.worlds[0].world = []', 'worlds[0].world: expected an object, got a list'],
    [
      'd.worlds[0].world = { cpu: "1" }',
      'worlds[0].world.cpu: expected an integer from 0 to 4294967295, got "1"',
    ],
    ['d.worlds[0].world = { time: 5 }', 'worlds[0].world.time: expected a bigint (5n), got 5'],
    [
      'd.worlds[0].world = { maps: { m: [{ key: [1], value: 2 }] } }',
      'worlds[0].world.maps.m[0].key: expected a Uint8Array, got a list',
    ],
    [
      'd.worlds[0].world = { devices: [{ ifindex: 2, name: "a", mac: new Uint8Array(5) }] }',
      'worlds[0].world.devices[0].mac: expected a Uint8Array of 6 bytes, got 5 bytes',
    ],
    ['d.worlds = []', 'worlds: expected at least one item, got an empty list'],
    ['d.worlds.push(d.worlds[0])', 'worlds[1].name: “empty” is there already'],
    ['d.examples[0] = null', 'examples[0]: expected an object, got null'],
    ['d.examples[0].stimulus = {}', 'examples[0].stimulus.packet: is missing'],
    ['d.examples[0].action = NaN', /^examples\[0\]\.action: expected an integer .*, got NaN$/],
    ['d.examples[0].world = "emty"', 'examples[0].world: there is no world “emty”; did you mean “empty”?'],
    ['d.examples[0].stimulus.entry = 1', 'examples[0].stimulus.entry: expected an index below 1, got 1'],
    [
      'd.examples[0].stimulus.metadata = new Uint8Array(3)',
      /metadata: expected a multiple of 4 bytes, got 3 bytes$/,
    ],
    ['d.maps[0].type = "HASHH"', 'maps[0].type: expected one of'],
    ['d.maps[0].keySize = 1.5', 'maps[0].keySize: expected an integer from 0 to 4294967295, got 1.5'],
    ['d.hints = null', 'hints: expected an object, got null'],
    ['d.hints = { ports: 80 }', 'hints.ports: expected a list, got 80'],
    ['d.hints = { ports: [65536] }', 'hints.ports[0]: expected an integer from 0 to 65535, got 65536'],
    ['d.hints = { kinds: { tpc: 1 } }', 'hints.kinds.tpc: unknown field; did you mean “tcp”?'],
    ['d.hints = { kinds: { tcp: -1 } }', 'hints.kinds.tcp: expected a number from 0 on, got -1'],
    ['d.hints = { addresses: ["10.0.0"] }', 'hints.addresses[0]: not an IPv4 address'],
    ['delete d.summary; delete d.description', 'taken'],
    ['delete d.name', 'name: is missing'],
    ['d.nmae = d.name', 'nmae: unknown field; did you mean “name”?'],
    ['d.name = Symbol()', 'name: expected a string, got a symbol'],
    ['d.traces = 1', 'traces: expected true or false, got 1'],
    // Getters and proxies that throw, also what is no error and cannot be shown.
    [
      'Object.defineProperty(d.worlds[0], "world", { enumerable: true, get() { throw new Error("no") } })',
      'worlds[0].world: cannot be read: no',
    ],
    ['d.hints = new Proxy({}, { ownKeys() { throw 5 } })', 'hints: cannot be read: 5'],
    [
      'd.hints = { get ports() { throw { toString() { throw 1 } } } }',
      'hints.ports: cannot be read: an error that cannot be shown',
    ],
    [
      'const { proxy, revoke } = Proxy.revocable([], {}); revoke(); d.maps = proxy',
      /^maps: cannot be read: /,
    ],
    ['d.maps = new Proxy([], {})', 'taken'],
    [
      'd.examples[0].stimulus.packet = new Proxy(new Uint8Array(4), {})',
      'examples[0].stimulus.packet: expected a Uint8Array, got an object',
    ],
    ['d.worlds[0].world = d', 'worlds[0].world.name: unknown field; '],
  ])('%s: %s', async (change, message) => {
    const text = await messageOf(`const d = ${WHOLE};\n${change};\nexport default d;`);
    if (typeof message === 'string') expect(text.slice(0, message.length)).toBe(message);
    else expect(text).toMatch(message);
  });

  it.each<[source: string, message: string | RegExp]>([
    ['export const x = 1', 'has no default export'],
    ['export default 5', 'the default export: expected an object, got 5'],
    ['export default null', 'the default export: expected an object, got null'],
    ['export default [', /^cannot be imported: /],
    ['throw null', 'cannot be imported: null'],
    ['import "nosuch-package"', /^cannot be imported: Cannot find package/],
    ['import "./nosuch.mjs"', /^cannot be imported: Cannot find module/],
    ['await Promise.reject({ toString() { throw 1 } })', 'cannot be imported: an error that cannot be shown'],
  ])('%s: %s', async (source, message) => {
    const text = await messageOf(source);
    if (typeof message === 'string') expect(text).toBe(message);
    else expect(text).toMatch(message);
  });

  it.each([
    ['const x: number = 1;', 'ts', 'has no default export'],
    ['export const x: number = 1;', 'ts', 'has no default export'],
    ['const x: number = 1;', 'mts', 'has no default export'],
    ['export default {};', 'mts', 'name: is missing'],
    ['export default {};', 'ts', 'name: is missing'],
    ['module.exports = {};', 'cts', 'name: is missing'],
  ])('%s (.%s): %s', async (source, extension, message) => {
    expect(await messageOf(source, extension)).toBe(message);
  });

  it('owns what it throws later', async () => {
    const source = `globalThis.fails = () => { throw new TypeError('late'); };\nexport default ${WHOLE}`;
    const path = moduleFile(source);
    await definitionOfModule(path);
    try {
      (globalThis as unknown as { fails: () => void }).fails();
    } catch (error) {
      expect(toFailure(error)).toMatchObject({ exitCode: 2, message: `${path}:1:34: TypeError: late` });
    }
    expect(toFailure(new TypeError('ours'))).toBeUndefined();
  });

  it('names the place of a syntax error in TypeScript as in JavaScript, in one line', async () => {
    const said = 'cannot be imported: Expected identifier but found "{" (line 2, column 17)';
    for (const extension of ['ts', 'mts', 'cts'])
      expect(await messageOf('const a = 1;\nexport default {{', extension), extension).toBe(said);
    expect(await messageOf('return 1;\nconst a = 2; let a;\nexport default {};', 'ts')).toMatch(
      /^cannot be imported: .* \(line \d, column \d+, and 1 more\)$/,
    );
    const other = moduleFile('const a = ;', 'cts');
    expect(await messageOf(`import x from '${other}';\nexport default x;`, 'mts')).toBe(
      `cannot be imported: Unexpected ";" (${other}:1:11)`,
    );
  });
});
