/** Too much of everything: endless streams, long arguments, large files, many instances at once. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageFile } from '../../kernel/package-file.ts';
import { type AttackedRun, looksCrashed, startRun } from './processes.ts';
import { DOCUMENTED, type Tally } from './tally.ts';
import { remainingProcesses } from './traces.ts';

const PATIENCE = 90_000;
const AT_ONCE = 8;

export async function attackWithFloods(rounds: number, scratch: string, tally: Tally): Promise<void> {
  const large = join(scratch, 'large.json');
  writeFileSync(large, `[${'{"key": 1, "value": 1},'.repeat(300_000)}{"key": 1, "value": 1}]`);
  const noise = join(scratch, 'noise.pcap');
  writeFileSync(noise, randomBytes(8 * 1024 * 1024));
  const echo = packageFile('bpf/built/icmp_echo.o');
  for (let round = 0; round < rounds; round++) {
    const mark = `${process.pid}-flood-${round}`;
    const options = { mark, cwd: scratch, patience: PATIENCE };
    const run = (...args: string[]): [string, AttackedRun] => [
      args.join(' ').slice(0, 80),
      startRun(args, options),
    ];
    const runs = [
      ...Array.from({ length: AT_ONCE }, () =>
        run('verify', 'icmp_echo', '--runs', '5k', '--report', scratch),
      ),
      run('checksum', noise),
      run('run', echo, 'f'.repeat(100_000)),
      run('run', echo, '00', '--map', `xdp_stats_map=${large}`),
      run('run', ...Array.from({ length: 2000 }, () => 'ff')),
      flooded(run('checksum', '-')),
      flooded(run('run', '--bytecode')),
    ];
    for (const [what, { end }] of runs) {
      const ended = await end;
      tally.tries++;
      if (ended.hung) tally.fault('hangs', what);
      else if (looksCrashed(ended))
        tally.fault('crashes', `${what}: ${ended.code} ${ended.err.slice(0, 500)}`);
      else if (!DOCUMENTED.has(ended.code ?? -1)) tally.fault('undocumented codes', `${what}: ${ended.code}`);
    }
    const left = await remainingProcesses(mark);
    if (left.length > 0) tally.fault('left behind', `flood ${round}: ${left.length} processes`);
  }
}

/** Noise on standard input, as long as it is read, up to a size that no memory should hold. */
function flooded([what, run]: [string, AttackedRun]): [string, AttackedRun] {
  const piece = randomBytes(1024 * 1024).fill('0a', 0, 512 * 1024);
  let left = 512;
  const pour = (): void => {
    while (left-- > 0) {
      if (!run.child.stdin!.write(piece)) {
        run.child.stdin!.once('drain', pour);
        return;
      }
    }
    run.child.stdin!.end();
  };
  pour();
  return [what, run];
}
