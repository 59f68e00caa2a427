/** The symbolic reader in lockstep with the interpreter through calls of every helper, with arguments at boundaries. */
import { describe, expect, it } from 'vitest';
import { HELPERS } from '../helpers/index.ts';
import { Machine } from '../machine.ts';
import { callOf, framesFor, isCallable, typesFor, worldOfCall } from '../test-support/helper-calls.ts';
import { lockstep } from '../test-support/lockstep.ts';

/** Of a helper's frames, every so many. */
const EVERY = 23;
const MOST_STEPS = 400;

describe.each(['xdp', 'tc-ingress'] as const)('paths through helpers at %s', (hook) => {
  it('hold what the machine has in its registers; where they end early is recorded', async () => {
    const lines: string[] = [];
    for (const helper of HELPERS.values()) {
      if (!isCallable(helper, hook)) continue;
      for (const type of typesFor(helper)) {
        const about = `${helper.name}${type === undefined ? '' : ` on ${type}`}`;
        const object = callOf(helper, hook, type);
        if (object === undefined) continue;
        const ends = new Map<string, number>();
        for (const [index, packet] of framesFor(helper).entries()) {
          if (index % EVERY !== 0) continue;
          const machine = new Machine(object, worldOfCall(type));
          const { left, difference } = lockstep({ machine, program: 0, hook, packet, mostSteps: MOST_STEPS });
          expect(difference, `${about}, frame ${index}`).toBeUndefined();
          const end = left ?? 'exits';
          ends.set(end, (ends.get(end) ?? 0) + 1);
        }
        lines.push(`${about}: ${[...ends].map(([end, count]) => `${count} × ${end}`).join(', ')}`);
      }
    }
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(`recorded/helpers-${hook}.txt`);
  });
});
