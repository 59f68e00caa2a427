import { expect, it } from 'vitest';
import { describeKernel } from '../test-support/require-kernel.ts';
import { useLaboratory } from './laboratory.ts';

describeKernel('redirect_map in the lab', ['root', 'libbpf'], () => {
  const laboratory = useLaboratory(['left', 'right']);

  it('connects the inner devices both ways, past the stack', () => {
    const lab = laboratory();
    lab.load('left', 'redirect_map');
    lab.load('right', 'redirect_map');
    lab.connect('left', 'right');
    for (const family of ['ipv4', 'ipv6'] as const) {
      const { received, ttls } = lab.ping('left', lab.net('right').inner[family], { count: 5 });
      expect(received).toBe(5);
      // No router has taken one off.
      expect(ttls).toEqual([64, 64, 64, 64, 64]);
    }
    expect(lab.actions('left')).toEqual({ XDP_REDIRECT: 10 });
    expect(lab.actions('right')).toEqual({ XDP_REDIRECT: 10 });
  });

  it('carries a TCP connection between the inner devices', async () => {
    const lab = laboratory();
    lab.load('left', 'redirect_map');
    lab.load('right', 'redirect_map');
    lab.connect('left', 'right');
    await lab.echoServer(lab.lab.inside('right'), 8080);
    const client = lab.connectTcp(lab.lab.inside('left'), lab.net('right').inner.ipv6, 8080);
    await client.line((line) => line === 'connected');
    const text = 'x'.repeat(50_000);
    client.say(text);
    await client.line((line) => line === text);
    expect(Object.keys(lab.actions('left'))).toEqual(['XDP_REDIRECT']);
  });

  it('leaves senders that it does not know to the stack', () => {
    const lab = laboratory();
    lab.load('left', 'redirect_map');
    expect(lab.ping('left', lab.net('left').outer.ipv4).received).toBe(3);
    expect(lab.actions('left')).toEqual({ XDP_PASS: 3 });
  });

  it('loses frames for which it has a counterpart and no device', () => {
    const lab = laboratory();
    lab.load('left', 'redirect_map');
    lab.load('right', 'redirect_map');
    lab.connect('left', 'right');
    // The slot empties when its device goes: the kernel takes it out of the map.
    lab.lab.outside.ip(['link delete dev right']);
    expect(lab.ping('left', lab.net('left').outer.ipv4, { dies: true }).received).toBe(0);
    expect(lab.actions('left')).toEqual({ XDP_ABORTED: 3 });
  });
});
