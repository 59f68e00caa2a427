/** What XDP and TC programs return (include/uapi/linux/bpf.h, include/uapi/linux/pkt_cls.h). */

export const XDP_ABORTED = 0;
export const XDP_DROP = 1;
export const XDP_PASS = 2;
export const XDP_TX = 3;
export const XDP_REDIRECT = 4;

export const TC_ACT_UNSPEC: number = -1;
export const TC_ACT_OK = 0;
export const TC_ACT_RECLASSIFY = 1;
export const TC_ACT_SHOT = 2;
export const TC_ACT_PIPE = 3;
export const TC_ACT_STOLEN = 4;
export const TC_ACT_QUEUED = 5;
export const TC_ACT_REPEAT = 6;
export const TC_ACT_REDIRECT = 7;
export const TC_ACT_TRAP = 8;

/** Where a program is attached. */
export type Hook = 'xdp' | 'tc-ingress' | 'tc-egress';
export const HOOKS: readonly Hook[] = ['xdp', 'tc-ingress', 'tc-egress'];

const XDP_NAMES: readonly string[] = ['XDP_ABORTED', 'XDP_DROP', 'XDP_PASS', 'XDP_TX', 'XDP_REDIRECT'];
const TC_NAMES: readonly string[] = [
  'TC_ACT_OK',
  'TC_ACT_RECLASSIFY',
  'TC_ACT_SHOT',
  'TC_ACT_PIPE',
  'TC_ACT_STOLEN',
  'TC_ACT_QUEUED',
  'TC_ACT_REPEAT',
  'TC_ACT_REDIRECT',
  'TC_ACT_TRAP',
];

/** The kernel's name of a returned value, or the number in decimal where the kernel has no name for it. */
export function actionName(hook: Hook, action: number): string {
  if (hook === 'xdp') return XDP_NAMES[action] ?? String(action);
  return action === TC_ACT_UNSPEC ? 'TC_ACT_UNSPEC' : (TC_NAMES[action] ?? String(action));
}

/** All that the kernel has a name for, in the order of their values. */
export function actionNames(hook: Hook): readonly string[] {
  return hook === 'xdp' ? XDP_NAMES : ['TC_ACT_UNSPEC', ...TC_NAMES];
}
