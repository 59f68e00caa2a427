import { describe, expect, it } from 'vitest';
import { RULES } from '../../verify/invariants/rules.ts';
import { sarifFaults } from '../test-support/sarif-schema.ts';
import type { JudgedProgram, NamedFinding } from './judged.ts';
import { toSarif } from './report-sarif.ts';

/** What uploading asks for, and no more. */
interface Sarif {
  readonly runs: readonly {
    readonly tool: { readonly driver: { readonly rules: readonly { readonly id: string }[] } };
    readonly invocations: unknown;
    readonly results: readonly {
      readonly ruleId: string;
      readonly ruleIndex: number;
      readonly message: { readonly text: string };
      readonly locations: readonly {
        readonly physicalLocation: {
          readonly artifactLocation: { readonly uri: string; readonly uriBaseId?: string };
        };
      }[];
      readonly suppressions?: readonly { readonly kind: string; readonly justification: string }[];
    }[];
  }[];
}

function judged(...findings: Partial<NamedFinding & NamedFinding['finding']>[]): JudgedProgram {
  return {
    program: { name: 'prog.o' },
    checked: { verdict: findings.length === 0 ? 'pass' : 'fail', reason: 'because' },
    findings: findings.map(
      ({ path = 'src/a.c', line = 7, fingerprint = 'f'.repeat(32), accepted, ...own }) => ({
        finding: {
          invariant: 'checksum/carry-lost',
          severity: 'error',
          summary: 'prog.o: “it” is so\n<wrong>',
          confirmedBy: ['testrun', 'wasm'],
          ...own,
        },
        fingerprint,
        path,
        line,
        ...(accepted === undefined ? {} : { accepted }),
      }),
    ),
  } as unknown as JudgedProgram;
}

const also = (...ids: string[]) =>
  ids.map((invariant) => ({ invariant, severity: 'error' as const, summary: 'x', confirmedBy: [] }));

describe('the SARIF report', () => {
  it('is SARIF 2.1.0 by the schema of the standard, whatever was found', () => {
    const one = judged(
      {},
      { severity: 'warning', invariant: 'counter/lost-update', confirmedBy: [] },
      { severity: 'info', invariant: 'action/aborted', file: 'corpus/regressions/a.pcapng' },
      { path: '/usr/include/näme with blanks#1.h', line: 1 },
      { accepted: 'the card computes it' },
      { also: also('checksum/sctp', 'lengths/udp'), isWholeLine: true },
    );
    for (const all of [[], [judged()], [one], [one, judged({})]])
      expect(sarifFaults(toSarif(all))).toEqual([]);
    const every = judged(...RULES.map(({ id, severity }) => ({ invariant: id, severity })));
    expect(sarifFaults(toSarif([every]))).toEqual([]);
  });

  it('is no clean bill where the run was incomplete', () => {
    const unreached = { verdict: 'incomplete', reason: '3 of 9 branches reached' };
    const incomplete = { ...judged(), checked: unreached } as unknown as JudgedProgram;
    const invocationsOf = (...args: Parameters<typeof toSarif>): unknown => {
      const document = toSarif(...args);
      expect(sarifFaults(document)).toEqual([]);
      return (document as Sarif).runs[0]!.invocations;
    };
    const notification = (text: string) => ({ level: 'error', message: { text } });
    expect(invocationsOf([judged({}), incomplete])).toEqual([
      {
        executionSuccessful: false,
        toolExecutionNotifications: [notification('prog.o: INCOMPLETE: 3 of 9 branches reached')],
      },
    ]);
    expect(invocationsOf([], true)).toMatchObject([
      { executionSuccessful: false, toolExecutionNotifications: [{ level: 'error' }] },
    ]);
    expect(invocationsOf([judged({}), judged()])).toEqual([{ executionSuccessful: true }]);
  });

  it('says where, by which rule, what else the line breaks, and what is accepted', () => {
    const document = toSarif([
      judged(
        { path: 'src/a b.c', accepted: 'known' },
        { path: '/opt/a.c', invariant: 'lengths/udp', also: also('checksum/sctp') },
      ),
    ]) as Sarif;
    const [run] = document.runs;
    const [first, second] = run!.results;
    for (const { ruleId, ruleIndex } of run!.results)
      expect(run!.tool.driver.rules[ruleIndex]!.id).toBe(ruleId);
    expect(first!.locations[0]!.physicalLocation.artifactLocation).toEqual({
      uri: 'src/a%20b.c',
      uriBaseId: '%SRCROOT%',
    });
    expect(second!.locations[0]!.physicalLocation.artifactLocation).toEqual({ uri: 'file:///opt/a.c' });
    expect(first!.suppressions).toEqual([{ kind: 'external', justification: 'known' }]);
    expect(second!.message.text).toContain('The same line also breaks checksum/sctp.');
  });
});

it('the schema refuses what is no SARIF', () => {
  const document = toSarif([judged({})]) as Sarif;
  const result = { ...document.runs[0]!.results[0]!, message: {} };
  const without = { ...document, runs: [{ ...document.runs[0], results: [result] }] };
  expect(sarifFaults(without).join()).toMatch(/runs\[0\]\.results\[0\]\.message/);
  expect(sarifFaults({ version: '2.1.0' }).join()).toMatch(/runs/);
  expect(sarifFaults({ ...document, runs: [{ ...document.runs[0], tool: undefined }] })).not.toEqual([]);
});
