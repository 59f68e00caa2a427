import { afterEach, expect, it } from 'vitest';
import { labLines, parseTraceLine } from '../../kernel/lab/trace.ts';
import { TraceInstance } from '../../kernel/lab/trace-instance.ts';
import { describeKernel } from '../test-support/require-kernel.ts';
import { type Laboratory, useLaboratory } from './laboratory.ts';
import { until } from './tools.ts';

/** Policy routing reads the mark: packets that carry this one are refused, with an ICMP error. */
function refuseMark(lab: Laboratory, mark: number): void {
  lab.lab.outside.ip([
    'rule add pref 100 lookup local',
    'rule delete pref 0',
    `rule add pref 1 fwmark ${mark} prohibit`,
  ]);
}

describeKernel('meta_mark in the lab', ['root', 'libbpf'], () => {
  const laboratory = useLaboratory(['left']);
  let trace: TraceInstance | undefined;
  afterEach(() => {
    trace?.close();
    trace = undefined;
  });

  it('carries the mark from XDP to TC, where routing sees it', () => {
    const lab = laboratory();
    const { outer } = lab.net('left');
    refuseMark(lab, 42);
    expect(lab.ping('left', outer.ipv4).received).toBe(3);

    const attached = lab.load('left', 'meta_mark');
    expect(attached.map(({ function: name, hook }) => `${name} ${hook}`)).toEqual([
      'meta_mark_xdp xdp',
      'meta_mark_tc tc-ingress',
    ]);
    const { received, output } = lab.ping('left', outer.ipv4, { dies: true });
    expect(received).toBe(0);
    expect(output).toContain('Packet filtered');
  });

  it('marks with 41 what comes by no XDP', () => {
    const lab = laboratory();
    const { outer } = lab.net('left');
    refuseMark(lab, 41);
    lab.load('left', 'meta_mark', { function: 'meta_mark_tc' });
    expect(lab.ping('left', outer.ipv4, { dies: true }).output).toContain('Packet filtered');
  });

  it('says on both sides what it saw', async () => {
    const lab = laboratory();
    lab.load('left', 'meta_mark');
    const follower = new TraceInstance(lab.lab.name);
    trace = follower;
    const ours = labLines(lab.lab)!;
    expect(lab.ping('left', lab.net('left').outer.ipv6, { count: 1 }).received).toBe(1);
    // Programs of others may print the same meanwhile: the trace is the whole machine's.
    const texts: string[] = [];
    await until('both have printed', () => {
      for (const line of follower.read()) {
        const parsed = parseTraceLine(line);
        if (parsed !== undefined && ours(parsed.text)) texts.push(parsed.text);
      }
      return texts.includes('[XDP] metadata = 42') && texts.includes('[TC] metadata = 42');
    });
  });
});
