/** Many packets in one test run give what a test run for each gives, of all objects that there are. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { programsOfObject } from '../cli/input/program-source.ts';
import { packageFile } from '../kernel/package-file.ts';
import type { Program } from '../sim/runtime/program.ts';
import { programOf, STYLED_PROGRAMS } from './styles/programs.ts';
import { expectSame, fits, generated, orders } from './test-support/harness.ts';
import { describeKernel, libxdpObjects } from './test-support/require-kernel.ts';

/** They send, or keep, bytes of the stack that they never wrote: those differ from run to run. */
const UNSTEADY: readonly string[] = ['stack_sent', 'stack_key'];

function programsIn(folder: string): Program[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.o'));
  return files.flatMap((file) => {
    try {
      return programsOfObject({ path: join(folder, file), function: undefined }).filter(fits);
    } catch {
      // Objects that are kept for being refused.
      return [];
    }
  });
}

describeKernel('in the harness', ['root', 'testrun', 'compiler', 'libxdp', 'linux 6.12'], () => {
  if (process.arch !== 'x64') return;

  for (const [whose, folder, least] of [
    ['built-in', packageFile('bpf/built'), 15],
    ['on helpers', packageFile('sim/engines/test-support/recorded'), 10],
    ['faulty', packageFile('verify/check/recorded'), 20],
    ["Debian's", libxdpObjects() ?? '', 12],
  ] as const)
    it(`programs do as in a test run for each packet: ${whose}`, () => {
      const batches = [generated(1500), orders(300), generated(400, 1500)];
      let same = 0;
      for (const program of programsIn(folder)) {
        if (UNSTEADY.includes(program.entries[0]!.function)) continue;
        expectSame(program, batches);
        same++;
      }
      expect(same).toBeGreaterThanOrEqual(least);
    });

  it('so do programs in the styles of public projects', () => {
    const batches = [generated(2048)];
    let same = 0;
    // Reading maps of a million entries takes seconds.
    const styles = STYLED_PROGRAMS.filter(({ hook, style }) => hook === 'xdp' && style !== 'large');
    for (const styled of styles) {
      const program = programOf(styled, 'right');
      if (!fits(program)) continue;
      expectSame(program, batches);
      same++;
    }
    expect(same).toBeGreaterThanOrEqual(15);
  });
});
