/** Signals at random moments, over all commands that make something. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { writeModule } from '../../cli/test-support/user-modules.ts';
import { loadCase } from '../../corpus/cases/case.ts';
import { Random, seedFromText } from '../../corpus/generate/random.ts';
import { packageFile } from '../../kernel/package-file.ts';
import { type AttackedEnd, looksCrashed, startRun } from './processes.ts';
import { DOCUMENTED, type Tally } from './tally.ts';
import { namesIn, remainingProcesses, traces, unfinishedFiles } from './traces.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const;
/** What is promised, and what counts as a hang, in milliseconds. */
const PROMISED = 1000;
const PATIENCE = 15_000;
/** No command under attack ends by itself before. */
const LATEST = 4000;

const RARELY = `const data = context.frame.bytes.subarray(context.frame.data, context.frame.dataEnd);
    if (data.length > 20 && data[18] === 0x17) return 1;
    if (data.length > 20 && data[18] === 0x99) return 3;`;

const capture = (name: string): string => packageFile(`corpus/captures/${name}.pcapng`);

/** @param folder where it may write */
function commands(folder: string): readonly (readonly string[])[] {
  const verify = (...args: string[]): string[] => [
    ...['verify', ...args, '--report', join(folder, 'report'), '--max-divergences', '99', '--json'],
    ...['--junit', join(folder, 'junit.xml'), '--coverage', join(folder, 'lcov.info')],
  ];
  return [
    verify('router', '--runs', '100M'),
    verify(join(folder, '..', 'rarely.model.mjs'), '--time', '1h'),
    verify(join(folder, '..', 'rarely.model.mjs'), '--time', '1h', '--workers', '2'),
    verify('router', '--runs', '100M', '--live'),
    verify('--time', '1s'),
    ['corpus', 'generate', '--out', join(folder, 'all.pcapng'), '--runs', '100M'],
    ['corpus', 'merge', capture('ping'), capture('tcp'), capture('udp'), '--out', join(folder, 'merged')],
    ['corpus', 'minimize', 'router', capture('ping'), capture('icmp-errors'), '--out', join(folder, 'fewer')],
    ['run', 'router', capture('tcp'), '--write', join(folder, 'out.pcapng')],
    ['lab', 'run', 'router', '--in', 'both'],
    ['bench', '--only', 'veth/c,testrun/c'],
  ];
}

export async function attackWithSignals(
  count: number,
  seed: string,
  scratch: string,
  tally: Tally,
  onProgress: (done: number) => void,
): Promise<void> {
  const random = new Random();
  writeModule(scratch, 'rarely', { model: RARELY });
  const before = traces();
  for (let index = 0; index < count; index++) {
    random.start(seedFromText(`${seed} kills`), index);
    const folder = join(scratch, `kill-${index}`);
    mkdirSync(folder, { recursive: true });
    const list = commands(folder);
    const args = list[index % list.length]!;
    const signal = SIGNALS[random.below(SIGNALS.length)]!;
    const delay = random.below(LATEST);
    const twice = random.below(4) === 0;
    await killOnce({ index, seed, args, signal, delay, twice, folder, before }, tally);
    rmSync(folder, { recursive: true, force: true });
    onProgress(index + 1);
  }
}

interface Kill {
  readonly index: number;
  readonly seed: string;
  readonly args: readonly string[];
  readonly signal: (typeof SIGNALS)[number];
  readonly delay: number;
  readonly twice: boolean;
  readonly folder: string;
  readonly before: ReadonlySet<string>;
}

async function killOnce(kill: Kill, tally: Tally): Promise<void> {
  const { args, signal, delay, twice, folder, before } = kill;
  const mark = `${process.pid}-${kill.index}`;
  const what = `kill ${kill.index} of seed ${kill.seed}: ${signal}${twice ? ' twice' : ''} after ${delay} ms: ${args.slice(0, 4).join(' ')}`;
  const { child, end } = startRun(args, { mark, cwd: folder, patience: delay + PATIENCE });
  await Promise.race([wait(delay), end]);
  const start = performance.now();
  const wasRunning = child.exitCode === null && child.signalCode === null;
  child.kill(signal);
  if (twice) {
    await wait(20);
    child.kill(signal);
  }
  const ended = await end;
  const took = performance.now() - start;
  tally.tries++;
  if (ended.hung) {
    tally.fault('hangs', what);
    return;
  }
  if (wasRunning && signal !== 'SIGKILL') {
    tally.longest = Math.max(tally.longest, took);
    if (took > PROMISED) tally.fault('slow', `${what}: ${took.toFixed(0)} ms`);
  }
  judge(ended, kill, what, tally);
  const left = await remainingProcesses(mark);
  for (const pid of left) process.kill(pid, 'SIGKILL');
  if (left.length > 0) tally.fault('left behind', `${what}: ${left.length} processes`);
  if (signal === 'SIGKILL') await nextRun(folder, mark);
  const names = [...traces()].filter((name) => !before.has(name));
  const files = unfinishedFiles(folder);
  if (names.length + files.length > 0)
    tally.fault('left behind', `${what}: ${[...names, ...files].join(', ')}`);
  await checkFiles(folder, what, tally);
}

/** What SIGKILL leaves behind, the next run removes. */
async function nextRun(folder: string, mark: string): Promise<void> {
  const options = { mark, cwd: folder, patience: PATIENCE };
  await startRun(['lab', 'run', 'xdp_pass', '--in', 'kernel'], options).end;
  const folders = ['.', ...namesIn(folder, true)].map((name) => join(folder, name));
  for (const one of folders.filter((path) => namesIn(path).some((name) => name.endsWith('.tmp')))) {
    await startRun(['corpus', 'generate', '--runs', '1', '--out', join(one, 'next.pcapng')], options).end;
  }
}

function judge(ended: AttackedEnd, { args, signal, folder }: Kill, what: string, tally: Tally): void {
  const { code, out } = ended;
  if (looksCrashed(ended)) {
    tally.fault('crashes', `${what}: ${code} ${ended.err.slice(0, 500)}`);
    return;
  }
  if (signal === 'SIGKILL') return;
  // A process that has not begun, or has ended, has no handler: a shell shows the same code.
  if (code === null ? ended.signal !== signal : !DOCUMENTED.has(code)) {
    tally.fault('undocumented codes', `${what}: ${code ?? ended.signal}`);
    return;
  }
  if (!args.includes('--json') || out === '') return;
  let programs: { divergences: { file?: string }[] }[];
  try {
    programs = JSON.parse(out).programs;
  } catch {
    // A second signal ends the process at once, in the middle of a line if need be.
    if (code !== 130) tally.fault('lost', `${what}: the report is no JSON: ${out.slice(-200)}`);
    return;
  }
  const reported = programs.flatMap(({ divergences }) => divergences).length;
  const saved = namesIn(join(folder, 'report'), true).filter((name) => name.endsWith('.pcapng')).length;
  if (reported < saved) tally.fault('lost', `${what}: ${saved} saved, ${reported} reported`);
}

/** Whatever stands under its name is whole. */
async function checkFiles(folder: string, what: string, tally: Tally): Promise<void> {
  for (const name of namesIn(join(folder, 'report'), true)) {
    if (!name.endsWith('.pcapng')) continue;
    try {
      await loadCase(join(folder, 'report', name));
    } catch (error) {
      tally.fault('lost', `${what}: ${name}: ${error instanceof Error ? error.message : error}`);
    }
  }
}
