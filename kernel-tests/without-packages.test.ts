/** Live traffic and pings where `cap` and `raw-socket` cannot be loaded: slower, and otherwise the same. */
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BUILD_TIMEOUT, buildCommand, builtModule, COMMAND } from '../cli/test-support/built-command.ts';
import type { OnFrame } from '../kernel/frames/frame-source.ts';
import { PacketSocket } from '../kernel/frames/packet-socket.ts';
import { type CapModule, openPcap } from '../kernel/frames/pcap-source.ts';
import { loadNative } from '../kernel/native-package.ts';
import { openEthtool } from '../kernel/network/ethtool.ts';
import { createNetns, type Netns } from '../kernel/network/netns.ts';
import { packageFile } from '../kernel/package-file.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const UNLOADABLE = ['--import', builtModule('kernel-tests/test-support/unloadable-packages.ts')];

beforeAll(buildCommand, BUILD_TIMEOUT);

function xdpsimWithout(...args: readonly string[]): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(COMMAND[0], [COMMAND[1], ...args], {
    encoding: 'utf8',
    cwd: packageFile('.'),
    timeout: 60_000,
    // Also for the processes that it starts.
    env: { ...process.env, NODE_OPTIONS: UNLOADABLE.join(' ') },
  });
  return { code: status, out: stdout, err: stderr };
}

describeKernel('live traffic without the package cap', ['root', 'testrun'], () => {
  it('agrees with the model on XDP, TC and redirects, and reports that it is slower and why', () => {
    const programs = ['icmp_echo', 'layer_coop', 'redirect_map'];
    const ended = xdpsimWithout('verify', ...programs, '--engines', 'model,veth', '--runs', '1500');
    expect(ended).toMatchObject({ code: 0, err: '' });
    expect(ended.out).toMatch(
      /Note on veth: frames go through packet sockets, which is slower: the package cap was built for NODE_MODULE_VERSION 93/,
    );
  });

  it('is named by doctor, with the command that builds the packages anew', () => {
    const { checks } = JSON.parse(xdpsimWithout('doctor', '--json').out) as {
      checks: { name: string; ok: boolean; detail: string; remedy?: string }[];
    };
    for (const name of ['cap', 'raw-socket']) {
      expect(checks.find((check) => check.name === name)).toMatchObject({
        ok: false,
        detail: `the package ${name} was built for NODE_MODULE_VERSION 93, and this is Node ${process.versions.node}`,
        remedy: `npm rebuild ${name}`,
      });
    }
  });

  it('answers pings through the stack as with raw-socket', () => {
    // The suite of pings itself, in a process where both packages are refused.
    const vitest = packageFile('node_modules/vitest/vitest.mjs');
    const { status, stdout } = spawnSync(
      process.execPath,
      [vitest, 'run', 'kernel-tests/ping.test.ts', '--reporter=default'],
      {
        encoding: 'utf8',
        cwd: packageFile('.'),
        timeout: 60_000,
        env: { ...process.env, NODE_OPTIONS: UNLOADABLE.join(' ') },
      },
    );
    expect(stdout).toMatch(/Tests .*12 passed/);
    expect(status).toBe(0);
  });
});

/** 256 frames, of each length once or twice, with all kinds of tags. */
function framesToSend(): Buffer[] {
  return Array.from({ length: 256 }, (_, index) => {
    const frame = Buffer.alloc(14 + ((index * 13) % 1487), index);
    frame.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x12, 0x34], 0);
    const tags = [[], [0x81, 0x00, 0x60, 0x05], [0x88, 0xa8, 0x00, 0x07], [0x81, 0, 0, 0], [0x91, 0, 0, 9]];
    const tag = tags[index % tags.length]!;
    return tag.length === 0
      ? frame
      : Buffer.concat([frame.subarray(0, 12), Buffer.from(tag), frame.subarray(12)]);
  });
}

describeKernel('a packet socket', ['root', 'libbpf'], () => {
  let left: Netns;
  let right: Netns;
  beforeAll(async () => {
    left = createNetns();
    right = createNetns();
    for (const netns of [left, right]) netns.sysctl('ipv6/conf/default/disable_ipv6', 1);
    left.ip([`link add name near type veth peer name far netns ${right.name}`, 'link set dev near up']);
    right.ip(['link set dev far up']);
    for (const [netns, device] of [
      [left, 'near'],
      [right, 'far'],
    ] as const) {
      const ethtool = openEthtool(netns, device);
      ethtool.offloadsOff();
      ethtool.close();
    }
    // What is sent before the kernel has noticed the connection is lost.
    const probe = Buffer.alloc(60, 2);
    let count = 0;
    const near = new PacketSocket(left, 'near', 1, () => {});
    const far = new PacketSocket(right, 'far', 1, () => (count += 1));
    while (count === 0) {
      near.send(probe, 0, probe.length);
      await new Promise((resolve) => setImmediate(resolve));
      far.poll();
    }
    near.close();
    far.close();
  });
  afterAll(() => {
    left.close();
    right.close();
  });

  it('receives every frame of the other end byte for byte, its VLAN tag where it was, and none of its own', () => {
    const received: Buffer[] = [];
    const own: Buffer[] = [];
    const keep =
      (list: Buffer[]): OnFrame =>
      (buffer, length) =>
        list.push(Buffer.from(buffer.subarray(0, length)));
    const near = new PacketSocket(left, 'near', 512, keep(own));
    const far = new PacketSocket(right, 'far', 512, keep(received));
    try {
      const sent = framesToSend();
      for (const frame of sent) near.send(frame, 0, frame.length);
      // On a veth a frame is with the other end when the send returns, or a softirq later.
      for (let looks = 0; received.length < sent.length && looks < 100_000; looks++) far.poll();
      near.poll();
      expect(received.map((frame) => frame.toString('hex'))).toEqual(
        sent.map((frame) => frame.toString('hex')),
      );
      expect(own).toEqual([]);
      expect(() => near.send(Buffer.alloc(3000), 0, 3000)).toThrow('EMSGSIZE');
    } finally {
      near.close();
      far.close();
    }
  });

  it('receives what libpcap receives', async () => {
    const cap = loadNative<CapModule>('cap');
    if (!('module' in cap)) return;
    const ours: string[] = [];
    const theirs: string[] = [];
    const keep =
      (list: string[]): OnFrame =>
      (buffer, length) =>
        list.push(buffer.toString('hex', 0, length));
    const near = new PacketSocket(left, 'near', 512, () => {});
    const far = new PacketSocket(right, 'far', 512, keep(ours));
    const pcap = openPcap(cap.module, right, 'far', 512, keep(theirs));
    try {
      for (const frame of framesToSend()) near.send(frame, 0, frame.length);
      for (let looks = 0; theirs.length < 256 && looks < 100_000; looks++)
        await new Promise((resolve) => setImmediate(resolve));
      far.poll();
      expect(ours).toEqual(theirs);
    } finally {
      near.close();
      far.close();
      pcap.close();
    }
  });

  it('names a device that is not there', () => {
    expect(() => new PacketSocket(left, 'nowhere', 1, () => {})).toThrow(
      'nowhere cannot be captured: no such device',
    );
  });
});
