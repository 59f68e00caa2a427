import { expect, it } from 'vitest';
import { describeKernel } from '../test-support/require-kernel.ts';
import { useLaboratory } from './laboratory.ts';
import { deviceCounters, until } from './tools.ts';

describeKernel('proto_count_hash in the lab', ['root', 'libbpf'], () => {
  const laboratory = useLaboratory(['left']);

  it('counts pings by protocol, and lets them through', () => {
    const lab = laboratory();
    const { outer } = lab.net('left');
    lab.load('left', 'proto_count_hash');
    expect(lab.protocols('left')).toEqual({});
    expect(lab.ping('left', outer.ipv4, { count: 5 }).received).toBe(5);
    expect(lab.ping('left', outer.ipv6, { count: 7 }).received).toBe(7);
    expect(lab.protocols('left')).toEqual({ 1: 5, 58: 7 });
  });

  it('counts as many packets of a TCP connection as the device has received', async () => {
    const lab = laboratory();
    await lab.echoServer(lab.lab.outside, 8080);
    lab.load('left', 'proto_count_hash');
    const client = lab.connectTcp(lab.lab.inside('left'), lab.net('left').outer.ipv4, 8080);
    await client.line((line) => line === 'connected');
    const text = 'x'.repeat(100_000);
    client.say(text);
    await client.line((line) => line === text);
    await until(
      'every frame is counted',
      () => lab.protocols('left')[6] === deviceCounters(lab.lab.outside, 'left').rx.packets,
    );
    expect(lab.protocols('left')[6]).toBeGreaterThan(50);
  });
});
