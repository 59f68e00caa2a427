/** Accesses to the stack by an index that nothing limits: both machines stop what leaves the frame, in a function and in what it calls. */
import { expect, it } from 'vitest';
import { PacketBatch } from '../../packet/packet-batch.ts';
import { testObject } from '../test-support/assemble.ts';
import { compileAndRun, interpret } from '../test-support/run-both.ts';

/** Bytes of the buffer at the frame's top. */
const BUFFER = 128;
const INDICES = [0, 1, 119, 120, 121, 126, 127, 128, 129, 200, 255];

/** r2 = the buffer's byte whose index is the frame's first byte; then an access to it. */
const program = (access: string): string => `
  r7 = *(u32 *)(r1 + 0)
  r8 = *(u32 *)(r1 + 4)
  r0 = 1
  r2 = r7
  r2 += 8
  if r2 > r8 goto out
  r1 = *(u8 *)(r7 + 0)
  call indexed
  out:
  exit
  indexed:
  ${access}
  exit`;
const INLINE = (access: string): string =>
  program(access).replace('call indexed', access).split('indexed:')[0]!;

const at = (access: string): string => `
  r2 = r10
  r2 += ${-BUFFER}
  r2 += r1
  ${access}
  r0 = 2`;

it.each([
  ['a store', 'r4 = 7\n*(u8 *)(r2 + 0) = r4', 1],
  ['a load', 'r4 = *(u8 *)(r2 + 0)', 1],
  ['a helper that fills', 'r1 = r2\nr2 = 8\ncall bpf_get_current_comm', 8],
] as const)('%s', (_, access, size) => {
  for (const text of [program(at(access)), INLINE(at(access))]) {
    const object = testObject({ main: text }, []);
    const batch = new PacketBatch(INDICES.length);
    for (const index of INDICES) batch.push({ packet: new Uint8Array(64).fill(index) });
    for (const run of [interpret, compileAndRun]) {
      const stopped = run(object, batch).outcomes.map(({ stoppedAt }) => stoppedAt !== undefined);
      expect(stopped).toEqual(INDICES.map((index) => index + size > BUFFER));
    }
  }
});
