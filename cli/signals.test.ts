/** Runs that are ended from outside: how soon, with which code, and with what is kept. */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PcapEncoder } from '../corpus/formats/pcap.ts';
import { buildCommand, Started } from './test-support/built-command.ts';
import { writeModule } from './test-support/user-modules.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-signals-'));
beforeAll(buildCommand, 120_000);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** A second is what is promised; the tests of several files share the machine. */
const SOON = 3000;
const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Drops packet 3000 wrongly, and gets stuck in the batch after it. */
const LOOPING = writeModule(scratch, 'looping', {
  model: `if (n === 3000) return 1;
    if (n > 9000) { if (n === 9001) console.error('now it loops'); for (;;); }`,
});
const LOOPS_WHEN_LOADED = writeModule(scratch, 'loading', { top: "console.error('loading'); for (;;);" });

/** A capture of no packets. */
const EMPTY = join(scratch, 'empty.pcap');
writeFileSync(EMPTY, new PcapEncoder().take());

/** Opens a named pipe for writing, as soon as somebody reads it. */
async function writerOf(pipe: string): Promise<number> {
  for (;;) {
    try {
      return openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
      await nextTurn();
    }
  }
}

const verify = (module: string, report: string, ...args: string[]): string[] => [
  'verify',
  module,
  '--engines',
  'model,vm',
  '--seed',
  '1',
  '--report',
  report,
  ...args,
];

describe.skipIf(process.platform === 'win32')('a run that gets a signal', () => {
  it.each(SIGNALS)('ends soon with its findings on %s, though the model loops', async (signal) => {
    const report = join(scratch, signal);
    const run = new Started(verify(LOOPING, report, '--max-divergences', '2', '--shrink-time', '0'), scratch);
    await run.says('now it loops');
    run.process.kill(signal);
    const { end, ms } = await run.ended();
    expect({ end, err: run.err }).toEqual({ end: 130, err: 'now it loops\n' });
    expect(ms).toBeLessThan(SOON);
    expect(run.out).toContain('action: expected XDP_DROP (model), got XDP_PASS (vm)');
    expect(run.out).toContain('Interrupted: this is what was done until then.');
    expect(readdirSync(join(report, 'looping'))).toHaveLength(1);
  });

  it.each([
    ['read', (pipe: string) => ['checksum', pipe]],
    ['compared with a file', (pipe: string) => ['checksum', EMPTY, '--against', pipe]],
  ])('ends soon while a named pipe is %s that nobody writes to', async (name, args) => {
    const pipe = join(scratch, `pipe ${name}`);
    execFileSync('mkfifo', [pipe]);
    const run = new Started(args(pipe), scratch);
    const writer = await writerOf(pipe);
    try {
      run.process.kill('SIGINT');
      const { end, ms } = await run.ended();
      expect(end).toBe(130);
      expect(ms).toBeLessThan(SOON);
      expect(run.err).toBe('xdpsim: interrupted: this is what was checked until then\n');
    } finally {
      closeSync(writer);
    }
  });

  it('prints one complete JSON document', async () => {
    const run = new Started(
      verify(LOOPING, join(scratch, 'json'), '--max-divergences', '2', '--shrink-time', '0', '--json'),
      scratch,
    );
    await run.says('now it loops');
    run.process.kill('SIGTERM');
    expect(await run.ended()).toMatchObject({ end: 130 });
    const [program] = JSON.parse(run.out).programs;
    expect(program).toMatchObject({ name: 'looping', interrupted: true, divergences: [{ field: 'action' }] });
    expect(program.packets).toBeGreaterThanOrEqual(3000);
  });

  it('ends soon though a module is still loading, or two workers are at it', async () => {
    for (const [module, says, ...args] of [
      [LOOPS_WHEN_LOADED, 'loading'],
      [LOOPING, 'now it loops', '--workers', '2', '--max-divergences', '2', '--shrink-time', '0'],
    ] as const) {
      const run = new Started(verify(module, join(scratch, 'two'), ...args), scratch);
      await run.says(says);
      run.process.kill('SIGTERM');
      const { end, ms } = await run.ended();
      expect(end).toBe(130);
      expect(ms).toBeLessThan(SOON);
    }
  });

  it.each([
    ['a worker', verify(LOOPING, join(scratch, 'starting')), "process.argv[1].endsWith('verify-worker.cjs')"],
    [
      'the process that computes',
      ['corpus', 'generate', '--out', '-'],
      'process.env.XDPSIM_SUPERVISED !== undefined',
    ],
  ])('ends with code 130 though %s is still starting, and has no handler', async (_, args, isPart) => {
    const preload = join(scratch, 'starting.mjs');
    writeFileSync(preload, `if (${isPart}) { console.error('starting', process.pid); for (;;); }`);
    for (const isWhole of [true, false]) {
      const run = new Started(args, scratch, [], {
        detached: true,
        env: { ...process.env, NODE_OPTIONS: `--import=${preload}` },
      });
      await run.says('starting');
      // Ctrl-C goes to the whole group; `kill` may go to a part of it.
      process.kill(isWhole ? -run.process.pid! : Number(/\d+/.exec(run.err)![0]), 'SIGINT');
      const { end } = await run.ended();
      expect({ end, err: run.err.replace(/^starting \d+\n/, '') }).toEqual({ end: 130, err: '' });
    }
  });

  it('ends with a report where it has no process besides', async () => {
    const preload = join(scratch, 'at-once.mjs');
    writeFileSync(
      preload,
      `const write = process.stdout.write;
process.stdout.write = function (text, ...rest) {
  if (String(text).includes('engines model')) process.kill(process.pid, 'SIGINT');
  return write.call(this, text, ...rest);
};`,
    );
    const args = ['verify', 'icmp_echo', '--runs', '20k', '--engines', 'model,vm'];
    const env = { ...process.env, NODE_OPTIONS: `--import=${preload}` };
    const run = new Started(args, scratch, [], { env });
    expect(await run.ended()).toMatchObject({ end: 130 });
    expect(run.out).toContain('Interrupted: this is what was done until then.');
  });

  it('has its report written by a check that hears of the signal late', async () => {
    const folder = join(scratch, 'late');
    mkdirSync(folder);
    const preload = join(scratch, 'late.mjs');
    writeFileSync(
      preload,
      `if (process.env.XDPSIM_SUPERVISED !== undefined) process.on('message', () => {
  for (const end = performance.now() + 500; performance.now() < end; );
});`,
    );
    const files = ['--sarif', 'found.sarif', '--junit', 'found.xml', '--report', 'cases'];
    const run = new Started(['check', 'icmp_echo', ...files], folder, [], {
      ...{ detached: true, env: { ...process.env, NODE_OPTIONS: `--import=${preload}` } },
    });
    while (!run.out.startsWith('seed')) await run.changed();
    process.kill(-run.process.pid!, 'SIGINT');
    expect(await run.ended()).toMatchObject({ end: 130 });
    expect(run.out).toContain('INCOMPLETE');
    expect(run.out).toContain('Interrupted: this is what was done until then.');
    expect(readdirSync(folder)).toEqual(expect.arrayContaining(['found.sarif', 'found.xml']));
  });

  it('ends at once on the second one', async () => {
    const run = new Started(verify(LOOPING, join(scratch, 'second'), '--max-divergences', '2'), scratch);
    await run.says('now it loops');
    run.process.kill('SIGINT');
    run.process.kill('SIGTERM');
    const { end, ms } = await run.ended();
    expect(end).toBe(130);
    expect(ms).toBeLessThan(SOON);
  });

  it('removes the file that it was writing', async () => {
    const folder = join(scratch, 'generate');
    mkdirSync(folder);
    for (const signal of SIGNALS) {
      const run = new Started(['corpus', 'generate', '--out', 'all.pcapng', '--runs', '100M'], folder);
      await unfinishedFile(folder);
      run.process.kill(signal);
      expect(await run.ended()).toMatchObject({ end: 130 });
      expect(readdirSync(folder)).toEqual([]);
    }
  });

  it('leaves an unfinished file after SIGKILL, which the next run in that folder removes', async () => {
    const folder = join(scratch, 'killed');
    mkdirSync(folder);
    const run = new Started(['corpus', 'generate', '--out', 'all.pcapng', '--runs', '100M'], folder);
    await unfinishedFile(folder);
    run.process.kill('SIGKILL');
    await run.ended();
    // What a living process of another user is writing, or what has another name, is none of its business.
    const foreign = ['.notes.tmp', `.x.pcapng.1-1-1-00000000.tmp`];
    for (const name of foreign) writeFileSync(join(folder, name), '');
    const next = new Started(['corpus', 'generate', '--out', 'few.pcapng', '--runs', '10'], folder);
    expect(await next.ended()).toMatchObject({ end: 0 });
    expect(readdirSync(folder).sort()).toEqual([...foreign, 'few.pcapng'].sort());
  });
});

describe.skipIf(process.platform === 'win32')('a reader that goes away', () => {
  it('does not make a finding undone', async () => {
    const report = join(scratch, 'pipe');
    // Goes away when the finding is on disk: sooner, the run would end with nothing found.
    const reader = `read -r first; while [ ! -d '${report}/looping' ]; do sleep 0.02; done; echo "$first"`;
    const shell = ['sh', '-c', `("$@"; echo "code $?" >&2) | (${reader})`, 'sh'];
    const run = new Started(verify(LOOPING, report, '--shrink-time', '0', '--runs', '8k'), scratch, shell);
    await run.ended();
    expect(run.out).toMatch(/^seed 1, engines model, vm\n$/);
    expect(run.err).toBe('code 1\n');
    expect(readdirSync(join(report, 'looping'))).toHaveLength(1);
  });
});

describe.skipIf(process.platform !== 'linux')('an output that takes nothing', () => {
  it('is reported in one sentence, with code 3, and findings are saved', async () => {
    for (const json of [[], ['--json']]) {
      const report = join(scratch, `full${json.length}`);
      const shell = ['sh', '-c', '"$@" > /dev/full', 'sh'];
      const args = verify(LOOPING, report, '--shrink-time', '0', '--runs', '8k', ...json);
      const run = new Started(args, scratch, shell);
      expect(await run.ended()).toMatchObject({ end: 3 });
      expect(run.err).toMatch(/^xdpsim: standard output: no space left on the device\n.*\n$/);
      expect(json.length === 0 || readdirSync(join(report, 'looping')).length === 1).toBe(true);
    }
  });
});

/** Resolves when somebody has begun to write a file there. */
async function unfinishedFile(folder: string): Promise<void> {
  const watcher = watch(folder);
  try {
    while (!readdirSync(folder).some((name) => name.endsWith('.tmp'))) {
      await new Promise((resolve) => watcher.once('change', resolve));
    }
  } finally {
    watcher.close();
  }
}
