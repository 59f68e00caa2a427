/**
 * All tables and numbers that modules of `sim/` export, recorded: what the kernel's headers, RFCs and IANA give, and how helpers,
 * arguments, maps and instructions are described, changes only where somebody means to change it.
 */
import { expect, it } from 'vitest';
import { fingerprint } from '../verify/test-support/recorded.ts';
import { tablesOf } from '../verify/test-support/tables.ts';

/** Longer lines are recorded as fingerprints. */
const LONGEST = 400;

it('are as recorded', async () => {
  const lines = await tablesOf('sim');
  const text = lines.map((line) => {
    if (line.length <= LONGEST) return line;
    const name = line.slice(0, line.indexOf(' = '));
    return `${name} = ${fingerprint(name, line.split(/(?<=[}\]]),/))}`;
  });
  await expect(`${text.join('\n')}\n`).toMatchFileSnapshot('recorded/tables.txt');
});
