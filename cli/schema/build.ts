/**
 * Writes docs/schema/*.json: `npm run schema`. With --check, writes nothing and fails where a file is not what the
 * schemas say.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { packageFile } from '../../kernel/package-file.ts';
import { reportLine } from '../output.ts';
import { jsonSchemaText } from './json-schema.ts';
import { publishedSchemas } from './register.ts';

for (const schema of publishedSchemas) {
  const path = packageFile(`docs/schema/${schema.name}.json`);
  const text = jsonSchemaText(schema);
  if (!process.argv.includes('--check')) writeFileSync(path, text);
  else if (readFileSync(path, 'utf8') !== text) {
    reportLine(`${path} is not what the schemas say: npm run schema`);
    process.exitCode = 1;
  }
}
