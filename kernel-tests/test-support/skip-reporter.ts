/**
 * The last lines of `npm test` and `npm run test:long`: how many tests passed and failed, and which kernel suites were skipped, why, and
 * what would let them run. Nothing is skipped in silence. After a whole run also the files that took longest: see
 * "How long it takes" in docs/testing.md.
 */
import type { Reporter, TestModule, TestSuite } from 'vitest/node';

export default class SkipReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    let passed = 0;
    let failed = 0;
    let skipped = 0;
    const reasons = new Map<string, string[]>();
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed') passed++;
        else if (state === 'failed') failed++;
        else skipped++;
      }
      for (const suite of module.children.allSuites()) collectReason(suite, reasons);
    }
    console.log('');
    for (const [reason, suites] of reasons) {
      console.log(`Skipped ${suites.length === 1 ? '1 suite' : `${suites.length} suites`}: ${reason}`);
      for (const suite of suites) console.log(`  ${suite}`);
    }
    if (modules.length >= WHOLE_RUN) printSlowest(modules);
    console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  }
}

/** From so many files on it is no run of a few by name. */
const WHOLE_RUN = 30;
const SHOWN = 10;

function printSlowest(modules: readonly TestModule[]): void {
  const times = modules
    .map((module) => ({ name: module.relativeModuleId, seconds: secondsOf(module) }))
    .sort((a, b) => b.seconds - a.seconds);
  const total = times.reduce((sum, { seconds }) => sum + seconds, 0);
  console.log(`The slowest files, of ${total.toFixed(0)} s in all:`);
  for (const { name, seconds } of times.slice(0, SHOWN))
    console.log(`${seconds.toFixed(1).padStart(7)} s  ${name}`);
}

function secondsOf(module: TestModule): number {
  const { duration, collectDuration, setupDuration } = module.diagnostic();
  return (duration + collectDuration + setupDuration) / 1000;
}

/** `describeKernel` puts the reason into the suite's name. */
function collectReason(suite: TestSuite, reasons: Map<string, string[]>): void {
  const match = /^(.*) \(skipped: (.*)\)$/.exec(suite.name);
  if (match === null) return;
  const [, name = '', reason = ''] = match;
  const suites = reasons.get(reason) ?? [];
  suites.push(name);
  reasons.set(reason, suites);
}
