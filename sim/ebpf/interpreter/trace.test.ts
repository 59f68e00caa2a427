import { expect, it } from 'vitest';
import { testMap } from '../test-support/assemble.ts';
import { COUNTING_PACKET, runText } from '../test-support/run-text.ts';
import { type RunTrace, runTraced } from './trace.ts';

const TEXT = `r6 = *(u32 *)(r1 + 12)
  r2 = *(u32 *)(r1 + 0)
  r3 = *(u32 *)(r1 + 4)
  r4 = r2
  r4 += 14
  if r4 > r3 goto out
  *(u8 *)(r2 + 3) = 9
  *(u32 *)(r10 - 4) = r6
  r2 = r10
  r2 += -4
  r1 = map[array]
  call bpf_map_lookup_elem
  if r0 == 0 goto out
  r1 = 1
  lock *(u64 *)(r0 + 0) += r1
  out:
  r0 = 2
  exit`;

function trace(limit?: number): RunTrace {
  const { interpreter, machine } = runText(TEXT, { maps: [testMap('array', 'ARRAY')] });
  machine.begin('xdp', COUNTING_PACKET, 0, 64, 0, 1, 0);
  return runTraced(interpreter, 0, limit);
}

it('shows every instruction that ran, in order', () => {
  const { steps, truncated, result } = trace();
  expect(steps.map((step) => step.instruction)).toEqual([
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17,
  ]);
  expect(truncated).toBe(false);
  expect(result.action).toBe(2);
});

it('shows registers that changed, and where pointers lead', () => {
  const { steps } = trace();
  expect(steps[1]!.registers).toMatchObject([{ register: 2, kind: 'pkt', place: 'data+0' }]);
  expect(steps[4]!.registers).toMatchObject([{ register: 4, kind: 'pkt', place: 'data+14' }]);
  expect(steps[9]!.registers).toMatchObject([{ register: 2, kind: 'fp', place: 'fp-4' }]);
});

it('shows the pointer becoming a value by its comparison with null', () => {
  const { steps } = trace();
  expect(steps[11]!.registers).toMatchObject([
    { register: 0, kind: 'map_value_or_null', place: 'array[1]+0' },
  ]);
  expect(steps[12]!.registers).toMatchObject([{ register: 0, kind: 'map_value' }]);
});

it('shows memory that was written', () => {
  const { steps } = trace();
  expect(steps[6]!.memory).toMatchObject({ place: 'data+3', bytes: Uint8Array.of(9) });
  expect(steps[7]!.memory).toMatchObject({ place: 'fp-4', bytes: Uint8Array.of(1, 0, 0, 0) });
  expect(steps[14]!.memory).toMatchObject({
    place: 'array[1]+0',
    bytes: Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0),
  });
});

it('shows helpers with their arguments and results', () => {
  const call = trace().steps[11]!.call!;
  expect(call.name).toBe('bpf_map_lookup_elem');
  expect(call.arguments).toHaveLength(2);
  expect(call.result).toBe(trace().steps[11]!.registers[0]!.value);
});

it('says when it kept only the beginning', () => {
  const { steps, truncated, result } = trace(5);
  expect(steps).toHaveLength(5);
  expect(truncated).toBe(true);
  expect(result.action).toBe(2);
});
