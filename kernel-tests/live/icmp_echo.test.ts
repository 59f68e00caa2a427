import { expect, it } from 'vitest';
import { describeKernel } from '../test-support/require-kernel.ts';
import { useLaboratory } from './laboratory.ts';
import { deviceCounters, until } from './tools.ts';

describeKernel('icmp_echo in the lab', ['root', 'libbpf'], () => {
  const laboratory = useLaboratory(['left']);

  for (const family of ['ipv4', 'ipv6'] as const) {
    it(`answers every ping over ${family}, and nothing gets to the stack`, () => {
      const lab = laboratory();
      lab.load('left', 'icmp_echo');
      const { sent, received, oddities } = lab.ping('left', lab.net('left').outer[family], { count: 20 });
      expect({ sent, received, oddities }).toEqual({ sent: 20, received: 20, oddities: [] });
      expect(lab.actions('left')).toEqual({ XDP_TX: 20 });
    });
  }

  it('answers for addresses that nobody has', () => {
    const lab = laboratory();
    const nobody = 'fc00:dead:cafe:ffff::1';
    expect(lab.ping('left', nobody, { dies: true }).received).toBe(0);
    lab.load('left', 'icmp_echo');
    expect(lab.ping('left', nobody).received).toBe(3);
  });

  it('answers in generic mode as well, where the replies go out by the stack’s queue', () => {
    const lab = laboratory();
    const [attached] = lab.load('left', 'icmp_echo', { mode: 'generic' });
    expect(attached?.mode).toBe('generic');
    expect(lab.ping('left', lab.net('left').outer.ipv6).received).toBe(3);
    expect(lab.actions('left')).toEqual({ XDP_TX: 3 });
  });

  it('leaves everything else to the stack', async () => {
    const lab = laboratory();
    lab.load('left', 'icmp_echo');
    await lab.echoServer(lab.lab.outside, 7);
    const client = lab.connectTcp(lab.lab.inside('left'), lab.net('left').outer.ipv4, 7);
    await client.line((line) => line === 'connected');
    client.say('hello');
    await client.line((line) => line === 'hello');
    await until('every frame was passed', () => {
      const { XDP_PASS, ...others } = lab.actions('left');
      return XDP_PASS === deviceCounters(lab.lab.outside, 'left').rx.packets && !Object.keys(others).length;
    });
    expect(lab.actions('left').XDP_PASS).toBeGreaterThanOrEqual(4);
  });
});
