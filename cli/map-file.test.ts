import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { MapDefinition } from '../sim/runtime/maps.ts';
import { withMaps } from './map-file.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-map-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const MAP: MapDefinition = { name: 'm', type: 'HASH', keySize: 4, valueSize: 2, maxEntries: 10 };
const FILE = join(scratch, 'map.json');

function read(text: string): unknown {
  writeFileSync(FILE, text);
  return withMaps({}, [`m=${FILE}`], [MAP]).maps?.m;
}

describe('--map NAME=FILE', () => {
  it('takes hexadecimal digits, numbers and lists of bytes, and what bpftool prints beside them', () => {
    const rows = [
      { key: '0x0a 00:00 01', value: 258 },
      { key: ['0x0a', 0, '7', 1], value: [1, 2], formatted: { key: 1 } },
      { key: -1, value: 'FFfe' },
    ];
    expect(read(JSON.stringify(rows))).toEqual([
      { key: Uint8Array.of(10, 0, 0, 1), value: Uint8Array.of(2, 1) },
      { key: Uint8Array.of(10, 0, 7, 1), value: Uint8Array.of(1, 2) },
      { key: Uint8Array.of(255, 255, 255, 255), value: Uint8Array.of(255, 254) },
    ]);
  });

  it.each<[text: string, problem: string | RegExp]>([
    ['{', /^is not valid JSON: /],
    ['{}', 'entries: expected a list, got an object'],
    ['[5]', 'entries[0]: expected an object, got 5'],
    ['[{"key":1}]', 'entries[0].value: is missing'],
    [
      '[{"key":null,"value":1}]',
      'entries[0].key: expected hexadecimal digits, a whole number, or a list of bytes, got null',
    ],
    ['[{"key":"0","value":1}]', 'entries[0].key: expected an even number of hexadecimal digits, got "0"'],
    ['[{"key":"00","value":1}]', 'entries[0].key: expected 4 bytes, got 1'],
    ['[{"key":4294967296,"value":1}]', 'entries[0].key: 4294967296 does not fit into 4 bytes'],
    ['[{"key":1.5,"value":1}]', /^entries\[0\]\.key: expected an integer .*, got 1\.5$/],
    ['[{"key":1,"value":[1,256]}]', 'entries[0].value[1]: expected an integer from 0 to 255, got 256'],
    ['[{"key":1,"value":["0x100",0]}]', 'entries[0].value[0]: expected a byte, got "0x100"'],
  ])('refuses %s', (text, problem) => {
    let message = '';
    try {
      read(text);
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message.startsWith(`${FILE}: `), message).toBe(true);
    if (typeof problem === 'string') expect(message).toBe(`${FILE}: ${problem}`);
    else expect(message.slice(FILE.length + 2)).toMatch(problem);
  });
});
