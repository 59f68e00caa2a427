/** Any number of workers gives the same report, the same files, the same coverage and the same exit code. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageFile } from '../../kernel/package-file.ts';
import { BUILD_TIMEOUT, buildCommand, Started, xdpsim } from '../test-support/built-command.ts';
import { writeModule } from '../test-support/user-modules.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-workers-'));
beforeAll(buildCommand, BUILD_TIMEOUT);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Result {
  readonly code: number;
  /** The JSON document, times aside. */
  readonly report: { readonly programs: readonly { readonly divergences: readonly unknown[] }[] };
  readonly coverage: string;
  /** Name and content. */
  readonly files: readonly (readonly [string, string])[];
}

/** @param workers undefined: as many as the run needs */
async function run(workers: number | undefined, ...args: string[]): Promise<Result> {
  const report = join(scratch, 'report');
  rmSync(report, { recursive: true, force: true });
  const coverage = join(scratch, 'coverage');
  const { code, out, err } = await xdpsim(
    ...['verify', ...args, ...(workers === undefined ? [] : ['--workers', String(workers)])],
    ...[
      '--seed',
      'the same',
      '--engines',
      'model,wasm',
      '--report',
      report,
      '--coverage',
      coverage,
      '--json',
    ],
  );
  // Only what more workers than cores are good for, if they are more.
  expect(err).toMatch(
    /^(xdpsim: \d workers on \d+ cores? make nothing faster; the results are the same\n)?$/,
  );
  const timeless = (key: string, value: unknown): unknown => (key === 'seconds' ? 0 : value);
  return {
    code,
    report: JSON.parse(out, timeless),
    coverage: readFileSync(coverage, 'utf8'),
    files: filesBelow(report),
  };
}

function filesBelow(folder: string): (readonly [string, string])[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => [entry.name, readFileSync(join(entry.parentPath, entry.name), 'base64')] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1));
  } catch {
    return [];
  }
}

/** One worker, and each of these numbers. */
async function same(numbers: readonly number[], ...args: string[]): Promise<Result> {
  const one = await run(1, ...args);
  for (const workers of numbers) expect(await run(workers, ...args), `${workers} workers`).toEqual(one);
  return one;
}

describe('verify --workers', () => {
  it('changes nothing where all agree', async () => {
    const { code, report } = await same([2, 3], 'icmp_echo', 'router', '--runs', '6k');
    expect(code).toBe(0);
    expect(report.programs.map(({ divergences }) => divergences.length)).toEqual([0, 0]);
  });

  it('changes nothing where a short run of built-in programs needs none', async () => {
    const args = ['icmp_echo', 'router', '--runs', '3k'];
    expect(await run(undefined, ...args)).toEqual(await run(1, ...args));
  });

  it('starts no process for a short run of built-in programs, and one for everything else', async () => {
    const preload = join(scratch, 'count.mjs');
    writeFileSync(preload, "process.on('exit', () => console.error('a process'));");
    const env = { ...process.env, NODE_OPTIONS: `--import=${preload}` };
    const processesOf = async (...args: string[]): Promise<number> => {
      const started = new Started(['verify', ...args, '--engines', 'model,vm'], scratch, [], { env });
      expect(await started.ended()).toMatchObject({ end: 0 });
      return started.err.split('a process').length - 1;
    };
    const object = packageFile('bpf/built/xdp_pass.o');
    expect(await processesOf('xdp_pass', 'xdp_drop', '--runs', '100')).toBe(1);
    expect(await processesOf('xdp_pass', '--runs', '100', '--object', object)).toBe(2);
    expect(await processesOf('xdp_pass', '--runs', '100', '--workers', '1')).toBe(2);
    expect(await processesOf('xdp_pass', '--runs', '20001')).toBe(2);
  });

  it('changes nothing where a run is so long that workers have V8 compile less', async () => {
    const { code } = await same([2], 'xdp_pass', 'xdp_drop', '--runs', '250k');
    expect(code).toBe(0);
  });

  it('changes nothing about divergences, wherever they are and wherever the run ends', async () => {
    // By the packet's bytes, not by a count: batches are run by different workers.
    const module = writeModule(scratch, 'rarely', {
      model: `const { data, length } = bytesOf(context);
    if (length > 20 && data[18] === 0x17 && data[19] < 3) return 1;
    if (length > 20 && data[18] === 0x99 && data[19] === 0x21) return 3;
    if (length > 40 && data[38] === 0x33 && (data[39] & 0xf0) === 0x20) data[0] ^= 1;`,
      top: `const bytesOf = ({ frame }) => ({
  data: frame.bytes.subarray(frame.data, frame.dataEnd),
  length: frame.dataEnd - frame.data,
});`,
    });
    for (const [most, workers] of [
      ['2', 5],
      ['9', 2],
    ] as const) {
      const result = await same([workers], module, '--runs', '50k', '--max-divergences', most);
      expect(result.code).toBe(1);
      const found = result.report.programs[0]!.divergences.length;
      expect(found).toBeGreaterThan(0);
      expect(result.files).toHaveLength(found);
    }
  });

  it('changes nothing where an engine fails on the way', async () => {
    const module = writeModule(scratch, 'fails', {
      worlds: `[{ name: 'one', world: {} }, { name: 'two', world: {} }, { name: 'three', world: {} },
    { name: 'four', world: { routes: [{ to: '10.0.0.0/33', ifindex: 2 }] } }]`,
    });
    const { code, report } = await same([2], module, '--runs', '30k');
    expect(code).toBe(2);
    expect(report.programs).toMatchObject([
      { engines: [{ status: 'failed' }, { status: 'failed' }], divergences: [] },
    ]);
  });

  it.skipIf(process.platform !== 'linux')(
    'are one by default, and as many as there are cores for a long run',
    async () => {
      const workersOf = async (...args: string[]): Promise<number> => {
        const started = new Started(
          ['verify', 'icmp_echo', '--engines', 'model,wasm', ...args],
          packageFile('.'),
          [],
          { stdio: ['ignore', 'pipe', 'pipe'] },
        );
        // The line of the engines comes when all workers have opened the programs.
        while (!started.out.includes('engines model, wasm')) {
          await new Promise((resolve) => started.process.stdout!.once('data', resolve));
        }
        const { pid } = started.process;
        const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ');
        started.process.kill('SIGINT');
        await started.ended();
        return children.length;
      };
      expect(await workersOf('--runs', '100000')).toBe(1);
      expect(await workersOf('--runs', '500M')).toBe(availableParallelism());
      expect(await workersOf('--time', '10m')).toBe(availableParallelism());
      expect(await workersOf('--runs', '500M', '--workers', '1')).toBe(1);
    },
  );

  it('has a bound, and says what more than the cores are good for', async () => {
    const refused = await xdpsim('verify', 'icmp_echo', '--workers', '1000');
    expect(refused).toMatchObject({ code: 2, err: expect.stringMatching(/at most 64, not 1000: .*memory/) });
  });
});
