/**
 * `npm run attack`: kills, full disks, floods and damaged inputs, and a table of what they broke. With the same seed the
 * attacks are the same, but for the moments at which signals arrive.
 *
 *     npm run attack -- --inputs 1M --kills 500 --live 100
 *
 * As root on Linux it runs in a network and a mount namespace of its own, with its own /run/netns, /run/xdpsim and
 * bpffs, so that what it leaves behind is its own, and so that other runs on the machine do not count.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { freshSeed, parseCount } from '../../cli/input/options.ts';
import { printLine, showProgress } from '../../cli/output.ts';
import { count, table } from '../../cli/terminal.ts';
import { buildCommand } from '../../cli/test-support/built-command.ts';
import { attackDisks } from './disks.ts';
import { attackWithFloods } from './floods.ts';
import type { KindCount } from './input-worker.ts';
import { attackInputs } from './inputs.ts';
import { attackWithSignals } from './kills.ts';
import { attackLive } from './live.ts';
import { FAULTS, Tally } from './tally.ts';

interface Options {
  readonly seed: string;
  readonly inputs: number;
  readonly kills: number;
  readonly disks: number;
  readonly floods: number;
  readonly live: number;
  readonly only: string;
  readonly kind: string;
}

const INSIDE = 'XDPSIM_ATTACK_INSIDE';
/** 0 leaves an attack out. */
const times = (option: string) => (text: string) => (text === '0' ? 0 : parseCount(option)(text));

await new Command('attack')
  .description('kills, full disks, floods and damaged inputs: what breaks?')
  .option('--seed <seed>', 'any text', freshSeed())
  .option('--inputs <n>', 'damaged inputs', times('--inputs'), 20_000)
  .option('--kills <n>', 'runs ended by a signal', times('--kills'), 44)
  .option('--disks <n>', 'runs on disks that become full', times('--disks'), 12)
  .option('--floods <n>', 'rounds of too much of everything', times('--floods'), 1)
  .option('--live <n>', 'rounds of the live suites under load', times('--live'), 1)
  .option('--kind <text>', 'damage only inputs of kinds that contain this text', '')
  .option('--only <text>', 'kill only commands that contain this text', '')
  .action(attack)
  .parseAsync();

async function attack(options: Options): Promise<void> {
  const isRoot = process.platform === 'linux' && process.geteuid?.() === 0;
  if (isRoot && process.env[INSIDE] === undefined) {
    process.exitCode = insideOwnMounts(options.seed);
    return;
  }
  buildCommand();
  const scratch = mkdtempSync(join(tmpdir(), 'attack-'));
  const log = join(scratch, 'faults.log');
  writeFileSync(log, '');
  const { seed } = options;
  printLine(
    `seed ${seed}, Node ${process.version}, Linux ${release()}, ${cpus().length} cores; faults go to ${log}`,
  );
  const tallies: Tally[] = [];
  const run = async (name: string, tries: number, start: (tally: Tally) => Promise<void>): Promise<void> => {
    if (tries === 0) return;
    const tally = new Tally(name, log);
    tallies.push(tally);
    await start(tally);
    showProgress(undefined);
  };
  const progress = (name: string, of: number) => (done: number) => showProgress(`${name}: ${done} of ${of}`);
  const { inputs, kills, disks, floods, live, only, kind } = options;
  let kinds: ReadonlyMap<string, KindCount> = new Map();
  await run('damaged inputs', inputs, async (tally) => {
    const attacked = { count: inputs, seed, kind, scratch };
    kinds = await attackInputs(attacked, tally, progress('inputs', inputs));
  });
  await run('kills', kills, (tally) =>
    attackWithSignals(kills, { seed, scratch, only }, tally, progress('kills', kills)),
  );
  if (isRoot) await run('full disks', disks, (tally) => attackDisks(disks, seed, scratch, tally));
  await run('floods', floods, (tally) => attackWithFloods(floods, scratch, tally));
  if (isRoot)
    await run('live suites under load', live, (tally) => attackLive(live, tally, progress('live', live)));
  const rows = tallies.map((tally) => [
    tally.name,
    count(tally.tries),
    ...FAULTS.map((fault) => count(tally.faults[fault])),
    tally.longest === 0 ? '' : `${tally.longest.toFixed(0)} ms`,
  ]);
  const columns = new Set(Array.from({ length: FAULTS.length + 2 }, (_, index) => index + 1));
  for (const line of table([['', 'tries', ...FAULTS, 'longest'], ...rows], columns)) printLine(line);
  if (kinds.size > 0) {
    printLine();
    const kindRows = [...kinds].map(([name, { taken, refused }]) => [name, count(taken), count(refused)]);
    const sorted = kindRows.sort(([a], [b]) => (a! < b! ? -1 : 1));
    for (const line of table([['inputs', 'taken', 'refused'], ...sorted], columns)) printLine(line);
  }
  process.exitCode = tallies.every((tally) => tally.isClean) ? 0 : 1;
}

/** @returns the exit code */
function insideOwnMounts(seed: string): number {
  const temporary = mkdtempSync(join(tmpdir(), 'xdpsim_attack_'));
  for (const folder of ['/run/netns', '/run/xdpsim']) mkdirSync(folder, { recursive: true });
  const mounts = [
    ...['--make-rprivate /', '-t tmpfs none /run/netns', '-t tmpfs none /run/xdpsim'],
    ...['-t bpf none /sys/fs/bpf', '-t tracefs none /sys/kernel/tracing'],
  ];
  const script = `${mounts.map((one) => `mount ${one} && `).join('')}exec "$@"`;
  const args = ['--mount', '--net', 'sh', '-c', script, 'sh', process.execPath, ...process.execArgv];
  const { status } = spawnSync('unshare', [...args, ...process.argv.slice(1), '--seed', seed], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: '1', TMPDIR: temporary },
  });
  return status ?? 1;
}
