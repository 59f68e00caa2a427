/** Labs for the suites of the lab itself: names of their own, and nothing left of them after each test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll } from 'vitest';
import { builtModule } from '../../cli/test-support/built-command.ts';
import { Lab } from '../../kernel/lab/lab.ts';
import type { LoadOptions } from '../../kernel/lab/load.ts';
import { setup, teardown } from '../../kernel/lab/setup.ts';
import { removeDeadLabs } from './dead-labs.ts';

const opened: Lab[] = [];
const names = new Set<string>();
let freshNames = 0;

/** Opened for the test. */
export function open(lab: string): Lab {
  const one = new Lab(lab);
  opened.push(one);
  return one;
}

/** A lab name of this test's own; torn down after the test, whatever is left of it. */
export function freshName(): string {
  // None is the beginning of another.
  const name = `test-${process.pid}-${freshNames++}x`;
  names.add(name);
  return name;
}

/** A lab with these environments, opened. */
export function make(environments: readonly string[] = ['left'], lab: string = freshName()): Lab {
  names.add(lab);
  for (const name of environments) setup(lab, { name, ipv4: true });
  return open(lab);
}

export function built(program: string): Pick<LoadOptions, 'object' | 'file'> {
  const path = fileURLToPath(new URL(`../../bpf/built/${program}.o`, import.meta.url));
  return { object: new Uint8Array(readFileSync(path)), file: `${program}.o` };
}

/** Runs a script in a process, and a process group, of its own; what the lab offers is imported. Needs what `buildCommand` builds. */
export function labProcess(script: string): ChildProcess {
  const modules: Readonly<Record<string, string>> = {
    setup: 'kernel/lab/setup.ts',
    Lab: 'kernel/lab/lab.ts',
    'load, unload': 'kernel/lab/load.ts',
  };
  const imports = Object.entries(modules).map(
    ([names, path]) => `import { ${names} } from ${JSON.stringify(builtModule(path))};`,
  );
  const whole = ["import { readFileSync } from 'node:fs';", ...imports, script].join('\n');
  return spawn(process.execPath, ['--input-type=module', '-e', whole], {
    detached: true,
    stdio: 'ignore',
  });
}

/** What of a lab can be found outside of its own process. */
export function traces(lab: string): string[] {
  const found = [
    ...['/run/netns', '/sys/fs/bpf', '/run/xdpsim'].flatMap((directory) =>
      existsSync(directory) ? readdirSync(directory).map((name) => `${directory}/${name}`) : [],
    ),
  ];
  return found.filter((one) => one.includes(lab));
}

/** To be called once by each suite's file. */
export function tearDownAfterEach(): void {
  beforeAll(removeDeadLabs);
  afterEach(() => {
    for (const lab of opened.splice(0)) lab.close();
    for (const lab of names) if (traces(lab).length > 0) teardown(lab);
    names.clear();
  });
}
