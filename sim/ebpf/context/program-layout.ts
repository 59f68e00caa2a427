/** What a program finds in its context: it depends on the hook, and on where XDP programs stand. */
import type { BpfProgram } from '../bpf-object.ts';
import type { ContextLayout } from './context-access.ts';
import { SK_BUFF_LAYOUT } from './sk-buff.ts';
import { XDP_DEVMAP_LAYOUT, XDP_LAYOUT } from './xdp-md.ts';

export function programLayout(hook: 'xdp' | 'tc', program: BpfProgram): ContextLayout {
  if (hook === 'tc') return SK_BUFF_LAYOUT;
  return program.behindRedirect === 'devmap' ? XDP_DEVMAP_LAYOUT : XDP_LAYOUT;
}
