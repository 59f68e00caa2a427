/** Kills at random moments, over all commands that make something. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Random, seedFromText } from '../../corpus/generate/random.ts';
import { type Kill, SIGNALS, type Way } from './kill.ts';
import { checkFiles, checkLab, judge, nextRun } from './kill-checks.ts';
import { killTargets, type Target } from './kill-targets.ts';
import { type AttackedRun, startRun } from './processes.ts';
import { writeRarely } from './rarely.ts';
import type { Tally } from './tally.ts';
import { processesWith, remainingProcesses, traces, unfinishedFiles } from './traces.ts';

/** What is promised, and what counts as a hang, in milliseconds. */
const PROMISED = 1000;
const PATIENCE = 15_000;
/** No command under attack ends by itself before. */
const LATEST = 4000;
/** Changes that a command makes outside of itself, at most: `die-at-step.mjs` counts them. */
const MOST_STEPS = 32;

const DIE_AT_STEP = fileURLToPath(new URL('./die-at-step.mjs', import.meta.url));

export async function attackWithSignals(
  count: number,
  { seed, scratch, only }: { readonly seed: string; readonly scratch: string; readonly only: string },
  tally: Tally,
  onProgress: (done: number) => void,
): Promise<void> {
  const random = new Random();
  writeRarely(scratch);
  const before = traces();
  for (let index = 0; index < count; index++) {
    random.start(seedFromText(`${seed} kills`), index);
    const folder = join(scratch, `kill-${index}`);
    mkdirSync(folder, { recursive: true });
    const all = killTargets(folder, `attack-${process.pid}-${index}x`);
    const list = all.filter(({ args }) => args.join(' ').includes(only));
    const target = list[index % list.length]!;
    target.prepare?.();
    const kill = {
      ...{ index, seed, target, folder, before, way: wayOf(random, target) },
      delay: random.below(target.latest ?? LATEST),
      signal: SIGNALS[random.below(SIGNALS.length)]!,
    };
    await killOnce(kill, tally);
    rmSync(folder, { recursive: true, force: true });
    onProgress(index + 1);
  }
}

function wayOf(random: Random, { lab, passesSignals }: Target): Way {
  const step = 1 + random.below(MOST_STEPS);
  // What a lab command changes, it changes within milliseconds.
  if (lab !== undefined && passesSignals !== true && random.below(2) === 0) return { step };
  const ways = ['once', 'once', 'twice', 'group', 'group', 'stopped', 'part', { step }] as const;
  return ways[random.below(ways.length)]!;
}

function describe({ index, seed, target, signal, way, delay }: Kill): string {
  const when =
    typeof way === 'object'
      ? `SIGKILL after change ${way.step}`
      : `${way === 'part' ? 'SIGKILL' : signal} (${way}) after ${delay} ms`;
  return `kill ${index} of seed ${seed}: ${when}: ${target.args.slice(0, 6).join(' ')}`;
}

async function killOnce(kill: Kill, tally: Tally): Promise<void> {
  const { target, way, delay, folder, before } = kill;
  const mark = `${process.pid}-${kill.index}`;
  const what = describe(kill);
  const run = startRun(target.args, {
    ...{ mark, cwd: folder, patience: delay + PATIENCE, group: true },
    ...(typeof way === 'object'
      ? { env: { NODE_OPTIONS: `--import=${DIE_AT_STEP}`, XDPSIM_ATTACK_STEP: String(way.step) } }
      : {}),
  });
  const sent = await strike(kill, run, mark);
  const ended = await run.end;
  const took = performance.now() - sent.at;
  tally.tries++;
  if (ended.hung) {
    tally.fault('hangs', `${what}: ${ended.err.slice(-300)}`);
    for (const pid of processesWith(mark)) killOne(pid);
    if (target.lab !== undefined) await checkLab(kill, target.lab, mark, what, tally);
    return;
  }
  if (sent.wasRunning && sent.signal !== 'SIGKILL') {
    tally.longest = Math.max(tally.longest, took);
    if (took > PROMISED) tally.fault('slow', `${what}: ${took.toFixed(0)} ms`);
  }
  judge(ended, kill, sent.signal, what, tally);
  const left = await remainingProcesses(mark);
  for (const pid of left) killOne(pid);
  if (left.length > 0) tally.fault('left behind', `${what}: ${left.length} processes`);
  if (target.lab !== undefined) await checkLab(kill, target.lab, mark, what, tally);
  if (sent.signal === 'SIGKILL') await nextRun(folder, mark, what, tally);
  const names = [...traces()].filter((name) => !before.has(name));
  const files = unfinishedFiles(folder);
  if (names.length + files.length > 0)
    tally.fault('left behind', `${what}: ${[...names, ...files].join(', ')}`);
  // It counts once.
  for (const name of names) before.add(name);
  await checkFiles(folder, what, tally);
}

interface Sent {
  readonly signal: NodeJS.Signals;
  readonly at: number;
  /** Did the signal reach a command that was running? */
  readonly wasRunning: boolean;
}

async function strike(kill: Kill, { child, end }: AttackedRun, mark: string): Promise<Sent> {
  const { way, delay, signal } = kill;
  if (typeof way === 'object') {
    // The command that makes fewer changes ends by itself, or never.
    await Promise.race([wait(delay + LATEST), end]);
    return { signal: 'SIGKILL', at: performance.now(), wasRunning: child.kill('SIGKILL') };
  }
  await Promise.race([wait(delay), end]);
  if (way === 'part') {
    const pids = processesWith(mark);
    if (pids.length > 0) killOne(pids[kill.index % pids.length]!);
    // A command that goes on without the process that it has lost is ended like any other.
    await Promise.race([wait(PROMISED), end]);
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    return { signal: 'SIGKILL', at: performance.now(), wasRunning: false };
  }
  if (way === 'stopped') {
    child.kill('SIGSTOP');
    await wait(300);
    child.kill('SIGCONT');
  }
  const wasRunning = child.exitCode === null && child.signalCode === null;
  const at = performance.now();
  if (way === 'group' && wasRunning) killOne(-child.pid!, signal);
  else child.kill(signal);
  if (way === 'twice') {
    await wait(20);
    child.kill(signal);
  }
  return { signal, at, wasRunning };
}

/** @param pid negative: of a group */
function killOne(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}
