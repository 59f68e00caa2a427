/** The configuration files that the documentation shows are such as the command takes. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { packageFile } from '../../kernel/package-file.ts';
import { parseJsonc } from '../../sim/runtime/jsonc.ts';
import { parse } from '../../sim/runtime/schema.ts';
import { plansOf } from '../check/plans.ts';
import { NO_OPTIONS } from '../test-support/no-options.ts';
import { configShape } from './shape.ts';

const pages = [
  packageFile('README.md'),
  ...readdirSync(packageFile('docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(packageFile('docs'), name)),
];

/** Of those that say which schema they have, or name programs. */
const samples = pages.flatMap((page) =>
  [...readFileSync(page, 'utf8').matchAll(/^```jsonc?\n(.*?)^```$/gms)].flatMap(([, text]) =>
    /schema\/config\.json"|^\s*"programs": \[/m.test(text!) && !text!.includes('"verdict"')
      ? [{ page, text: text! }]
      : [],
  ),
);

it('finds samples', () => {
  expect(samples.map(({ page }) => page)).toContain(packageFile('docs/configuration.md'));
});

it.each(samples)('of $page', ({ text }) => {
  const config = parse(configShape, parseJsonc(text));
  const plans = plansOf([], NO_OPTIONS, { path: 'xdpsim.config.json', config });
  expect(plans).toHaveLength(config.programs!.length);
});
