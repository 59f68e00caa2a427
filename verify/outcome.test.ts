import { expect, it } from 'vitest';
import { OutcomeBatch, STATUS } from '../sim/engines/outcome-batch.ts';
import { outcomeAt } from './outcome.ts';

it('has what came of one packet of a batch, and nothing of its neighbours', () => {
  const batch = new OutcomeBatch(3);
  for (const packet of [0, 1, 2]) {
    const at = batch.reserve(8);
    batch.bytes.fill(packet + 1, at, at + 8);
    batch.commit(packet + 10, 5, 3);
    batch.status[packet] = packet === 1 ? STATUS.violation : STATUS.ran;
    batch.redirect[packet] = packet + 20;
    batch.mark[packet] = packet + 30;
    batch.priority[packet] = packet + 40;
    for (let word = 0; word < 5; word++) batch.cb[5 * packet + word] = 10 * packet + word;
    batch.tstamp[2 * packet] = 0xffff_fff0 + packet;
    batch.tstamp[2 * packet + 1] = packet;
  }
  batch.trace.set(1, ['a line']);
  batch.notes.set(1, { message: 'a note' });
  expect(outcomeAt(batch, 1)).toEqual({
    status: 'violation',
    action: 11,
    packet: new Uint8Array(5).fill(2),
    metadata: new Uint8Array(3).fill(2),
    redirect: 21,
    trace: ['a line'],
    mark: 31,
    priority: 41,
    cb: [10, 11, 12, 13, 14],
    tstamp: 0x1_ffff_fff1n,
    note: { message: 'a note' },
  });
  expect(outcomeAt(batch, 2)).toMatchObject({
    status: 'ran',
    trace: [],
    note: undefined,
    tstamp: 0x2_ffff_fff2n,
  });
});
