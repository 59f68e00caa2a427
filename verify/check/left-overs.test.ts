/** What an earlier packet left in an element of a per-CPU array, with small programs in the machine. */
import { describe, expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import type { MapType } from '../../sim/runtime/maps.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { LeftOvers } from './left-overs.ts';
import type { Seen } from './probe.ts';

/** Frames by their first bytes: what the programs here ask for. */
const frame = (...bytes: readonly number[]): Uint8Array => {
  const packet = new Uint8Array(60);
  packet.set(bytes);
  return packet;
};
const FRAMES = [frame(1, 7), frame(1, 9), frame(2, 7), frame(2, 9), frame(3)];

/** r6: the frame; r7: the element, of 16 bytes; r8: the first byte. */
const BEGIN = `
  r6 = *(u32 *)(r1 + 0)
  r2 = *(u32 *)(r1 + 4)
  r3 = r6
  r3 += 14
  if r3 > r2 goto pass
  r8 = *(u8 *)(r6 + 0)
  r1 = 0
  *(u32 *)(r10 - 4) = r1
  r1 = map[scratch]
  r2 = r10
  r2 += -4
  call bpf_map_lookup_elem
  if r0 == 0 goto pass
  r7 = r0
  if r8 == 255 goto drop
`;
const END = `
  pass:
  r0 = 2
  exit
  drop:
  r0 = 1
  exit
`;
/** Kept of frames of kind 1: the second byte. */
const FILL = `
  if r8 != 1 goto filled
  r1 = *(u8 *)(r6 + 1)
  *(u8 *)(r7 + 4) = r1
  filled:
`;
const DECIDE = `
  r1 = *(u8 *)(r7 + 4)
  if r1 == 7 goto drop
`;

function programOf(text: string, type: MapType = 'PERCPU_ARRAY'): Program {
  const scratch = testMap('scratch', type, { keySize: 4, valueSize: 16, maxEntries: 1 });
  const counts = testMap('counts', 'ARRAY', { keySize: 4, valueSize: 8, maxEntries: 4 });
  return {
    name: 'p',
    entries: [{ function: 'main', hook: 'xdp' }],
    object: writeElf({ main: `${BEGIN}${text}${END}` }, [scratch, counts]),
  };
}

function found(program: Program, world: World = {}, packets = FRAMES): Promise<Seen[]> {
  const sightings = packets.map((packet) => ({ world, stimulus: { packet } }));
  return new LeftOvers(program, false).find(createVmEngine(), sightings);
}

describe('what an earlier packet left in scratch memory', () => {
  it('decides where a packet has not written it', async () => {
    const [seen, ...more] = await found(programOf(`${FILL}${DECIDE}`));
    expect(more).toEqual([]);
    expect(seen?.stimuli.map(({ packet }) => packet[0])).toEqual([1, 2]);
    expect(seen?.breach).toEqual({
      invariant: 'uninitialized/left-over',
      ...{ at: 0, size: 0, expected: 'the same whatever packet came before' },
      got: 'byte 4 of an element of scratch as the packet before left them',
      sentence:
        'behind another packet the program returns XDP_DROP instead of XDP_PASS: it reads byte 4 of an element of scratch, which it has not written for this packet',
    });
  });

  it('does so whatever a test put there', async () => {
    const entry = { key: new Uint8Array(4), value: new Uint8Array(16).fill(7) };
    expect(await found(programOf(`${FILL}${DECIDE}`), { maps: { scratch: [entry] } })).toHaveLength(1);
  });

  it('shows in the frame, and in what other maps hold', async () => {
    const sent = 'r1 = *(u8 *)(r7 + 4)\n *(u8 *)(r6 + 5) = r1\n';
    const counted = `
      r1 = *(u8 *)(r7 + 4)
      r1 &= 3
      *(u32 *)(r10 - 4) = r1
      r1 = map[counts]
      r2 = r10
      r2 += -4
      call bpf_map_lookup_elem
      if r0 == 0 goto pass
      r1 = 1
      *(u64 *)(r0 + 0) = r1
    `;
    const sentence = async (text: string): Promise<string | undefined> =>
      (await found(programOf(`${FILL}${text}`)))[0]?.breach.sentence;
    expect(await sentence(counted)).toContain(
      'behind another packet the program leaves something else in map counts: it reads',
    );
    expect(await sentence(sent)).toContain(
      'behind another packet the program lets the packet go with other bytes: it reads',
    );
  });

  it('decides where all packets fill in another part of the element, though none reads back what it wrote', async () => {
    const text = `
      *(u8 *)(r7 + 0) = r8
      if r8 == 1 goto fill
      ${DECIDE}
      goto pass
      fill:
      r1 = *(u8 *)(r6 + 1)
      *(u8 *)(r7 + 4) = r1
      if r1 == 7 goto drop
    `;
    expect(await found(programOf(text))).toHaveLength(1);
    // Without that it may be a switch.
    expect(await found(programOf(text.replace('*(u8 *)(r7 + 0) = r8', 'r0 = 0')))).toEqual([]);
  });

  it('decides where a helper reads it', async () => {
    const text = `${FILL}
      r1 = map[counts]
      r2 = r7
      r2 += 4
      call bpf_map_lookup_elem
      if r0 != 0 goto drop
    `;
    // Of four elements: 1 is one, 7 is none.
    expect(await found(programOf(text), {}, [frame(1, 1), frame(1, 7), frame(2), frame(3)])).toHaveLength(1);
  });

  it.each<readonly [string, string]>([
    ['where it is cleared first', `r1 = 0\n *(u64 *)(r7 + 0) = r1\n${FILL}${DECIDE}`],
    ['where all packets write it', `r1 = *(u8 *)(r6 + 1)\n *(u8 *)(r7 + 4) = r1\n${DECIDE}`],
    ['where it decides nothing', `${FILL}\n r1 = *(u8 *)(r7 + 4)\n`],
    ['of a counter', `r1 = *(u8 *)(r7 + 4)\n r1 += 1\n *(u8 *)(r7 + 4) = r1\n if r1 == 2 goto drop`],
    [
      'of a bucket that some packets fill',
      `${FILL}\n r1 = *(u8 *)(r7 + 4)\n if r1 == 0 goto drop\n r1 += -1\n *(u8 *)(r7 + 4) = r1`,
    ],
    [
      'of a cache that knows whose value it holds',
      `r1 = *(u8 *)(r7 + 0)
       if r1 == r8 goto known
       *(u8 *)(r7 + 0) = r8
       r1 = *(u8 *)(r6 + 0)
       *(u8 *)(r7 + 4) = r1
       known:
       r1 = *(u8 *)(r7 + 4)
       if r1 == 2 goto drop`,
    ],
    [
      'where nobody reads back what a packet wrote',
      `if r8 == 1 goto fill\n${DECIDE} goto pass\n fill:\n *(u8 *)(r7 + 4) = 7`,
    ],
  ])('does not %s', async (_what, text) => {
    expect(await found(programOf(text))).toEqual([]);
  });

  it('is state in an array that all CPUs share', async () => {
    expect(await found(programOf(`${FILL}${DECIDE}`, 'ARRAY'))).toEqual([]);
  });

  it('is none of a program behind another one', async () => {
    const program = programOf(`${FILL}${DECIDE}`);
    const [entry] = program.entries;
    expect(await found({ ...program, entries: [{ ...entry!, behindRedirect: 'devmap' }] })).toEqual([]);
  });
});
