/** `xdp_trace_drop`: no packet goes anywhere, and each leaves a line in the trace. */
import { ethernet, frame } from '../packet/build.ts';
import { XDP_DROP } from '../runtime/actions.ts';
import type { ModelContext } from '../runtime/context.ts';
import type { ProgramDefinition } from '../runtime/program.ts';
import { define } from './define.ts';

function model(context: ModelContext): number {
  context.trace('You Shall Not Pass!!');
  return XDP_DROP;
}

export const xdpTraceDrop: ProgramDefinition = define({
  name: 'xdp_trace_drop',
  summary: 'drops every packet and prints a trace line for it',
  description: 'Prints “You Shall Not Pass!!” with bpf_printk for every packet and returns XDP_DROP.',
  entries: [{ function: 'xdp_trace_drop', hook: 'xdp', model }],
  maps: [],
  traces: true,
  worlds: () => [{ name: 'default', world: {} }],
  examples: () => [
    { name: 'drops any frame, with a trace line', stimulus: { packet: frame(ethernet()) }, action: XDP_DROP },
  ],
  hints: {},
});
