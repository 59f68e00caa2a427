/** A line of C that breaks everything is one finding, and hides none of another line. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { compileBpf } from '../bpf/compile.ts';
import { baselineShape } from '../cli/check/baseline.ts';
import { checkReportShape } from '../cli/check/report-json.ts';
import { runInProcess } from '../cli/test-support/in-process.ts';
import { parse } from '../sim/runtime/schema.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-groups-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const SOURCE = 'kernel-tests/check-specimens/blind.bpf.c';
const lineWith = (mark: string): number =>
  readFileSync(SOURCE, 'utf8')
    .split('\n')
    .findIndex((line) => line.includes(mark)) + 1;

describeKernel('a line that writes without looking', ['compiler'], () => {
  it('is one finding in every report, and is accepted as a whole', async () => {
    const object = join(scratch, 'blind.o');
    compileBpf(SOURCE, object);
    const path = (name: string): string => join(scratch, name);
    const args = [
      'check',
      object,
      '--no-config',
      '--no-sweeps',
      '--shrink-time',
      '0',
      '--report',
      path('cases'),
    ];
    const files = [
      '--junit',
      path('out.xml'),
      '--sarif',
      path('out.sarif'),
      '--baseline',
      path('accepted.json'),
    ];
    const first = await runInProcess(
      ...args,
      ...files,
      ...['--runs', '2000', '--seed', '1', '--json', '--update-baseline'],
    );
    const document = JSON.parse(first.out);
    expect(() => parse(checkReportShape, document)).not.toThrow();
    const errors = document.programs[0].findings.filter(
      (one: { severity: string }) => one.severity === 'error',
    );
    const lines: number[] = errors.map((one: { source: { line: number } }) => one.source.line);
    // Each finding has one file, and there are no others.
    type Named = { readonly file?: string; readonly also?: readonly Named[] };
    const named = (document.programs[0].findings as Named[]).flatMap((one) => [one, ...(one.also ?? [])]);
    const saved = readdirSync(path('cases'), { recursive: true, encoding: 'utf8' });
    expect(
      saved
        .filter((name) => name.endsWith('.pcapng'))
        .map((name) => join(path('cases'), name))
        .sort(),
    ).toEqual(named.flatMap(({ file }) => file ?? []).sort());
    // The other fault stays a finding of its own.
    expect([...new Set(lines)].sort()).toEqual(
      [lineWith('/* blind */'), lineWith('/* no checksum */')].sort(),
    );
    const blind = errors.filter(
      (one: { source: { line: number } }) => one.source.line === lineWith('/* blind */'),
    );
    expect(blind).toHaveLength(1);
    expect(blind[0].also.length).toBeGreaterThanOrEqual(5);
    expect(document.programs[0].reason).toMatch(/\(and \d+ more on the same lines\)/);

    const [run] = JSON.parse(readFileSync(path('out.sarif'), 'utf8')).runs;
    const result = run.results.find(
      (one: { partialFingerprints: Record<string, string> }) =>
        one.partialFingerprints['xdpsim/v1'] === blind[0].fingerprint,
    );
    expect(result.message.text).toMatch(/\. The same line also breaks \S+, .* and \d+ more invariants\.$/);
    expect(result.properties.also).toHaveLength(blind[0].also.length);
    expect(readFileSync(path('out.xml'), 'utf8')).toContain(`failures="${errors.length}"`);

    // Which of many invariants a run meets changes with the seed: the line is accepted, not they.
    expect(first.err).toMatch(/with them: (pass|incomplete)/);
    const accepted = parse(baselineShape, JSON.parse(readFileSync(path('accepted.json'), 'utf8')));
    expect(accepted.findings.map(({ fingerprint }) => fingerprint)).toContain(blind[0].fingerprint);
    const other = await runInProcess(...args, ...files, '--runs', '1000', '--seed', 'another', '--json');
    const { findings } = JSON.parse(other.out).programs[0];
    const open = findings.filter(
      ({ source, severity }: { source?: { line: number }; severity: string }) =>
        severity !== 'info' && source?.line === lineWith('/* blind */'),
    );
    expect(open).toEqual([]);
  });
});
