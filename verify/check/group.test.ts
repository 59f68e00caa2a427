import { describe, expect, it } from 'vitest';
import type { CheckFinding } from './finding.ts';
import { grouped, ungrouped } from './group.ts';

function found(invariant: string, line?: number, severity: CheckFinding['severity'] = 'error'): CheckFinding {
  const source = line === undefined ? {} : { source: { file: 'a.c', line } };
  return { invariant, severity, summary: 'p: it is so', confirmedBy: ['wasm'], ...source };
}

/** "checksum/not-updated + checksum/sctp" */
const shown = (findings: readonly CheckFinding[]): string[] =>
  grouped(findings).map((one) => [one, ...(one.also ?? [])].map(({ invariant }) => invariant).join(' + '));

describe('findings of one line', () => {
  it('are one where they are of one family', () => {
    expect(shown([found('ttl/wrapped', 7), found('ttl/expired', 7)])).toEqual(['ttl/expired + ttl/wrapped']);
    expect(shown([found('checksum/dccp', 7), found('checksum/sctp', 7)])).toEqual([
      'checksum/sctp + checksum/dccp',
    ]);
  });

  it('stay apart where a checksum is wrong for two known causes: each wants its own correction', () => {
    const two = ['checksum/udp-none-updated', 'checksum/folded-once'];
    expect(shown(two.map((id) => found(id, 7)))).toEqual(two);
  });

  it('take in a wrong checksum that nothing explains', () => {
    const two = [found('checksum/unknown', 7), found('checksum/carry-lost', 7)];
    expect(shown(two)).toEqual(['checksum/carry-lost + checksum/unknown']);
    expect(shown([found('checksum/unknown', 7), found('checksum/carry-lost', 8)])).toHaveLength(2);
    expect(shown([found('checksum/unknown', 7), found('checksum/sctp', 7)])).toHaveLength(2);
  });

  it('are one where what a checksum sums was never written, whatever its numbers look like', () => {
    const two = [found('checksum/wrong-place', 7), found('uninitialized/frame', 7)];
    expect(shown(two)).toEqual(['uninitialized/frame + checksum/wrong-place']);
    expect(shown([found('checksum/wrong-place', 7), found('uninitialized/frame', 8)])).toHaveLength(2);
    expect(shown([found('checksum/wrong-place'), found('uninitialized/frame')])).toHaveLength(2);
    expect(shown([found('ttl/expired', 7), found('uninitialized/frame', 7)])).toHaveLength(2);
  });

  it('are one where a line writes into later fragments, whether or not a sum shows it', () => {
    const two = ['fragments/written', 'checksum/later-fragment'];
    expect(shown(two.map((id) => found(id, 7)))).toEqual(['checksum/later-fragment + fragments/written']);
    expect(shown([found(two[0]!, 7), found(two[1]!, 8)])).toHaveLength(2);
    expect(shown([found(two[0]!, 7), found('fragments/set', 7)])).toEqual([
      'fragments/set + fragments/written',
    ]);
    expect(shown([found(two[0]!, 7), found('checksum/carry-lost', 7)])).toHaveLength(2);
  });

  it('are one where a line breaks everything, of which the strongest stands for the others', () => {
    const many = ['lengths/total', 'fragments/set', 'payload/overwritten', 'checksum/not-updated'];
    const [only, ...others] = grouped(many.map((id) => found(id, 7)));
    expect(others).toEqual([]);
    expect(only).toMatchObject({ invariant: 'checksum/not-updated', isWholeLine: true });
    expect(only!.also!.map(({ invariant }) => invariant)).toEqual([
      'payload/overwritten',
      'lengths/total',
      'fragments/set',
    ]);
    expect(shown(many.slice(0, 3).map((id) => found(id, 7)))).toHaveLength(3);
  });
});

describe('findings that no cause joins', () => {
  it('are those of another line', () => {
    const many = ['lengths/total', 'fragments/set', 'payload/overwritten', 'checksum/not-updated'];
    const findings = [...many.map((id) => found(id, 7)), found('checksum/not-updated', 8)];
    expect(grouped(findings).map(({ source }) => source?.line)).toEqual([7, 8]);
  });

  it('are those without a line, notes, and what is no matter of writing', () => {
    for (const [id, line, severity] of [
      ['lengths/total', undefined, 'error'],
      ['untouched/broken', 7, 'info'],
      ['redirect/no-target', 7, 'error'],
    ] as const) {
      const two = [found(id, line, severity), found(id, line, severity)];
      expect(grouped(two)).toEqual(two);
    }
  });
});

it('shows errors first, and takes groups apart again', () => {
  const findings = [found('ttl/step', 9, 'warning'), found('ttl/wrapped', 7), found('ttl/expired', 7)];
  const groups = grouped(findings);
  expect(groups.map(({ severity }) => severity)).toEqual(['error', 'warning']);
  expect(new Set(ungrouped(groups))).toEqual(new Set(findings));
});
