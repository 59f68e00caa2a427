/**
 * The lab of the host's own devices, and what the lab leaves as it is: everything of the host's that docs/lab.md does not name.
 * A machine has one lab of its devices: what makes it stands in this file, so that no other file makes it meanwhile.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { BUILD_TIMEOUT, buildCommand, COMMAND } from '../cli/test-support/built-command.ts';
import { Lab } from '../kernel/lab/lab.ts';
import { load, unload } from '../kernel/lab/load.ts';
import { HOST_LAB } from '../kernel/lab/names.ts';
import { forgetEmptyHostLab, requireHostLab, reset, setup, teardown } from '../kernel/lab/setup.ts';
import { labNames, removeState } from '../kernel/lab/state.ts';
import { labStatus } from '../kernel/lab/status.ts';
import { createNetns, type Netns } from '../kernel/network/netns.ts';
import { built, freshName, make, tearDownAfterEach } from './test-support/lab.ts';
import { describeKernel } from './test-support/require-kernel.ts';

tearDownAfterEach();

beforeAll(buildCommand, BUILD_TIMEOUT);

/** All settings below a folder of /proc, by path. */
function settings(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return settings(path);
      try {
        return [`${path}=${readFileSync(path, 'latin1').trim()}`];
      } catch (error) {
        return [`${path}: ${(error as NodeJS.ErrnoException).code}`];
      }
    })
    .sort();
}

describeKernel('a lab, seen from the host', ['root', 'libbpf'], () => {
  /** A namespace that the lab takes for the host's. */
  let host: Netns;
  beforeEach(() => {
    host = createNetns();
    host.ip([
      'link set dev lo up',
      'link add name uplink type veth peer name far',
      'link set dev far up',
      'link set dev uplink up',
      'address add 10.99.0.1/24 dev uplink',
      'neighbour add 10.99.0.2 lladdr 02:00:00:00:00:02 nud permanent dev uplink',
      'route add default via 10.99.0.2',
    ]);
    untilConnected();
  });
  afterEach(() => host.close());

  /** The kernel notices in its own time that both ends of the wire are up. */
  function untilConnected(): void {
    const pause = new Int32Array(new SharedArrayBuffer(4));
    const states = (): string[] =>
      (JSON.parse(host.run('ip', ['-json', 'link', 'show', 'type', 'veth'])) as { operstate: string }[]).map(
        ({ operstate }) => operstate,
      );
    while (states().join() !== 'UP,UP') Atomics.wait(pause, 0, 0, 1);
  }

  /** Devices with their counters, addresses, routes, rules, neighbours, queueing disciplines, filters, settings. */
  function everything(): unknown {
    const lists = [
      ['ip', '-json', '-details', '-statistics', 'link', 'show'],
      ['ip', '-json', 'address', 'show'],
      ['ip', '-json', '-4', 'route', 'show', 'table', 'all'],
      ['ip', '-json', '-6', 'route', 'show', 'table', 'all'],
      ['ip', '-json', 'rule', 'show'],
      ['ip', '-json', 'neighbour', 'show'],
      ['tc', '-json', 'qdisc', 'show'],
      ['tc', '-json', 'filter', 'show', 'dev', 'uplink'],
    ].map(([command, ...args]) => host.run(command!, args));
    return { lists, settings: host.enter(() => settings('/proc/sys/net')) };
  }

  it('changes nothing of it, while it stands and afterwards', () => {
    const name = freshName();
    // IPv6 announces itself a moment after a device has come up: that is over when nothing changes any more.
    host.sysctl('ipv6/conf/uplink/disable_ipv6', 1);
    host.sysctl('ipv6/conf/far/disable_ipv6', 1);
    const before = everything();
    host.enter(() => {
      setup(name, { name: 'left', ipv4: true });
      const lab = new Lab(name);
      try {
        load(lab, 'left', built('layer_coop'));
        lab.inside('left').run('ping', ['-c', '1', '-W', '5', '10.11.1.1']);
        unload(lab, 'left');
      } finally {
        lab.close();
      }
      reset(name);
    });
    expect(everything()).toEqual(before);
    host.enter(() => teardown(name));
    expect(everything()).toEqual(before);
  });

  it('is on the host’s own devices only where it was asked to be, and leaves them as they were', ({
    skip,
  }) => {
    if (labNames().includes(HOST_LAB)) skip('a lab of the host’s stands on this machine');
    host.sysctl('ipv6/conf/uplink/disable_ipv6', 1);
    host.sysctl('ipv6/conf/far/disable_ipv6', 1);
    const before = everything();
    host.enter(() => {
      requireHostLab();
      const lab = new Lab(HOST_LAB);
      try {
        load(lab, 'uplink', { ...built('layer_coop'), mode: 'generic' });
        unload(lab, 'uplink');
      } finally {
        lab.close();
      }
      forgetEmptyHostLab();
    });
    expect(everything()).toEqual(before);
    expect(labNames()).not.toContain(HOST_LAB);
  });

  it('takes its programs off the host’s devices also when its file is lost', ({ skip }) => {
    if (labNames().includes(HOST_LAB)) skip('a lab of the host’s stands on this machine');
    host.enter(() => {
      requireHostLab();
      const lab = new Lab(HOST_LAB);
      try {
        load(lab, 'uplink', { ...built('layer_coop'), mode: 'generic' });
        removeState(HOST_LAB);
        teardown(HOST_LAB);
      } finally {
        lab.close();
      }
    });
    expect(host.run('ip', ['link', 'show', 'dev', 'uplink'])).not.toContain('xdp');
    expect(labNames()).not.toContain(HOST_LAB);
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
      const command = [COMMAND[1], 'lab', ...args, '--host'];
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
          expect(() => lab.device('nowhere')).toThrow('no device “nowhere”');
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
