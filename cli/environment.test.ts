/**
 * The command where the machine does not let it: few open files, little memory, small files, disks that are full or
 * read-only, a working directory that is gone, outputs that cannot be written or that nobody reads any more. One sentence,
 * the documented code, nothing left behind.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageFile } from '../kernel/package-file.ts';
import { BUILD_TIMEOUT, buildCommand, COMMAND } from './test-support/built-command.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-environment-'));
beforeAll(buildCommand, BUILD_TIMEOUT);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const PING = packageFile('corpus/captures/ping.pcapng');
const SMALL = ['--engines', 'model,vm', '--runs', '50', '--seed', '1'];
/** Differs from its model at the first packet. */
const DIFFERING = [
  'verify',
  'icmp_drop',
  '--object',
  `${packageFile('bpf/built/xdp_pass.o')}:xdp_pass`,
  ...SMALL,
];

interface Case {
  readonly args: readonly string[];
  readonly code: number;
  /** All of standard error. */
  readonly err: RegExp;
  /** Bash, in a folder of its own; `"$@"` is the command. Default: the command alone. */
  readonly script?: string;
}

const NOTHING = /^$/;
const sentence = (text: string): RegExp => new RegExp(`^xdpsim: ${text}\\n( {8}\\S.*\\n)?$`);
const NO_STDOUT = sentence('standard output: no space left on the device');
/** Once for each limit that Node starts under and the command does not. */
const EACH_MANY_FILES = /^(xdpsim: (\S+ cannot be started: )?too many open files\n( {8}\S.*\n)?)+$/;
const LARGE = sentence('\\S+: the file would be too large');
const GONE = sentence('the working directory no longer exists');

interface Result {
  readonly code: number | null;
  readonly err: string;
  readonly left: string[];
}

let folders = 0;

function run({ args, script = '"$@"' }: Case, before: readonly string[] = []): Promise<Result> {
  const folder = mkdtempSync(join(scratch, `${folders++}-`));
  const command = [...COMMAND, ...args];
  const [first, ...rest] = [...before, 'bash', '-c', script, 'bash', ...command];
  return new Promise((resolve) => {
    // Findings that cannot be saved go to a temporary directory: one that goes with the test.
    const env = { ...process.env, TMPDIR: scratch };
    const child = spawn(first!, rest, { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
    let err = '';
    child.stderr.on('data', (piece) => {
      err += piece;
    });
    child.on('close', (code) => {
      const left = readdirSync(folder, { recursive: true }).map(String);
      resolve({ code, err, left: left.filter((name) => name.endsWith('.tmp')) });
    });
  });
}

/** Two at a time: the cases are short, and the machine may be small. */
async function wrong(cases: readonly Case[], before?: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  const rest = [...cases];
  const work = async (): Promise<void> => {
    for (let one = rest.shift(); one !== undefined; one = rest.shift()) {
      const { code, err, left } = await run(one, before);
      if (code === one.code && one.err.test(err) && left.length === 0) continue;
      const where = `${one.script ?? ''} ${one.args.join(' ')}`;
      found.push(
        `${where}: code ${code}, expected ${one.code} and ${one.err}:\n${err.slice(0, 1000)}${left}`,
      );
    }
  };
  await Promise.all([work(), work()]);
  return found;
}

const GENERATE = ['corpus', 'generate', '--runs', '2000', '--seed', '1', '--out', 'new.pcapng'];

/** Runs the command under ever fewer open files, down to what Node needs to start it. Where it fails, it does so with 3. */
function descriptors(): string {
  return `
    for limit in 32 28 26 24 22 20 19 18 17; do
      (
        ulimit -n $limit
        said=$({ "$@" > /dev/null; } 2>&1)
        code=$?
        case $code in
          0) ;;
          3) printf '%s\\n' "$said" >&2 ;;
          *) if "$1" "$2" --version > /dev/null 2>&1; then echo "$limit: code $code: $said" >&2; exit 97; fi ;;
        esac
      ) || exit
    done`;
}

const LIMITS: readonly Case[] = [
  // In one process it has no more of them open than Node itself.
  { args: ['verify', 'icmp_echo', ...SMALL], script: descriptors(), code: 0, err: NOTHING },
  {
    args: ['verify', 'icmp_echo', ...SMALL, '--workers', '2'],
    script: descriptors(),
    code: 0,
    err: EACH_MANY_FILES,
  },
  { args: GENERATE, script: 'ulimit -f 1; "$@"', code: 2, err: LARGE },
  { args: ['run', 'icmp_echo', PING, '--write', 'new'], script: 'ulimit -f 1; "$@"', code: 2, err: LARGE },
  {
    args: ['verify', 'icmp_echo', ...SMALL, '--coverage', 'new'],
    script: 'ulimit -f 1; "$@"',
    code: 2,
    err: LARGE,
  },
  // Its standard output is a file here.
  {
    args: ['programs'],
    script: 'ulimit -f 1; "$@" > out',
    code: 3,
    err: sentence('standard output: the file would be too large'),
  },
  // The compiled machine's memory does not fit; the model's does.
  {
    args: ['verify', 'icmp_echo', '--engines', 'model,wasm', '--runs', '50'],
    script: 'ulimit -v 2500000; "$@" > out; code=$?; grep -q "not enough memory" out || code=97; exit $code',
    code: 3,
    err: NOTHING,
  },
];

const PLACES: readonly Case[] = [
  ...[GENERATE, ['checksum', 'a.pcap'], ['corpus', 'merge', PING, '--out', 'a']].map(
    (args): Case => ({ args, script: 'mkdir gone; cd gone; rmdir ../gone; "$@"', code: 3, err: GONE }),
  ),
  { args: ['programs'], script: 'mkdir gone; cd gone; rmdir ../gone; "$@"', code: 0, err: NOTHING },
  { args: ['checksum', '/proc/self/mem'], code: 3, err: sentence('/proc/self/mem: input/output error: .*') },
];

/** Every command that prints, at least one line. */
const PRINTING: readonly (readonly string[])[] = [
  ['programs'],
  ['doctor'],
  ['disasm', 'icmp_echo'],
  ['checksum', PING],
  ['corpus', 'show', PING],
  ['corpus', 'generate', '--runs', '10', '--out', '-'],
  ['run', 'icmp_echo', PING],
  ['run', 'icmp_echo', PING, '--write', '-'],
  ['verify', 'icmp_echo', ...SMALL],
  ['verify', 'icmp_echo', ...SMALL, '--json'],
  ['bench', '--only', 'checksum', '--rounds', '1'],
  ['lab', 'run'],
  ['lab', 'status', '--lab', 'nobody-has-set-this-up'],
];

/** And those that print more than a reader of the first line takes. */
const LONG: readonly (readonly string[])[] = [
  ['programs'],
  ['disasm', 'icmp_echo'],
  ['corpus', 'show', '--tree', PING],
  ['corpus', 'generate', '--runs', '20000', '--out', '-'],
  ['run', 'icmp_echo', PING, '--hexdump', '--tree'],
  ['run', 'icmp_echo', PING, '--trace'],
];
const FIRST_LINE = '"$@" | head -1 > first; code=$PIPESTATUS; [ -s first ] || code=99; exit "$code"';

describe.skipIf(process.platform !== 'linux')('the command', () => {
  it('names the limit that it meets', async () => {
    expect(await wrong(LIMITS)).toEqual([]);
  });

  it('names a place that cannot be used', async () => {
    expect(await wrong(PLACES)).toEqual([]);
  });

  it('ends with 3 where its output cannot be written', async () => {
    const cases = PRINTING.map(
      (args): Case => ({ args, script: '"$@" > /dev/full', code: 3, err: NO_STDOUT }),
    );
    expect(await wrong(cases)).toEqual([]);
  });

  it('keeps its code where what it reports cannot be written', async () => {
    const cases: Case[] = [
      { args: GENERATE, script: '"$@" 2> /dev/full', code: 0, err: NOTHING },
      { args: ['checksum', 'missing'], script: '"$@" 2> /dev/full', code: 2, err: NOTHING },
    ];
    expect(await wrong(cases)).toEqual([]);
  });

  it('ends quietly when its reader has seen enough', async () => {
    const long = LONG.map(
      (args): Case => ({
        args,
        script: FIRST_LINE,
        code: 0,
        err: /^(standard output: .* packets, seed .*\n)?$/,
      }),
    );
    // The first line is the seed: nothing is found yet when it has been read, and the reader has gone long before the end.
    const verify: Case = {
      args: ['verify', 'icmp_echo', '--engines', 'model,vm', '--runs', '5000', '--seed', '1'],
      script: FIRST_LINE,
      code: 130,
      err: NOTHING,
    };
    // What is said in one go is said, whoever hears it.
    const checksum: Case = {
      args: ['checksum', packageFile('corpus/packets/icmp_filter.pcapng')],
      script: '"$@" | true; exit "$PIPESTATUS"',
      code: 0,
      err: NOTHING,
    };
    expect(await wrong([...long, verify, checksum])).toEqual([]);
  });

  const asRoot = process.getuid?.() === 0 && spawnSync('unshare', ['--mount', 'true']).status === 0;
  it.skipIf(!asRoot)(
    'names a disk that is full or read-only, and hides no divergence there (root only)',
    async () => {
      const onDisk = (
        options: string,
        then: string,
        args: readonly string[],
        code: number,
        err: RegExp,
      ): Case => ({
        args,
        script: `mkdir disk; mount -t tmpfs -o ${options} none disk; cd disk; ${then} "$@"; code=$?; ls -A | grep -q tmp && code=98; exit $code`,
        code,
        err,
      });
      const full = sentence('new\\S*: no space left on the device');
      const readOnly = sentence('new\\S*: the file system is read-only');
      const filled = 'head -c 64k /dev/zero > zeros 2> /dev/null;';
      const cases = [
        onDisk('size=16k', '', GENERATE, 2, full),
        onDisk('size=16k', filled, ['run', 'icmp_echo', PING, '--write', 'new'], 2, full),
        onDisk('size=16k', filled, ['corpus', 'merge', PING, '--out', 'new'], 2, full),
        onDisk('size=16k', filled, ['verify', 'icmp_echo', ...SMALL, '--junit', 'new.xml'], 2, full),
        onDisk('size=16k', filled, DIFFERING, 1, NOTHING),
        onDisk('ro', '', GENERATE, 2, readOnly),
        onDisk('ro', '', ['corpus', 'merge', PING, '--out', 'new'], 2, readOnly),
        // Known before the run, which is not begun then.
        onDisk('ro', '', [...DIFFERING, '--junit', 'new.xml'], 2, readOnly),
      ];
      expect(await wrong(cases, ['unshare', '--mount'])).toEqual([]);
    },
  );
});
