import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { compilerProblem } from '../bpf/compile.ts';
import { registerLab } from '../cli/commands/lab.ts';
import { toFailure } from '../cli/failure.ts';
import { BUILD_TIMEOUT, buildCommand, COMMAND } from '../cli/test-support/built-command.ts';
import { Lab } from '../kernel/lab/lab.ts';
import { pinRoots } from '../kernel/lab/names.ts';
import { teardown } from '../kernel/lab/setup.ts';
import { labNames } from '../kernel/lab/state.ts';
import { removeDeadLabs } from './test-support/dead-labs.ts';
import { describeKernel } from './test-support/require-kernel.ts';
import { fixture } from './test-support/testrun.ts';

beforeAll(buildCommand, BUILD_TIMEOUT);
beforeAll(removeDeadLabs);

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The whole command, in a process of its own. */
function xdpsim(args: readonly string[], options: { uid?: number } = {}): Ran {
  const { status, stdout, stderr } = spawnSync(COMMAND[0], [COMMAND[1], ...args], {
    encoding: 'utf8',
    ...options,
  });
  return { code: status ?? -1, stdout, stderr };
}

describeKernel('xdpsim lab', ['root', 'libbpf'], () => {
  const name = `command-${process.pid}`;

  beforeEach(() => {
    if (labNames().includes(name)) teardown(name);
  });
  afterEach(() => {
    if (labNames().includes(name)) teardown(name);
    vi.restoreAllMocks();
  });

  /** A command in this process. @returns what it prints */
  async function lab(...args: string[]): Promise<string> {
    let printed = '';
    vi.spyOn(console, 'log').mockImplementation((line: string) => {
      printed += `${line}\n`;
    });
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      printed += String(text);
      return true;
    });
    const program = new Command('xdpsim').exitOverride();
    registerLab(program);
    const dashes = args.includes('--') ? args.indexOf('--') : args.length;
    const all = ['lab', ...args.slice(0, dashes), '--lab', name, ...args.slice(dashes)];
    try {
      await program.parseAsync(all, { from: 'user' });
    } finally {
      vi.restoreAllMocks();
    }
    return printed;
  }

  /** In the bpffs of the machine, or in one of the lab's own where there is none. */
  function pinRoot(): string {
    const [hosts, own] = pinRoots(name);
    return existsSync(hosts) ? hosts : own;
  }

  const json = async (...args: string[]): Promise<unknown> => JSON.parse(await lab(...args, '--json'));

  function ping(environment: string): void {
    const opened = new Lab(name);
    try {
      opened.inside(environment).run('ping', ['-c', '3', '-i', '0.005', '-W', '5', 'fc00:dead:cafe:1::1']);
    } finally {
      opened.close();
    }
  }

  it('sets up, shows, and tears down', async () => {
    expect(await lab('setup', 'left', '--ipv4')).toBe(
      'outside left: fc00:dead:cafe:1::1, 10.11.1.1\n' +
        `inside  veth0 in namespace xdpsim-${name}-left: fc00:dead:cafe:1::2, 10.11.1.2\n`,
    );
    expect(await json('setup', 'right')).toMatchObject({
      version: 1,
      environment: { name: 'right', number: 2, outer: { ipv6: 'fc00:dead:cafe:2::1' } },
    });
    const text = await lab('status');
    expect(text).toContain(`lab ${name} in namespace xdpsim-${name}`);
    expect(text).toMatch(/outside +left +ifindex 2 +02:1a:b0:00:01:01 +UP/);
    expect(await json('status', 'right')).toMatchObject({
      lab: { name, environments: [{ name: 'right', programs: [] }] },
    });
    expect(await json('teardown', 'left')).toEqual({ version: 1, removed: ['left'] });
    expect(await lab('teardown')).toBe('removed: right\n');
    expect(await json('status')).toMatchObject({ version: 1, lab: null });
  });

  it('loads a program, and shows what it counts and holds', async () => {
    await lab('setup', 'left');
    expect(await lab('load', 'left', 'icmp_echo')).toBe(
      `loaded icmp_echo of icmp_echo.o: left, xdp, native\nmaps pinned in ${pinRoot()}/left\n`,
    );
    ping('left');
    expect(await lab('stats', 'left', '--once')).toMatch(/XDP_TX +3 +0 +0 +0\.000 +0\.\d\d s/);
    const report = (await json('stats', 'left', '--once')) as { period: number; actions: object[] };
    expect(report.period).toBeGreaterThan(0.2);
    expect(report.actions[3]).toMatchObject({ action: 'XDP_TX', packets: 3, bytes: 354 });
    expect(await lab('maps', 'left')).toContain('  3: { .rx_packets = 3, .rx_bytes = 354 }');
    expect(await json('maps', 'left', 'xdp_stats_map')).toMatchObject({
      maps: [{ name: 'xdp_stats_map', entries: [{}, {}, {}, { key: 3, value: { rx_packets: 3 } }, {}] }],
    });
    expect(await lab('unload', 'left')).toBe('unloaded icmp_echo of icmp_echo.o: left, xdp, native\n');
  });

  it('shows protocols as proto_count counts them', async () => {
    await lab('setup', 'left');
    await lab('load', 'left', 'proto_count_hash');
    ping('left');
    expect(await lab('stats', 'left', '--once')).toMatch(/ICMPv6 +3 +0/);
    expect(await json('stats', 'left', '--once')).toMatchObject({
      protocols: [{ protocol: 58, name: 'ICMPv6', packets: 3 }],
    });
  });

  it('attaches halves where the register says, and sets globals', async () => {
    await lab('setup', 'left');
    await lab('setup', 'right');
    expect(await lab('load', 'left', 'layer_coop')).toContain(
      'layer_coop_tx of layer_coop.o: left, tc-egress',
    );
    const globals = ['--global', 'redirect_ifindex=right', '--global', 'redirect_source=02:00:00:00:00:01'];
    await lab('load', 'left', 'redirect', '--replace', '--mode', 'generic', ...globals);
    expect(await lab('maps', 'left', '.rodata')).toContain(
      '.redirect_ifindex = 3, .redirect_source = [2, 0, 0, 0, 0, 1]',
    );
  });

  it('connects two environments', async () => {
    for (const one of ['left', 'right']) {
      await lab('setup', one);
      await lab('load', one, 'redirect_map');
    }
    expect(await lab('redirect', 'left', 'right')).toBe('left → right\nright → left\n');
    expect(await json('maps', 'left', 'tx_port')).toMatchObject({
      maps: [{ entries: [{ key: 0, value: 3 }] }],
    });
  });

  it('says what is wrong, by which exit code, and what to do', async () => {
    await lab('setup', 'left');
    await lab('load', 'left', 'xdp_pass');
    const wrong: [args: string[], code: number, message: string][] = [
      [['setup', 'left'], 2, 'the environment left already exists'],
      [['setup', 'abcdefghijklmnop'], 2, 'has 16 characters'],
      [['status', 'nope'], 2, 'no environment “nope”; available: left'],
      [['load', 'left', 'xdp_drop'], 2, 'left has a program already: xdp_pass (xdp, native)'],
      [['load', 'left', 'nowhere.o'], 2, 'nowhere.o: no such file'],
      [['load', 'left', COMMAND[1]], 2, 'ELF header +0x0: expected the magic'],
      [['load', 'left', 'account:nope', '--replace'], 2, 'no XDP or TC program nope; it has account_ingress'],
      [['load', 'left', 'xdp_drop', '--mode', 'fast'], 2, '--mode must be native or generic'],
      [['stats', 'left', '--once'], 2, 'neither xdp_stats_map nor rxcnt'],
      [['maps', 'left', 'nope'], 2, 'no map nope'],
      [['redirect', 'left', 'left'], 2, 'with itself'],
      [['ping', 'left', '--ipv4'], 2, 'left has no IPv4 addresses'],
      [['exec', 'left', '--', 'no-such-command'], 3, 'no-such-command: command not found'],
    ];
    for (const [args, code, message] of wrong) {
      const failure = await lab(...args).then(() => undefined, toFailure);
      expect({ args, code: failure?.exitCode, message: failure?.message }).toEqual({
        args,
        code,
        message: expect.stringContaining(message) as string,
      });
    }
  });

  it('runs commands inside, with their output and their exit code, and pins in sight', async () => {
    await lab('setup', 'left');
    await lab('load', 'left', 'icmp_echo');
    const inside = ['lab', 'exec', 'left', '--lab', name, '--'];
    const shown = xdpsim([
      ...inside,
      'sh',
      '-c',
      'ls $XDPSIM_PINS $0; ip -brief link; exit 7',
      `${pinRoot()}/left`,
    ]);
    expect(shown.code).toBe(7);
    expect(shown.stdout).toContain(`${pinRoot()}/left:\nxdp_stats_map\n`);
    expect(shown.stdout).toContain('veth0@');
    expect(xdpsim(['lab', 'ping', 'left', '--lab', name, '-c', '1']).stdout).toContain('1 received');
  });

  it.each([
    // As from a script or a supervisor, not as Ctrl-C, which goes to all processes of the terminal.
    ['SIGINT', [130, null]],
    ['SIGTERM', [143, null]],
    ['SIGKILL', [null, 'SIGKILL']],
  ] as const)('ends what it runs inside when it gets %s itself', async (signal, end) => {
    await lab('setup', 'left');
    const args = [COMMAND[1], 'lab', 'exec', 'left', '--lab', name, '--'];
    const running = spawn(process.execPath, [...args, 'sh', '-c', 'echo started; exec sleep 60'], {
      // Without a terminal.
      detached: true,
    });
    await once(running.stdout, 'data');
    running.kill(signal);
    // Closed when nobody is left that could write to it.
    expect(await once(running, 'close')).toEqual(end);
  });

  it.skipIf(compilerProblem() !== undefined)(
    'shows the verifier’s log of an object that it refuses',
    async () => {
      await lab('setup', 'left');
      const folder = mkdtempSync(join(tmpdir(), 'xdpsim-lab-'));
      try {
        const file = join(folder, 'refused.o');
        writeFileSync(file, fixture('unchecked').object!);
        const failure = await lab('load', 'left', `${file}:unchecked`).then(() => undefined, toFailure);
        expect(failure?.exitCode).toBe(2);
        expect(failure?.message).toContain('the verifier refuses unchecked');
        expect(failure?.log).toContain('invalid access to packet');
        expect(await json('status', 'left')).toMatchObject({ lab: { environments: [{ programs: [] }] } });
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );

  it('writes captures of either side', async () => {
    await lab('setup', 'left');
    const folder = mkdtempSync(join(tmpdir(), 'xdpsim-lab-'));
    try {
      const file = join(folder, 'left.pcap');
      const capture = ['tcpdump', 'left', '-w', file, '--', '-c', '2', '--immediate-mode'];
      const running = lab(...capture);
      // Whenever it is ready: pings until it has seen two frames.
      let ended = false;
      void running.finally(() => {
        ended = true;
      });
      while (!ended) {
        ping('left');
        await new Promise((resolve) => setImmediate(resolve));
      }
      await running;
      const { stdout } = spawnSync('tcpdump', ['-n', '-r', file], { encoding: 'utf8' });
      expect(stdout.split('\n').filter((line) => line.includes('ICMP6, echo')).length).toBe(2);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('follows what its programs print, and stops at Ctrl-C', async () => {
    await lab('setup', 'left');
    await lab('load', 'left', 'meta_mark');
    const follower = spawn(process.execPath, [COMMAND[1], 'lab', 'trace', '--json', '--lab', name]);
    let printed = '';
    follower.stdout.on('data', (chunk) => {
      printed += String(chunk);
    });
    const ended = once(follower, 'close');
    // It follows as soon as it has started: until then, what is printed goes by unseen, and it may start between
    // the two lines of one ping.
    const complete = (): boolean => printed.includes('[XDP]') && printed.includes('[TC]');
    while (!complete() && follower.exitCode === null) {
      ping('left');
      await new Promise((resolve) => setImmediate(resolve));
    }
    follower.kill('SIGINT');
    expect(await ended).toEqual([0, null]);
    const lines = printed
      .split('\n')
      .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as { prefix: string; text: string }]));
    expect(lines.every((line) => line.prefix.includes('bpf_trace_printk'))).toBe(true);
    const texts = lines.map((line) => line.text);
    expect(texts).toContain('[XDP] metadata = 42');
    expect(texts).toContain('[TC] metadata = 42');
  });

  it('says that it needs root, and how to get it', () => {
    const { code, stdout, stderr } = xdpsim(['lab', 'setup', 'left', '--lab', name], { uid: 65534 });
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toContain('which takes root');
    expect(stderr).toContain('run it with sudo');
  });
});
