import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { MapDefinition } from '../../sim/runtime/maps.ts';
import type { Program, ProgramDefinition } from '../../sim/runtime/program.ts';
import { parse } from '../../sim/runtime/schema.ts';
import type { Failure } from '../failure.ts';
import { readMaps, targetOf } from './map-file.ts';
import { plainEntries } from './map-file-plain.ts';
import { mapFileShape } from './map-file-schema.ts';
import { placePrograms, worldsIn } from './world-options.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-map-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const MAP: MapDefinition = { name: 'm', type: 'HASH', keySize: 4, valueSize: 2, maxEntries: 10 };
const PROGRAM = { name: 'p', entries: [], definition: { maps: [MAP] } } as unknown as Program;
const FILE = join(scratch, 'map.json');

function read(text: string): unknown {
  writeFileSync(FILE, text);
  return readMaps([`m=${FILE}`], targetOf(PROGRAM)).maps?.m;
}

/** Message and remedy. */
function refusalOf(place: () => void): unknown[] {
  try {
    place();
  } catch (error) {
    return [(error as Failure).message, (error as Failure).remedy];
  }
  return [];
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

  /** Values written in each way that there is, right and wrong. */
  const form = fc.oneof(
    fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEFxg :'), maxLength: 10 }),
    fc.stringMatching(/^(0x)?[0-9a-fA-F]{6}$/),
    fc.oneof(fc.nat(0x1ffffff), fc.integer(), fc.maxSafeInteger(), fc.double(), fc.constant(-0)),
    fc.array(fc.oneof(fc.nat(300), fc.stringMatching(/^0[xX][0-9a-fA-F]{1,3}$/), fc.double()), {
      minLength: 2,
      maxLength: 4,
    }),
    fc.constantFrom<unknown>(null, true, {}, undefined),
  );

  it('reads plain rows as the schema does, and leaves all others to it', () => {
    const sizes = { keySize: 3, valueSize: 3 };
    const rows = fc.array(fc.record({ key: form, value: form }), { minLength: 1, maxLength: 2 });
    let plain = 0;
    fc.assert(
      fc.property(rows, (json) => {
        const read = plainEntries(json, sizes);
        if (read === undefined) return;
        plain++;
        const number = (value: Uint8Array | bigint): unknown =>
          typeof value === 'bigint' ? value : value.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
        const expected = parse(mapFileShape, json, 'entries');
        for (const [at, { key, value }] of read.entries()) {
          const { key: wantedKey, value: wantedValue } = expected[at]!;
          expect([key.length, value.length]).toEqual([3, 3]);
          expect([number(key), number(value)]).toEqual([number(wantedKey), number(wantedValue)]);
        }
      }),
      { seed: 5, numRuns: 3000 },
    );
    expect(plain).toBeGreaterThan(100);
    expect(plainEntries([{ key: 'g00000', value: 1 }], sizes)).toBeUndefined();
    expect(plainEntries({}, sizes)).toBeUndefined();
    expect(plainEntries([null, 5], sizes)).toBeUndefined();
  });

  it('reads a file once for all worlds of a program', () => {
    writeFileSync(FILE, '[{"key":1,"value":2}]');
    const worlds = [{}, { time: 1n }].map((world, at) => ({ name: `${at}`, world }));
    const definition = { maps: [MAP], worlds } as unknown as ProgramDefinition;
    const options = { map: [`m=${FILE}`], maxEntries: [], aim: [] };
    const [placed] = placePrograms([{ name: 'p', entries: [], definition }], options);
    const filled = worldsIn(placed!);
    expect(filled.map(({ world }) => world.time)).toEqual([undefined, 1n]);
    expect(filled[0]!.world.maps!.m).toHaveLength(1);
    expect(filled[1]!.world.maps!.m).toBe(filled[0]!.world.maps!.m);
  });

  it('says which of several programs has not what the files are about, and of one alone nothing', () => {
    writeFileSync(FILE, '[{"key":1,"value":2}]');
    const options = { map: [`m=${FILE}`], maxEntries: [], aim: [] };
    const [has, lacks] = [[MAP], []].map((maps, at) => {
      const definition = { maps, worlds: [] } as unknown as ProgramDefinition;
      return { name: `p${at}`, entries: [], definition };
    });
    expect(refusalOf(() => placePrograms([has!, lacks!], options))).toEqual([
      '--map m: the object has no map “m”; available: none',
      'This is about p1: --world and --map are for all programs that are named.',
    ]);
    expect(refusalOf(() => placePrograms([lacks!], options))[1]).toBeUndefined();
  });

  it('reads as many entries as share several pieces of memory', () => {
    const json = Array.from({ length: 300_000 }, (_, at) => ({ key: at, value: at % 65_536 }));
    const entries = plainEntries(json, MAP)!;
    expect(entries.length).toBe(300_000);
    for (const at of [0, 1, 174_761, 174_762, 174_763, 299_999]) {
      const { key, value } = entries[at]!;
      expect([...key, ...value]).toEqual([at & 255, (at >> 8) & 255, at >> 16, 0, at & 255, (at >> 8) & 255]);
    }
  });
});
