import { describe, expect, it } from 'vitest';
import { OutcomeBatch, STATUS, type StatusName, statusName } from '../sim/engines/outcome-batch.ts';
import { outcomeAt } from './outcome.ts';

describe('outcomeAt', () => {
  it.each(Object.keys(STATUS) as StatusName[])('calls the status %s by its name', (name) => {
    const batch = new OutcomeBatch(2);
    batch.commit(1, 0);
    batch.commit(2, 0);
    batch.status[1] = STATUS[name];
    batch.notes.set(1, { message: 'why' });
    expect(outcomeAt(batch, 0)).toMatchObject({ status: 'ran', action: 1, note: undefined });
    expect(outcomeAt(batch, 1)).toMatchObject({ status: name, action: 2, note: { message: 'why' } });
  });

  it('takes a status that is none for a mistake', () => {
    expect(() => statusName(4)).toThrow('no status 4');
  });
});
