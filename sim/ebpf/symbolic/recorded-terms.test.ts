/**
 * Which form random terms get, and what is known of their bits and bounds; what a path knows once it has met some of them as
 * conditions; and which values repair finds. That all of it is right, other tests show: how much is found out without a
 * solver is recorded here, since a form that is longer, or a bound that is wider, is right, too.
 */
import { expect, it } from 'vitest';
import { fingerprint } from '../../../verify/test-support/recorded.ts';
import { randomNumbers, TwinMaker, WIDTHS } from '../test-support/random-terms.ts';
import { candidates } from './candidates.ts';
import { Evaluator } from './evaluate.ts';
import { Knowledge } from './knowledge.ts';
import { connected, repair } from './repair.ts';
import { shapeOf } from './shape.ts';
import { type Term, termText } from './term.ts';

const TERMS = 3000;
const PATHS = 300;
const MOST_TEXT = 1500;

function assignmentOf(maker: TwinMaker): Map<Term, bigint> {
  return new Map(maker.unknowns.map((one) => [one, maker.constant(one.width).value(() => 0n)]));
}

const textOf = (term: Term): string => termText(term).slice(0, MOST_TEXT);

it('forms, bits and bounds of terms', async () => {
  const random = randomNumbers(11);
  const maker = new TwinMaker(random);
  const lines: string[] = [];
  for (let round = 0; round < TERMS; round++) {
    const { term } = maker.make(WIDTHS[random(WIDTHS.length)]!, 1 + random(3));
    const { ones, maybe, min, max } = term;
    lines.push(`${textOf(term)} ${ones.toString(16)} ${maybe.toString(16)} ${min} ${max}`);
    // The same operation on the same operands is the same term.
    expect(maker.pool.rebuild(term, term.operands), textOf(term)).toBe(term);
  }
  lines.push(`${maker.pool.size} terms`);
  await expect(`${fingerprint('forms of terms', lines)}\n`).toMatchFileSnapshot('recorded/term-forms.txt');
});

it('what a path knows of terms, and the values that repair finds', async () => {
  const random = randomNumbers(12);
  const lines: string[] = [];
  for (let path = 0; path < PATHS; path++) {
    const maker = new TwinMaker(random);
    const { pool } = maker;
    const values = assignmentOf(maker);
    const evaluator = new Evaluator(values);
    const knowledge = new Knowledge(pool);
    for (let round = 0; round < 6; round++) {
      const { term } = maker.make(1, 2);
      const condition = evaluator.isTrue(term) ? term : pool.not(term);
      const other = pool.not(condition);
      const near = connected(knowledge.constraints, other);
      const found = repair(near, other, values);
      if (found !== undefined) {
        const after = new Evaluator(found);
        expect([other, ...near.map((one) => one.condition)].every((one) => after.isTrue(one))).toBe(true);
      }
      const changes = [...(found ?? [])].filter(([unknown, value]) => values.get(unknown) !== value);
      lines.push(
        `${near.length} near, ${changes.map(([unknown, value]) => `${unknown.name}=${value}`).join()}`,
        textOf(knowledge.settle(condition)),
      );
      knowledge.add(condition, undefined);
    }
    for (const one of [...maker.unknowns, ...[8, 16, 64].map((width) => maker.make(width, 2).term)]) {
      const { min, max } = knowledge.range(one);
      const value = evaluator.value(one);
      expect(min <= value && value <= max, textOf(one)).toBe(true);
      const left = candidates(one, min, max);
      expect(left?.includes(value) ?? true, textOf(one)).toBe(true);
      lines.push(`${textOf(one)} from ${min} to ${max}, ${left?.length} left`);
    }
    lines.push(shapeOf(knowledge.constraints.map(({ condition }) => condition)).key.slice(0, MOST_TEXT));
  }
  const text = `${fingerprint('what paths know of terms', lines)}\n`;
  await expect(text).toMatchFileSnapshot('recorded/term-knowledge.txt');
});
