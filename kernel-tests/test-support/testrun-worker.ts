/** What `testrun.test.ts` runs in worker threads. */
import { createTestRunEngine } from '../../kernel/testrun/testrun.ts';
import { batchOf, fixture, frame, outcomes } from './testrun.ts';

/** @returns how many of 3000 packets were answered with XDP_TX */
export async function countAnswers(): Promise<number> {
  const session = await createTestRunEngine().open(fixture('swap'), {});
  const batch = batchOf(...Array.from({ length: 1000 }, () => ({ packet: frame(60) })));
  const output = outcomes(batch);
  let answered = 0;
  for (let pass = 0; pass < 3; pass++) {
    await session.run(batch, output);
    for (let index = 0; index < output.count; index++) answered += output.action[index] === 3 ? 1 : 0;
  }
  await session.close();
  return answered;
}
