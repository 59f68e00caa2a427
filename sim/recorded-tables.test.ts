/**
 * All tables and numbers that modules of `sim/` export, recorded: what the kernel's headers, RFCs and IANA give, and how helpers,
 * arguments, maps and instructions are described, changes only where somebody means to change it.
 */
import { expect, it } from 'vitest';
import { tablesOf, tablesText } from '../verify/test-support/tables.ts';

it('are as recorded', async () => {
  await expect(tablesText(await tablesOf('sim'))).toMatchFileSnapshot('recorded/tables.txt');
});
