import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { notTested, programsOfObject, type Selection } from './program-source.ts';

const PASS = 'r0 = 2\nexit';
let scratch: string;

/** Its sections are called like its functions: `xdp/devmap`. */
function objectOf(...functions: string[]): string {
  const path = join(scratch, `${functions.join('_')}.o`);
  writeFileSync(path, writeElf(Object.fromEntries(functions.map((name) => [name, PASS]))));
  return path;
}

function tested(path: string, selection?: Selection): string[] {
  return programsOfObject({ path, function: undefined }, selection).map((one) => one.entries[0]!.function);
}

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'xdpsim-programs-'));
});
afterAll(() => rmSync(scratch, { recursive: true }));

it('programs behind a redirect are left out, and named', () => {
  const path = objectOf('first', 'devmap', 'cpumap');
  expect(tested(path)).toEqual(['first']);
  expect(notTested([path]).map(({ reason }) => reason)).toEqual([
    'runs behind a redirect (devmap)',
    'runs behind a redirect (cpumap)',
  ]);
});

it('they are among the others for whoever can test them', () => {
  const path = objectOf('first', 'devmap', 'cpumap');
  expect(tested(path, { behindRedirect: true })).toEqual(['first', 'devmap', 'cpumap']);
  expect(notTested([path], { behindRedirect: true })).toEqual([]);
});

it('an object with nothing else says how they are tested', () => {
  const path = objectOf('devmap');
  expect(() => tested(path)).toThrow('has no XDP or TC program to test');
  try {
    tested(path);
  } catch (error) {
    expect(error).toMatchObject({ remedy: `Who names one has it tested all the same: ${path}:devmap` });
  }
  expect(tested(path, { behindRedirect: true })).toEqual(['devmap']);
});
