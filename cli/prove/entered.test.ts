/** Of an object that is named as a whole, every program that a frame can enter is followed, and compared. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { parse } from '../../sim/runtime/schema.ts';
import { runInProcess } from '../test-support/in-process.ts';
import { proveAgainstShape } from './against-json.ts';
import { proveReportShape } from './report-json.ts';

let scratch: string;

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'xdpsim-entered-'));
});
afterAll(() => rmSync(scratch, { recursive: true }));

/** One that stands in a device map, beside the one that leads there. */
function objectOf(file: string, action: number, first: string = 'main'): string {
  const path = join(scratch, file);
  writeFileSync(path, writeElf({ [first]: 'r0 = 2\nexit', devmap: `r0 = ${action}\nexit` }));
  return path;
}

const REPORT = (): string[] => ['--json', '--report', scratch];

it('what stands in a device map is proved, and what it does wrong is no PASS', async () => {
  const { out } = await runInProcess('prove', objectOf('wrong.o', 9), ...REPORT());
  const { verdict, programs } = parse(proveReportShape, JSON.parse(out));
  expect(programs.map((one) => [one.name, one.verdict])).toEqual([
    ['wrong.o:main', 'pass'],
    ['wrong.o:devmap', 'fail'],
  ]);
  expect(verdict).toBe('fail');
});

it('two builds are held against each other in it, too', async () => {
  const names = [objectOf('drops.o', 1), objectOf('passes.o', 2, 'other')];
  const { out } = await runInProcess('prove', names[0]!, '--against', names[1]!, ...REPORT());
  const { unpaired, programs } = parse(proveAgainstShape, JSON.parse(out));
  // Each is the one of its kind, whatever its name.
  expect(unpaired).toEqual([]);
  expect(programs.map((one) => [one.name, one.verdict])).toEqual([
    ['main', 'pass'],
    ['devmap', 'fail'],
  ]);
});
