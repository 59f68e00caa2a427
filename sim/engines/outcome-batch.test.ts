import { describe, expect, it } from 'vitest';
import { OutcomeBatch, STATUS, statusName } from './outcome-batch.ts';

const counting = (length: number, first: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => first + index);

/** All that there is about a packet beside its bytes. */
const fields = (batch: OutcomeBatch, index: number): number[] => [
  batch.action[index]!,
  batch.status[index]!,
  batch.redirect[index]!,
  batch.mark[index]!,
  batch.priority[index]!,
  ...batch.cb.subarray(5 * index, 5 * index + 5),
  ...batch.tstamp.subarray(2 * index, 2 * index + 2),
];

function commit(batch: OutcomeBatch, action: number, bytes: Uint8Array, metaLength = 0): number {
  const at = batch.reserve(bytes.length);
  batch.bytes.set(bytes, at);
  return batch.commit(action, bytes.length - metaLength, metaLength);
}

describe('a batch of outcomes', () => {
  it('gives back metadata and frame of each packet', () => {
    const batch = new OutcomeBatch(3, 0);
    expect([
      commit(batch, 1, counting(6, 1)),
      commit(batch, -1, counting(12, 10), 8),
      commit(batch, 2, counting(0, 0)),
    ]).toEqual([0, 1, 2]);
    expect([0, 1, 2].map((index) => [batch.metadata(index).length, batch.packet(index).length])).toEqual([
      [0, 6],
      [8, 4],
      [0, 0],
    ]);
    expect([batch.packet(0), batch.metadata(1), batch.packet(1)]).toEqual([
      counting(6, 1),
      counting(8, 10),
      counting(4, 18),
    ]);
    expect([batch.count, batch.used, batch.capacity]).toEqual([3, 18, 3]);
    expect(() => batch.commit(0, 0)).toThrow('a batch of 3 outcomes is full');
    const copy = batch.packet(0);
    batch.bytes.fill(0);
    expect(copy).toEqual(counting(6, 1));
  });

  it('has nothing of what was there before, of any packet', () => {
    const batch = new OutcomeBatch(3);
    for (const array of [batch.status, batch.redirect, batch.mark, batch.priority, batch.cb, batch.tstamp])
      array.fill(9);
    batch.trace.set(0, ['line']);
    batch.notes.set(0, { message: 'why' });
    batch.uncertainFrom = 0;
    batch.clear();
    expect([batch.trace.size, batch.notes.size, batch.uncertainFrom]).toEqual([
      0,
      0,
      Number.POSITIVE_INFINITY,
    ]);
    commit(batch, 4, counting(1, 1));
    commit(batch, 5, counting(1, 1));
    expect(fields(batch, 0)).toEqual([4, ...Array(11).fill(0)]);
    expect(fields(batch, 1)).toEqual([5, ...Array(11).fill(0)]);
    // The third has not been committed.
    expect(fields(batch, 2).slice(1)).toEqual(Array(11).fill(9));
    batch.clear();
    expect([batch.count, batch.used]).toEqual([0, 0]);
  });

  it('grows where an outcome does not fit, and keeps what is in it', () => {
    const batch = new OutcomeBatch(3, 10);
    expect([batch.reserve(10), batch.bytes.length]).toEqual([0, 10]);
    commit(batch, 0, counting(10, 1));
    expect([batch.reserve(1), batch.bytes.length]).toEqual([10, 20]);
    expect([batch.reserve(50), batch.bytes.length]).toEqual([10, 60]);
    expect(batch.packet(0)).toEqual(counting(10, 1));
    expect(new OutcomeBatch(3).bytes.length).toBe(768);
  });
});

it('every status has its name, and no other number has one', () => {
  for (const [name, status] of Object.entries(STATUS)) expect(statusName(status)).toBe(name);
  expect(() => statusName(4)).toThrow('no status 4');
});
