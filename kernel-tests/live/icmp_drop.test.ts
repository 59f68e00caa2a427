import { expect, it } from 'vitest';
import { describeKernel } from '../test-support/require-kernel.ts';
import { useLaboratory } from './laboratory.ts';

describeKernel('icmp_drop in the lab', ['root', 'libbpf'], () => {
  const laboratory = useLaboratory(['left']);

  it('lets pings die while TCP lives, over both families', async () => {
    const lab = laboratory();
    const { outer } = lab.net('left');
    await lab.echoServer(lab.lab.outside, 8080);
    lab.load('left', 'icmp_drop');
    for (const to of [outer.ipv4, outer.ipv6]) {
      expect(lab.ping('left', to, { dies: true }).received).toBe(0);
      const client = lab.connectTcp(lab.lab.inside('left'), to, 8080);
      await client.line((line) => line === 'connected');
      client.say('hello');
      await client.line((line) => line === 'hello');
    }
    expect(lab.actions('left').XDP_DROP).toBe(6);
  });

  it('leaves neighbour discovery alive, without which IPv6 is dead', async () => {
    const lab = laboratory();
    const { outer } = lab.net('left');
    const inside = lab.lab.inside('left');
    await lab.echoServer(lab.lab.outside, 8080);
    lab.load('left', 'icmp_drop');
    inside.ip([`neighbour delete ${outer.ipv6} dev veth0`]);
    const client = lab.connectTcp(inside, outer.ipv6, 8080);
    await client.line((line) => line === 'connected');
    expect(inside.run('ip', ['neighbour', 'show', outer.ipv6, 'dev', 'veth0'])).toContain(outer.mac);
    expect(lab.actions('left').XDP_DROP).toBeUndefined();
    expect(lab.ping('left', outer.ipv6, { dies: true }).received).toBe(0);
  });
});
