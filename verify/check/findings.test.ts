/** From what runs found to findings by the names of invariants. */
import { describe, expect, it } from 'vitest';
import type { Finding } from '../finding.ts';
import type { Divergence, ProgramReport } from '../report.ts';
import { FAKE_PROGRAM } from '../test-support/engines.ts';
import { data } from '../test-support/packets.ts';
import type { CheckFinding } from './finding.ts';
import { findingOf, invariantOf, loadFindings, warningFindings } from './findings.ts';

function finding(more: Partial<Finding>): Finding {
  return {
    ...{ engines: ['oracle', 'wasm'], part: 'status', field: 'status', packet: 0 },
    ...{ expected: undefined, got: undefined },
    ...more,
  };
}

describe('the invariant', () => {
  it('is the one that was broken', () => {
    const breach = { severity: 'error', summary: '', invariant: 'ttl/step', at: 0, size: 0 } as const;
    const whole = { ...breach, expected: '', got: '', sentence: '' };
    expect(invariantOf(finding({ part: 'invariant', breach: whole }), undefined)).toBe('ttl/step');
  });

  it('is agreement where two engines differ, and the verifier where the machine stopped', () => {
    expect(invariantOf(finding({ part: 'action' }), data(60))).toBe('agreement/machine');
    expect(invariantOf(finding({}), data(60))).toBe('verifier/stopped');
    const refused = { did: 'refused' } as Finding['kernel'] & object;
    expect(invariantOf(finding({ kernel: refused }), data(60))).toBe('load/refused');
    const ran = { did: 'ran' } as unknown as Finding['kernel'] & object;
    expect(invariantOf(finding({ kernel: ran }), data(60))).toBe('verifier/stopped');
  });

  it('is a checksum of which nobody knows the cause, where there is no packet', () => {
    const fault = { layer: 'tcp' } as unknown as Finding['fault'] & object;
    expect(invariantOf(finding({ part: 'checksum', fault }), undefined)).toBe('checksum/unknown');
  });
});

describe('a divergence', () => {
  const divergence: Divergence = {
    ...{ program: 'fake', engines: ['oracle', 'wasm'], part: 'status', field: 'status', severity: 'warning' },
    ...{ summary: 'fake: stopped', state: 'shrunk', seen: { seed: 's', packet: 0 } },
    case: { program: 'fake', world: {}, stimuli: [{ packet: data(60) }] },
    finding: finding({}),
  };

  it('is a finding that nobody has confirmed', () => {
    expect(findingOf(divergence)).toEqual({
      ...{ invariant: 'verifier/stopped', severity: 'warning', summary: 'fake: stopped', confirmedBy: [] },
      divergence,
    });
  });

  it('keeps its file, and the line without its text', () => {
    const source = { file: 'a.c', line: 3, text: 'x++;' };
    const unsaved = { reason: 'full' } as unknown as Divergence['unsaved'] & object;
    const found = findingOf({ ...divergence, finding: finding({ source }), file: 'a.pcapng', unsaved });
    expect(found.source).toEqual({ file: 'a.c', line: 3 });
    expect(found.file).toBe('a.pcapng');
    expect(found.unsaved).toBe(unsaved);
  });
});

describe('a kernel that does not load the program', () => {
  const report = (name: string, failure: object | undefined): ProgramReport =>
    ({ engines: [{ name, status: 'failed', failure }] }) as unknown as ProgramReport;
  const failure = { kind: 'input', message: 'refused', log: 'one\ntwo\n\n' };

  it('is shown with what the verifier says', () => {
    expect(loadFindings(FAKE_PROGRAM, report('testrun', failure))).toEqual([
      {
        invariant: 'load/refused',
        severity: 'error',
        summary: 'fake: refused',
        confirmedBy: ['testrun'],
        log: 'one\ntwo\n\n',
        details: [],
      },
    ]);
    const { log: _, ...silent } = failure;
    expect(loadFindings(FAKE_PROGRAM, report('testrun', silent))[0]?.details).toEqual([]);
    const helped = report('testrun', { ...silent, remedy: 'declare them volatile' });
    expect(loadFindings(FAKE_PROGRAM, helped)[0]?.details).toEqual(['declare them volatile']);
  });

  it('is none where the kernel lacks something, or it is not the program', () => {
    expect(loadFindings(FAKE_PROGRAM, report('testrun', undefined))).toEqual([]);
    expect(loadFindings(FAKE_PROGRAM, report('wasm', failure))).toEqual([]);
    expect(loadFindings(FAKE_PROGRAM, report('testrun', { ...failure, kind: 'environment' }))).toEqual([]);
    expect(loadFindings(FAKE_PROGRAM, report('testrun', { ...failure, lacking: true }))).toEqual([]);
  });
});

describe('a warning', () => {
  const source = { file: 'a.c', line: 3 };
  const warning = (kind: string) => ({ kind, summary: 'reads its stack', severity: 'warning' }) as const;

  it('is a finding where no packet was found that shows it', () => {
    expect(
      warningFindings(
        FAKE_PROGRAM,
        [{ ...warning('unwritten-stack'), source }, warning('leaked-address')],
        [],
      ),
    ).toEqual([
      {
        ...{ invariant: 'uninitialized/passed', severity: 'warning', summary: 'fake: reads its stack' },
        ...{ confirmedBy: ['vm'], source },
      },
      {
        ...{ invariant: 'determinism/differs', severity: 'warning', summary: 'fake: reads its stack' },
        confirmedBy: ['vm'],
      },
    ]);
  });

  it('is none where a packet shows it, or where it is about something else', () => {
    const shown: CheckFinding = {
      ...{ invariant: 'uninitialized/frame', severity: 'error', summary: '', confirmedBy: [] },
    };
    expect(warningFindings(FAKE_PROGRAM, [warning('unwritten-stack')], [shown])).toEqual([]);
    expect(warningFindings(FAKE_PROGRAM, [warning('leaked-address')], [shown]).length).toBe(1);
    expect(warningFindings(FAKE_PROGRAM, [warning('anything')], [])).toEqual([]);
  });
});
