/** What refutes something, and what tells builds apart, is shown whatever becomes of its file. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { loadCase } from '../../corpus/cases/case.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { parse } from '../../sim/runtime/schema.ts';
import { diffShape } from '../diff/report-json.ts';
import { runInProcess } from '../test-support/in-process.ts';
import { proveAgainstShape } from './against-json.ts';
import { proveReportShape } from './report-json.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-prove-unsaved-'));
/** Folders that cases went to instead. */
const others = new Set<string>();
afterAll(() => {
  for (const folder of [scratch, ...others]) rmSync(folder, { recursive: true });
});

/** Below a file nothing can be made, and below /proc nothing either, for another reason. */
const BLOCKED = [
  [join(scratch, 'file', 'below'), 'a part of the path is not a directory'],
  ['/proc/xdpsim-test/below', 'no such file or directory'],
] as const;
writeFileSync(join(scratch, 'file'), '');

function objectOf(name: string, action: number): string {
  const path = join(scratch, name);
  writeFileSync(path, writeElf({ main: `r0 = ${action}\nexit` }));
  return path;
}

const WRONG = objectOf('wrong.o', 9);
const DROPS = objectOf('drops.o', 1);
const PASSES = objectOf('passes.o', 2);

const COMMANDS: readonly (readonly string[])[] = [
  ['prove', WRONG],
  ['prove', DROPS, '--against', PASSES],
  ['diff', DROPS, PASSES, '--runs', '200', '--seed', '1'],
];

for (const [words, [folder, reason]] of COMMANDS.flatMap((words) =>
  BLOCKED.map((place) => [words, place] as const),
)) {
  it(`${words
    .slice(0, 3)
    .map((word) => basename(word))
    .join(' ')} says what it found where ${reason}`, async () => {
    const { code, out, err } = await runInProcess(...words, '--report', folder);
    expect({ code, err }).toEqual({ code: 1, err: '' });
    expect(out).toMatch(new RegExp(`Not saved in ${folder}/.*: .*${reason}`));
    const [, elsewhere] = /Saved in (\S+\.pcapng) instead/.exec(out)!;
    expect((await loadCase(elsewhere!)).stimuli).toHaveLength(1);
    others.add(dirname(dirname(elsewhere!)));
  });
}

it('says so in JSON, too', async () => {
  const [folder] = BLOCKED[0];
  const json = async (words: readonly string[]): Promise<unknown> =>
    JSON.parse((await runInProcess(...words, '--report', folder, '--json')).out);
  const proved = parse(proveReportShape, await json(COMMANDS[0]!)).programs[0]!.findings[0]!;
  const told = parse(proveAgainstShape, await json(COMMANDS[1]!)).programs[0]!.classes[0]!.example;
  const differs = parse(diffShape, await json(COMMANDS[2]!)).builds[0]!.programs[0]!.classes[0]!.example;
  for (const { file, unsaved } of [proved, told, differs]) {
    expect(unsaved?.path.startsWith(folder)).toBe(true);
    expect(existsSync(file!)).toBe(true);
    others.add(dirname(dirname(file!)));
  }
});

it('names no other place where the case is where it should be, and how to run it alone', async () => {
  const folder = join(scratch, 'kept');
  const { out } = await runInProcess('prove', WRONG, '--report', folder, '--max-length', '64');
  const file = join(folder, 'wrong.o', 'prove-action-unknown.pcapng');
  expect(out).toContain(`Saved in ${file}\n`);
  expect(out).not.toContain('instead');
  expect(out).toContain(`npx xdpsim prove ${WRONG} --max-length 64 --report ${folder}\n`);
  expect(out).toContain(`npx xdpsim run ${WRONG} --packet ${file}\n`);
  expect(out).not.toContain('of seed');
});
