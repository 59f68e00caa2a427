/** Arrays in which later fragments are counted by their data, of programs in assembly. */
import { expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { EngineSide } from '../engine-side.ts';
import { data, ethernet, ipv4, udp, V4_A, V4_B } from '../test-support/packets.ts';
import { FragmentKeys } from './fragment-keys.ts';
import type { Seen } from './probe.ts';
import { TransportSightings } from './transport-sightings.ts';

/** Counts UDP by its port, 53 and the others. */
function counter(type: 'ARRAY' | 'PERCPU_ARRAY', fragments: string): Program {
  const text = `r7 = *(u32 *)(r1 + 0)
  r8 = *(u32 *)(r1 + 4)
  r0 = r7
  r0 += 42
  if r0 > r8 goto out
  r1 = *(u8 *)(r7 + 23)
  if r1 != 17 goto out
  ${fragments}
  r2 = 0
  r1 = *(u16 *)(r7 + 36)
  if r1 != 0x3500 goto other
  r2 = 1
  other:
  *(u32 *)(r10 - 4) = r2
  r1 = map[counts]
  r2 = r10
  r2 += -4
  call bpf_map_lookup_elem
  if r0 == 0 goto out
  r1 = *(u64 *)(r0 + 0)
  r1 += 1
  *(u64 *)(r0 + 0) = r1
  out:
  r0 = 2
  exit`;
  const maps = [testMap('counts', type, { keySize: 4, valueSize: 8, maxEntries: 2 })];
  return {
    ...{ name: 'p', entries: [{ function: 'main', hook: 'xdp' }] },
    object: writeElf({ main: text }, maps),
  };
}

async function found(program: Program): Promise<Seen | undefined> {
  const machine = createVmEngine();
  const input = new PacketBatch(2);
  // Of one bit's difference: that is what is tried.
  for (const port of [52, 53])
    input.push({ packet: ethernet(0x0800, ipv4(17, udp(data(8), V4_A, V4_B, port))) });
  const side = new EngineSide(machine, program, 2);
  expect(await side.run({}, input)).toBe(true);
  const sightings = new TransportSightings();
  sightings.observe({}, input, side);
  await side.close();
  return new FragmentKeys(false, sightings).find(program, machine);
}

it.each(['ARRAY', 'PERCPU_ARRAY'] as const)(
  '%s: data of a later fragment is counted as a port',
  async (type) => {
    expect((await found(counter(type, '')))?.breach).toMatchObject({
      invariant: 'fragments/ports-read',
      expected: 'the same element for any data',
      got: 'another element of array counts with other data',
      sentence: expect.stringMatching(
        /the program counts in another element of array counts, or writes there$/,
      ),
    });
  },
);

it('nothing is said where later fragments are left out', async () => {
  const first = 'r1 = *(u16 *)(r7 + 20)\nr1 &= 0xff1f\nif r1 != 0 goto out';
  expect(await found(counter('ARRAY', first))).toBeUndefined();
});
