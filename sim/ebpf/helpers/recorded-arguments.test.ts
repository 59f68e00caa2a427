/**
 * Every helper that takes numbers, maps and plain memory, with arguments at the boundaries of what helpers look at, on frames of a few
 * kinds: what it returns, what it makes of frame, memory and maps, and why it is stopped. Both machines do the same; what they do
 * is recorded. That it is what Linux does, `kernel-tests/helpers/` shows for arguments that programs have.
 */
import { describe, expect, it } from 'vitest';
import { fingerprint } from '../../../verify/test-support/recorded.ts';
import { PacketBatch } from '../../packet/packet-batch.ts';
import type { Hook } from '../../runtime/actions.ts';
import type { MapType } from '../../runtime/maps.ts';
import { callOf, framesFor, isCallable, typesFor, worldOfCall } from '../test-support/helper-calls.ts';
import { comparable, compileAndRun, interpret, type MachineOutcome } from '../test-support/run-both.ts';
import type { Helper } from './helper.ts';
import { HELPERS } from './index.ts';

const outcomeText = ({
  action,
  bytes,
  metaLength,
  redirect,
  lines,
  stoppedAt,
  reason,
}: MachineOutcome): string =>
  stoppedAt === undefined
    ? `${action} ${redirect} ${metaLength} ${lines} ${bytes}`
    : `${stoppedAt} ${reason}`;

/** One line for a helper, and what is behind its fingerprint. */
function tried(helper: Helper, hook: Hook, type: MapType | undefined): string {
  const about = `${helper.name} at ${hook}${type === undefined ? '' : ` on ${type}`}`;
  try {
    const object = callOf(helper, hook, type);
    if (object === undefined) return `${about}: takes what a program gets elsewhere`;
    const frames = framesFor(helper);
    const batch = new PacketBatch(frames.length);
    for (const packet of frames) batch.push({ packet });
    const details = { hook, world: worldOfCall(type) };
    const run = interpret(object, batch, details);
    expect(comparable(compileAndRun(object, batch, details)), about).toEqual(comparable(run));
    const lines = run.outcomes.map(outcomeText);
    const stopped = run.outcomes.filter(({ stoppedAt }) => stoppedAt !== undefined);
    const reasons = new Set(stopped.map(({ reason }) => reason?.replaceAll(/-?\d+/g, 'N')));
    const results = new Set(run.outcomes.flatMap((one) => one.lines).map((line) => line.split(' ')[0]));
    return (
      `${about}: ${lines.length - stopped.length} ran, ${results.size} results, ` +
      `${stopped.length} stopped for ${reasons.size} reasons; ${fingerprint(about, [...lines, JSON.stringify(run.maps, plain)])}`
    );
  } catch (error) {
    return `${about}: ${(error as Error).message.split('\n')[0]}`;
  }
}

const plain = (_key: string, value: unknown): unknown =>
  ArrayBuffer.isView(value)
    ? [...(value as Uint8Array)].join(' ')
    : typeof value === 'bigint'
      ? `${value}`
      : value;

describe.each(['xdp', 'tc-ingress'] as const)('helpers at %s', (hook) => {
  it('do what is recorded', async () => {
    const lines: string[] = [];
    for (const helper of HELPERS.values())
      if (isCallable(helper, hook))
        for (const type of typesFor(helper)) lines.push(tried(helper, hook, type));
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(`recorded/arguments-${hook}.txt`);
  });
});
