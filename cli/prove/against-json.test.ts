/** What the last line says of two builds. */
import { describe, expect, it } from 'vitest';
import type { AgainstProgram } from './against.ts';
import { againstVerdict } from './against-json.ts';

const program = (name: string, verdict: AgainstProgram['verdict'], reason: string): AgainstProgram => ({
  ...{ name, verdict, reason },
  ...{ proof: undefined, report: undefined, confirmedBy: [], saved: [], words: { old: [], new: [] } },
});
const ALIKE = program('good', 'pass', 'identical instructions');
const DIFFERS = program('bad', 'fail', 'packets are treated differently: action');
const OTHER = program('worse', 'fail', 'packets are treated differently: checksum');
const OPEN = program('open', 'incomplete', 'too many paths');
const ALONE = 'program third is only in b.o';

function said(
  programs: readonly AgainstProgram[],
  unpaired: readonly string[] = [],
  interrupted = false,
): string {
  const { verdict, reason } = againstVerdict({ old: 'a.o', new: 'b.o', unpaired, programs }, interrupted);
  return `${verdict}: ${reason}`;
}

describe('the verdict on two builds', () => {
  it('names every program that differs, and then those that only one of them has', () => {
    expect(said([ALIKE, DIFFERS], [ALONE])).toBe(
      'fail: bad: packets are treated differently: action; program third is only in b.o',
    );
    expect(said([DIFFERS, OTHER])).toBe(
      'fail: bad: packets are treated differently: action; worse: packets are treated differently: checksum',
    );
    expect(said([ALIKE, OPEN], [ALONE])).toBe(`fail: ${ALONE}`);
  });

  it('is incomplete where no program is known to differ', () => {
    expect(said([ALIKE, OPEN])).toBe('incomplete: open: too many paths');
    expect(said([ALIKE, OPEN], [], true)).toBe('incomplete: it was interrupted');
    expect(said([DIFFERS], [], true)).toBe('fail: bad: packets are treated differently: action');
    expect(said([ALIKE])).toBe('pass: both builds have the same instructions');
  });
});
