/**
 * What helpers and kernel functions answer at the borders of their arguments, and after others have moved the frame: the
 * machines against the kernel.
 */
import { expect, it } from 'vitest';
import { possibleCpus } from '../kernel/libbpf/possible-cpus.ts';
import type { Hook } from '../sim/runtime/actions.ts';
import type { World } from '../sim/runtime/world.ts';
import { expectAgreement } from './test-support/agreement.ts';
import { describeKernel } from './test-support/require-kernel.ts';
import { batchOf, fixtureOf, frame } from './test-support/testrun.ts';

/** What the kernel left in the slots, which both machines leave there. */
async function answersOf(
  name: string,
  hook: Hook,
  packet: Uint8Array,
  world?: World,
): Promise<(slot: number) => bigint> {
  const lines = await expectAgreement(fixtureOf('helper-answers', name, hook), batchOf({ packet }), world);
  return (slot) => {
    const key = `results[${slot.toString(16).padStart(2, '0')}000000] = `;
    const value = lines.find((line) => line.startsWith(key))?.slice(key.length) ?? '';
    return Buffer.from(value.padEnd(16, '0'), 'hex').readBigInt64LE();
  };
}

describeKernel('the machines and the kernel agree on', ['root', 'testrun', 'compiler', 'linux 6.12'], () => {
  it.each([0, possibleCpus() - 1])('values of all CPUs, of which there is one, number %i', async (cpu) => {
    const answer = await answersOf('all_cpus', 'xdp', frame(60), { cpu });
    expect(answer(0)).toBe(5n + (7n << 32n));
    expect(answer(1)).toBe(BigInt(cpu + 1));
    expect(answer(2)).toBe(0n);
  });

  it.each([
    ['mtu_xdp', 'xdp'],
    ['mtu_tc', 'tc-ingress'],
  ] as const)('lengths for bpf_check_mtu that do not fit into an int: %s', async (name, hook) => {
    const answer = await answersOf(name, hook, frame(60));
    const results = Array.from({ length: 10 }, (_, index) => answer(2 * index));
    expect(results).toEqual([0n, 1n, 1n, 0n, 0n, 0n, 1n, 0n, 0n, 0n]);
    expect(answer(1)).toBe(65_536n);
  });
});
