/**
 * A process that keeps one vitest and runs tests on request, with one mutant at a time put into the sources while they
 * are loaded. The parent ends it where a mutant never ends.
 */
import { join } from 'node:path';
import { createVitest, type TestModule, type Vitest } from 'vitest/node';
import type { Mutant } from './mutants.ts';
import { insert, loopGuards, marked } from './regions.ts';
import type { Task } from './worker.ts';

export interface Request {
  /** Absent while recording. */
  readonly mutant?: Mutant | undefined;
  readonly task: Task;
  /** In the order in which they run. */
  readonly testFiles: readonly string[];
}

export interface Reply {
  /** Test files that failed, with the first failing test or error. */
  readonly failures: readonly string[];
}

const root = process.cwd();
let request: Request | undefined;

/** The mutated text, with a limit to the file's loops. */
function withMutant(text: string, mutant: Mutant): string {
  const { start, end, replacement } = mutant;
  const mutated = text.slice(0, start) + replacement + text.slice(end);
  return insert(mutated, loopGuards(mutant.file, mutated));
}

async function open(): Promise<Vitest> {
  return createVitest(
    'test',
    {
      root,
      config: false,
      watch: false,
      pool: 'forks',
      maxWorkers: 1,
      execArgv: ['--max-old-space-size=2048'],
      include: ['**/*.test.ts'],
      setupFiles: ['./kernel-tests/test-support/properties.ts', './kernel-tests/mutation/worker.ts'],
      reporters: [{}],
      testTimeout: 600_000,
      hookTimeout: 600_000,
      sequence: {
        sequencer: class {
          sort<T>(files: T): T {
            return files;
          }
          shard<T>(files: T): T {
            return files;
          }
        } as never,
      },
    },
    {
      plugins: [
        {
          name: 'mutation',
          enforce: 'pre',
          transform(code: string, id: string) {
            const file = id.startsWith(`${root}/`) ? id.slice(root.length + 1) : '';
            if (request?.task.mode === 'record') {
              const index = Object.keys(request.task.regions).indexOf(file);
              if (index >= 0) return marked(file, code, `__reached${index}`);
            }
            if (request?.mutant?.file === file) return withMutant(code, request.mutant);
            return null;
          },
        },
      ],
    },
  );
}

function failureOf(module: TestModule): string | undefined {
  for (const test of module.children.allTests('failed'))
    return `${module.relativeModuleId}: ${test.fullName}`;
  const [error] = module.errors();
  if (error !== undefined) return `${module.relativeModuleId}: ${error.message}`;
  return module.state() === 'failed' ? module.relativeModuleId : undefined;
}

const vitest = await open();
const project = vitest.getRootProject();
await vitest.standalone();

async function run(next: Request): Promise<Reply> {
  const before = request?.mutant?.file;
  request = next;
  for (const file of [before, next.mutant?.file])
    if (file !== undefined) vitest.invalidateFile(join(root, file));
  project.provide('mutation', next.task);
  vitest.config.bail = next.task.mode === 'run' ? 1 : 0;
  project.config.bail = vitest.config.bail;
  // What earlier runs left would be reported once more.
  vitest.state.filesMap.clear();
  vitest.state.errorsSet.clear();
  const specifications = next.testFiles.map((file) => project.createSpecification(join(root, file)));
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications(specifications);
  const failures = testModules.map(failureOf).filter((failure) => failure !== undefined);
  for (const error of unhandledErrors) failures.push(`error: ${(error as Error).message}`);
  return { failures };
}

process.on('message', (message: Request) => {
  run(message).then(
    (reply) => process.send!(reply),
    (error: unknown) => process.send!({ failures: [`error: ${String(error)}`] } satisfies Reply),
  );
});
process.on('disconnect', () => process.exit(0));
process.send!('ready');
