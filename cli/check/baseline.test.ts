import { describe, expect, it } from 'vitest';
import type { Program } from '../../sim/runtime/program.ts';
import type { CheckedProgram, CheckFinding } from '../../verify/check/finding.ts';
import { Baseline } from './baseline.ts';
import { type JudgedProgram, judge } from './judged.ts';

const REPORT = { packets: 5000, defects: [], engines: [{ name: 'wasm', status: 'ran' }] };
const KERNEL = { name: 'testrun', status: 'ran' };

function program(objectPath: string): Program {
  const name = objectPath.split('/').at(-1)!;
  return { name, objectPath, entries: [{ function: 'prog' }] } as unknown as Program;
}

function finding(invariant: string, file = 'x.bpf.c'): CheckFinding {
  const source = { file, line: 7, text: 'ip->tos = 4;' };
  return { invariant, severity: 'error', source, summary: 'x', confirmedBy: [] } as unknown as CheckFinding;
}

interface Run {
  readonly findings?: readonly CheckFinding[];
  readonly isOn?: (invariant: string) => boolean;
  readonly engines?: readonly unknown[];
}

function checked(
  baseline: Baseline,
  of: Program,
  { findings = [], isOn = () => true, engines = [] }: Run = {},
): JudgedProgram {
  const report = { ...REPORT, engines: [...REPORT.engines, ...engines] };
  const one = { report, unreached: [], sweeps: { words: 0, left: 0 }, findings, notChecked: [] };
  return judge(of, one as unknown as CheckedProgram, {
    reasonFor: (fingerprint) => baseline.reasonFor(fingerprint),
    thresholds: {},
    isOn,
  });
}

/** A file that accepts what was found, for reasons of the team's own. */
function accepting(of: Program, ...findings: readonly CheckFinding[]): Baseline {
  const none = new Baseline();
  const file = none.updated([checked(none, of, { findings })]);
  return new Baseline(file.findings.map((one) => ({ ...one, reason: `known: ${one.invariant}` })));
}

const invariants = (found: readonly { readonly invariant: string }[]): string[] =>
  found.map(({ invariant }) => invariant);

describe('accepted findings', () => {
  const x = program('a/x.o');
  const baseline = accepting(x, finding('checksum/not-updated'), finding('ttl/step'));

  it('are gone where they were looked for and not found', () => {
    const judged = [checked(baseline, x, { findings: [finding('ttl/step')] })];
    expect(invariants(baseline.gone(judged))).toEqual(['checksum/not-updated']);
    expect(invariants(baseline.updated(judged).findings)).toEqual(['ttl/step']);
  });

  it('stay, with their reasons, where their invariants were not judged', () => {
    const onlyTtl = (id: string): boolean => id.startsWith('ttl/');
    const judged = [checked(baseline, x, { findings: [finding('ttl/step')], isOn: onlyTtl })];
    expect(baseline.gone(judged)).toEqual([]);
    expect(baseline.updated(judged).findings.map(({ reason }) => reason)).toEqual([
      'known: checksum/not-updated',
      'known: ttl/step',
    ]);
    // What was judged goes all the same.
    expect(invariants(baseline.gone([checked(baseline, x, { isOn: onlyTtl })]))).toEqual(['ttl/step']);
  });

  it('of a kernel stay where none was asked', () => {
    const refused = accepting(x, finding('load/refused'));
    expect(refused.gone([checked(refused, x)])).toEqual([]);
    expect(invariants(refused.gone([checked(refused, x, { engines: [KERNEL] })]))).toEqual(['load/refused']);
    const stopped = accepting(x, finding('verifier/stopped'));
    expect(stopped.gone([checked(stopped, x, { engines: [KERNEL] })])).toEqual([]);
    expect(invariants(stopped.gone([checked(stopped, x)]))).toEqual(['verifier/stopped']);
  });
});
