/**
 * A frame that came broken is left alone by programs that check before they write. To change it and pass it on is no
 * fault by itself: worth knowing.
 */
import { DELIVERY } from '../../sim/runtime/delivery.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import type { Breach, Invariant, Passage } from './invariant.ts';

export const broken: Invariant = {
  name: 'untouched',
  judge(pair: FramePair, { delivery }: Readonly<Passage>): Breach | undefined {
    if (!pair.cameBroken || delivery !== DELIVERY.passed || pair.afterLength !== pair.beforeLength)
      return undefined;
    let at = 0;
    while (pair.after[pair.afterOffset + at] === pair.before[pair.beforeOffset + at]) at++;
    return {
      invariant: 'untouched/broken',
      severity: 'info',
      at,
      size: 1,
      expected: 'the frame as it came',
      got: 'a changed frame',
      sentence:
        'the frame came with headers or lengths that contradict each other, and was changed and passed on',
      summary: 'a malformed frame was changed and passed on',
    };
  },
};
