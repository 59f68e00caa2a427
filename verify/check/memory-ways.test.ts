import { describe, expect, it } from 'vitest';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { interpret } from '../../sim/ebpf/test-support/run-both.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { data, ethernet, ipv4, udp } from '../test-support/packets.ts';
import { check } from './check.ts';
import { cutFrames, memoryWaysText } from './memory-ways.ts';

const PACKET = ethernet(0x0800, ipv4(17, udp(data(8))));
/** r6 = the context, r7 = the frame's length. */
const BEGIN = 'r6 = r1\nr7 = *(u32 *)(r1 + 0)\n';
const ENDS = '\nr0 = 0\nexit\ndrop:\nr0 = 2\nexit\nout:\nr0 = 0\nexit';
const LONG = 'if r7 < 26 goto out\n';
/** Changes the word at 24 in the sum of the IPv4 header. */
const SUM = 'r1 = r6\nr2 = 24\nr3 = 1\nr4 = 2\nr5 = 2\ncall bpf_l3_csum_replace\n';
const CHECKED = `${SUM}if r0 != 0 goto drop\n`;
const STORED =
  'r0 = 0\n*(u64 *)(r10 - 8) = 0\nr1 = r6\nr2 = 30\nr3 = r10\nr3 += -8\nr4 = 4\nr5 = 0\ncall bpf_skb_store_bytes\n';

function programOf(text: string): Program {
  return {
    name: 'p',
    entries: [{ function: 'main', hook: 'tc-ingress' }],
    object: writeElf({ main: text }, []),
  };
}

/** What cut frames show of a program of which one packet ran. */
function cutting(text: string, cases: readonly Uint8Array[] = [PACKET]) {
  const program = programOf(text);
  const batch = new PacketBatch(1);
  batch.push({ packet: PACKET });
  const object = linkedObject(program.object!);
  const { coverage } = interpret(object, batch, { hook: 'tc-ingress' });
  const sequences = cases.map((packet) => ({ world: {}, stimuli: [{ packet }] }));
  return cutFrames(program, { functions: coverage }, sequences);
}

const shown = (...from: Parameters<typeof cutting>): [cases: number, left: number] => {
  const { cases, left } = cutting(...from);
  return [cases.length, left.length];
};

describe('a checked call of a helper that changes a frame in place', () => {
  it('fails for no length where the program has asked for enough before', () => {
    const cut = cutting(`${BEGIN}${LONG}${CHECKED}${ENDS}`);
    expect(cut).toMatchObject({ cases: [], helpers: ['bpf_l3_csum_replace'] });
    expect(cut.left).toHaveLength(1);
  });

  it('fails for a frame that is too short, where the program has not asked', () => {
    const { cases, left } = cutting(`${BEGIN}${CHECKED}if r7 > 2000 goto out${ENDS}`);
    expect(left).toEqual([]);
    expect(cases[0]!.case.stimuli[0]!.packet.length).toBeLessThan(26);
  });

  it('is left as it is where no case comes there', () => {
    expect(shown(`${BEGIN}${LONG}${CHECKED}${ENDS}`, [])).toEqual([0, 0]);
    expect(shown(`${BEGIN}${LONG}${CHECKED}${ENDS}`, [PACKET.slice(0, 20)])).toEqual([0, 0]);
  });

  it('is no other call: a frame may have no room', () => {
    const room = 'r1 = r6\nr2 = 4\nr3 = 0\ncall bpf_skb_change_tail\nif r0 != 0 goto drop\n';
    expect(shown(`${BEGIN}${LONG}${room}${ENDS}`)).toEqual([0, 0]);
  });

  it('counts for a check of what the first or the second of two returned', () => {
    const both = `${BEGIN}if r7 < 34 goto out\n${SUM}if r0 != 0 goto both\n${STORED}both:\nif r0 != 0 goto drop${ENDS}`;
    expect(shown(both)).toEqual([0, 2]);
  });

  it('does not count for a check that something else leads to as well', () => {
    const other = `${BEGIN}r0 = 5\nif r7 > 2000 goto both\nif r7 < 34 goto out\n${STORED}both:\nif r0 != 0 goto drop${ENDS}`;
    expect(shown(other)).toEqual([0, 0]);
  });
});

it('is said in one line', () => {
  const way = { function: 'main', instruction: 1, taken: true };
  expect(memoryWaysText({ left: [], helpers: [] })).toEqual([]);
  expect(memoryWaysText({ left: [way], helpers: ['bpf_skb_pull_data'] })).toEqual([
    'what it does on 1 way where bpf_skb_pull_data fails for lack of memory: no frame was too short for that, and it is not counted',
  ]);
  expect(memoryWaysText({ left: [way, way], helpers: ['a', 'b'] })).toEqual([
    'what it does on 2 ways where a, b fail for lack of memory: no frame was too short for that, and they are not counted',
  ]);
});

it('does not decide a verdict, however often a program checks', async () => {
  const options = { machine: createWasmEngine(), witness: createVmEngine(), seed: 'memory', runs: 300 };
  const program = programOf(`${BEGIN}${LONG}${CHECKED.repeat(9)}${ENDS}`);
  const checked = await check({ ...options, program, effort: 50_000, sweeps: false });
  expect(checked.coverage?.branches).toEqual([11, 11]);
  expect(checked.notChecked.join()).toContain('on 9 ways where bpf_l3_csum_replace fails');
});
