/** The command on machines where something is missing that others have: it works without, or says what is missing. */
import { spawnSync } from 'node:child_process';
import { beforeAll, expect, it } from 'vitest';
import { BUILD_TIMEOUT, buildCommand, COMMAND } from '../cli/test-support/built-command.ts';
import { requireLibbpf } from '../kernel/libbpf/libbpf.ts';
import { cpusByMap } from '../kernel/libbpf/possible-cpus.ts';
import { packageFile } from '../kernel/package-file.ts';
import { WITHOUT, withCapabilities } from './test-support/bare-environment.ts';
import { describeKernel } from './test-support/require-kernel.ts';

beforeAll(buildCommand, BUILD_TIMEOUT);

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function xdpsimIn(surroundings: readonly string[], ...args: readonly string[]): Ended {
  const [command, ...rest] = [...surroundings, ...COMMAND, ...args];
  const { status, stdout, stderr } = spawnSync(command!, rest, { encoding: 'utf8', cwd: packageFile('.') });
  return { code: status, out: stdout, err: stderr };
}

interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly remedy?: string;
}

function doctorIn(surroundings: readonly string[]): Map<string, Check> {
  const { out } = xdpsimIn(surroundings, 'doctor', '--json');
  const { checks } = JSON.parse(out) as { checks: Check[] };
  return new Map(checks.map((check) => [check.name, check]));
}

const verify = (program: string, engine: string): string[] => [
  ...['verify', program, '--runs', '300', '--engines', `model,${engine}`],
];

describeKernel('a machine without /sys', ['root', 'testrun', 'frames'], () => {
  it('runs programs with per-CPU maps all the same', () => {
    expect(xdpsimIn(WITHOUT.sys, ...verify('icmp_echo', 'testrun'))).toMatchObject({ code: 0, err: '' });
  });

  it('counts CPUs by a map, as many as /sys tells', () => {
    expect(cpusByMap(requireLibbpf())).toBe(requireLibbpf().bpf.libbpf_num_possible_cpus());
  });

  it('is told by doctor to mount it, where something needs it', () => {
    expect(doctorIn(WITHOUT.sys).get('btf')).toMatchObject({
      ok: false,
      remedy: 'mount -t sysfs sysfs /sys',
    });
  });
});

describeKernel('a process with few capabilities', ['root', 'testrun', 'frames'], () => {
  it('is told that CAP_BPF and CAP_NET_ADMIN are not enough', () => {
    const ended = xdpsimIn(withCapabilities('CAP_BPF', 'CAP_NET_ADMIN'), ...verify('icmp_echo', 'testrun'));
    expect(ended).toMatchObject({ code: 3, out: '' });
    expect(ended.err).toContain('CAP_PERFMON is missing');
    expect(ended.err).toContain('--cap-add=PERFMON');
  });

  it('runs test runs with CAP_PERFMON, and is told that live traffic takes more', () => {
    const three = withCapabilities('CAP_BPF', 'CAP_NET_ADMIN', 'CAP_PERFMON');
    expect(xdpsimIn(three, ...verify('icmp_echo', 'testrun'))).toMatchObject({ code: 0, err: '' });
    const live = xdpsimIn(three, ...verify('icmp_echo', 'veth'));
    expect(live).toMatchObject({ code: 3, out: '' });
    expect(live.err).toContain('CAP_NET_RAW and CAP_SYS_ADMIN are missing');
    expect(live.err).toContain('--cap-add=NET_RAW --cap-add=SYS_ADMIN');
  });

  it('is shown by doctor which it has, one by one', () => {
    const checks = doctorIn(withCapabilities('CAP_BPF', 'CAP_NET_ADMIN'));
    const rights = [...checks.values()].filter(({ name }) => name.startsWith('CAP_'));
    expect(rights.map(({ name, ok }) => [name, ok])).toEqual([
      ['CAP_BPF', true],
      ['CAP_PERFMON', false],
      ['CAP_NET_ADMIN', true],
      ['CAP_SYS_ADMIN', false],
      ['CAP_NET_RAW', false],
    ]);
    expect(checks.get('programs')).toMatchObject({ ok: false, detail: 'CAP_PERFMON is missing' });
    expect(checks.get('netns')).toMatchObject({ ok: false, detail: 'CAP_SYS_ADMIN is missing' });
  });

  it('runs everything with those that doctor asks for', () => {
    const all = withCapabilities('CAP_SYS_ADMIN', 'CAP_NET_ADMIN', 'CAP_NET_RAW');
    const checks = doctorIn(all);
    expect(checks.get('CAP_BPF')).toMatchObject({ ok: true, detail: 'included in CAP_SYS_ADMIN' });
    expect(xdpsimIn(all, ...verify('icmp_echo', 'testrun,veth'))).toMatchObject({ code: 0, err: '' });
  });
});

describeKernel('a machine whose /run is read-only', ['root', 'testrun', 'frames'], () => {
  it('has live traffic', () => {
    const ended = xdpsimIn(WITHOUT['a writable /run'], ...verify('account', 'veth'));
    expect(ended).toMatchObject({ code: 0, err: '' });
  });

  it('has no lab, and says why', () => {
    const ended = xdpsimIn(WITHOUT['a writable /run'], 'lab', 'setup', 'left', '--lab', 'bare');
    expect(ended).toMatchObject({ code: 3, out: '' });
    expect(ended.err).toMatch(
      /the lab cannot keep its state in \/run\/xdpsim \(EROFS\)\n.*mount -t tmpfs tmpfs \/run/,
    );
    expect(doctorIn(WITHOUT['a writable /run']).get('run')).toMatchObject({ ok: false });
  });
});

describeKernel('a container, whose /proc/sys is read-only', ['root', 'testrun', 'frames'], () => {
  it('has test runs and live traffic', () => {
    const ended = xdpsimIn(WITHOUT['a writable /proc/sys'], ...verify('icmp_echo', 'testrun,veth'));
    expect(ended).toMatchObject({ code: 0, err: '' });
  });
});

describeKernel('a machine without ip', ['root', 'testrun', 'frames'], () => {
  it('has test runs, and is told what live traffic takes', () => {
    expect(xdpsimIn(WITHOUT.ip, ...verify('icmp_echo', 'testrun'))).toMatchObject({ code: 0, err: '' });
    const live = xdpsimIn(WITHOUT.ip, ...verify('icmp_echo', 'veth'));
    expect(live).toMatchObject({ code: 3, out: '' });
    expect(live.err).toMatch(/`ip` cannot be run.*\n.*apt-get install iproute2/);
  });
});
