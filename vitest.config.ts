import { defineConfig, type ViteUserConfig } from 'vitest/config';

const config: ViteUserConfig = defineConfig({
  test: {
    // Without `include` vitest would also run the tests that tsc emitted to dist/.
    include: ['{sim,corpus,verify,kernel,cli,bpf,kernel-tests}/**/*.test.ts'],
    setupFiles: ['./kernel-tests/test-support/properties.ts'],
    // koffi, cap and raw-socket are native; cap and raw-socket load in one thread of a process only.
    pool: 'forks',
    // Kernel suites wait more than they compute: leaving a core free, as vitest does, only makes it longer.
    maxWorkers: '100%',
    reporters: ['default', './kernel-tests/test-support/skip-reporter.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
export default config;
