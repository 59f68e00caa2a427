/** The command on kernels that lack something: one message with the remedy, code 3, and what can run does. */
import { execFile } from 'node:child_process';
import { beforeAll, expect, it } from 'vitest';
import { BUILD_TIMEOUT, buildCommand, builtModule, COMMAND } from '../cli/test-support/built-command.ts';
import { packageFile } from '../kernel/package-file.ts';
import type { Refusal } from './test-support/refused-syscalls.ts';
import { describeKernel } from './test-support/require-kernel.ts';

beforeAll(buildCommand, BUILD_TIMEOUT);

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function xdpsimWithout(refused: Refusal, ...args: string[]): Promise<Ended> {
  const filter = builtModule('kernel-tests/test-support/refused-syscalls.ts');
  return new Promise((resolve) => {
    execFile(
      COMMAND[0],
      ['--import', filter, COMMAND[1], ...args],
      { cwd: packageFile('.'), env: { ...process.env, XDPSIM_REFUSE: refused } },
      (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}

describeKernel('a kernel without BPF_PROG_TEST_RUN', ['root', 'testrun'], () => {
  it.each([
    ['verify', 'icmp_echo', '--engines', 'model,testrun'],
    ['run', 'icmp_echo', 'corpus/captures/ping.pcapng', '--engine', 'testrun'],
  ])('ends %s with code 3 where testrun was named, and says what helps', async (...args) => {
    const ended = await xdpsimWithout('test runs', ...args);
    expect(ended).toMatchObject({ code: 3, out: '' });
    expect(ended.err).toMatch(
      /^xdpsim: .*BPF_PROG_TEST_RUN does not run XDP programs here \(EINVAL\)\n\s+\S/,
    );
    expect(ended.err.trimEnd().split('\n')).toHaveLength(2);
  });

  it('is compared without it where nobody named it, which the report says', async () => {
    const ended = await xdpsimWithout('test runs', 'verify', 'icmp_echo', '--runs', '1000');
    expect(ended).toMatchObject({ code: 0, err: '' });
    expect(ended.out).toMatch(/agreed +icmp_echo/);
    expect(ended.out).toMatch(/Skipped testrun: BPF_PROG_TEST_RUN does not run XDP programs here/);
  });

  it('is named by doctor, once for each kind of program', async () => {
    const ended = await xdpsimWithout('test runs', 'doctor', '--json');
    const { checks } = JSON.parse(ended.out) as { checks: { name: string; ok: boolean; remedy?: string }[] };
    const missing = checks.filter((check) => !check.ok).map((check) => check.name);
    expect(missing).toEqual(expect.arrayContaining(['testrun-xdp', 'testrun-tc']));
    expect(missing).not.toContain('programs');
  });
});

describeKernel('live traffic', ['root', 'testrun', 'frames'], () => {
  it('needs no BPF_PROG_TEST_RUN', async () => {
    const args = ['verify', 'icmp_echo', '--engines', 'model,veth', '--runs', '500'];
    const ended = await xdpsimWithout('test runs', ...args);
    expect(ended).toMatchObject({ code: 0, err: '' });
    expect(ended.out).toMatch(/veth +[\d,]+ packets/);
  });
});

describeKernel('a kernel without bpf(2)', ['root', 'testrun'], () => {
  it.each(['testrun', 'veth'])('ends with code 3 where %s was named, and says what helps', async (engine) => {
    const ended = await xdpsimWithout('bpf', 'verify', 'icmp_echo', '--engines', `model,${engine}`);
    expect(ended).toMatchObject({ code: 3, out: '' });
    expect(ended.err).toMatch(
      /the kernel refuses to load a program \(ENOSYS\)\n\s+use a kernel with CONFIG_BPF_SYSCALL/,
    );
  });

  it('still runs what needs no kernel', async () => {
    const ended = await xdpsimWithout('bpf', 'verify', 'icmp_echo', '--runs', '1000');
    expect(ended).toMatchObject({ code: 0, err: '' });
    expect(ended.out).toMatch(/wasm +[\d,]+ packets/);
    expect(ended.out).toMatch(/Skipped testrun: the kernel refuses to load a program/);
  });
});
