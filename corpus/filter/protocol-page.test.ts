import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { protocols } from '../../sim/packet/protocols.ts';
import { protocolPage } from './test-support/protocol-page.ts';

it('docs/protocols.md is what the register says (write it anew with -u)', async () => {
  await expect(protocolPage()).toMatchFileSnapshot('../../docs/protocols.md');
});

it('every protocol of the register has a header from the wire in a test of its own', () => {
  const folder = new URL('../../sim/packet/', import.meta.url).pathname;
  const tests = readdirSync(folder)
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n');
  const register = readFileSync(join(folder, 'protocols.ts'), 'utf8');
  for (const { name } of protocols) {
    const constant = new RegExp(`^  ${name}: (\\w+),$`, 'm').exec(register)?.[1];
    expect(tests, name).toMatch(new RegExp(`describeProtocol\\(\\s*${constant},\\s*\\{`));
  }
});
