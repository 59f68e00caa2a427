/** All tables and numbers that modules of `verify/` export, recorded: rules, limits and names change only where somebody means it. */
import { expect, it } from 'vitest';
import { tablesOf, tablesText } from './test-support/tables.ts';

it('are as recorded', async () => {
  await expect(tablesText(await tablesOf('verify'))).toMatchFileSnapshot('recorded/tables.txt');
});
