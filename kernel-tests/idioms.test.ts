/**
 * The idioms of the field as the compiler writes them at other levels of optimisation and for other versions of the
 * instruction set: whatever the kernel runs, the machine runs with the same result, and calls no way impossible that is
 * taken.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { compileBpf } from '../bpf/compile.ts';
import { chooseEngines } from '../cli/engines.ts';
import { PacketGenerator } from '../corpus/generate/generator.ts';
import { createTestRunEngine } from '../kernel/testrun/testrun.ts';
import { loadObject } from '../sim/ebpf/object.ts';
import { possible } from '../sim/ebpf/test-support/run-both.ts';
import { EngineError } from '../sim/engines/engine.ts';
import type { Program, ProgramEntry } from '../sim/runtime/program.ts';
import { verify } from '../verify/run.ts';
import { describeKernel } from './test-support/require-kernel.ts';

/** `XDPSIM_IDIOMS=all` tries every level with every version. */
const ALL = process.env.XDPSIM_IDIOMS === 'all';
const LEVELS = ['-O1', '-O2', '-Os'];
const VERSIONS = ['-mcpu=v1', '-mcpu=v2', '-mcpu=v3'];
const FLAGS = LEVELS.flatMap((level, index) =>
  VERSIONS.filter((_, version) => ALL || version === index).map((version) => [level, version]),
);
const PACKETS = 4000;

function build(source: string, options: readonly string[]): Program {
  const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-idioms-'));
  try {
    const path = join(scratch, 'idioms.o');
    compileBpf(`kernel-tests/idioms/${source}.bpf.c`, path, { options });
    const object = new Uint8Array(readFileSync(path));
    const entries = loadObject(object).programs.map(({ function: name }) => ({
      function: name,
      hook: source === 'xdp' ? ('xdp' as const) : ('tc-ingress' as const),
    }));
    return { name: `${source} ${options.join(' ')}`, entries, object };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** What the kernel takes of it: its verifier loses sight of a bound now and then, as the compiler writes it. */
async function accepted(program: Program): Promise<Program> {
  const engine = createTestRunEngine();
  const entries: ProgramEntry[] = [];
  for (const entry of program.entries) {
    try {
      const session = await engine.open({ ...program, entries: [entry] }, {});
      await session.close();
      entries.push(entry);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
    }
  }
  return { ...program, entries };
}

describeKernel('idioms of the field', ['compiler', 'testrun', 'linux 6.13'], () => {
  for (const flags of FLAGS) {
    for (const source of ['xdp', 'tc']) {
      it(`${source} programs built with ${flags.join(' ')}`, async () => {
        const program = await accepted(build(source, flags));
        expect(program.entries.length).toBeGreaterThan(source === 'xdp' ? 20 : 5);
        const report = await verify({
          program,
          engines: chooseEngines('vm,wasm,testrun').engines,
          seed: 'idioms',
          runs: PACKETS,
          source: new PacketGenerator(
            { kinds: { tcp: 3, udp: 3, 'ip-other': 2 }, protocols: [4], metadata: source === 'xdp' },
            program.entries.map((entry) => entry.hook),
          ),
          oracle: 'off',
        });
        expect(report.divergences.map(({ summary }) => summary)).toEqual([]);
        expect(report.engines.map(({ name, status, reason }) => ({ name, status, reason }))).toEqual(
          ['testrun', 'vm', 'wasm'].map((name) => ({ name, status: 'ran', reason: undefined })),
        );
        possible([...report.fullCoverage!.functions]);
        const [hit, total] = report.coverage!.branches;
        expect(hit / total, 'share of the branches').toBeGreaterThan(0.65);
      });
    }
  }
});
