import { expect, it } from 'vitest';
import { describeKernel } from '../require-kernel.ts';
import { deviceCounters, useLaboratory } from './laboratory.ts';

describeKernel('xdp_pass in the lab', ['root', 'libbpf'], () => {
  const laboratory = useLaboratory(['left']);

  for (const mode of ['native', 'generic'] as const) {
    it(`changes nothing for pings in ${mode} mode`, () => {
      const lab = laboratory();
      const { outer } = lab.net('left');
      lab.load('left', 'xdp_pass', { mode });
      for (const to of [outer.ipv4, outer.ipv6]) {
        const { sent, received, oddities } = lab.ping('left', to, { count: 10 });
        expect({ sent, received, oddities }).toEqual({ sent: 10, received: 10, oddities: [] });
      }
      expect(deviceCounters(lab.lab.outside, 'left').rx.packets).toBe(20);
    });
  }

  it('loses no ping when it is put in the place of itself, again and again', async () => {
    const lab = laboratory();
    lab.load('left', 'xdp_pass');
    const to = lab.net('left').outer.ipv4;
    const ping = lab.start(lab.lab.inside('left'), 'ping', ['-n', '-c', '100', '-i', '0.002', to]);
    await ping.line((line) => line.includes('bytes from'));
    for (let round = 0; round < 10; round++) {
      lab.load('left', 'xdp_pass', { replace: true });
      const seen = ping.lines.length;
      await ping.line((line) => /bytes from|transmitted/.test(line), Math.min(seen, ping.lines.length));
    }
    await ping.line((line) => line.includes('100 packets transmitted, 100 received'));
  });

  it('sees no frame before somebody sends one: the network is silent', async () => {
    const lab = laboratory();
    const none = { packets: 0, bytes: 0 };
    // A whole conversation later, what was exchanged is all that there was.
    expect(deviceCounters(lab.lab.outside, 'left')).toMatchObject({ rx: none, tx: none });
    lab.ping('left', lab.net('left').outer.ipv6, { count: 50 });
    const { rx, tx } = deviceCounters(lab.lab.outside, 'left');
    expect([rx.packets, tx.packets]).toEqual([50, 50]);
  });
});
