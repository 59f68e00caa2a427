import { availableParallelism } from 'node:os';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

/**
 * Folders whose tests change nothing but what they make themselves: their files share processes, so that modules are loaded
 * once and V8 keeps what it has compiled. All others have a process each.
 */
const SHARING = '{sim/{network,packet,programs,runtime},corpus}/**/*.test.ts';

const config: ViteUserConfig = defineConfig({
  test: {
    setupFiles: ['./kernel-tests/test-support/properties.ts'],
    // koffi, cap and raw-socket are native; cap and raw-socket load in one thread of a process only.
    pool: 'forks',
    // Kernel suites wait for the kernel much of the time: one worker more than there are cores keeps these busy.
    maxWorkers: availableParallelism() + 1,
    reporters: ['default', './kernel-tests/test-support/skip-reporter.ts'],
    // For what hangs. A machine that is twenty times as busy as it should be makes no test fail.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    projects: [
      { extends: true, test: { name: 'sharing', include: [SHARING], isolate: false } },
      {
        extends: true,
        test: {
          name: 'isolated',
          // Without `include` vitest would also run the tests that tsc emitted to dist/.
          include: ['{sim,corpus,verify,kernel,cli,bpf,kernel-tests}/**/*.test.ts'],
          exclude: [SHARING],
        },
      },
    ],
  },
});
export default config;
