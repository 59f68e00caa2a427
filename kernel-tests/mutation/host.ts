/**
 * A process that keeps one vitest and runs test files on request, with all mutants in the sources as alternatives. The
 * parent ends it where a mutant never ends.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createVitest, type TestModule, type Vitest } from 'vitest/node';
import { type Numbered, withAlternatives } from './schemata.ts';
import type { Task } from './worker.ts';

export interface Request {
  readonly task: Task;
  readonly testFile: string;
}

export interface Reply {
  /** The first failing test or error. */
  readonly failure?: string | undefined;
}

const root = process.cwd();
/** By source file. */
const mutants = new Map<string, Numbered[]>();
for (const numbered of JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as Numbered[]) {
  const { file } = numbered.mutant;
  mutants.set(file, [...(mutants.get(file) ?? []), numbered]);
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
      runner: './kernel-tests/mutation/runner.ts',
      setupFiles: [
        './kernel-tests/test-support/properties.ts',
        './kernel-tests/test-support/equality.ts',
        './kernel-tests/mutation/worker.ts',
      ],
      reporters: [{}],
      testTimeout: 600_000,
      hookTimeout: 600_000,
    },
    {
      plugins: [
        {
          name: 'mutation',
          enforce: 'pre',
          transform(code: string, id: string) {
            const file = id.startsWith(`${root}/`) ? id.slice(root.length + 1) : '';
            const ofFile = mutants.get(file);
            return ofFile === undefined ? null : withAlternatives(file, code, ofFile);
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

async function run({ task, testFile }: Request): Promise<Reply> {
  project.provide('mutation', task);
  vitest.config.bail = task.fresh === undefined ? 0 : 1;
  project.config.bail = vitest.config.bail;
  // What earlier runs left would be reported once more.
  vitest.state.filesMap.clear();
  vitest.state.errorsSet.clear();
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications([
    project.createSpecification(join(root, testFile)),
  ]);
  const [failure] = testModules.map(failureOf).filter((each) => each !== undefined);
  const [error] = unhandledErrors as Error[];
  return { failure: failure ?? (error === undefined ? undefined : `error: ${error.message}`) };
}

process.on('message', (message: Request) => {
  run(message).then(
    (reply) => process.send!(reply),
    (error: unknown) => process.send!({ failure: `error: ${String(error)}` } satisfies Reply),
  );
});
process.on('disconnect', () => process.exit(0));
process.send!('ready');
