import { expect, it } from 'vitest';
import { describeKernel } from '../test-support/require-kernel.ts';
import { type Laboratory, useLaboratory } from './laboratory.ts';

const ENVIRONMENTS = ['left', 'middle', 'right'];

function route(lab: Laboratory): void {
  for (const name of ENVIRONMENTS) lab.load(name, 'router');
  expect(lab.connect('left', 'right').map((one) => [one.environment, one.to])).toEqual(
    ENVIRONMENTS.map((name) => [name, ENVIRONMENTS]),
  );
}

describeKernel('router in the lab', ['root', 'libbpf'], () => {
  const laboratory = useLaboratory(ENVIRONMENTS);

  it('forwards from inside to inside by XDP_REDIRECT, among all three', () => {
    const lab = laboratory();
    route(lab);
    for (const from of ENVIRONMENTS) {
      for (const to of ENVIRONMENTS) {
        if (from === to) continue;
        for (const family of ['ipv4', 'ipv6'] as const) {
          const { received, ttls } = lab.ping(from, lab.net(to).inner[family]);
          expect({ from, to, family, received, ttls }).toEqual({
            from,
            to,
            family,
            received: 3,
            // The reply has passed one router.
            ttls: [63, 63, 63],
          });
        }
      }
    }
    // To and from two others, over two families: 3 requests and 3 replies each.
    for (const name of ENVIRONMENTS) expect(lab.actions(name)).toEqual({ XDP_REDIRECT: 24 });
  });

  it('passes what goes from inside to the outside itself', () => {
    const lab = laboratory();
    route(lab);
    expect(lab.ping('left', lab.net('left').outer.ipv4).received).toBe(3);
    expect(lab.ping('left', lab.net('right').outer.ipv6).received).toBe(3);
    expect(lab.actions('left')).toEqual({ XDP_PASS: 6 });
  });

  it('carries a TCP connection', async () => {
    const lab = laboratory();
    route(lab);
    await lab.echoServer(lab.lab.inside('right'), 8080);
    for (const family of ['ipv4', 'ipv6'] as const) {
      const client = lab.connectTcp(lab.lab.inside('left'), lab.net('right').inner[family], 8080);
      await client.line((line) => line === 'connected');
      const text = 'x'.repeat(50_000);
      client.say(text);
      await client.line((line) => line === text);
    }
    expect(Object.keys(lab.actions('left'))).toEqual(['XDP_REDIRECT']);
    expect(Object.keys(lab.actions('right'))).toEqual(['XDP_REDIRECT']);
  });

  it('leaves it to the stack to say that a packet has come too far', () => {
    const lab = laboratory();
    route(lab);
    const inside = lab.lab.inside('left');
    const { outer } = lab.net('left');
    inside.sysctl('ipv4/ip_default_ttl', 1);
    const { received, output } = lab.ping('left', lab.net('right').inner.ipv4, { dies: true });
    expect(received).toBe(0);
    expect(output).toContain(`From ${outer.ipv4} icmp_seq=1 Time to live exceeded`);
    expect(lab.actions('left')).toEqual({ XDP_PASS: 3 });
  });

  it('drops what a blackhole route takes', () => {
    const lab = laboratory();
    route(lab);
    lab.lab.outside.ip(['route add blackhole 10.11.99.0/24']);
    expect(lab.ping('left', '10.11.99.1', { dies: true }).received).toBe(0);
    expect(lab.actions('left')).toEqual({ XDP_DROP: 3 });
  });
});
