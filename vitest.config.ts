import { availableParallelism } from 'node:os';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

/** Suites that only run programs in sessions, or read: each cleans up by itself, and leaves its process as it was. */
const KERNEL_SUITES: string = `
  accesses check-zeros connections elf-reader frames helper-flags helper-register import-circles
  invariants-page kernel-facts kernel-variables loader-sizes lru-maps map-restore map-sizes
  model-chance one-bad packet-loop ping random-programs register skb-input stack-accesses state
  tags testrun-bench thread-cpu timers unwritten-stack verdicts world-file world-sockets
`
  .trim()
  .split(/\s+/)
  .join();

/**
 * Files that change nothing but what they make themselves share processes, so that modules are loaded once and V8 keeps what
 * it has compiled. All others have a process each.
 */
const SHARING = ['{sim,corpus,verify}/**/*.test.ts', `kernel-tests/{${KERNEL_SUITES}}.test.ts`];

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
      // A process is only shared by files that come one after the other: these come first.
      {
        extends: true,
        test: { name: 'sharing', include: SHARING, isolate: false, sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        test: {
          name: 'isolated',
          // Without `include` vitest would also run the tests that tsc emitted to dist/.
          include: ['{sim,corpus,verify,kernel,cli,bpf,kernel-tests}/**/*.test.ts'],
          exclude: SHARING,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
export default config;
