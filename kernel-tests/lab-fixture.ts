/** Labs for the suites of the lab itself: names of their own, and nothing left of them after each test. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach } from 'vitest';
import { Lab } from '../kernel/lab/lab.ts';
import type { LoadOptions } from '../kernel/lab/load.ts';
import { setup, teardown } from '../kernel/lab/setup.ts';
import { labNames } from '../kernel/lab/state.ts';

const opened: Lab[] = [];
const names = new Set<string>();

/** Opened for the test. */
export function open(lab: string): Lab {
  const one = new Lab(lab);
  opened.push(one);
  return one;
}

/** A lab name of this test's own; torn down after the test, whatever is left of it. */
export function freshName(): string {
  const name = `test-${process.pid}-${names.size}`;
  names.add(name);
  return name;
}

/** A lab with these environments, opened. */
export function make(environments: readonly string[] = ['left'], lab: string = freshName()): Lab {
  for (const name of environments) setup(lab, { name, ipv4: true });
  return open(lab);
}

export function built(program: string): Pick<LoadOptions, 'object' | 'file'> {
  const path = fileURLToPath(new URL(`../bpf/built/${program}.o`, import.meta.url));
  return { object: new Uint8Array(readFileSync(path)), file: `${program}.o` };
}

/** To be called once by each suite's file. */
export function tearDownAfterEach(): void {
  afterEach(() => {
    for (const lab of opened.splice(0)) lab.close();
    for (const lab of names) if (labNames().includes(lab)) teardown(lab);
  });
}
