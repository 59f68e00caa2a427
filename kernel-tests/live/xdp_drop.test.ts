import { expect, it } from 'vitest';
import { unload } from '../../kernel/lab/load.ts';
import { describeKernel } from '../test-support/require-kernel.ts';
import { useLaboratory } from './laboratory.ts';

describeKernel('xdp_drop in the lab', ['root', 'libbpf'], () => {
  const laboratory = useLaboratory(['left']);

  it('ends a running ping, which goes on when it is unloaded', async () => {
    const lab = laboratory();
    const { outer } = lab.net('left');
    const ping = lab.start(lab.lab.inside('left'), 'ping', ['-n', '-O', '-i', '0.02', outer.ipv6]);
    const answered = (line: string): boolean => line.includes('bytes from');
    const unanswered = (line: string): boolean => line.startsWith('no answer yet');
    await ping.line(answered);

    lab.load('left', 'xdp_drop');
    // One could be late on a busy machine; so many in a row are lost.
    const silence = await ping.inARow(8, unanswered, ping.lines.length);
    expect(ping.lines.slice(silence).filter(answered)).toEqual([]);

    unload(lab.lab, 'left');
    await ping.line(answered, silence);
  });

  for (const mode of ['native', 'generic'] as const) {
    it(`lets nothing through in ${mode} mode, over neither family`, () => {
      const lab = laboratory();
      const { outer } = lab.net('left');
      expect(lab.load('left', 'xdp_drop', { mode })[0]?.mode).toBe(mode);
      expect(lab.ping('left', outer.ipv4, { dies: true }).received).toBe(0);
      expect(lab.ping('left', outer.ipv6, { dies: true }).received).toBe(0);
    });
  }

  it('drops what comes in, and not what goes out', async () => {
    const lab = laboratory();
    lab.load('left', 'xdp_drop');
    const { outer, inner } = lab.net('left');
    const capture = await lab.tcpdump(lab.lab.inside('left'), 'veth0', 'icmp');
    // From outside: the requests arrive inside, the answers are lost.
    const ping = lab.start(lab.lab.outside, 'ping', ['-n', '-c', '1', '-W', '0.1', inner.ipv4]);
    await capture.line((line) => line.includes(`${outer.ipv4} > ${inner.ipv4}: ICMP echo request`));
    await capture.line((line) => line.includes(`${inner.ipv4} > ${outer.ipv4}: ICMP echo reply`));
    await ping.line((line) => line.includes('1 packets transmitted, 0 received'));
  });
});
