/**
 * `check` names the right invariant on every faulty specimen, and has nothing worse than a note to say of its right twin.
 *
 * The suite takes one or two specimens of most sources; a campaign takes all of them, at both hooks, with full sweeps:
 *
 *     npm run specimens
 *
 * `XDPSIM_RECORD=1 npx vitest run kernel-tests/check.test.ts` writes the faulty objects anew that
 * `verify/check/recorded-checks.test.ts` runs without a compiler.
 */
import { writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createEngine, createEngineAs } from '../cli/engines.ts';
import { packageFile } from '../kernel/package-file.ts';
import type { KernelVersion } from '../sim/ebpf/kernel-versions.ts';
import type { Hook } from '../sim/runtime/actions.ts';
import { check } from '../verify/check/check.ts';
import type { CheckedProgram } from '../verify/check/finding.ts';
import { ungrouped } from '../verify/check/group.ts';
import { RULES } from '../verify/invariants/rules.ts';
import {
  buildCheckSpecimen,
  CHECK_SPECIMENS,
  type CheckSpecimen,
  OWN_SPECIMENS,
  worldsOfSpecimen,
} from './check-specimens/specimens.ts';
import { SPECIMEN_HOOKS } from './checksum-specimens/specimens.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const SEEDS = process.env.XDPSIM_CHECK_SEEDS?.split(',');
const IS_CAMPAIGN = SEEDS !== undefined;

/** With the kernel, and right twins. Without, all faulty ones are in `verify/check/recorded-checks.test.ts`. */
const IN_SUITE: ReadonlySet<string> = new Set([
  'ttl_expired',
  'redirect_slot',
  'ttl_step',
  'no_neighbour',
  'not_cleared',
  'stack_sent',
  'head_unwritten',
  'counter_plain',
  'fragment_written',
  'udp6_zero_lost',
  'ipip_check',
  'udp_translated',
  'unchecked',
]);

interface Row {
  readonly specimen: CheckSpecimen;
  readonly hook: Hook;
}

const ROWS: readonly Row[] = IS_CAMPAIGN
  ? CHECK_SPECIMENS.flatMap((specimen) => specimen.hooks.map((hook) => ({ specimen, hook })))
  : OWN_SPECIMENS.filter(({ name }) => IN_SUITE.has(name)).map((specimen, index) => ({
      specimen,
      hook: specimen.hooks[index % specimen.hooks.length]!,
    }));

function checked({ specimen, hook }: Row, faulty: boolean, seed: string): Promise<CheckedProgram> {
  const worlds = worldsOfSpecimen(specimen);
  const versions = (specimen.asKernels ?? []).map((version) => ({
    version,
    machine: createEngineAs('wasm', version as KernelVersion),
  }));
  return check({
    program: buildCheckSpecimen(specimen, hook, faulty),
    machine: createEngine('wasm'),
    kernel: createEngine('testrun'),
    witness: createEngine('vm'),
    seed,
    versions,
    // One word shows what a sweep is good for; the others are the campaign's.
    sweeps: IS_CAMPAIGN || specimen.name === 'udp6_zero_lost',
    ...(IS_CAMPAIGN ? {} : { runs: 4096, effort: 200_000, shrinkSeconds: 0.2 }),
    ...(worlds === undefined ? {} : { worlds }),
  });
}

const OPTIONS = { timeout: IS_CAMPAIGN ? 3_600_000 : 60_000 };

/** Only a kernel can refuse a program. */
const isRefused = ({ specimen }: Row): boolean => specimen.invariant === 'load/refused';

describeKernel('check', ['compiler'], () => hold(ROWS.filter((row) => !isRefused(row))));
describeKernel('check, where there is a kernel', ['root', 'testrun', 'compiler'], () =>
  hold(ROWS.filter(isRefused)),
);

function hold(rows: readonly Row[]): void {
  for (const row of rows) {
    const { specimen, hook } = row;
    it(`${specimen.name} at ${hook}: ${specimen.invariant}, and nothing of its twin`, OPTIONS, async () => {
      for (const seed of SEEDS ?? ['suite']) {
        const faulty = await checked(row, true, seed);
        // What a line breaks besides is named with its finding.
        const named = ungrouped(faulty.findings);
        const found = named.map(({ invariant }) => invariant);
        expect(found, `seed ${seed}: ${faulty.reason}`).toContain(specimen.invariant);
        const wanted = named.find(({ invariant }) => invariant === specimen.invariant)!;
        expect(faulty.verdict).toBe(
          faulty.findings.some(({ severity }) => severity === 'error') ? 'fail' : 'pass',
        );
        // What warns where a program reads in the wrong place is an error where it writes there: that hangs on the packet.
        const { severity } = RULES.find(({ id }) => id === specimen.invariant)!;
        expect([severity, 'error']).toContain(wanted.severity);
        const right = await checked(row, false, seed);
        const said = right.findings.filter(({ severity }) => severity !== 'info');
        expect(said.map(({ summary }) => summary)).toEqual([]);
        expect(right.verdict, right.reason).not.toBe('fail');
        if (right.verdict === 'incomplete') expect(right.reason).toMatch(/branches reached/);
      }
    });
  }
}

function record(): void {
  describe('objects for tests without a compiler', () => {
    // At TC, counters, other kernels and what the verifier refuses are as at XDP; errors are made there alone.
    const alike = /\/(counters|errors|refused|versions)$/;
    const sources = [...new Set(OWN_SPECIMENS.map(({ source }) => source))];
    it.each(
      sources.flatMap((source) =>
        SPECIMEN_HOOKS.filter((hook) => hook === 'xdp' || !alike.test(source)).map(
          (hook) => [source, hook] as const,
        ),
      ),
    )('%s at %s', (source, hook) => {
      const { object } = buildCheckSpecimen(OWN_SPECIMENS.find((one) => one.source === source)!, hook, true);
      const ending = hook === 'xdp' ? '' : '-tc';
      writeFileSync(packageFile(`verify/check/recorded/${basename(source)}${ending}.o`), object!);
    });
  });
}

if (process.env.XDPSIM_RECORD === '1') record();

describe('the specimens of check', () => {
  it('are at least sixty, each with a name of its own and an invariant of the register', () => {
    const names = CHECK_SPECIMENS.map(({ name, source }) => `${source}:${name}`);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThanOrEqual(60);
    const known = new Set(RULES.map(({ id }) => id));
    expect(CHECK_SPECIMENS.filter(({ invariant }) => !known.has(invariant))).toEqual([]);
  });

  it('of the suite are specimens', () => {
    const names = OWN_SPECIMENS.map(({ name }) => name);
    expect([...IN_SUITE].filter((name) => !names.includes(name))).toEqual([]);
  });
});
