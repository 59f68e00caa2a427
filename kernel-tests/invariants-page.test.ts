import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { packageFile } from '../kernel/package-file.ts';
import { RULES } from '../verify/invariants/rules.ts';
import { CHECK_SPECIMENS } from './check-specimens/specimens.ts';
import { invariantsPage, programText, WITHOUT_PROGRAM } from './test-support/invariants-page.ts';

describe('docs/invariants.md', () => {
  it('is what register and specimens say (write it anew with -u)', async () => {
    await expect(invariantsPage()).toMatchFileSnapshot('../docs/invariants.md');
  });

  it('has every invariant once, with a wrong and a right program or the reason why there is none', () => {
    const page = readFileSync(packageFile('docs/invariants.md'), 'utf8');
    const ids = RULES.map(({ id }) => id);
    expect([...page.matchAll(/^### `(.*)`$/gm)].map(([, id]) => id)).toEqual(ids);
    const shown = new Set(CHECK_SPECIMENS.map(({ invariant }) => invariant));
    expect(ids.filter((id) => !shown.has(id)).sort()).toEqual(Object.keys(WITHOUT_PROGRAM).sort());
  });

  it('shows two different forms of each program, without the macros that choose between them', () => {
    for (const specimen of CHECK_SPECIMENS) {
      const [wrong, right] = [programText(specimen, true), programText(specimen, false)];
      expect(wrong, specimen.name).not.toBe(right);
      expect(`${wrong}${right}`).not.toMatch(/FAULTY|IF_RIGHT/);
      expect(wrong).toMatch(/^.*\bint \w+\([\s\S]*\n\}$/);
    }
  });
});
