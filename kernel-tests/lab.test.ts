import { type ChildProcess, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { beforeAll, expect, it } from 'vitest';
import { BUILD_TIMEOUT, buildCommand, builtModule } from '../cli/test-support/built-command.ts';
import { Lab } from '../kernel/lab/lab.ts';
import { load } from '../kernel/lab/load.ts';
import { reset, setup, teardown } from '../kernel/lab/setup.ts';
import { labNames } from '../kernel/lab/state.ts';
import { labStatus } from '../kernel/lab/status.ts';
import { createLastingNetns } from '../kernel/network/netns.ts';
import { packageFile } from '../kernel/package-file.ts';
import { removeNetnsName } from '../kernel/process/leftovers.ts';
import { built, freshName, labProcess, make, open, tearDownAfterEach, traces } from './test-support/lab.ts';
import { describeKernel } from './test-support/require-kernel.ts';

tearDownAfterEach();

/** Sets environments up in a process of its own. */
beforeAll(buildCommand, BUILD_TIMEOUT);

function inProcess(lab: string, environments: readonly string[]): ChildProcess {
  return labProcess(
    `for (const name of ${JSON.stringify(environments)}) setup(${JSON.stringify(lab)}, { name });`,
  );
}

describeKernel('a lab', ['root', 'libbpf'], () => {
  it('connects inside and outside over IPv6, and over IPv4 where it is asked to', () => {
    const name = freshName();
    setup(name, { name: 'six' });
    setup(name, { name: 'both', ipv4: true });
    const lab = open(name);
    const ping = (environment: string, to: string): string =>
      lab.inside(environment).run('ping', ['-c', '1', '-W', '5', to]);
    expect(ping('six', 'fc00:dead:cafe:1::1')).toContain('1 received');
    expect(ping('both', '10.11.2.1')).toContain('1 received');
    // From one inside to the other, through the lab's own routing.
    expect(ping('six', 'fc00:dead:cafe:2::2')).toContain('1 received');
    expect(lab.inside('six').run('ip', ['-4', 'address', 'show', 'dev', 'veth0'])).toBe('');
  });

  it('leaves nothing behind when it is torn down', () => {
    const lab = make(['left', 'right']);
    load(lab, 'left', built('layer_coop'));
    load(lab, 'right', built('icmp_echo'));
    expect(traces(lab.name).length).toBeGreaterThan(3);
    expect(teardown(lab.name).map((one) => one.name)).toEqual(['left', 'right']);
    expect(traces(lab.name)).toEqual([]);
  });

  it('stands as long as one environment does', () => {
    const lab = make(['left', 'right']);
    teardown(lab.name, 'left');
    expect(labStatus(open(lab.name)).environments.map((one) => one.name)).toEqual(['right']);
    teardown(lab.name, 'right');
    expect(traces(lab.name)).toEqual([]);
  });

  it('gives the number of a removed environment to the next', () => {
    const lab = make(['one', 'two', 'three']);
    teardown(lab.name, 'two');
    expect(setup(lab.name, { name: 'four' }).number).toBe(2);
  });

  it('finds a name where none is given', () => {
    const name = freshName();
    expect([setup(name).name, setup(name).name]).toEqual(['env1', 'env2']);
  });

  it('refuses an environment that it has already, and says what to do', () => {
    const { name } = make(['left']);
    expect(() => setup(name, { name: 'left' })).toThrow(
      expect.objectContaining({
        kind: 'input',
        remedy: `choose another name, or make it anew: xdpsim lab reset left --lab ${name}`,
      }),
    );
  });

  it('leaves devices and namespaces of somebody else’s alone', () => {
    const lab = make(['left']);
    lab.outside.ip(['link add name right type veth peer name taken']);
    expect(() => setup(lab.name, { name: 'right' })).toThrow('the device right already exists');
    expect(lab.outside.run('ip', ['-brief', 'link', 'show', 'dev', 'right'])).toContain('right@taken');

    const theirs = createLastingNetns(`xdpsim-${lab.name}-other`);
    try {
      expect(() => setup(lab.name, { name: 'other' })).toThrow(`namespace ${theirs.name} already`);
      expect(existsSync(theirs.path)).toBe(true);
    } finally {
      theirs.close();
      removeNetnsName(theirs.path);
    }
    expect(labStatus(open(lab.name)).environments.map((one) => one.name)).toEqual(['left']);
  });

  it('names the environments that there are, when one is asked for that there is not', () => {
    const lab = make(['left']);
    expect(() => lab.environment('nope')).toThrow('no environment “nope”; available: left');
    expect(() => teardown(lab.name, 'nope')).toThrow('no environment “nope”; available: left');
    expect(() => new Lab('nowhere')).toThrow(
      expect.objectContaining({
        kind: 'input',
        remedy: 'Run this first: xdpsim lab setup NAME --lab nowhere',
      }),
    );
  });

  it('comes back from a reset as it was after setup, without the program', () => {
    const lab = make(['left', 'right']);
    const before = labStatus(lab).environments;
    load(lab, 'right', built('xdp_drop'));
    lab.inside('right').ip(['address flush dev veth0']);
    reset(lab.name);
    const after = labStatus(open(lab.name)).environments;
    const addresses = (environments: typeof before): unknown =>
      environments.map(({ name, outer, inner, programs }) => [
        name,
        ...[...outer, ...inner].map((one) => [one.device, one.mac, one.addresses]),
        programs,
      ]);
    expect(addresses(after)).toEqual(addresses(before));
  });

  it('can be torn down when half of it is gone', () => {
    const lab = make(['left', 'right']);
    removeNetnsName(lab.inside('left').path);
    lab.outside.ip(['link delete dev right']);
    const status = labStatus(open(lab.name)).environments.map((one) => one.broken);
    expect(status[0]).toContain('is gone');
    expect(status[1]).toBe('device right is gone');
    removeNetnsName(`/run/netns/xdpsim-${lab.name}`);
    teardown(lab.name);
    expect(traces(lab.name)).toEqual([]);
  });

  it('can be torn down after its maker was killed, however far it had come', async () => {
    const stages: ((name: string) => boolean)[] = [
      (name) => labNames().includes(name),
      (name) => existsSync(`/run/netns/xdpsim-${name}`),
      (name) => existsSync(`/run/netns/xdpsim-${name}-left`),
      (name) => existsSync(`/run/netns/xdpsim-${name}-right`),
    ];
    for (const reached of stages) {
      const name = freshName();
      const maker = inProcess(name, ['left', 'right', 'more']);
      while (!reached(name)) await new Promise((resolve) => setImmediate(resolve));
      // With the commands that it has started: they would go on by themselves.
      process.kill(-maker.pid!, 'SIGKILL');
      await once(maker, 'close');
      teardown(name);
      expect(traces(name)).toEqual([]);
    }
  });

  it('has sub-interfaces for VLANs, or says that the kernel has none', () => {
    const name = freshName();
    let problem: unknown;
    try {
      setup(name, { name: 'left', ipv4: true, vlan: true });
    } catch (error) {
      problem = error;
    }
    if (problem !== undefined) {
      expect(problem).toMatchObject({
        kind: 'environment',
        message: 'this kernel has no VLAN devices',
        remedy: 'modprobe 8021q, or leave --vlan out',
      });
      expect(traces(name)).toEqual([]);
      return;
    }
    const lab = open(name);
    for (const to of ['fc00:dead:cafe:1001::1', 'fc00:dead:cafe:2001::1', '10.12.1.1', '10.13.1.1']) {
      expect(lab.inside('left').run('ping', ['-c', '1', '-W', '5', to])).toContain('1 received');
    }
  });

  it('brings a bpffs of its own where the machine has none', () => {
    const name = freshName();
    const url = (path: string): string => JSON.stringify(builtModule(path));
    const script = `
      import { readdirSync, existsSync } from 'node:fs';
      import { setup, teardown } from ${url('kernel/lab/setup.ts')};
      import { Lab } from ${url('kernel/lab/lab.ts')};
      import { load } from ${url('kernel/lab/load.ts')};
      import { readFileSync } from 'node:fs';
      setup('${name}', { name: 'left' });
      const lab = new Lab('${name}');
      const object = new Uint8Array(readFileSync(${JSON.stringify(packageFile('bpf/built/icmp_echo.o'))}));
      load(lab, 'left', { object, file: 'icmp_echo.o' });
      const pins = lab.pinDirectory('left');
      console.log(pins, readdirSync(pins).join());
      lab.close();
      teardown('${name}');
      console.log(existsSync(lab.state.pinRoot));
    `;
    // In a mount namespace without one. Mounts of network namespaces made there are seen there only.
    const node = [process.execPath, '--input-type=module', '-e', script];
    const { stdout, stderr } = spawnSync(
      'unshare',
      // One may lie over another.
      [
        '--mount',
        'sh',
        '-c',
        'while umount -l /sys/fs/bpf 2>/dev/null; do :; done; exec "$@"',
        'sh',
        ...node,
      ],
      { encoding: 'utf8' },
    );
    expect(stderr).toBe('');
    expect(stdout).toBe(`/run/xdpsim/${name}.bpf/left xdp_stats_map\nfalse\n`);
  });

  it('is made by several processes at once without confusion', async () => {
    const name = freshName();
    const makers = ['a', 'b', 'c'].map((environment) => inProcess(name, [environment]));
    const codes = await Promise.all(makers.map(async (maker) => (await once(maker, 'close'))[0] as number));
    expect(codes).toEqual([0, 0, 0]);
    const { environments } = labStatus(open(name));
    expect(environments.map((one) => one.name).sort()).toEqual(['a', 'b', 'c']);
    expect(environments.map((one) => one.number).sort()).toEqual([1, 2, 3]);
    expect(environments.every((one) => one.broken === undefined)).toBe(true);
  });
});
