/** What every permitted load from the context is on a path: each field, byte and half, at both hooks, before and after a store. */
import { expect, it } from 'vitest';
import type { Hook } from '../../runtime/actions.ts';
import { Machine } from '../machine.ts';
import { testObject } from '../test-support/assemble.ts';
import { loadContext, storeContext } from './context-fields.ts';
import { Inputs } from './inputs.ts';
import { Split } from './path-state.ts';
import { termText } from './term.ts';
import { TermPool } from './term-pool.ts';

function loads(hook: Hook): string[] {
  const object = testObject({ main: 'r0 = 0\nexit' }, []);
  const lines: string[] = [];
  for (let offset = 0; offset < 200; offset++)
    for (const size of [1, 2, 4, 8]) {
      const told = [false, true].map((isWritten) => {
        const pool = new TermPool();
        const inputs = new Inputs(pool, new Machine(object, {}), hook, object.programs[0]!);
        const state = inputs.start(0);
        try {
          if (isWritten)
            storeContext(
              state,
              offset,
              size,
              pool.constant(8 * size, 0x1122_3344_5566_7788n & ((1n << BigInt(8 * size)) - 1n)),
            );
          const loaded = loadContext(inputs, state, offset, size);
          return 'term' in loaded ? `${loaded.region?.kind} ${termText(loaded.term)}` : termText(loaded);
        } catch (error) {
          return error instanceof Split
            ? `depends on ${termText(error.condition)}`
            : (error as Error).message;
        }
      });
      if (told.some((one) => !one.includes('not permitted')))
        lines.push(`${offset} ${size}: ${told.join(' | ')}`);
    }
  return lines;
}

it.each(['xdp', 'tc-ingress'] as const)('at %s', async (hook) => {
  await expect(`${loads(hook).join('\n')}\n`).toMatchFileSnapshot(`recorded/context-${hook}.txt`);
});
