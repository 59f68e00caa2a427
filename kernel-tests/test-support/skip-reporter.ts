/**
 * The last lines of `npm test`: how many tests passed and failed, and which kernel suites were skipped, why, and
 * what would let them run. Nothing is skipped in silence.
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
    console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  }
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
