/** Guidance fills empty slots of tail-call maps: a fault in what it puts there is not the caller's. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compileBpf } from '../bpf/compile.ts';
import { runInProcess } from '../cli/test-support/in-process.ts';
import { createWasmEngine } from '../sim/engines/wasm.ts';
import type { Program } from '../sim/runtime/program.ts';
import { guide } from '../verify/guide/guide.ts';
import type { ProgramReport } from '../verify/report.ts';
import { verify } from '../verify/run.ts';
import { describeKernel } from './test-support/require-kernel.ts';

describeKernel('what guidance puts into slots', ['compiler'], () => {
  const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-slots-'));
  const path = join(scratch, 'dispatcher.o');
  let object: Uint8Array;
  beforeAll(() => {
    compileBpf('kernel-tests/fixtures/dispatcher.bpf.c', path);
    object = new Uint8Array(readFileSync(path));
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  async function tested(name: string, apart: readonly string[]): Promise<ProgramReport> {
    const program: Program = { name, object, entries: [{ function: name, hook: 'xdp' }] };
    return verify({
      program,
      engines: [createWasmEngine()],
      seed: 'slots',
      runs: 4_096,
      maxDivergences: 9,
      guidance: guide(program, { seed: 'slots', effort: 200_000 }),
      testedApart: new Set(apart),
    });
  }

  it('is not reported with the caller where it is tested by itself', async () => {
    const report = await tested('dispatch', ['careless', 'careful', 'hasty']);
    expect(report.divergences.map(({ summary }) => summary)).toEqual([]);
    // The slots were filled all the same: nothing else passes IPv4 on.
    expect(report.actions.XDP_PASS).toBeGreaterThan(0);
  });

  it('is reported with its slot and its name where it is not', async () => {
    const report = await tested('dispatch', []);
    const summaries = report.divergences.map(({ summary }) => summary);
    expect(summaries.length).toBeGreaterThan(0);
    for (const summary of summaries)
      expect(summary).toMatch(/\(with (careless|hasty) in slot 2 of handlers, where the test put it\)$/);
  });

  it('does not hide a fault of the caller, which is shown without it', async () => {
    const report = await tested('hasty', ['careless', 'careful', 'dispatch']);
    const summaries = report.divergences.map(({ summary }) => summary);
    expect(summaries.length).toBeGreaterThan(0);
    for (const { summary, case: shown } of report.divergences) {
      expect(summary).toMatch(/^hasty: ipv4\.checksum/);
      expect(summary).not.toContain('slot');
      expect(shown.world.slots).toBeUndefined();
    }
  });

  it('is nothing where the user says what is in the map', () => {
    const program: Program = { name: 'dispatch', object, entries: [{ function: 'dispatch', hook: 'xdp' }] };
    const slots = { handlers: [{ key: Uint8Array.of(1, 0, 0, 0), name: 'careful' }] };
    const worlds = [{ name: 'stated', world: { slots } }];
    const { cases } = guide(program, { seed: 'slots', effort: 100_000, worlds });
    for (const { world } of cases) expect(world.slots).toBe(slots);
  });

  it('does not count for the caller where it is tested by itself', async () => {
    const [alone, apart] = [
      await tested('dispatch', []),
      await tested('dispatch', ['careless', 'careful', 'hasty']),
    ];
    const names = ({ fullCoverage }: ProgramReport) => fullCoverage!.functions.map((one) => one.function);
    expect(names(alone)).toContain('careful');
    expect(names(apart)).toEqual(['dispatch']);
    const [hit, total] = apart.coverage!.branches;
    expect(hit).toBe(total);
  });

  it('is reported once by verify of the whole object', async () => {
    const report = join(scratch, 'report');
    const args = ['--json', '--seed', 'slots', '--report', report, '--engines', 'wasm', '--runs', '4096'];
    const { out } = await runInProcess('verify', path, ...args, '--shrink-time', '1s');
    const { programs } = JSON.parse(out) as { programs: { name: string; divergences: unknown[] }[] };
    const faulty = programs.filter(({ divergences }) => divergences.length > 0).map(({ name }) => name);
    expect(faulty.map((name) => name.split(':').at(-1)).sort()).toEqual(['careless', 'hasty']);
  });

  it('is reported once by check of the whole object, which reaches all that it asks for', async () => {
    const { programs } = await checkAll(path);
    const errors = programs.filter(({ findings }) => findings.some(({ severity }) => severity === 'error'));
    expect(errors.map(({ name }) => name.split(':').at(-1)).sort()).toEqual(['careless', 'hasty']);
    expect(programs.find(({ name }) => name.endsWith(':dispatch'))).toMatchObject({ verdict: 'pass' });
  });
});

interface Checked {
  readonly programs: readonly {
    readonly name: string;
    readonly verdict: string;
    readonly findings: readonly { readonly severity: string }[];
  }[];
}

async function checkAll(path: string): Promise<Checked> {
  const args = ['--json', '--seed', 'slots', '--report', `${path}.report`, '--runs', '4096', '--no-sweeps'];
  const { out } = await runInProcess('check', path, ...args, '--shrink-time', '1s');
  return JSON.parse(out);
}
