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

/** The number of the element: for port 53 one, for all others another one. */
const BY_PORT = `r2 = 0
  r1 = *(u16 *)(r7 + 36)
  if r1 != 0x3500 goto other
  r2 = 1
  other:`;
/** A hash of the frame: identification and port. */
const BY_HASH = `r2 = *(u16 *)(r7 + 36)
  r1 = *(u16 *)(r7 + 18)
  r2 ^= r1
  r2 >>= 8
  r2 &= 1`;
/** The kernel's hash of the flow. */
const BY_FLOW = `r1 = r6
  call bpf_get_hash_recalc
  r2 = r0
  r2 &= 1`;

/** Counts UDP by its port, 53 and the others. */
function counter(
  type: 'ARRAY' | 'PERCPU_ARRAY',
  fragments: string,
  { index = BY_PORT, hook = 'xdp' }: { index?: string; hook?: 'xdp' | 'tc-ingress' } = {},
): Program {
  const [data, end] = hook === 'xdp' ? [0, 4] : [76, 80];
  const text = `r6 = r1
  r7 = *(u32 *)(r1 + ${data})
  r8 = *(u32 *)(r1 + ${end})
  r0 = r7
  r0 += 42
  if r0 > r8 goto out
  r1 = *(u8 *)(r7 + 23)
  if r1 != 17 goto out
  ${fragments}
  ${index}
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
  r0 = ${hook === 'xdp' ? 2 : 0}
  exit`;
  const maps = [testMap('counts', type, { keySize: 4, valueSize: 8, maxEntries: 2 })];
  return {
    ...{ name: 'p', entries: [{ function: 'main', hook }] },
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

it('nothing is said where a hash of more than the flow chooses, or the kernel’s own', async () => {
  expect(await found(counter('ARRAY', '', { index: BY_HASH }))).toBeUndefined();
  expect(await found(counter('ARRAY', '', { index: BY_PORT, hook: 'tc-ingress' }))).toBeDefined();
  expect(await found(counter('ARRAY', '', { index: BY_FLOW, hook: 'tc-ingress' }))).toBeUndefined();
});
