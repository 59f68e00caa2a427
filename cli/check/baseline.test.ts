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
    reasonFor: baseline.reasonsFor(of),
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

describe('programs of one file name in two folders', () => {
  const a = program('a/x.o');
  const b = program('b/x.o');
  const found = [finding('ttl/step', 'x.bpf.c')];

  it('are accepted each by itself, and one leaves the entries of the other alone', () => {
    const baseline = accepting(a, ...found);
    expect(checked(baseline, a, { findings: found }).findings[0]!.accepted).toBe('known: ttl/step');
    expect(checked(baseline, b, { findings: found }).findings[0]!.accepted).toBeUndefined();
    expect(baseline.gone([checked(baseline, b)])).toEqual([]);
    expect(invariants(baseline.gone([checked(baseline, a), checked(baseline, b)]))).toEqual(['ttl/step']);
    const both = baseline.updated([checked(baseline, b, { findings: found })]).findings;
    expect(both.map(({ path, reason }) => [path, reason.slice(0, 5)])).toEqual([
      ['a/x.o', 'known'],
      ['b/x.o', 'accep'],
    ]);
  });

  it('have one baseline wherever the repository lies', () => {
    const { findings } = accepting(a, ...found).updated([]);
    const elsewhere = new Baseline(findings, '/opt/repository');
    const moved = program('/opt/repository/a/x.o');
    expect(checked(elsewhere, moved, { findings: found }).findings[0]!.accepted).toBe('known: ttl/step');
  });

  it('are accepted where they do not lie below its folder, as their findings are', () => {
    const built = program('/tmp/build.1/x.o');
    const other = program('/tmp/build.2/x.o');
    const baseline = accepting(built, ...found);
    expect(checked(baseline, other, { findings: found }).findings[0]!.accepted).toBe('known: ttl/step');
  });
});

describe('a baseline that was written without paths', () => {
  const old = (file: string): Baseline => {
    const { findings } = accepting(program('a/x.o'), finding('ttl/step', file)).updated([]);
    return new Baseline(findings.map(({ path: _, ...one }) => ({ ...one, file })));
  };
  const acceptedIn = (baseline: Baseline, of: string, file: string): string | undefined =>
    checked(baseline, program(of), { findings: [finding('ttl/step', file)] }).findings[0]!.accepted;

  it('accepts what it holds where the file agrees', () => {
    expect(acceptedIn(old('a/x.bpf.c'), 'a/x.o', 'a/x.bpf.c')).toBe('known: ttl/step');
    expect(acceptedIn(old('a/x.bpf.c'), 'b/x.o', 'b/x.bpf.c')).toBeUndefined();
    // Run in another folder, or where the source was not found.
    expect(acceptedIn(old('src/a/x.bpf.c'), 'a/x.o', 'a/x.bpf.c')).toBe('known: ttl/step');
    expect(acceptedIn(old('x.bpf.c'), 'a/x.o', 'a/x.bpf.c')).toBe('known: ttl/step');
    expect(acceptedIn(old('/home/me/a/x.bpf.c'), 'a/x.o', 'a/x.bpf.c')).toBe('known: ttl/step');
  });

  it('gets the paths when it is written again, and keeps the reasons', () => {
    const baseline = old('a/x.bpf.c');
    const judged = [checked(baseline, program('a/x.o'), { findings: [finding('ttl/step', 'a/x.bpf.c')] })];
    expect(baseline.updated(judged).findings).toMatchObject([{ path: 'a/x.o', reason: 'known: ttl/step' }]);
  });
});
