import { describe, expect, it } from 'vitest';
import type { Hook } from '../runtime/actions.ts';
import { checkProgram } from './check-program.ts';
import { deepestStack, type StackDepth } from './stack-depth.ts';
import { testMap, testObject } from './test-support/assemble.ts';

function refusal(text: string, hook: Hook = 'xdp', license = 'GPL'): string | undefined {
  const object = { ...testObject({ main: text }), license };
  try {
    checkProgram(object, object.programs[0]!, hook);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

describe('before the first packet', () => {
  it('a helper that the machine lacks is refused by name and number', () => {
    expect(refusal('call bpf_get_current_task\nexit')).toBe(
      'program main, instruction 0: the machine lacks the helper bpf_get_current_task (number 35)',
    );
    expect(refusal('call 9999\nexit')).toMatch('number 9999, which no kernel has');
  });

  it('a helper of the other hook is refused', () => {
    expect(refusal('call bpf_skb_vlan_pop\nexit')).toMatch(
      'expected a helper for XDP programs, found bpf_skb_vlan_pop',
    );
    expect(refusal('call bpf_xdp_adjust_head\nexit', 'tc-ingress')).toMatch('a helper for TC programs');
    expect(refusal('call bpf_skb_vlan_pop\nexit', 'tc-egress')).toBeUndefined();
  });

  it('helpers under the GPL want a compatible license', () => {
    expect(refusal('call bpf_trace_printk\nexit', 'xdp', 'Proprietary')).toMatch('found "Proprietary"');
    expect(refusal('call bpf_trace_printk\nexit', 'xdp', 'Dual BSD/GPL')).toBeUndefined();
  });

  it('instructions that no verifier takes are refused', () => {
    expect(refusal('r0 = 0')).toMatch('an instruction that the kernel takes');
    expect(refusal('r0 = *skb(u8)(0)\nexit', 'xdp')).toMatch('BPF_LD_[ABS|IND]');
  });

  it('more stack than 512 bytes over all functions in a chain is refused', () => {
    const call = '*(u64 *)(r10 - 300) = 0\ncall f\nexit\nf:\n*(u64 *)(r10 - 256) = 0\nr0 = 0\nexit';
    expect(refusal(call.replaceAll('300', '304'))).toMatch('560 (main → main_1)');
    expect(refusal(call.replaceAll('300', '256'))).toBeUndefined();
  });

  it('a register that pointed to the stack before it held a number takes none of it', () => {
    const text = 'r2 = r10\nr2 += -4\ncall bpf_ktime_get_ns\nr2 = r0\nr2 += -700\nr0 = r2\nexit';
    expect(refusal(text)).toBeUndefined();
    expect(
      refusal(text.replace('call bpf_ktime_get_ns\nr2 = r0\n', '').replace('r0 = r2', '*(u8 *)(r2 + 0) = 1')),
    ).toMatch('found 704 (main)');
  });

  it('recursion is refused', () => {
    expect(refusal('call f\nexit\nf:\ncall f\nexit')).toMatch('recursion: main → main_1 → main_1');
  });
});

describe('the depth of the stack', () => {
  const CALLBACK = '*(u64 *)(r10 - 300) = 1\n';

  it('of callbacks that a timer runs later is no part of it, but one of its own', () => {
    const setting = (main: string, callback: string): string =>
      `${main}r1 = map[timers]\nr2 = later\ncall bpf_timer_set_callback\nr0 = 0\nexit\nlater:\n${callback}r0 = 0\nexit`;
    const depthOf = (text: string): StackDepth =>
      deepestStack(testObject({ main: text }, [testMap('timers', 'ARRAY')]).programs[0]!);
    expect(depthOf(setting(CALLBACK, CALLBACK)).bytes).toBe(304);
    expect(depthOf(setting('', CALLBACK)).functions).toEqual(['main_1']);
    const again = 'r1 = map[timers]\nr2 = later\ncall bpf_timer_set_callback\n';
    expect(depthOf(setting('', again)).recursive).toBe(false);
    // Who calls the function as well has it on top of his own frame.
    expect(depthOf(setting(`${CALLBACK}call later\n`, CALLBACK)).bytes).toBe(608);
  });

  it('does not hold what dead code would take', () => {
    const guarded = (value: string): string =>
      `r6 = *(u32 *)(r1 + 0)\n*(u64 *)(r10 - 304) = 0\nr7 = ${value}\nif r7 == 0 goto out\ncall f\nout:\nr0 = 0\nexit\nf:\n*(u64 *)(r10 - 256) = 0\nr0 = 0\nexit`;
    expect(refusal(guarded('r6'))).toMatch('560 (main → main_1)');
    expect(refusal(guarded('0'))).toBeUndefined();
  });

  it('counts what is reached through a copy of r10 moved by a constant', () => {
    const object = testObject({ main: 'r2 = r10\nr2 += -100\n*(u8 *)(r2 + 0) = 1\nr0 = 0\nexit' });
    expect(deepestStack(object.programs[0]!).bytes).toBe(112);
  });

  it('takes the deepest of several chains, callbacks included', () => {
    const text =
      'call a\nr2 = b\nexit\na:\n*(u64 *)(r10 - 8) = 1\nr0 = 0\nexit\nb:\n*(u64 *)(r10 - 64) = 1\nr0 = 0\nexit';
    const depth = deepestStack(testObject({ main: text }).programs[0]!);
    expect(depth).toMatchObject({ bytes: 80, functions: ['main', 'main_2'], recursive: false });
  });
});
