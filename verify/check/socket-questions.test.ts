/** Frames without a socket, which no test run has, in both forms of the machine. */
import { describe, expect, it } from 'vitest';
import { SK_BUFF } from '../../sim/ebpf/context/sk-buff.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { data, ethernet, ipv4, udp } from '../test-support/packets.ts';
import { CaseRunner } from './probe.ts';
import { asksForSocket } from './socket-questions.ts';

const PACKET = ethernet(0x0800, ipv4(17, udp(data(8))));
const LOOKS = `r1 = *(u64 *)(r1 + ${SK_BUFF.sk})\nr0 = 2\nif r1 == 0 goto out\nr0 = 0\nout:\nexit`;
const asks = (helper: string): string => `call ${helper}\nexit`;

function programOf(text: string, hook: Hook = 'tc-ingress'): Program {
  return {
    name: 'p',
    entries: [{ function: 'main', hook }],
    object: writeElf({ main: text }, []),
  };
}

describe.each([
  ['vm', createVmEngine],
  ['wasm', createWasmEngine],
] as const)('in %s', (_name, create) => {
  it.each<readonly [string, string, number, number]>([
    ['skb->sk', LOOKS, 0, 2],
    ['bpf_get_socket_cookie', asks('bpf_get_socket_cookie'), 1, 0],
    ['bpf_get_socket_uid', asks('bpf_get_socket_uid'), 0, 65_534],
    ['bpf_skb_cgroup_id', asks('bpf_skb_cgroup_id'), 1, 0],
  ])('%s', async (_what, text, withOne, without) => {
    const runner = new CaseRunner(programOf(text), create());
    const stimuli = [undefined, { noSocket: true }, { mark: 1 }].map((skb) => ({
      packet: PACKET,
      ...(skb === undefined ? {} : { skb }),
    }));
    const { output } = (await runner.run({}, stimuli))!;
    expect([...output.action.subarray(0, 3)]).toEqual([withOne, without, withOne]);
    await runner.close();
  });
});

it('is asked for by programs at TC that look at it, or at whose the frame is', () => {
  expect(asksForSocket(programOf(LOOKS))).toBe(true);
  expect(asksForSocket(programOf(asks('bpf_get_socket_uid')))).toBe(true);
  expect(asksForSocket(programOf('r0 = *(u32 *)(r1 + 8)\nexit'))).toBe(false);
  expect(asksForSocket(programOf('r0 = 2\nexit', 'xdp'))).toBe(false);
});
