/**
 * What helpers and kernel functions answer at the borders of their arguments, and after others have moved the frame: the
 * machines against the kernel.
 */
import { expect, it } from 'vitest';
import { possibleCpus } from '../kernel/libbpf/possible-cpus.ts';
import { createTestRunEngine } from '../kernel/testrun/testrun.ts';
import { BEHIND_THE_END, ONLY_IN_TEST_RUNS } from '../sim/ebpf/helpers/buffer-front.ts';
import { randomNumbers } from '../sim/ebpf/test-support/random-terms.ts';
import { outcomesOf } from '../sim/engines/test-support/outcomes-as-text.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import { createWasmEngine } from '../sim/engines/wasm.ts';
import type { Hook } from '../sim/runtime/actions.ts';
import { EINVAL, ERANGE } from '../sim/runtime/errno.ts';
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

type Step = readonly [what: keyof typeof STEPS, value?: number];
const STEPS = { push: 1, pop: 2, head: 3, room: 4, tunnel: 5, tail: 6, mark: 7 } as const;

/** A frame that says what the program of `steps` does to it. */
function framed(length: number, types: readonly number[], steps: readonly Step[]): Uint8Array {
  const packet = new Uint8Array(length).map((_, at) => at);
  const view = new DataView(packet.buffer);
  packet.fill(0, length - 24);
  for (const [index, type] of types.entries()) view.setUint16(12 + 4 * index, type);
  // A version, and a sender that knows congestion.
  view.setUint16(10 + 4 * types.length, types.at(-1) === 0x86dd ? 0x6020 : 0x4502);
  for (const [index, [what, value = 0]] of steps.entries()) {
    view.setUint8(length - 24 + 4 * index, STEPS[what]);
    view.setUint16(length - 22 + 4 * index, value, true);
  }
  return packet;
}

/** Every sequence of up to `most` of these, the empty one included. */
function sequencesOf<T>(items: readonly T[], most: number): T[][] {
  if (most === 0) return [[]];
  const shorter = sequencesOf(items, most - 1);
  return [[], ...shorter.flatMap((rest) => items.map((item) => [item, ...rest]))];
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

  it('the whole register that kernel functions of 32 bits return in', async () => {
    const answer = await answersOf('registers', 'xdp', frame(60));
    const unsigned = (error: number): bigint => BigInt(error >>> 0);
    const seen = Array.from({ length: 7 }, (_, slot) => answer(slot));
    expect(seen).toEqual([...new Array(4).fill(unsigned(-EINVAL)), 0n, 60n, unsigned(-ERANGE)]);
  });

  it('which frame is marked for congestion, whatever was pushed, popped and put in front before', async () => {
    const moves = sequencesOf<Step>([['push', 7], ['pop'], ['head', 14], ['head', 3]], 4);
    const frames = [
      [0x0800],
      [0x8100, 0x0800],
      [0x88a8, 0x8100, 0x86dd],
      [...new Array<number>(7).fill(0x8100), 0x0800],
      [...new Array<number>(8).fill(0x8100), 0x0800],
    ].flatMap((types) => moves.map((before) => framed(120, types, [...before, ['mark'], ['mark']])));
    const stimuli = frames.map((packet) => ({ packet }));
    await expectAgreement(fixtureOf('helper-answers', 'steps', 'tc-ingress'), batchOf(...stimuli));
  });

  it('frames that grow, shrink and are cut, unless only a test run would', async () => {
    const draw = randomNumbers(7);
    const kinds: readonly Step['0'][] = [
      'push',
      'pop',
      'head',
      'room',
      'tunnel',
      'tail',
      'tail',
      'tail',
      'mark',
    ];
    const value = (): number =>
      [draw(20), draw(90), 14 + draw(100), 60 + draw(80), 600 + draw(300)][draw(5)]! *
      (draw(5) === 0 ? -1 : 1);
    const stimuli = Array.from({ length: 8000 }, () => {
      const steps = Array.from({ length: 6 }, (): Step => [kinds[draw(kinds.length)]!, value() & 0xffff]);
      const types = [[0x0800], [0x86dd], [0x8100, 0x0800], [0x0806]][draw(4)]!;
      return { packet: framed(60 + draw(60), types, steps) };
    });
    const batch = batchOf(...stimuli);
    const program = fixtureOf('helper-answers', 'steps', 'tc-ingress');
    const kernel = await outcomesOf(createTestRunEngine(), program, batch);
    for (const engine of [createVmEngine(), createWasmEngine()]) {
      const machine = await outcomesOf(engine, program, batch);
      const left = machine.filter(
        (line) => line.includes(ONLY_IN_TEST_RUNS) || line.includes(BEHIND_THE_END),
      );
      const unlike = machine.filter((line, at) => !left.includes(line) && line !== kernel[at]);
      expect(unlike.slice(0, 1).map((line) => [line, kernel[machine.indexOf(line)]])).toEqual([]);
      expect(left.length).toBeGreaterThan(10);
      expect(left.length).toBeLessThan(stimuli.length / 10);
    }
  });
});
