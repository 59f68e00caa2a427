/** Disks that become full: a small tmpfs in a private mount namespace under whatever is written. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Random, seedFromText } from '../../corpus/generate/random.ts';
import { packageFile } from '../../kernel/package-file.ts';
import { looksCrashed, startRun } from './processes.ts';
import { writeRarely } from './rarely.ts';
import { DOCUMENTED, type Tally } from './tally.ts';

const PATIENCE = 60_000;

/**
 * The finding of the first must be shown, wherever it went.
 * @param disk where it is mounted
 * @param rarely a module with a model that is rarely wrong
 */
function commands(disk: string, rarely: string): readonly (readonly string[])[] {
  const differing = ['icmp_drop', '--object', `${packageFile('bpf/built/xdp_pass.o')}:xdp_pass`];
  const capture = packageFile('corpus/captures/tcp.pcapng');
  return [
    ['verify', ...differing, '--report', disk, '--seed', '1'],
    ['verify', 'xdp_pass', '--runs', '5k', '--junit', join(disk, 'junit.xml'), '--report', disk],
    ['verify', 'router', '--runs', '5k', '--coverage', join(disk, 'lcov.info'), '--report', disk],
    ['verify', rarely, '--runs', '20k', '--workers', '2', '--max-divergences', '9', '--report', disk],
    ['corpus', 'generate', '--runs', '5k', '--out', join(disk, 'all.pcapng')],
    ['corpus', 'merge', capture, '--out', join(disk, 'merged')],
    ['run', 'router', capture, '--write', join(disk, 'out.pcapng')],
  ];
}

export async function attackDisks(count: number, seed: string, scratch: string, tally: Tally): Promise<void> {
  const disk = join(scratch, 'disk');
  mkdirSync(disk, { recursive: true });
  const rarely = writeRarely(scratch);
  const random = new Random();
  for (let index = 0; index < count; index++) {
    random.start(seedFromText(`${seed} disks`), index);
    const list = commands(disk, rarely);
    const args = list[index % list.length]!;
    const kilobytes = 4 * (1 + random.below(16));
    const script = `mount -t tmpfs -o size=${kilobytes}k none '${disk}' && "$@"; code=$?; ls -A '${disk}' | grep -c '[.]tmp$' >&2; exit $code`;
    const before = ['unshare', '--mount', 'sh', '-c', script, 'sh'];
    const mark = `${process.pid}-disk-${index}`;
    const ended = await startRun(args, { mark, cwd: scratch, before, patience: PATIENCE }).end;
    const what = `disk of ${kilobytes} KiB: ${args.join(' ')}`;
    tally.tries++;
    if (ended.hung) tally.fault('hangs', what);
    else if (looksCrashed(ended)) tally.fault('crashes', `${what}: ${ended.code} ${ended.err.slice(0, 500)}`);
    else if (!DOCUMENTED.has(ended.code ?? -1)) tally.fault('undocumented codes', `${what}: ${ended.code}`);
    if (!ended.err.trimEnd().endsWith('0')) tally.fault('left behind', `${what}: ${ended.err.slice(-100)}`);
    if (index % list.length === 0 && (ended.code !== 1 || !ended.out.includes('expected XDP_')))
      tally.fault('lost', `${what}: ended with ${ended.code}`);
  }
}
