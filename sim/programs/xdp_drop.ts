/** `xdp_drop`: no packet goes anywhere. */
import { ethernet, frame } from '../packet/build.ts';
import { XDP_DROP } from '../runtime/actions.ts';
import type { ProgramDefinition } from '../runtime/program.ts';
import { define } from './define.ts';

export const xdpDrop: ProgramDefinition = define({
  name: 'xdp_drop',
  summary: 'drops every packet',
  description: 'Returns XDP_DROP and does nothing else.',
  entries: [{ function: 'xdp_drop', hook: 'xdp', model: () => XDP_DROP }],
  maps: [],
  worlds: () => [{ name: 'default', world: {} }],
  examples: () => [{ name: 'drops any frame', stimulus: { packet: frame(ethernet()) }, action: XDP_DROP }],
  hints: {},
});
