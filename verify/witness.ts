/**
 * The interpreter as a witness: two engines disagree, and a third says what it sees. It names what the kernel's verifier
 * would object to, with the instruction and the C line, which neither of the two may have been able to tell.
 */
import type { Case } from '../corpus/cases/case.ts';
import type { Engine } from '../sim/engines/engine.ts';
import type { OutcomeBatch } from '../sim/engines/outcome-batch.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import type { Program } from '../sim/runtime/program.ts';
import { EngineSide } from './engine-side.ts';
import { type Outcome, outcomeAt } from './outcome.ts';

/**
 * What an engine makes of one packet of a case.
 * @param packet index of the stimulus
 * @returns undefined where the engine cannot run the case: a witness that does not come changes nothing
 */
export function testify(
  engine: Engine,
  program: Program,
  { stimuli, world }: Case,
  packet: number,
): Promise<Outcome | undefined> {
  return asked(engine, program, { stimuli, world }, (output) => outcomeAt(output, packet));
}

/** @returns undefined where the engine cannot run the case */
async function asked<T>(
  engine: Engine,
  program: Program,
  { stimuli, world }: Pick<Case, 'stimuli' | 'world'>,
  what: (output: OutcomeBatch) => T,
): Promise<T | undefined> {
  if (!engine.availability(program).available) return undefined;
  const input = new PacketBatch(stimuli.length);
  for (const stimulus of stimuli) input.push(stimulus);
  const side = new EngineSide(engine, program, stimuli.length);
  try {
    if (!side.takes(input) || !(await side.run(world, input))) return undefined;
    return what(side.output);
  } finally {
    await side.close();
  }
}
