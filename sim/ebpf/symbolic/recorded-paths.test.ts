/**
 * Paths of objects' programs as the symbolic reader follows them along one frame each: conditions in the order in which they
 * are met, what is known after them, how the path ends, and inputs that repair finds for the other way. Recorded as
 * fingerprints, with how paths end as text. That terms are worth what the machine computes, `concrete.test.ts` shows.
 */
import { describe, expect, it } from 'vitest';
import { fingerprint } from '../../../verify/test-support/recorded.ts';
import { RIGHT_PACKETS } from '../../../verify/test-support/right-packets.ts';
import { helperStimuli } from '../../engines/test-support/recordings.ts';
import type { BpfObject } from '../bpf-object.ts';
import { OLDEST_KERNEL } from '../kernel-versions.ts';
import { Machine, type MachineOptions } from '../machine.ts';
import { everyObject, textOf } from '../test-support/every-object.ts';
import { blockByte } from './access.ts';
import { Evaluator } from './evaluate.ts';
import { Impossible } from './impossible.ts';
import { Inputs } from './inputs.ts';
import { Enumerate, NotFollowed, type PathState, PathViolation, Split } from './path-state.ts';
import { connected, repair } from './repair.ts';
import { shapeOf } from './shape.ts';
import { step } from './step.ts';
import { type Term, termText } from './term.ts';
import { TermPool } from './term-pool.ts';

const FRAMES: readonly Uint8Array[] = [
  ...Object.values(RIGHT_PACKETS).filter((packet, index) => packet.length <= 128 && index % 30 === 0),
  // Programs on helpers choose by bytes of the frame what they call.
  ...helperStimuli(1, 60)
    .flatMap(({ packet }) => (packet!.length <= 128 ? [packet!] : []))
    .slice(0, 8),
];
/** So many of them as the oldest kernel. */
const FRAMES_AS_OLD = 3;
const MOST_STEPS = 500;
/** Conditions of a path for which the other way is looked for. */
const REPAIRED = 5;

const short = (term: Term): string => termText(term).slice(0, 600);

function follow(inputs: Inputs, state: PathState, values: Map<Term, bigint>, lines: string[]): string {
  const { pool } = state;
  const evaluator = new Evaluator(values);
  let conditions = 0;
  const add = (condition: Term): void => {
    // It becomes another one where the path comes to know what lies where.
    const { knowledge } = state;
    const { min, max } = knowledge.range(condition);
    lines.push(`${state.slot}: ${short(condition)} [${min}, ${max}]`);
    if (conditions++ < REPAIRED) {
      const other = pool.not(condition);
      const found = repair(connected(knowledge.constraints, other), other, values);
      const changes = [...(found ?? [])].filter(([unknown, value]) => values.get(unknown) !== value);
      lines.push(`  repaired ${changes.map(([unknown, value]) => `${termText(unknown)}=${value}`).join()}`);
    }
    knowledge.add(condition, state.origin);
  };
  for (let steps = 0; steps < MOST_STEPS && state.end === undefined; steps++) {
    try {
      step(inputs, state);
    } catch (error) {
      if (error instanceof Split) {
        const { condition } = error;
        add(evaluator.isTrue(condition) ? condition : pool.not(condition));
      } else if (error instanceof Enumerate) {
        const { term } = error;
        add(pool.equal(term, pool.constant(term.width, evaluator.value(term))));
      } else if (error instanceof Impossible) return 'impossible';
      else if (error instanceof NotFollowed || error instanceof PathViolation) return error.message;
      else throw error;
    }
  }
  lines.push(shapeOf(state.knowledge.constraints.map(({ condition }) => condition)).key.slice(0, 4000));
  for (const { map, key, isThere, block } of state.entries)
    lines.push(
      `entry of ${map}: ${key.map(short).join(' ')} there ${short(isThere)}, ` +
        `first byte ${short(blockByte(inputs, state, block, 0))}`,
    );
  const { end } = state;
  if (end?.kind === 'exit') {
    lines.push(`action ${short(end.action)}`);
    return `exits with ${evaluator.value(end.action)}`;
  }
  return end === undefined ? 'goes on' : textOf(end).slice(0, 200);
}

/** @param frames how many of them at most */
function pathsOf(
  object: BpfObject,
  lines: string[],
  frames: number = FRAMES.length,
  options: MachineOptions = {},
): string[] {
  const ends: string[] = [];
  for (const [index, program] of object.programs.entries()) {
    const { function: name, hook } = program;
    if (hook === undefined) continue;
    const counts = new Map<string, number>();
    // Every byte of frames this long is a term.
    for (const frame of FRAMES.slice(0, program.frags ? 2 : frames)) {
      const pool = new TermPool();
      const inputs = new Inputs(pool, new Machine(object, {}, options), hook, program);
      const values = new Map<Term, bigint>([
        [inputs.length, BigInt(frame.length)],
        [inputs.ingressIfindex, 1n],
      ]);
      for (const [at, byte] of frame.entries()) values.set(inputs.frameByte(at), BigInt(byte));
      const end = follow(inputs, inputs.start(index), values, lines);
      counts.set(end, (counts.get(end) ?? 0) + 1);
    }
    ends.push(...[...counts].map(([end, count]) => `${name}: ${count} × ${end}`));
  }
  return ends;
}

describe('paths of objects', () => {
  it.each(everyObject())(
    '$name',
    async ({ name, object }) => {
      const lines: string[] = [];
      const ends = pathsOf(object, lines);
      const old: string[] = [];
      pathsOf(object, old, FRAMES_AS_OLD, { asKernel: OLDEST_KERNEL });
      const text = [
        ...ends,
        fingerprint(`${name} paths`, lines),
        `as ${OLDEST_KERNEL}: ${fingerprint(`${name} paths as old`, old)}`,
        '',
      ].join('\n');
      await expect(text).toMatchFileSnapshot(`recorded/${name}.txt`);
    },
    120_000,
  );
});
