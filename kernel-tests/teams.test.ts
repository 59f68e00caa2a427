/** `check` in a project of its own: configuration, accepted findings, reports for build servers and code hosts. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { baselineShape } from '../cli/check/baseline.ts';
import { checkReportShape } from '../cli/check/report-json.ts';
import { runInProcess } from '../cli/test-support/in-process.ts';
import { sarifFaults } from '../cli/test-support/sarif-schema.ts';
import { parse } from '../sim/runtime/schema.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const project = realpathSync(mkdtempSync(join(tmpdir(), 'xdpsim-team-')));
const home = process.cwd();

/** Changes a word of the IPv4 header and leaves its checksum alone: line 19. */
const FAULTY = `#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int mark(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > end)
		return XDP_PASS;
	if (eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	struct iphdr *ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > end)
		return XDP_PASS;
	ip->tos = TOS;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
`;

const CONFIG = {
  // The ECN bits stay as they came.
  compiler: { cflags: ['-DTOS=(ip->tos&3|4)'] },
  programs: [{ object: 'src/mark.bpf.c', minCoverage: 50 }],
  runs: 1500,
  seed: 'team',
  sweeps: false,
};

const write = (name: string, value: unknown): void =>
  writeFileSync(name, typeof value === 'string' ? value : JSON.stringify(value));

beforeAll(() => process.chdir(project));
beforeEach(() => {
  for (const name of ['src', 'corpus', 'xdpsim.config.json', 'xdpsim.baseline.json']) {
    rmSync(join(project, name), { recursive: true, force: true });
  }
  mkdirSync('src');
  write('src/mark.bpf.c', FAULTY);
  write('xdpsim.config.json', CONFIG);
});
afterAll(() => {
  process.chdir(home);
  rmSync(project, { recursive: true, force: true });
});

async function checkJson(...args: string[]) {
  const { code, out, err } = await runInProcess('check', '--json', ...args);
  const document = JSON.parse(out);
  expect(() => parse(checkReportShape, document)).not.toThrow();
  const [program] = document.programs;
  // What is worth knowing is no matter of these tests.
  const findings = program.findings.filter((one: { severity: string }) => one.severity === 'error');
  return { code, err, document, program: { ...program, findings } };
}

describeKernel('check in a project', ['compiler'], () => {
  it('takes programs, flags and thresholds from the configuration, and lets the command line decide', async () => {
    const { code, document, program } = await checkJson();
    expect(program.packets).toBeGreaterThanOrEqual(1500);
    expect(program.packets).toBeLessThan(2500);
    expect({ code, seed: document.seed }).toEqual({
      code: 1,
      seed: 'team',
    });
    const [finding] = program.findings;
    expect(finding).toMatchObject({
      invariant: 'checksum/not-updated',
      source: { file: 'src/mark.bpf.c', line: 19 },
    });
    expect(program.sweeps.packets).toBe(0);
    const other = await checkJson(
      'src/mark.bpf.c',
      '--runs',
      '700',
      '--seed',
      'other',
      '--min-coverage',
      '100',
      '--off',
      'checksum',
    );
    expect(other.document.seed).toBe('other');
    expect(other.program.packets).toBeLessThan(1500);
    const switchedOff = ({ notChecked }: typeof program): unknown[] =>
      notChecked.filter((line: string) => line.includes('switched off'));
    expect(switchedOff(other.program)).toEqual(['checksum is switched off (--off)']);
    expect(switchedOff(program)).toEqual([]);
    expect(other.code).toBe(0);
    // Without the configuration nobody says what TOS is.
    const without = await runInProcess('check', 'src/mark.bpf.c', '--no-config');
    expect(without).toMatchObject({ code: 2, err: expect.stringContaining("undeclared identifier 'TOS'") });
  });

  it('reads the flags of the configuration for every command that compiles', async () => {
    expect(await runInProcess('disasm', 'src/mark.bpf.c')).toMatchObject({ code: 0, err: '' });
  });

  it('switches invariants off for a reason, which is shown', async () => {
    write('xdpsim.config.json', { ...CONFIG, off: { 'checksum/not-updated': 'the card computes it' } });
    const { code, program } = await checkJson();
    expect({ code, findings: program.findings }).toEqual({ code: 0, findings: [] });
    expect(program.notChecked).toContain('checksum/not-updated is switched off: the card computes it');
  });

  it('fails with warnings where the configuration is strict', async () => {
    const counts = `struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); }
seen SEC(".maps");
`;
    const plain = `__u32 key = 0;
	__u64 *count = bpf_map_lookup_elem(&seen, &key);
	if (count)
		*count += TOS;`;
    write(
      'src/mark.bpf.c',
      FAULTY.replace('ip->tos = TOS;', plain).replace('SEC("xdp")', `${counts}SEC("xdp")`),
    );
    const passed = await runInProcess('check');
    expect(passed.code).toBe(0);
    expect(passed.out).toMatch(/^PASS, 1 warning mark\.bpf\.c: 1 warning \(counter\/lost-update\) in /m);
    write('xdpsim.config.json', { ...CONFIG, strict: true });
    const failed = await runInProcess('check', '--junit', 'out.xml');
    expect(failed.code).toBe(1);
    expect(failed.out).toMatch(
      /^FAIL mark\.bpf\.c: 1 warning: counter\/lost-update \(strict: warnings fail\)$/m,
    );
    expect(readFileSync('out.xml', 'utf8')).toContain('<failure type="counter/lost-update"');
    write('xdpsim.config.json', CONFIG);
    expect((await runInProcess('check', '--strict')).code).toBe(1);
  });

  it('is the same from a module', async () => {
    rmSync('xdpsim.config.json');
    write('xdpsim.config.js', `export default ${JSON.stringify(CONFIG)};`);
    try {
      const { code, document } = await checkJson();
      expect({ code, seed: document.seed }).toEqual({ code: 1, seed: 'team' });
      write('xdpsim.config.json', CONFIG);
      const both = await runInProcess('check');
      expect(both).toMatchObject({
        code: 2,
        err: expect.stringContaining('only one configuration file may be there'),
      });
    } finally {
      rmSync('xdpsim.config.js');
    }
  });

  it('accepts findings, knows them again when lines move, and says when they are gone', async () => {
    const accepted = await runInProcess('check', '--update-baseline');
    expect(accepted).toMatchObject({
      code: 0,
      err: 'xdpsim.baseline.json: 1 accepted finding; with them: pass\n',
    });
    const baseline = JSON.parse(readFileSync('xdpsim.baseline.json', 'utf8'));
    expect(() => parse(baselineShape, baseline)).not.toThrow();
    // The reason is the team's own, and stays.
    baseline.findings[0].reason = 'the card computes it';
    write('xdpsim.baseline.json', baseline);
    write('src/mark.bpf.c', `/* moved */\n\n${FAULTY.replace('ip->tos = TOS', 'ip->tos   =  TOS')}`);
    const moved = await checkJson('--seed', 'another');
    expect(moved.code).toBe(0);
    expect(moved.program.findings).toEqual([]);
    expect(moved.program.accepted).toMatchObject([
      { invariant: 'checksum/not-updated', source: { line: 21 }, reason: 'the card computes it' },
    ]);
    expect((await runInProcess('check', '--update-baseline')).code).toBe(0);
    expect(readFileSync('xdpsim.baseline.json', 'utf8')).toContain('the card computes it');
    // Another line is another finding.
    write('src/mark.bpf.c', FAULTY.replace('ip->tos = TOS', 'ip->ttl = TOS'));
    const other = await checkJson('--off', 'ttl');
    expect(other.code).toBe(1);
    expect(other.err).toMatch(
      /checksum\/not-updated at src\/mark\.bpf\.c:\d+ is no longer found; --update-baseline removes it/,
    );
  });

  it('tells programs that are called alike apart, in every report and where their cases are saved', async () => {
    for (const folder of ['a', 'b']) {
      mkdirSync(`src/${folder}`);
      write(`src/${folder}/mark.bpf.c`, FAULTY);
    }
    const { out } = await runInProcess('check', 'src/a/mark.bpf.c', 'src/b/mark.bpf.c', '--junit', 'out.xml');
    expect(out.match(/^FAIL .*?:/gm)).toEqual(['FAIL a/mark.bpf.c:', 'FAIL b/mark.bpf.c:']);
    expect(readFileSync('out.xml', 'utf8').match(/<testsuite name=".*?"/g)).toEqual([
      '<testsuite name="a/mark.bpf.c"',
      '<testsuite name="b/mark.bpf.c"',
    ]);
    expect(readdirSync('corpus/regressions')).toEqual(['a_mark.bpf.c', 'b_mark.bpf.c']);
  });

  it('writes what build servers and code hosts read', async () => {
    const { code, out } = await runInProcess(
      'check',
      '--junit',
      'out.xml',
      '--sarif',
      'out.sarif',
      '--github',
    );
    expect(code).toBe(1);
    expect(out).toMatch(
      /^::error file=src\/mark\.bpf\.c,line=19,title=xdpsim%3A checksum\/not-updated::mark\.bpf\.c: /m,
    );
    expect(readFileSync('out.xml', 'utf8')).toMatch(
      /<testsuite name="mark\.bpf\.c" tests="\d+" failures="1" errors="0" skipped="0"[\s\S]*<failure type="checksum\/not-updated"/,
    );
    const sarif = JSON.parse(readFileSync('out.sarif', 'utf8'));
    const [run] = sarif.runs;
    expect(sarif.version).toBe('2.1.0');
    expect(sarifFaults(sarif)).toEqual([]);
    const [result] = run.results;
    // What GitHub's upload asks for: a rule, a text, a relative place, a line from 1, a fingerprint.
    expect(run.tool.driver.rules[result.ruleIndex].id).toBe(result.ruleId);
    expect(result).toMatchObject({
      ruleId: 'checksum/not-updated',
      level: 'error',
      locations: [
        { physicalLocation: { artifactLocation: { uri: 'src/mark.bpf.c' }, region: { startLine: 19 } } },
      ],
      partialFingerprints: { 'xdpsim/v1': expect.stringMatching(/^[0-9a-f]{32}$/) },
    });
    for (const rule of run.tool.driver.rules) {
      expect(rule.shortDescription.text.length).toBeGreaterThan(0);
      expect(rule.fullDescription.text.length).toBeGreaterThan(0);
      expect(rule.name).toMatch(/^[A-Za-z]+$/);
    }
    await runInProcess('check', '--update-baseline');
    await runInProcess('check', '--sarif', 'out.sarif', '--junit', 'out.xml');
    const [again] = JSON.parse(readFileSync('out.sarif', 'utf8')).runs[0].results;
    expect(again.suppressions).toMatchObject([{ kind: 'external' }]);
    expect(again.partialFingerprints).toEqual(result.partialFingerprints);
    expect(readFileSync('out.xml', 'utf8')).toContain('failures="0" errors="0" skipped="1"');
  });
});

it('init lists the programs of the folder, writes once, and what it writes is read', async () => {
  rmSync('xdpsim.config.json');
  for (const format of ['ts', 'js', 'json']) {
    // Node takes `.js` for a module only where a package.json says so.
    const path = `xdpsim.config.${format === 'js' ? 'mjs' : format}`;
    expect(await runInProcess('init', '--format', format)).toMatchObject({
      code: 0,
      err: `${path}: 1 program; next: npx xdpsim check\n`,
    });
    expect(readFileSync(path, 'utf8')).toContain('src/mark.bpf.c');
    const before = readFileSync(path, 'utf8');
    expect(await runInProcess('init', '--format', format)).toMatchObject({
      code: 2,
      err: expect.stringContaining(`${path}: is there already`),
    });
    const { loadConfig } = await import('../cli/config/load.ts');
    expect((await loadConfig(undefined))?.config.programs).toEqual([{ object: 'src/mark.bpf.c' }]);
    expect(readFileSync(path, 'utf8')).toBe(before);
    expect((await runInProcess('init', '--format', format, '--force')).code).toBe(0);
    rmSync(path);
  }
});
