import { expect, it } from 'vitest';
import { actionName, actionNames, HOOKS } from './actions.ts';

it('actions have the kernel’s names, and other numbers their digits', () => {
  const names = (hook: (typeof HOOKS)[number]): string[] =>
    [-2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 256].map((action) => actionName(hook, action));
  // include/uapi/linux/bpf.h, enum xdp_action
  expect(names('xdp').join(' ')).toBe(
    '-2 -1 XDP_ABORTED XDP_DROP XDP_PASS XDP_TX XDP_REDIRECT 5 6 7 8 9 256',
  );
  // include/uapi/linux/pkt_cls.h
  for (const hook of ['tc-ingress', 'tc-egress'] as const)
    expect(names(hook).join(' ')).toBe(
      '-2 TC_ACT_UNSPEC TC_ACT_OK TC_ACT_RECLASSIFY TC_ACT_SHOT TC_ACT_PIPE TC_ACT_STOLEN TC_ACT_QUEUED TC_ACT_REPEAT TC_ACT_REDIRECT TC_ACT_TRAP 9 256',
    );
  for (const hook of HOOKS)
    expect(actionNames(hook)).toEqual(names(hook).filter((name) => /^[XT]/.test(name)));
});
