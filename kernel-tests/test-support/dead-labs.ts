/** Labs of test runs that were killed: a lab outlives its maker, these must not. */
import { teardown } from '../../kernel/lab/setup.ts';
import { labNames } from '../../kernel/lab/state.ts';

/** `live-PID-N`, `test-PID-Nx`, `command-PID`: what suites call their labs, after the process that made them. */
const OF_TESTS = /^(?:live|test|command)-(\d+)(?:-\w+)?$/;

export function removeDeadLabs(): void {
  for (const name of labNames()) {
    const pid = OF_TESTS.exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    try {
      teardown(name);
    } catch {
      // Another test has been quicker.
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
