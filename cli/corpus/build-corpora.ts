/**
 * `npm run corpora`: makes the corpora of the built-in programs anew, and writes down what they reach. With names of programs
 * only these; with `--check` nothing is written, and the exit code is 1 where what is there is something else.
 */
import { readFileSync } from 'node:fs';
import { encodeCase } from '../../corpus/cases/case.ts';
import { writeAtomically } from '../../corpus/files/atomic-file.ts';
import { makeDirectory } from '../../corpus/files/make-directory.ts';
import { packageFile } from '../../kernel/package-file.ts';
import { builtInPrograms } from '../input/program-source.ts';
import { reportLine } from '../output.ts';
import { startProofs } from '../prove/aid.ts';
import { buildCorpus, type CorpusRecord, RECORD_FILE, recordOf } from './corpora.ts';
import { corpusFile } from './corpus-file.ts';

/** For one program: far more than it takes, since what is cut off by a clock is not the same every time. */
const SECONDS = 600;

const names = process.argv.slice(2).filter((one) => one !== '--check');
const isCheck = process.argv.includes('--check');

await makeDirectory(packageFile('corpus/packets'));
const known = JSON.parse(readFileSync(packageFile(RECORD_FILE), 'utf8')) as Record<string, CorpusRecord>;
const records: Record<string, CorpusRecord> = {};
const proofs = await startProofs('npm run corpora', SECONDS, new AbortController().signal);
for (const program of builtInPrograms()) {
  const { name } = program;
  if (names.length > 0 && !names.includes(name)) {
    records[name] = known[name]!;
    continue;
  }
  const { cases: all, shown, doubt } = await proofs.follow(program);
  const proved = all.slice(0, shown);
  if (doubt !== undefined) throw new Error(`${name}: ${doubt}`);
  const cases = await buildCorpus(program, proved);
  const record = await recordOf(program, cases);
  records[name] = record;
  await store(corpusFile(name), cases.map(encodeCase));
  const [reached, total] = record.branches;
  reportLine(
    `${name}: ${record.cases} cases (${record.paths} of its ${proved.length} paths), ${record.packets} packets, ${reached} of ${total} branches`,
  );
}
await proofs.end();
// A line for each program, as the formatter wants it.
const lines = Object.entries(records).map(
  ([
    name,
    {
      cases,
      packets,
      paths,
      branches: [reached, total],
    },
  ]) =>
    `  "${name}": { "cases": ${cases}, "packets": ${packets}, "paths": ${paths}, "branches": [${reached}, ${total}] }`,
);
await store(packageFile(RECORD_FILE), [new TextEncoder().encode(`{\n${lines.join(',\n')}\n}\n`)]);

async function store(file: string, parts: readonly Uint8Array[]): Promise<void> {
  if (!isCheck) await writeAtomically(file, parts);
  else if (!Buffer.concat(parts).equals(readFileSync(file))) {
    reportLine(`${file} is not what is made now: npm run corpora`);
    process.exitCode = 1;
  }
}
