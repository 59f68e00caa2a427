/** A schema as JSON Schema (draft 7), which editors use to complete and check files. */
import { toJsonSchema } from '@valibot/to-json-schema';
import type { PublishedSchema } from './register.ts';

export function jsonSchemaText({ title, schema }: PublishedSchema): string {
  // JSON knows no numbers that are not finite.
  const { $schema, ...rest } = toJsonSchema(schema, {
    typeMode: 'input',
    errorMode: 'throw',
    ignoreActions: ['finite'],
  });
  return `${JSON.stringify({ $schema, title, ...rest }, null, 2)}\n`;
}
