/** All tables and numbers that modules of `verify/` export, recorded: rules, limits and names change only where somebody means it. */
import { expect, it } from 'vitest';
import { fingerprint } from './test-support/recorded.ts';
import { tablesOf } from './test-support/tables.ts';

/** Longer lines are recorded as fingerprints. */
const LONGEST = 400;

it('are as recorded', async () => {
  const lines = await tablesOf('verify');
  const text = lines.map((line) => {
    if (line.length <= LONGEST) return line;
    const name = line.slice(0, line.indexOf(' = '));
    return `${name} = ${fingerprint(name, line.split(/(?<=[}\]]),/))}`;
  });
  await expect(`${text.join('\n')}\n`).toMatchFileSnapshot('recorded/tables.txt');
});
