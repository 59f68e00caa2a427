import { expect, it } from 'vitest';
import { describeKernel } from '../test-support/require-kernel.ts';
import { useLaboratory } from './laboratory.ts';
import { until } from './tools.ts';

describeKernel('icmp_filter in the lab', ['root', 'libbpf'], () => {
  const laboratory = useLaboratory(['left']);

  it('lets pings live over both families', () => {
    const lab = laboratory();
    lab.load('left', 'icmp_filter');
    const { outer } = lab.net('left');
    expect(lab.ping('left', outer.ipv4, { count: 5 }).received).toBe(5);
    expect(lab.ping('left', outer.ipv6, { count: 5 }).received).toBe(5);
    expect(lab.actions('left')).toEqual({ XDP_PASS: 10 });
  });

  it('lets no TCP connection come about', async () => {
    const lab = laboratory();
    await lab.echoServer(lab.lab.outside, 8080);
    lab.load('left', 'icmp_filter');
    const client = lab.connectTcp(lab.lab.inside('left'), lab.net('left').outer.ipv6, 8080);
    await until('the first SYN is dropped', () => (lab.actions('left').XDP_DROP ?? 0) > 0);
    expect(lab.actions('left').XDP_PASS).toBeUndefined();
    expect(client.lines).toEqual([]);
  });
});
