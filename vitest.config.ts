import { availableParallelism } from 'node:os';
import { defineConfig, type ViteUserConfig } from 'vitest/config';

/**
 * Suites that run programs in sessions or in labs of their own, or read: each cleans up by itself, and leaves its process as
 * it was.
 */
const KERNEL_SUITES = words(`
  accesses aim attack/* check check-groups check-zeros checksum-specimens ci-recipes connections cpu-maps
  default-world diff elf-reader fib-lookup field first-process foreign-objects frames guessed-slots harness
  helper-arguments helper-flags helper-register helpers idioms import-circles invariants-page kernel-facts
  kernel-variables known-numbers lab lab-command lab-host lab-programs lab-state leftovers libbpf-layouts live/*
  load-acquire loader-constants loader-sizes lru-maps map-restore map-sizes map-words model-chance mutation/mutation
  netns old-kernels one-bad packet-loads packet-loop per-cpu-scan ping pins programs prove-against prove-field
  prove-specimens proved-by-functions random-programs refused-kernel register scenarios sections skb-input specimens
  stack-accesses state styles-faulty styles-right tags teams testrun testrun-bench thread-cpu timers tshark
  tshark-checksums tshark-generated unwritten-stack verdicts veth veth-tc watch watch-device world-file world-sockets
`);

/**
 * The long half, `npm run test:long`: records of whole runs, suites that try very many of a kind of which `npm test` tries some,
 * and what starts the command some fifty times: on machines that lack something, with several workers, several at once.
 */
const LONG = [
  ...words(`
    aim check check-groups check-zeros checksum-specimens ci-recipes default-world diff fib-lookup field foreign-objects
    guessed-slots harness-objects helper-arguments idioms lab-state large-maps load-acquire lru-maps map-words
    model-chance old-kernels per-cpu-scan pins prove-against prove-field prove-specimens random-programs
    refused-kernel scenarios specimens styles-faulty styles-right teams tshark tshark-generated unwritten-stack watch
  `).map((name) => `kernel-tests/${name}.test.ts`),
  ...words(`
    cli/corpus/{corpora,minimize} cli/prove/proofs cli/signals cli/verify/{countable-branches,unsaved}
    corpus/generate/generator-distribution sim/engines/{recorded,symbolic-helpers} sim/packet/recorded-trees
    sim/ebpf/{object-fuzz,recorded-objects} sim/ebpf/dataflow/recorded-flow sim/ebpf/helpers/recorded-arguments
    sim/ebpf/symbolic/{context-terms,directed-paths,frame-helpers,helper-arguments,queues-and-room,recorded-paths,skb-helpers}
    verify/check/{map-words,recorded-checks,routers} verify/diff/recorded-diffs verify/guide/recorded-guidance
    verify/mutants/judge-mutants verify/oracle/walk verify/recorded-runs
    verify/prove/{checksums,recorded-proofs,recorded-witnesses} verify/prove/against/{pairs,recorded-against}
  `).map((name) => `${name}.test.ts`),
];

/**
 * Of the long half, what has a process each. Of what modules export, which `recorded-tables` records, some is room for results: as it
 * is before anything has run.
 */
const LONG_ALONE = words(`
  cli/{environment,user-modules,verify/workers}.test.ts
  kernel-tests/{bare-environment,verdict-command,without-packages}.test.ts
  {sim,verify}/recorded-tables.test.ts
`);

/**
 * Files that change nothing but what they make themselves share processes, so that modules are loaded once and V8 keeps what
 * it has compiled. All others have a process each.
 */
const SHARING = [
  '{bpf,cli,corpus,kernel,sim,verify}/**/*.test.ts',
  ...KERNEL_SUITES.map((name) => `kernel-tests/${name}.test.ts`),
];
const NOT_SHARING = ['kernel/probe.test.ts'];

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}

// No test talks TLS. Node reads these certificates at the start of each process, of which there are hundreds.
delete process.env.NODE_EXTRA_CA_CERTS;

// Where a page that is touched for the first time is dear (12 µs on some virtual machines), a seventh of all time goes there: what
// malloc gives, here and in the commands that tests start, comes in large pages, and stays once it is there. A C library that does
// not know these names passes over them.
process.env.GLIBC_TUNABLES ??= [
  'glibc.malloc.hugetlb=1',
  'glibc.malloc.mmap_threshold=100000000',
  'glibc.malloc.top_pad=33554432',
].join(':');

const config: ViteUserConfig = defineConfig({
  test: {
    setupFiles: ['properties', 'equality'].map((name) => `./kernel-tests/test-support/${name}.ts`),
    // koffi, cap and raw-socket are native; cap and raw-socket load in one thread of a process only.
    pool: 'forks',
    // Three in ten seconds of processor time went to V8's optimizer and garbage collector. Most tests end before optimized code
    // has paid for itself (the default is 132 KiB of bytecode), with all cores busy, collecting on other threads is dearer, and of
    // what tests make, little is left after 64 MiB more.
    execArgv: ['--interrupt-budget=600000', '--single-threaded-gc', '--max-semi-space-size=64'],
    // Kernel suites wait for the kernel much of the time: one worker more than there are cores keeps these busy.
    maxWorkers: availableParallelism() + 1,
    reporters: ['default', './kernel-tests/test-support/skip-reporter.ts'],
    // For what hangs. A machine that is twenty times as busy as it should be makes no test fail.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    projects: [
      // Each names its folders: without `include` vitest would also run the tests that tsc emitted to dist/.
      // A process is only shared by files that come one after the other: these come first.
      {
        extends: true,
        test: {
          name: 'sharing',
          include: SHARING,
          exclude: [...NOT_SHARING, ...LONG, ...LONG_ALONE],
          isolate: false,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: 'long', include: LONG, isolate: false, sequence: { groupOrder: 1 } },
      },
      {
        extends: true,
        test: {
          name: 'isolated',
          include: ['kernel-tests/**/*.test.ts', ...NOT_SHARING],
          exclude: [...SHARING.slice(1), ...LONG, ...LONG_ALONE],
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: { name: 'long-alone', include: LONG_ALONE, sequence: { groupOrder: 3 } },
      },
    ],
  },
});
export default config;
