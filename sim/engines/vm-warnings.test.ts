import { expect, it } from 'vitest';
import { Interpreter } from '../ebpf/interpreter/interpreter.ts';
import { Machine } from '../ebpf/machine.ts';
import { testObject } from '../ebpf/test-support/assemble.ts';
import { PacketBatch } from '../packet/packet-batch.ts';

/** Reads part of a pointer that lies on the stack, and bytes that nobody wrote, in either order. */
const LEAK = '*(u64 *)(r10 - 8) = r10\nr2 = r1\nr3 = r10\nr3 += -8\nr2 = *(u32 *)(r3 + 0)';
const UNWRITTEN = 'r4 = *(u64 *)(r10 - 64)';

it.each([
  ['before', `${LEAK}\n${UNWRITTEN}`, ['leaked-address', 'unwritten-stack']],
  ['behind', `${UNWRITTEN}\n${LEAK}`, ['unwritten-stack', 'leaked-address']],
])('a leaked address %s an unwritten stack read hides nothing: both are warned of', (_, text, kinds) => {
  const machine = new Machine(testObject({ main: `${text}\n${UNWRITTEN}\nr0 = 2\nexit` }), {});
  const batch = new PacketBatch(1);
  batch.push({ packet: new Uint8Array(64) });
  machine.begin('xdp', batch.bytes, batch.offset[0]!, batch.length[0]!, 0, 1, 0);
  const { warning, furtherWarning } = new Interpreter(machine).run(0);
  expect([warning?.kind, furtherWarning?.kind]).toEqual(kinds);
});
