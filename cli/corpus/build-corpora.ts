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
const text = `${JSON.stringify(records, null, 2)}\n`;
await writeAtomically(packageFile(RECORD_FILE), [new TextEncoder().encode(text)]);
