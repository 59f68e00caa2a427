/** `xdp_pass`: every packet goes up the stack. */
import { ethernet, frame } from '../packet/build.ts';
import { XDP_PASS } from '../runtime/actions.ts';
import type { ProgramDefinition } from '../runtime/program.ts';
import { define } from './define.ts';

export const xdpPass: ProgramDefinition = define({
  name: 'xdp_pass',
  summary: 'passes every packet to the stack',
  description:
    'Returns XDP_PASS and does nothing else. It is also the program that a veth’s peer needs in native mode, so that XDP_TX and redirects arrive.',
  entries: [{ function: 'xdp_pass', hook: 'xdp', model: () => XDP_PASS }],
  maps: [],
  worlds: () => [{ name: 'default', world: {} }],
  examples: () => [{ name: 'passes any frame', stimulus: { packet: frame(ethernet()) }, action: XDP_PASS }],
  hints: {},
});
