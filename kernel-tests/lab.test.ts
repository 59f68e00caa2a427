import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { attach, attachedTo, detach } from '../kernel/lab/attachments.ts';
import { withMaps } from '../kernel/lab/device-maps.ts';
import { Lab } from '../kernel/lab/lab.ts';
import { type LoadOptions, load, unload } from '../kernel/lab/load.ts';
import { requireHostLab, reset, setup, teardown } from '../kernel/lab/setup.ts';
import { labNames } from '../kernel/lab/state.ts';
import { readCounters } from '../kernel/lab/statistics.ts';
import { labStatus } from '../kernel/lab/status.ts';
import { removeNetnsName } from '../kernel/leftovers.ts';
import { BpfObject } from '../kernel/libbpf-object.ts';
import { createLastingNetns, createNetns } from '../kernel/netns.ts';
import { describeKernel } from './require-kernel.ts';

const opened: Lab[] = [];
const names = new Set<string>();

function open(lab: string): Lab {
  const one = new Lab(lab);
  opened.push(one);
  return one;
}

/** A lab name of this test's own; torn down after the test, whatever is left of it. */
function freshName(): string {
  const name = `test-${process.pid}-${names.size}`;
  names.add(name);
  return name;
}

function make(environments: readonly string[] = ['left'], lab: string = freshName()): Lab {
  for (const name of environments) setup(lab, { name, ipv4: true });
  return open(lab);
}

function built(program: string): Pick<LoadOptions, 'object' | 'file'> {
  const path = fileURLToPath(new URL(`../bpf/built/${program}.o`, import.meta.url));
  return { object: new Uint8Array(readFileSync(path)), file: `${program}.o` };
}

/** Sets environments up in a process, and a process group, of its own. */
function inProcess(lab: string, environments: readonly string[]): ChildProcess {
  const module = new URL('../kernel/lab/setup.ts', import.meta.url).href;
  const script = `import { setup } from ${JSON.stringify(module)};
    for (const name of ${JSON.stringify(environments)}) setup(${JSON.stringify(lab)}, { name });`;
  return spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    detached: true,
    stdio: 'ignore',
  });
}

/** What of a lab can be found outside of its own process. */
function traces(lab: string): string[] {
  const found = [
    ...['/run/netns', '/sys/fs/bpf'].flatMap((directory) =>
      existsSync(directory) ? readdirSync(directory).map((name) => `${directory}/${name}`) : [],
    ),
    ...labNames().map((name) => `state ${name}`),
  ];
  return found.filter((one) => one.includes(lab));
}

afterEach(() => {
  for (const lab of opened.splice(0)) lab.close();
  for (const lab of names) if (labNames().includes(lab)) teardown(lab);
});

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
    expect(() => setup(lab.name, { name: 'right' })).toThrow('there is a device right already');
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
    expect(() => lab.environment('nope')).toThrow('there is no environment nope; there is left');
    expect(() => teardown(lab.name, 'nope')).toThrow('there is no environment nope; there is left');
    expect(() => new Lab('nowhere')).toThrow(
      expect.objectContaining({ kind: 'input', remedy: 'xdpsim lab setup NAME --lab nowhere makes one' }),
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
    const url = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
    const script = `
      import { readdirSync, existsSync } from 'node:fs';
      import { setup, teardown } from ${url('../kernel/lab/setup.ts')};
      import { Lab } from ${url('../kernel/lab/lab.ts')};
      import { load } from ${url('../kernel/lab/load.ts')};
      import { readFileSync } from 'node:fs';
      setup('${name}', { name: 'left' });
      const lab = new Lab('${name}');
      const object = new Uint8Array(readFileSync(new URL(${url('../bpf/built/icmp_echo.o')})));
      load(lab, 'left', { object, file: 'icmp_echo.o' });
      const pins = lab.pinDirectory('left');
      console.log(pins, readdirSync(pins).join());
      lab.close();
      teardown('${name}');
      console.log(existsSync(lab.state.pinRoot));
    `;
    // In a mount namespace without one. Mounts of network namespaces made there are seen there only.
    const node = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', script];
    const { stdout, stderr } = spawnSync(
      'unshare',
      ['--mount', 'sh', '-c', 'umount -l /sys/fs/bpf 2>/dev/null; exec "$@"', 'sh', ...node],
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

describeKernel('programs in a lab', ['root', 'libbpf'], () => {
  it('stay when the command that loaded them has ended', () => {
    const lab = make();
    load(lab, 'left', built('icmp_echo'));
    lab.close();
    const again = open(lab.name);
    expect(attachedTo(again.device('left')).map((one) => one.name)).toEqual(['icmp_echo']);
    again.inside('left').run('ping', ['-c', '1', '-W', '5', 'fc00:dead:cafe:1::1']);
    const tx = readCounters(again, 'left').actions?.find((row) => row.action === 'XDP_TX');
    expect(tx).toEqual({ action: 'XDP_TX', packets: 1, bytes: 118 });
  });

  it('have their maps pinned, device by device, until they are unloaded', () => {
    const lab = make(['left', 'right']);
    load(lab, 'left', built('redirect_map'));
    load(lab, 'right', built('redirect_map'));
    for (const device of ['left', 'right']) {
      expect(readdirSync(lab.pinDirectory(device)).sort()).toEqual([
        'redirect_params',
        'tx_port',
        'xdp_stats_map',
      ]);
    }
    expect(unload(lab, 'left').map((one) => one.function)).toEqual(['redirect_map']);
    expect(existsSync(lab.pinDirectory('left'))).toBe(false);
    expect(existsSync(lab.pinDirectory('right'))).toBe(true);
    expect(unload(lab, 'left')).toEqual([]);
  });

  it('are not replaced unless that is asked for, and then in either mode', () => {
    const lab = make();
    const hung = (): unknown => attachedTo(lab.device('left')).map(({ name, mode }) => [name, mode]);
    load(lab, 'left', built('xdp_pass'));
    for (const mode of ['native', 'generic'] as const) {
      expect(() => load(lab, 'left', { ...built('xdp_drop'), mode })).toThrow(
        expect.objectContaining({ kind: 'input', remedy: 'put the new one in its place: --replace' }),
      );
    }
    expect(hung()).toEqual([['xdp_pass', 'native']]);
    load(lab, 'left', { ...built('xdp_drop'), mode: 'generic', replace: true });
    expect(hung()).toEqual([['xdp_drop', 'generic']]);
    load(lab, 'left', { ...built('xdp_pass'), mode: 'native', replace: true });
    expect(hung()).toEqual([['xdp_pass', 'native']]);
  });

  it('take their TC half with them', () => {
    const lab = make();
    const register = [{ function: 'layer_coop_tx', hook: 'tc-egress' } as const];
    load(lab, 'left', { ...built('layer_coop'), register });
    load(lab, 'left', { ...built('xdp_pass'), replace: true });
    expect(attachedTo(lab.device('left')).map((one) => one.name)).toEqual(['xdp_pass']);
    load(lab, 'left', { ...built('account'), replace: true });
    // XDP and TC live side by side only when they come together.
    expect(attachedTo(lab.device('left')).map((one) => one.hook)).toEqual(['tc-ingress', 'tc-egress']);
    unload(lab, 'left');
    expect(attachedTo(lab.device('left'))).toEqual([]);
  });

  it('keep their place when the new one does not load', () => {
    const lab = make();
    load(lab, 'left', built('xdp_pass'));
    const globals = { nothing: Uint8Array.of(1) };
    expect(() => load(lab, 'left', { ...built('port_filter'), replace: true, globals })).toThrow('nothing');
    expect(() => load(lab, 'left', { object: new Uint8Array(100), file: 'zeros.o', replace: true })).toThrow(
      'zeros.o: at offset 0: expected an ELF file',
    );
    expect(attachedTo(lab.device('left')).map((one) => one.name)).toEqual(['xdp_pass']);
  });

  it('begin with empty maps', () => {
    const lab = make();
    load(lab, 'left', built('icmp_echo'));
    lab.inside('left').run('ping', ['-c', '1', '-W', '5', '10.11.1.1']);
    load(lab, 'left', { ...built('icmp_echo'), replace: true });
    expect(readCounters(lab, 'left').actions?.every((row) => row.packets === 0)).toBe(true);
  });

  it('are seen when somebody else has attached them, with their maps', () => {
    const lab = make();
    const object = new BpfObject(built('icmp_echo').object, {
      name: 'foreign',
      file: 'icmp_echo.o',
      entries: [{ function: 'icmp_echo', hook: 'xdp' }],
    });
    attach(lab.device('left'), 'xdp', object.programs[0]!.fd);
    object.close();
    expect(labStatus(lab).environments[0]?.programs).toMatchObject([
      { function: 'icmp_echo', object: undefined },
    ]);
    expect(withMaps(lab, 'left', (maps) => maps.map((one) => one.map.name))).toEqual(['xdp_stats_map']);
    // What the lab has not loaded it does not unload.
    expect(unload(lab, 'left')).toEqual([]);
    expect(attachedTo(lab.device('left')).length).toBe(1);
  });

  it('run by clsact where the kernel has no tcx', () => {
    const lab = make();
    const device = lab.device('left');
    const object = new BpfObject(built('account').object, {
      name: 'account',
      file: 'account.o',
      entries: [
        { function: 'account_ingress', hook: 'tc-ingress' },
        { function: 'account_egress', hook: 'tc-egress' },
      ],
    });
    try {
      for (const { hook, fd } of object.programs) {
        expect(attach(device, hook, fd, { tc: 'clsact' })).toBe('clsact');
      }
      lab.inside('left').run('ping', ['-c', '5', '-i', '0.005', '-W', '5', '10.11.1.1']);
      const bytes = object
        .map('acc_map')!
        .entries()
        .map((entry) => Buffer.from(entry.value).readUInt32LE(0));
      expect(bytes).toEqual([490, 490]);
      const found = attachedTo(device);
      expect(found.map(({ hook, mode }) => `${hook} ${mode}`)).toEqual([
        'tc-ingress clsact',
        'tc-egress clsact',
      ]);
      for (const one of found) detach(device, one);
      expect(attachedTo(device)).toEqual([]);
    } finally {
      object.close();
    }
  });
});

describeKernel('the lab of the host’s devices', ['root', 'libbpf'], () => {
  it('knows the device that carries the default route', () => {
    const lab = make();
    lab.outside.ip(['route add default via 10.11.1.2 dev left']);
    expect(lab.carriesDefaultRoute('left')).toBe(true);
    expect(lab.carriesDefaultRoute('right')).toBe(false);
    lab.outside.ip(['route delete default', 'route add default via fc00:dead:cafe:1::2 dev left']);
    expect(lab.carriesDefaultRoute('left')).toBe(true);
  });

  it('asks before it puts a program on that device', ({ skip }) => {
    if (labNames().includes('host')) skip('a lab of the host’s stands on this machine');
    // The command runs in a namespace that it takes for the host's.
    const host = createNetns();
    const xdpsim = (...args: string[]): { code: number | null; text: string } => {
      const main = fileURLToPath(new URL('../cli/main.ts', import.meta.url));
      const command = ['--import', 'tsx', main, 'lab', ...args, '--host'];
      const { status, stdout, stderr } = host.enter(() =>
        spawnSync(process.execPath, command, { encoding: 'utf8' }),
      );
      return { code: status, text: stdout + stderr };
    };
    const attached = (): boolean => host.run('ip', ['link', 'show', 'dev', 'uplink']).includes('xdp');
    try {
      host.ip([
        'link add name uplink type veth peer name far',
        'link set dev uplink up',
        'address add 10.99.0.1/24 dev uplink',
        'route add default via 10.99.0.2',
      ]);
      const refused = xdpsim('load', 'uplink', 'xdp_pass');
      expect(refused.code).toBe(2);
      expect(refused.text).toContain('uplink carries the default route');
      expect(refused.text).toContain('--yes');
      expect(attached()).toBe(false);
      expect(labNames()).not.toContain('host');

      expect(xdpsim('load', 'uplink', 'xdp_pass', '--yes').code).toBe(0);
      expect(attached()).toBe(true);
      expect(xdpsim('unload', 'uplink').code).toBe(0);
      expect(attached()).toBe(false);
      expect(labNames()).not.toContain('host');
    } finally {
      host.close();
    }
  });

  it('stands in the namespace that it was made in, and adds nothing but its own device', ({ skip }) => {
    if (labNames().includes('host')) skip('a lab of the host’s stands on this machine');
    // This thread's namespace takes the host's place: the lab of the tests leaves the host alone, too.
    const host = createNetns();
    try {
      host.enter(() => {
        host.ip(['link set dev lo up']);
        requireHostLab();
        setup('host', { name: 'hostenv' });
        const lab = new Lab('host');
        try {
          expect(host.run('ip', ['-brief', 'link', 'show', 'dev', 'hostenv'])).toContain('UP');
          host.ip(['link add name foreign type veth peer name other', 'link set dev foreign up']);
          load(lab, 'foreign', built('xdp_pass'));
          expect(labStatus(lab).devices.map((one) => one.device)).toEqual(['foreign']);
          expect(() => lab.device('nowhere')).toThrow('there is no device nowhere');
        } finally {
          lab.close();
          teardown('host');
        }
        expect(host.run('ip', ['link', 'show', 'dev', 'foreign'])).not.toContain('xdp');
        expect(host.run('ip', ['-brief', 'link'])).not.toContain('hostenv');
      });
    } finally {
      host.close();
      rmSync('/run/xdpsim/host.json', { force: true });
    }
  });
});
