import { afterEach, expect, it } from 'vitest';
import { labLines, parseTraceLine } from '../../kernel/lab/trace.ts';
import { TraceInstance } from '../../kernel/lab/trace-instance.ts';
import { describeKernel } from '../test-support/require-kernel.ts';
import { useLaboratory } from './laboratory.ts';
import { until } from './tools.ts';

describeKernel('xdp_trace_drop in the lab', ['root', 'libbpf'], () => {
  const laboratory = useLaboratory(['left']);
  let trace: TraceInstance | undefined;
  afterEach(() => {
    trace?.close();
    trace = undefined;
  });

  it('drops every ping and says so in the trace', async () => {
    const lab = laboratory();
    lab.load('left', 'xdp_trace_drop');
    const follower = new TraceInstance(lab.lab.name);
    trace = follower;
    const ours = labLines(lab.lab)!;
    expect(lab.ping('left', lab.net('left').outer.ipv6, { count: 4, dies: true }).received).toBe(0);
    const texts: string[] = [];
    await until('there is a line for each ping', () => {
      for (const line of follower.read()) {
        const parsed = parseTraceLine(line);
        if (parsed !== undefined && ours(parsed.text)) texts.push(parsed.text);
      }
      return texts.length >= 4;
    });
    expect(new Set(texts)).toEqual(new Set(['You Shall Not Pass!!']));
  });

  it('is told from programs of others by what it prints', () => {
    const lab = laboratory();
    expect(labLines(lab.lab)).toBeUndefined();
    lab.load('left', 'xdp_trace_drop');
    const ours = labLines(lab.lab)!;
    expect(ours('You Shall Not Pass!!')).toBe(true);
    expect(ours('[XDP] metadata = 42')).toBe(false);
  });
});
