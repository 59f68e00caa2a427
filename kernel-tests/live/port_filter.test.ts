import { expect, it } from 'vitest';
import { describeKernel } from '../test-support/require-kernel.ts';
import { useLaboratory } from './laboratory.ts';
import { until } from './tools.ts';

describeKernel('port_filter in the lab', ['root', 'libbpf'], () => {
  const laboratory = useLaboratory(['left']);
  const connected = (line: string): boolean => line === 'connected';

  for (const family of ['ipv4', 'ipv6'] as const) {
    it(`closes port 80 and leaves 8080 open over ${family}`, async () => {
      const lab = laboratory();
      const inside = lab.lab.inside('left');
      const to = lab.net('left').outer[family];
      await Promise.all([lab.echoServer(lab.lab.outside, 80), lab.echoServer(lab.lab.outside, 8080)]);
      // Open without the program: what closes it is not something else.
      await lab.connectTcp(inside, to, 80).line(connected);

      lab.load('left', 'port_filter');
      const closed = lab.connectTcp(inside, to, 80);
      await until('the first SYN is dropped', () => (lab.actions('left').XDP_DROP ?? 0) > 0);
      const open = lab.connectTcp(inside, to, 8080);
      await open.line(connected);
      open.say('hello');
      await open.line((line) => line === 'hello');
      expect(closed.lines).toEqual([]);
      expect(lab.ping('left', to).received).toBe(3);
    });
  }

  it('closes another port where the global says so', async () => {
    const lab = laboratory();
    const inside = lab.lab.inside('left');
    const to = lab.net('left').outer.ipv6;
    await Promise.all([lab.echoServer(lab.lab.outside, 80), lab.echoServer(lab.lab.outside, 8080)]);
    lab.load('left', 'port_filter', { globals: { port: new Uint8Array(Uint16Array.of(8080).buffer) } });
    await lab.connectTcp(inside, to, 80).line(connected);
    expect(lab.actions('left').XDP_DROP).toBeUndefined();
    lab.connectTcp(inside, to, 8080);
    await until('the first SYN is dropped', () => (lab.actions('left').XDP_DROP ?? 0) > 0);
  });
});
