import { expect, it } from 'vitest';
import { macFromText } from '../../sim/packet/addresses.ts';
import { describeKernel } from '../test-support/require-kernel.ts';
import { type Laboratory, useLaboratory } from './laboratory.ts';

/** What comes from right goes to left's inner device, as if left's outer one had sent it. */
function redirectToLeft(lab: Laboratory): void {
  const { outer, inner } = lab.net('left');
  lab.load('right', 'redirect', {
    globals: {
      redirect_ifindex: new Uint8Array(Uint32Array.of(lab.ifindex('left')).buffer),
      redirect_source: macFromText(outer.mac),
      redirect_destination: macFromText(inner.mac),
    },
  });
}

describeKernel('redirect in the lab', ['root', 'libbpf'], () => {
  const laboratory = useLaboratory(['left', 'right']);

  it('sends what comes from right to left, with both MACs rewritten and nothing else', async () => {
    const lab = laboratory();
    redirectToLeft(lab);
    const left = lab.net('left');
    const right = lab.net('right');
    const capture = await lab.tcpdump(lab.lab.inside('left'), 'veth0', 'icmp');
    const { received, ttls } = lab.ping('right', left.inner.ipv4);
    // One way: the requests skip the stack, the answers go through it.
    expect(received).toBe(3);
    expect(ttls).toEqual([63, 63, 63]);
    expect(lab.actions('right')).toEqual({ XDP_REDIRECT: 3 });

    const head = await capture.line((line) => line.includes(`${left.outer.mac} > ${left.inner.mac}`));
    expect(capture.lines[head]).toContain('ttl 64');
    expect(capture.lines[head + 1]).toContain(`${right.inner.ipv4} > ${left.inner.ipv4}: ICMP echo request`);
  });

  it('redirects whatever the frame is, also what was meant for the outside', async () => {
    const lab = laboratory();
    redirectToLeft(lab);
    const right = lab.net('right');
    const capture = await lab.tcpdump(lab.lab.inside('left'), 'veth0', 'icmp6');
    // Left drops it in the stack: it is not its address.
    expect(lab.ping('right', right.outer.ipv6, { dies: true }).received).toBe(0);
    await capture.line((line) => line.includes(`${right.inner.ipv6} > ${right.outer.ipv6}`));
    expect(lab.actions('right')).toEqual({ XDP_REDIRECT: 3 });
  });
});
