import { expect, it } from 'vitest';
import { describeKernel } from '../test-support/require-kernel.ts';
import { useLaboratory } from './laboratory.ts';
import { deviceCounters } from './tools.ts';

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
    const ping = lab.start(lab.lab.inside('left'), 'ping', ['-n', '-i', '0.002', to]);
    const answered = (line: string): boolean => line.includes('bytes from');
    for (let round = 0; round < 10; round++) {
      await ping.line(answered, ping.lines.length);
      lab.load('left', 'xdp_pass', { replace: true });
    }
    await ping.line(answered, ping.lines.length);
    const sequence = ping.lines.flatMap((line) => /icmp_seq=(\d+)/.exec(line)?.slice(1).map(Number) ?? []);
    expect(sequence).toEqual(sequence.map((_, index) => index + 1));
    expect(sequence.length).toBeGreaterThan(10);
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
