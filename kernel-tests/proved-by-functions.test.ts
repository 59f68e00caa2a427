/** How far packets reach may be found out by a function of the program: machines and verifier take that alike. */
import { expect, it } from 'vitest';
import { testObject } from '../sim/ebpf/test-support/assemble.ts';
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

const PROGRAMS: readonly (readonly [name: string, text: string])[] = [
  [
    'of what it is given',
    `${BEGIN}
  r1 = r7
  r2 = r8
  call holds
  if r0 == 0 goto out
  r3 = *(u8 *)(r7 + 13)${END}${COMPARES}`,
  ],
  [
    'of what its caller keeps on the stack',
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
    'of what it loads itself',
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
    'by a function that it calls',
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
    'before the function that reads',
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
];

describeKernel('packets that a function compares with their ends', ['root', 'libbpf', 'testrun'], () => {
  it.each(PROGRAMS)('%s', (_name, text) => {
    const object = testObject({ main: text });
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
