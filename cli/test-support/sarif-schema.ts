/** The JSON Schema of SARIF 2.1.0, as Microsoft's SDK ships it (revision rtm.5). */
import { createRequire } from 'node:module';
import Ajv from 'ajv';

const require = createRequire(import.meta.url);

let validate: Ajv.ValidateFunction | undefined;

/** What is wrong with a document by the schema, a sentence each: "data.runs[0] should have required property 'tool'". */
export function sarifFaults(document: unknown): string[] {
  validate ??= compiled();
  if (validate(document) === true) return [];
  return (validate.errors ?? []).map(({ dataPath, message }) => `data${dataPath} ${message}`);
}

function compiled(): Ajv.ValidateFunction {
  // The schema is written in draft 4, which names itself with `id`.
  const ajv = new Ajv({ schemaId: 'id', meta: false, allErrors: true, logger: false });
  ajv.addMetaSchema(require('ajv/lib/refs/json-schema-draft-04.json'));
  return ajv.compile(require('@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json'));
}
