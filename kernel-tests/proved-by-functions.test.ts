/** What a function of the program finds out by comparing holds for its callers, too: machines and verifier take that alike. */
import { expect, it } from 'vitest';
import { testMap, testObject } from '../sim/ebpf/test-support/assemble.ts';
import { compileAndRun, interpret } from '../sim/ebpf/test-support/run-both.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import { runInKernel } from './test-support/raw-program.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const BEGIN = `
  r6 = r1
  r7 = *(u32 *)(r6 + 0)
  r8 = *(u32 *)(r6 + 4)`;
const END = `
  r0 = 1
  exit
out:
  r0 = 2
  exit`;
const COMPARES = `
holds:
  r1 += 14
  r0 = 0
  if r1 > r2 goto end
  r0 = 1
end:
  exit`;

const IS_NULL = `
tells:
  r0 = 0
  if r1 == 0 goto none
  r0 = 1
none:
  exit`;
/** An entry of the hash map, which is there, in r6: nobody has compared it with null. */
const ENTRY = `
  *(u64 *)(r10 - 8) = 7
  *(u64 *)(r10 - 16) = 9
  r1 = map[h]
  r2 = r10
  r2 += -8
  r3 = r10
  r3 += -16
  r4 = 0
  call bpf_map_update_elem
  r1 = map[h]
  r2 = r10
  r2 += -8
  call bpf_map_lookup_elem
  r6 = r0`;
const MAPS = [
  testMap('h', 'HASH', { keySize: 8, valueSize: 8, maxEntries: 4 }),
  testMap('r', 'RINGBUF', { keySize: 0, valueSize: 0, maxEntries: 4096 }),
];

const PROGRAMS: readonly (readonly [name: string, text: string])[] = [
  [
    'how far a packet reaches that it is given',
    `${BEGIN}
  r1 = r7
  r2 = r8
  call holds
  if r0 == 0 goto out
  r3 = *(u8 *)(r7 + 13)${END}${COMPARES}`,
  ],
  [
    'how far a packet reaches that its caller keeps on the stack',
    `${BEGIN}
  r1 = r7
  r2 = r8
  call holds
  if r0 == 0 goto out
  *(u64 *)(r10 - 8) = r7
  r4 = *(u64 *)(r10 - 8)
  r3 = *(u8 *)(r4 + 13)${END}${COMPARES}`,
  ],
  [
    'how far a packet reaches that it loads itself',
    `${BEGIN}
  r1 = r6
  call loads
  if r0 == 0 goto out
  r3 = *(u8 *)(r7 + 13)${END}
loads:
  r2 = *(u32 *)(r1 + 4)
  r1 = *(u32 *)(r1 + 0)
  r1 += 14
  r0 = 0
  if r1 > r2 goto short
  r0 = 1
short:
  exit`,
  ],
  [
    'how far a packet reaches, by a function that it calls',
    `${BEGIN}
  r1 = r7
  r2 = r8
  call outer
  if r0 == 0 goto out
  r3 = *(u8 *)(r7 + 13)${END}
outer:
  call holds
  exit${COMPARES}`,
  ],
  [
    'how far a packet reaches, before the function that reads',
    `${BEGIN}
  r1 = r7
  r2 = r8
  call holds
  if r0 == 0 goto out
  r1 = r7
  call reads${END}
reads:
  r0 = *(u8 *)(r1 + 13)
  exit${COMPARES}`,
  ],
  [
    'that a value is there',
    `${ENTRY}
  r1 = r6
  call tells
  if r0 == 0 goto out
  r3 = *(u64 *)(r6 + 0)${END}${IS_NULL}`,
  ],
  [
    'that a value is there which it finds on its caller’s stack',
    `${ENTRY}
  *(u64 *)(r10 - 24) = r6
  r1 = r10
  r1 += -24
  call finds
  if r0 == 0 goto out
  r3 = *(u64 *)(r6 + 0)${END}
finds:
  r1 = *(u64 *)(r1 + 0)
  r0 = 0
  if r1 == 0 goto missing
  r0 = 1
missing:
  exit`,
  ],
  [
    'that a sample is there',
    `
  r1 = map[r]
  r2 = 16
  r3 = 0
  call bpf_ringbuf_reserve
  r6 = r0
  r1 = r6
  call tells
  if r0 == 0 goto out
  *(u64 *)(r6 + 8) = 5
  r1 = r6
  r2 = 0
  call bpf_ringbuf_submit${END}${IS_NULL}`,
  ],
  [
    'which number it is given, so that a packet reaches as far with it added',
    `${BEGIN}
  r3 = r7
  r3 += 14
  if r3 > r8 goto out
  r9 = *(u8 *)(r7 + 0)
  r1 = r9
  call tells
  if r0 != 0 goto out
  r7 += r9
  r3 = *(u8 *)(r7 + 13)${END}${IS_NULL}`,
  ],
];

describeKernel('a function may find out for its callers', ['root', 'libbpf', 'testrun'], () => {
  it.each(PROGRAMS)('%s', (_name, text) => {
    const object = testObject({ main: text }, MAPS);
    const batch = new PacketBatch(2);
    for (const length of [14, 64]) batch.push({ packet: new Uint8Array(length) });
    const { outcomes } = runInKernel(object, batch, { readsMaps: false });
    expect([...outcomes.action.subarray(0, 2)]).toEqual([1, 1]);
    for (const machine of [interpret, compileAndRun])
      expect(machine(object, batch).outcomes).toMatchObject([
        { action: 1, stoppedAt: undefined },
        { action: 1, stoppedAt: undefined },
      ]);
  });
});
