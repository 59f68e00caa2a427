import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { createLastingNetns, createNetns, type Netns } from '../kernel/network/netns.ts';
import { createWorldNetwork, type WorldNetwork } from '../kernel/network/world-network.ts';
import type { World } from '../sim/runtime/world.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const currentNamespace = (): string => readlinkSync('/proc/thread-self/ns/net');

describeKernel('a network namespace', ['root', 'libbpf'], () => {
  const opened: Netns[] = [];
  const open = (): Netns => {
    const netns = createNetns();
    opened.push(netns);
    return netns;
  };
  afterEach(() => {
    for (const netns of opened.splice(0)) netns.close();
  });

  it('is entered by the calling thread, and left again', () => {
    const before = currentNamespace();
    const inside = open().enter(currentNamespace);
    expect(inside).not.toBe(before);
    expect(currentNamespace()).toBe(before);
  });

  it('is left again when what runs inside throws', () => {
    const before = currentNamespace();
    const netns = open();
    expect(() =>
      netns.enter(() => {
        throw new Error('inside');
      }),
    ).toThrow('inside');
    expect(currentNamespace()).toBe(before);
  });

  it('can be entered from inside another, and leads back there', () => {
    const outer = open();
    const inner = open();
    outer.enter(() => {
      const between = currentNamespace();
      expect(inner.enter(currentNamespace)).not.toBe(between);
      expect(currentNamespace()).toBe(between);
    });
  });

  it('is gone where Ctrl-C ends the tool that makes it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'xdpsim-netns-'));
    const { PATH } = process.env;
    const tool = `#!/bin/sh\nPATH='${PATH}'\nip "$@"\nkill -INT $$\n`;
    writeFileSync(join(folder, 'ip'), tool, { mode: 0o755 });
    open();
    const before = readdirSync('/run/netns');
    try {
      process.env.PATH = `${folder}:${PATH}`;
      expect(() => open()).toThrow('ip was ended by SIGINT');
      expect(() => createLastingNetns(`xdpsim-lasting-${process.pid}`)).toThrow('ip was ended by SIGINT');
    } finally {
      process.env.PATH = PATH;
      rmSync(folder, { recursive: true });
    }
    const own = (names: readonly string[]): string[] =>
      names.filter((name) => name.includes(`-${process.pid}`));
    expect(own(readdirSync('/run/netns'))).toEqual(own(before));
  });

  it('refuses what does not end before the thread is back', () => {
    expect(() => open().enter(async () => {})).toThrow(TypeError);
  });

  it('runs commands inside', () => {
    const netns = open();
    netns.ip(['link add name there type veth peer name here']);
    expect(netns.run('ip', ['-brief', 'link', 'show', 'dev', 'there'])).toContain('there@here');
    expect(open().run('ip', ['-brief', 'link'])).not.toContain('there');
  });

  it('names the command that failed, among many, and why', () => {
    expect(() => open().ip(['link set dev lo up', 'link set dev nowhere up'])).toThrow(
      '`ip link set dev nowhere up` failed: Cannot find device "nowhere"',
    );
  });

  it('says how to get a command that is not installed', () => {
    expect(() => open().run('no-such-command', [])).toThrow(
      expect.objectContaining({ kind: 'environment', remedy: 'apt-get install no-such-command' }),
    );
  });

  it('has settings of its own', () => {
    const netns = open();
    const path = '/proc/sys/net/ipv4/ip_forward';
    const before = readFileSync(path, 'utf8');
    netns.sysctl('ipv4/ip_forward', 1);
    expect(netns.enter(() => readFileSync(path, 'utf8'))).toBe('1\n');
    expect(readFileSync(path, 'utf8')).toBe(before);
  });

  it('is gone after it is closed, and may be closed twice', () => {
    const netns = open();
    expect(existsSync(netns.path)).toBe(true);
    netns.close();
    netns.close();
    expect(existsSync(netns.path)).toBe(false);
    expect(() => netns.enter(currentNamespace)).toThrow('closed');
  });
});

const MAC = Uint8Array.of(0x02, 0, 0, 0, 0, 0x01);

describeKernel('the network of a world', ['root', 'libbpf'], () => {
  let network: WorldNetwork | undefined;
  const open = async (world: World): Promise<WorldNetwork> => {
    network = await createWorldNetwork(world);
    return network;
  };
  afterEach(() => {
    network?.close();
    network = undefined;
  });

  it('has the devices that the world states, to the ifindex', async () => {
    const { inside } = await open({
      devices: [
        { ifindex: 77, name: 'left', mac: MAC, mtu: 1400, addresses: ['10.11.1.1/24'] },
        { ifindex: 5, name: 'up', mac: Uint8Array.of(0x02, 1, 2, 3, 4, 5), addresses: ['fc00::1/64'] },
      ],
    });
    const devices = JSON.parse(inside.run('ip', ['-json', 'address'])) as {
      ifname: string;
      ifindex: number;
      mtu: number;
      address: string;
      flags: string[];
      addr_info: { local: string; prefixlen: number }[];
    }[];
    const shown = devices.map(({ ifname, ifindex, mtu, address, flags, addr_info }) => [
      ifname,
      ifindex,
      mtu,
      address,
      flags.includes('UP') && flags.includes('LOWER_UP'),
      addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`),
    ]);
    expect(shown).toEqual([
      ['lo', 1, 65536, '00:00:00:00:00:00', true, ['127.0.0.1/8', '::1/128']],
      ['up', 5, 1500, '02:01:02:03:04:05', true, ['fc00::1/64']],
      ['left', 77, 1400, '02:00:00:00:00:01', true, ['10.11.1.1/24']],
    ]);
  });

  it('has the routes and the permanent neighbours', async () => {
    const { inside } = await open({
      devices: [{ ifindex: 3, name: 'dev', mac: MAC, addresses: ['10.11.1.1/24', 'fc00:1::1/64'] }],
      routes: [
        { to: '10.12.0.0/16', via: '10.11.1.2', ifindex: 3, metric: 7 },
        { to: '10.13.0.0/16', via: '10.11.1.2', mtu: 1300 },
        { to: '10.14.0.0/16', type: 'blackhole' },
        { to: '::/0', via: 'fc00:1::2' },
        { to: 'fc00:2::/64', type: 'prohibit' },
      ],
      neighbours: [
        { ifindex: 3, address: '10.11.1.2', mac: Uint8Array.of(2, 0, 0, 0, 0, 9) },
        { ifindex: 3, address: 'fc00:1::2', mac: Uint8Array.of(2, 0, 0, 0, 0, 9) },
      ],
    });
    const routes = inside.run('ip', ['route']);
    expect(routes).toContain('10.12.0.0/16 via 10.11.1.2 dev dev metric 7');
    expect(routes).toContain('10.13.0.0/16 via 10.11.1.2 dev dev mtu lock 1300');
    expect(routes).toContain('blackhole 10.14.0.0/16');
    const routes6 = inside.run('ip', ['-6', 'route']);
    expect(routes6).toContain('default via fc00:1::2 dev dev');
    expect(routes6).toContain('prohibit fc00:2::/64');
    const neighbours = inside.run('ip', ['neighbour']);
    expect(neighbours).toContain('10.11.1.2 dev dev lladdr 02:00:00:00:00:09 PERMANENT');
    expect(neighbours).toContain('fc00:1::2 dev dev lladdr 02:00:00:00:00:09 PERMANENT');
  });

  it('forwards where the world says so, and nowhere else', async () => {
    const { inside } = await open({
      devices: [
        { ifindex: 3, name: 'router', mac: MAC, forwarding: true },
        { ifindex: 4, name: 'host', mac: Uint8Array.of(2, 0, 0, 0, 0, 2) },
      ],
    });
    const forwarding = (family: string, device: string): string =>
      inside.enter(() => readFileSync(`/proc/sys/net/${family}/conf/${device}/forwarding`, 'utf8')).trim();
    expect(['ipv4', 'ipv6'].map((family) => forwarding(family, 'router'))).toEqual(['1', '1']);
    expect(['ipv4', 'ipv6'].map((family) => forwarding(family, 'host'))).toEqual(['0', '0']);
  });

  it.each<readonly [string, World, string]>([
    [
      'two devices with one ifindex',
      {
        devices: [
          { ifindex: 3, name: 'one', mac: MAC },
          { ifindex: 3, name: 'two', mac: MAC },
        ],
      },
      'devices one and two both have ifindex 3',
    ],
    [
      'a route by a device that is not there',
      { routes: [{ to: '10.0.0.0/8', ifindex: 9 }] },
      'route 10.0.0.0/8: the world has no device 9',
    ],
    [
      'a gateway that no device reaches',
      {
        devices: [{ ifindex: 3, name: 'dev', mac: MAC, addresses: ['10.1.0.1/24'] }],
        routes: [{ to: '10.0.0.0/8', via: '10.2.0.1' }],
      },
      'Nexthop has invalid gateway',
    ],
    [
      'an address that is a command',
      { devices: [{ ifindex: 3, name: 'dev', mac: MAC, addresses: ['10.1.0.1/24\nnetns add evil'] }] },
      'is not an IPv4 or IPv6 address',
    ],
    [
      'a device whose name is an option',
      { devices: [{ ifindex: 3, name: '-x', mac: MAC }] },
      "cannot be a device's name",
    ],
  ])('refuses %s, and leaves nothing behind', async (_, world, message) => {
    const before = namespaces();
    await expect(createWorldNetwork(world)).rejects.toMatchObject({
      kind: 'input',
      message: expect.stringContaining(message),
    });
    expect(namespaces()).toEqual(before);
  });
});

/** Those of this process: other runs come and go meanwhile. */
function namespaces(): string[] {
  const netns = createNetns();
  try {
    const own = netns.name.replace(/\d+$/, '');
    const listed = JSON.parse(netns.run('ip', ['-json', 'netns', 'list']) || '[]') as { name: string }[];
    return listed.map(({ name }) => name).filter((name) => name.startsWith(own) && name !== netns.name);
  } finally {
    netns.close();
  }
}
