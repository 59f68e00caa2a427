import { availableParallelism } from 'node:os';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

const config: ViteUserConfig = defineConfig({
  test: {
    // Without `include` vitest would also run the tests that tsc emitted to dist/.
    include: ['{sim,corpus,verify,kernel,cli,bpf,kernel-tests}/**/*.test.ts'],
    setupFiles: ['./kernel-tests/test-support/properties.ts'],
    // koffi, cap and raw-socket are native; cap and raw-socket load in one thread of a process only.
    pool: 'forks',
    // Kernel suites wait for the kernel much of the time: one worker more than there are cores keeps these busy.
    maxWorkers: availableParallelism() + 1,
    reporters: ['default', './kernel-tests/test-support/skip-reporter.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
export default config;
