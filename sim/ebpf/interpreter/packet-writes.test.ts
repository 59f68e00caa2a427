import { expect, it } from 'vitest';
import { COUNTING_PACKET, runText } from '../test-support/run-text.ts';
import { PacketWrites } from './packet-writes.ts';

const TEXT = `r6 = r1
  r2 = *(u32 *)(r1 + 0)
  r3 = *(u32 *)(r1 + 4)
  r4 = r2
  r4 += 14
  if r4 > r3 goto out
  *(u16 *)(r2 + 2) = 9
  *(u8 *)(r2 + 3) = 4
  *(u32 *)(r10 - 4) = 1
  r2 = -4
  call bpf_xdp_adjust_head
  r1 = r6
  r2 = -1
  call bpf_xdp_adjust_tail
  r1 = r6
  r2 = 20
  r3 = r10
  r3 += -4
  r4 = 4
  call bpf_xdp_store_bytes
  out:
  r0 = 2
  exit`;

function recorded(
  text: string = TEXT,
  lines: readonly (readonly [from: number, line: number])[] = [],
): PacketWrites {
  const { interpreter, machine } = runText(text);
  const lineInfo = lines.map(([instruction, line]) => ({
    instruction,
    file: 'a.c',
    line,
    column: 1,
    text: '',
  }));
  Object.assign(interpreter.programs[0]!.source, { lineInfo });
  machine.begin('xdp', COUNTING_PACKET, 0, 64, 0, 1, 0);
  const writes = new PacketWrites();
  interpreter.tracer = writes;
  expect(interpreter.run(0)).toMatchObject({ violation: undefined, action: 2 });
  interpreter.tracer = undefined;
  writes.finish();
  return writes;
}

it('knows the last store to each byte, by where the byte lies in the end', () => {
  const writes = recorded();
  // Four bytes were pushed in front.
  expect(writes.lastIn(6, 7)!.instruction).toBe(6);
  expect(writes.lastIn(7, 8)!.instruction).toBe(7);
  expect(writes.lastIn(6, 8)!.instruction).toBe(7);
  expect(writes.lastIn(8, 20)).toBeUndefined();
});

it('knows what helpers wrote, and which of them moved the ends last', () => {
  const writes = recorded();
  expect(writes.lastIn(20, 24)!.instruction).toBe(19);
  expect(writes.lastIn(0, 4)!.instruction).toBe(10);
  expect(writes.resize!.instruction).toBe(13);
});

it('keeps nothing of what was written elsewhere', () => {
  const writes = recorded('*(u32 *)(r10 - 4) = 1\n  r0 = 2\n  exit');
  expect(writes.lastIn(0, 64)).toBeUndefined();
  expect(writes.resize).toBeUndefined();
});

it('takes a line that the run jumps into the middle of for shared code, not for the line of another branch', () => {
  const text = `r2 = *(u32 *)(r1 + 0)
  r3 = *(u32 *)(r1 + 4)
  r4 = r2
  r4 += 14
  if r4 > r3 goto out
  r5 = *(u8 *)(r2 + 0)
  if r5 == 0 goto shared
  r5 = 7
  shared:
  *(u8 *)(r2 + 1) = 9
  out:
  r0 = 2
  exit`;
  // Line 20 is the branch that is not taken; the shared store behind it has no line of its own.
  const lines = [
    [0, 10],
    [5, 15],
    [7, 20],
    [9, 30],
  ] as const;
  expect(recorded(text, lines).lastIn(1, 2)!.source!.line).toBe(15);
  const taken = text.replace('r5 == 0', 'r5 == 1');
  expect(recorded(taken, lines).lastIn(1, 2)!.source!.line).toBe(20);
});

const PUSH = `r6 = r1
  r2 = -8
  call bpf_xdp_adjust_head
  r2 = *(u32 *)(r6 + 0)
  r3 = *(u32 *)(r6 + 4)
  r4 = r2
  r4 += 14
  if r4 > r3 goto out
  BODY
  out:
  r0 = 2
  exit`;

it.each([
  ['nothing is written', 'r5 = 0', 0],
  ['its first bytes are', '*(u32 *)(r2 + 0) = 0', 4],
  ['the others are', '*(u32 *)(r2 + 4) = 0', 0],
  ['all are', '*(u32 *)(r2 + 0) = 0\n*(u32 *)(r2 + 4) = 0', undefined],
  ['all but the last', '*(u32 *)(r2 + 0) = 0\n*(u16 *)(r2 + 4) = 0\n*(u8 *)(r2 + 6) = 0', 7],
  [
    'a helper may have written them',
    'r3 = r2\n*(u64 *)(r10 - 8) = 0\nr1 = r6\nr2 = 0\nr3 = r10\nr3 += -8\nr4 = 8\ncall bpf_xdp_store_bytes',
    undefined,
  ],
  [
    'a helper may have written the last four',
    '*(u64 *)(r10 - 8) = 0\nr1 = r6\nr2 = 4\nr3 = r10\nr3 += -8\nr4 = 4\ncall bpf_xdp_store_bytes',
    0,
  ],
  [
    'a helper may have written the first four',
    '*(u64 *)(r10 - 8) = 0\nr1 = r6\nr2 = 0\nr3 = r10\nr3 += -8\nr4 = 4\ncall bpf_xdp_store_bytes',
    4,
  ],
  ['a helper only reads them', 'r3 = r2\nr1 = 0\nr2 = 0\nr4 = 8\nr5 = 0\ncall bpf_csum_diff', 0],
  ['a pointer to them is left in a register that is no argument', 'r3 = r2\ncall bpf_ktime_get_ns', 0],
  ['they are given up', 'r1 = r6\nr2 = 8\ncall bpf_xdp_adjust_head', undefined],
  ['more is pushed', 'r1 = r6\nr2 = -2\ncall bpf_xdp_adjust_head', 0],
  [
    'what belonged to the packet is given up, and taken back',
    '*(u64 *)(r2 + 0) = 0\nr1 = r6\nr2 = 12\ncall bpf_xdp_adjust_head\nr1 = r6\nr2 = -12\ncall bpf_xdp_adjust_head',
    undefined,
  ],
  [
    'what is appended are zeros',
    '*(u64 *)(r2 + 0) = 0\nr1 = r6\nr2 = 9\ncall bpf_xdp_adjust_tail',
    undefined,
  ],
] as const)('knows the first byte pushed in front that nothing has written: %s', (_what, body, first) => {
  expect(recorded(PUSH.replace('BODY', body)).firstUnwritten(72)).toBe(first);
});
