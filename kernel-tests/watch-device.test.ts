/** `xdpsim checksum --interface` on a device of a namespace of its own: through libpcap, and without it. */
import { spawnSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildCommand, builtModule, Started } from '../cli/test-support/built-command.ts';
import { PacketSocket } from '../kernel/frames/packet-socket.ts';
import { createNetns, type Netns } from '../kernel/network/netns.ts';
import { turnOffIpv6 } from '../kernel/network/quiet-ipv6.ts';
import { packageFile } from '../kernel/package-file.ts';
import { packet } from '../sim/packet/build.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const PAYLOAD = Uint8Array.from({ length: 30 }, (_, at) => at * 7);
const RIGHT = packet.ethernet().vlan({ id: 7 }).ipv4({}).udp({ destinationPort: 9 }).payload(PAYLOAD).bytes();
const WRONG = packet
  .ethernet()
  .ipv4({})
  .udp({ destinationPort: 9, checksum: 0x1234 })
  .payload(PAYLOAD)
  .bytes();

const WITHOUT_CAP = [
  `--import=${pathToFileURL(packageFile('node_modules/tsx/dist/loader.mjs')).href}`,
  `--import=${pathToFileURL(packageFile('kernel-tests/test-support/unloadable-packages.ts')).href}`,
].join(' ');

describeKernel('checksums of a device', ['root', 'frames'], () => {
  let near: Netns;
  let far: Netns;
  let sender: PacketSocket;
  beforeAll(() => {
    buildCommand();
    near = createNetns();
    far = createNetns();
    for (const netns of [near, far]) turnOffIpv6(netns);
    near.ip([`link add near type veth peer name far netns ${far.name}`, 'link set near arp off up']);
    far.ip(['link set far arp off up']);
    sender = new PacketSocket(near, 'near', 8, () => {});
  });
  afterAll(() => {
    sender.close();
    near.close();
    far.close();
  });

  function watch(options: readonly string[], env: NodeJS.ProcessEnv = {}): Started {
    return new Started(
      ['checksum', '--interface', 'far', ...options],
      packageFile('.'),
      ['nsenter', `--net=${far.path}`],
      { env: { ...process.env, ...env } },
    );
  }

  function send(frame: Uint8Array): void {
    sender.send(Buffer.from(frame), 0, frame.length);
  }

  it.each([
    ['libpcap', {}],
    ['a packet socket', { NODE_OPTIONS: WITHOUT_CAP }],
  ])('are checked as they arrive, through %s', async (_how, env) => {
    const run = watch(['--count', '3', '--json'], env);
    await run.says('watching far');
    for (const frame of [RIGHT, WRONG, RIGHT]) send(frame);
    expect((await run.ended()).end).toBe(1);
    expect(JSON.parse(run.out).files).toMatchObject([
      {
        file: 'far',
        packets: 3,
        layers: { ipv4: { good: 3 }, udp: { good: 2, bad: 1 } },
        faults: [{ packet: 2, layer: 'udp', got: '0x1234' }],
      },
    ]);
  });

  it('end with what was seen when the user or the time ends them', async () => {
    const run = watch([]);
    await run.says('watching far');
    send(WRONG);
    run.process.kill('SIGINT');
    expect((await run.ended()).end).toBe(130);
    // The frame may have come before the signal or not.
    expect(run.out).toMatch(
      /^far: (1 packet\n[\s\S]*udp +0 +1 [\s\S]*1 fault|0 packets\n {2}no packets: nothing was checked)\n$/,
    );
    const silent = watch(['--time', '50ms']);
    expect((await silent.ended()).end).toBe(4);
    expect(silent.out).toMatch(/^far: 0 packets/);
  });

  it('need a device that is there', async () => {
    const run = new Started(['checksum', '--interface', 'nowhere'], packageFile('.'));
    expect((await run.ended()).end).toBe(3);
    expect(run.err).toMatch(/nowhere cannot be captured: .*\n +ip link shows the devices/);
  });

  it('leave nothing behind where there is none that could be collected', () => {
    const script = `import { watchDevice } from ${JSON.stringify(builtModule('kernel/frames/watch.ts'))};
      try { watchDevice('nowhere', () => {}); } catch {}
      const turn = () => new Promise((resolve) => setImmediate(resolve));
      for (let round = 0; round < 3; round++) { await turn(); gc(); }
      process.exitCode = 7;`;
    const args = ['--expose-gc', '--input-type=module', '-e', script];
    const { status, signal, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect({ status, signal, stderr }).toEqual({ status: 7, signal: null, stderr: '' });
  });
});
