/** The live suites again and again, while the machine is busy with other things. */
import { type ChildProcess, spawn } from 'node:child_process';
import { availableParallelism, loadavg } from 'node:os';
import { packageFile } from '../../kernel/package-file.ts';
import type { Tally } from './tally.ts';
import { traces } from './traces.ts';

const SUITES = ['veth', 'veth-tc', 'ping', 'netns'].map((name) => `kernel-tests/${name}.test.ts`);
const PATIENCE = 600_000;

export async function attackLive(
  rounds: number,
  tally: Tally,
  onProgress: (done: number) => void,
): Promise<void> {
  const burners = Array.from({ length: missingLoad() }, () =>
    spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }),
  );
  try {
    const before = traces();
    for (let round = 0; round < rounds; round++) {
      const { code, out, hung } = await suites();
      tally.tries++;
      if (hung) tally.fault('hangs', `round ${round}`);
      else if (code !== 0) tally.fault('crashes', `round ${round}: ${out.slice(-2000)}`);
      const names = [...traces()].filter((name) => !before.has(name));
      if (names.length > 0) tally.fault('left behind', `round ${round}: ${names.join(', ')}`);
      onProgress(round + 1);
    }
  } finally {
    for (const burner of burners) burner.kill('SIGKILL');
  }
}

/** How many processes are needed until two want each core. */
function missingLoad(): number {
  return Math.max(0, Math.ceil(2 * availableParallelism() - loadavg()[0]!) - 1);
}

function suites(): Promise<{ code: number | null; out: string; hung: boolean }> {
  const child: ChildProcess = spawn(
    process.execPath,
    [
      ...[packageFile('node_modules/vitest/vitest.mjs'), 'run', ...SUITES],
      ...['--maxWorkers=1', '--no-isolate', '--reporter=dot'],
    ],
    { cwd: packageFile('.'), stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NO_COLOR: '1' } },
  );
  let out = '';
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on('data', (data) => {
      out += data;
    });
  }
  let hung = false;
  const timer = setTimeout(() => {
    hung = true;
    child.kill('SIGKILL');
  }, PATIENCE);
  return new Promise((resolve) => {
    child.on('exit', (code) => {
      clearTimeout(timer);
      resolve({ code, out, hung });
    });
  });
}
