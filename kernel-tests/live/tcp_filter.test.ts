import { expect, it } from 'vitest';
import { describeKernel } from '../test-support/require-kernel.ts';
import { useLaboratory } from './laboratory.ts';

describeKernel('tcp_filter in the lab', ['root', 'libbpf'], () => {
  const laboratory = useLaboratory(['left']);

  it('keeps a TCP connection alive while pings die, over both families', async () => {
    const lab = laboratory();
    const { outer } = lab.net('left');
    await lab.echoServer(lab.lab.outside, 8080);
    for (const address of [outer.ipv4, outer.ipv6]) {
      const client = lab.connectTcp(lab.lab.inside('left'), address, 8080);
      await client.line((line) => line === 'connected');
      lab.load('left', 'tcp_filter', { replace: true });
      client.say(`before ${address}`);
      await client.line((line) => line === `before ${address}`);

      expect(lab.ping('left', address, { dies: true }).received).toBe(0);
      const { XDP_DROP, XDP_PASS, ...others } = lab.actions('left');
      expect(XDP_DROP).toBe(3);
      expect(XDP_PASS).toBeGreaterThanOrEqual(1);
      expect(others).toEqual({});

      client.say(`after ${address}`);
      await client.line((line) => line === `after ${address}`);
    }
  });

  it('lets new connections through', async () => {
    const lab = laboratory();
    lab.load('left', 'tcp_filter');
    await lab.echoServer(lab.lab.outside, 8080);
    const client = lab.connectTcp(lab.lab.inside('left'), lab.net('left').outer.ipv6, 8080);
    await client.line((line) => line === 'connected');
  });
});
