/** Conditions that were broken on the way to a later one are solved anew, for what that one does not hold. */
import { describe, expect, it } from 'vitest';
import { input } from '../../sim/ebpf/dataflow/expression.ts';
import type { FlowBranch } from '../../sim/ebpf/dataflow/flow-trace.ts';
import type { InputField } from '../../sim/ebpf/dataflow/inputs.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { guide } from './guide.ts';
import { HeldFields, partingOf } from './mending.ts';

/** Goes on with frames of 64 bytes and more, in r7; how long they are is in r8. */
const FRAME = `r7 = *(u32 *)(r1 + 0)
  r8 = *(u32 *)(r1 + 4)
  r0 = r7
  r0 += 64
  if r0 > r8 goto out
  r8 -= r7`;
const OUT = `r0 = 2
  exit
out:
  r0 = 1
  exit`;

function missing(text: string): number {
  const object = writeElf({ main: `${FRAME}\n${text}\n${OUT}` });
  const program = { name: 'test', entries: [{ function: 'main', hook: 'xdp' as const }], object };
  return guide(program, { seed: 'mending', effort: 400_000 }).missing.length;
}

const word = (register: string, at: number): string => `${register} = *(u16 *)(r7 + ${at})
  ${register} = be16 ${register}`;

/** The length at 20 is that of the frame, the one at 22 is 2 less, the one at 24 again 2 less, and only then it is compared. */
const LENGTHS = `${word('r1', 20)}
  ${word('r2', 22)}
  ${word('r3', 24)}
  if r1 != r8 goto out
  r1 += -2
  if r2 != r1 goto out
  r2 += -2
  if r3 != r2 goto out`;

describe('what is compared behind a relation', () => {
  it('is reached where lengths nest, and the frame’s is the outermost', () => {
    expect(missing(`${LENGTHS}\n  if r3 != 333 goto out`)).toBe(0);
  });

  it('is reached where a byte is the sum of those before', () => {
    const bytes = Array.from({ length: 20 }, (_, at) => `r2 = *(u8 *)(r7 + ${30 + at})\n  r1 ^= r2`);
    const sum = `r1 = 0\n  ${bytes.join('\n  ')}\n  r3 = *(u8 *)(r7 + 50)\n  if r1 != r3 goto out`;
    expect(missing(`${sum}\n  r2 = *(u8 *)(r7 + 30)\n  if r2 != 36 goto out`)).toBe(0);
  });

  it('is left where it contradicts the relation', () => {
    expect(missing(`${LENGTHS}\n  r3 += 4\n  if r3 == r8 goto on\n  goto out\n  on:`)).toBe(1);
  });
});

describe('where a run parts from a path', () => {
  const field: InputField = { kind: 'packet', packet: 0, offset: 3 };
  const branch = (slot: number, taken: boolean, packet: number = 0): FlowBranch => ({
    ...{ program: 0, slot, taken, packet, comparison: 'eq', bits: 64, a: input(field, 0n), b: 0n },
  });
  const path = [branch(3, true), branch(5, false), branch(7, true)];

  it('is the first branch that goes the other way', () => {
    expect(partingOf(path, [branch(3, true), branch(5, true), branch(9, true)])).toBe(1);
    expect(partingOf(path, [branch(3, false)])).toBe(0);
  });

  it('is nowhere on the same path, or where the run comes to another place', () => {
    expect(partingOf(path, [...path, branch(9, true)])).toBeUndefined();
    expect(partingOf(path, [branch(3, true), branch(6, true)])).toBeUndefined();
    expect(partingOf(path, [branch(3, true), branch(5, true, 1)])).toBeUndefined();
    expect(partingOf(path, [branch(3, true)])).toBeUndefined();
  });
});

it('holds inputs by what they are, in whichever run they are met', () => {
  const key = Uint8Array.of(1, 2);
  const fields: readonly InputField[] = [
    { kind: 'packet', packet: 0, offset: 3 },
    { kind: 'length', packet: 0 },
    { kind: 'context', packet: 0, name: 'mark' },
    { kind: 'map', map: 1, key, offset: 2 },
    { kind: 'call', call: 2 },
    { kind: 'time', packet: 0 },
    { kind: 'stack', address: 8 },
  ];
  const others: readonly InputField[] = [
    { kind: 'packet', packet: 1, offset: 3 },
    { kind: 'packet', packet: 0, offset: 4 },
    { kind: 'length', packet: 1 },
    { kind: 'context', packet: 0, name: 'hash' },
    { kind: 'map', map: 1, key: Uint8Array.of(1, 3), offset: 2 },
    { kind: 'map', map: 0, key, offset: 2 },
    { kind: 'call', call: 1 },
    { kind: 'cpu', packet: 0 },
    { kind: 'stack', address: 16 },
  ];
  const held = new HeldFields(new Map(fields.map((one) => [one, 0n])));
  for (const one of fields) expect(held.has({ ...one })).toBe(true);
  for (const one of others) expect(held.has(one)).toBe(false);
  held.add(new Map([[others[0]!, 1n]]));
  expect(held.has({ ...others[0]! })).toBe(true);
});
