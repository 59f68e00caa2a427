/** `npm run corpora`: makes the corpora of the built-in programs anew, and writes down what they reach. */
import { encodeCase } from '../../corpus/cases/case.ts';
import { writeAtomically } from '../../corpus/files/atomic-file.ts';
import { makeDirectory } from '../../corpus/files/make-directory.ts';
import { packageFile } from '../../kernel/package-file.ts';
import { builtInPrograms } from '../input/program-source.ts';
import { reportLine } from '../output.ts';
import { buildCorpus, type CorpusRecord, RECORD_FILE, recordOf } from './corpora.ts';
import { corpusFile } from './corpus-file.ts';

await makeDirectory(packageFile('corpus/packets'));
const records: Record<string, CorpusRecord> = {};
for (const program of builtInPrograms()) {
  const cases = await buildCorpus(program);
  const record = await recordOf(program, cases);
  records[program.name] = record;
  await writeAtomically(corpusFile(program.name), cases.map(encodeCase));
  const [reached, total] = record.branches;
  reportLine(
    `${program.name}: ${record.cases} cases, ${record.packets} packets, ${reached} of ${total} branches`,
  );
}
// A line for each program, as the formatter wants it.
const lines = Object.entries(records).map(
  ([
    name,
    {
      cases,
      packets,
      branches: [reached, total],
    },
  ]) => `  "${name}": { "cases": ${cases}, "packets": ${packets}, "branches": [${reached}, ${total}] }`,
);
const text = `{\n${lines.join(',\n')}\n}\n`;
await writeAtomically(packageFile(RECORD_FILE), [new TextEncoder().encode(text)]);
