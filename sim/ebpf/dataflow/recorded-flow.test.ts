/**
 * What following runs says of objects' programs: the conditions that frames meet, what calls ask for, what maps are changed to,
 * and the values that would lead the other way. Recorded as fingerprints; `XDPSIM_RECORDED=DIRECTORY` writes the lines.
 */
import { describe, expect, it } from 'vitest';
import { fingerprint } from '../../../verify/test-support/recorded.ts';
import { RIGHT_PACKETS } from '../../../verify/test-support/right-packets.ts';
import { helperStimuli } from '../../engines/test-support/recordings.ts';
import type { BpfObject } from '../bpf-object.ts';
import { Interpreter } from '../interpreter/interpreter.ts';
import { Machine } from '../machine.ts';
import { everyObject, textOf } from '../test-support/every-object.ts';
import { evaluate, fieldsOf, possibleBits, widthOf } from './expression.ts';
import { FlowMemory } from './flow-memory.ts';
import type { FlowBranch } from './flow-trace.ts';
import { FlowTracer } from './flow-tracer.ts';
import { solveBranch } from './solve.ts';

/** Frames of each program: not all take long, and many go the same way. */
const FRAMES: readonly Uint8Array[] = [
  ...Object.values(RIGHT_PACKETS).filter((packet, index) => packet.length <= 400 && index % 15 === 0),
  // Programs on helpers choose by bytes of the frame what they call.
  ...helperStimuli(1, 60)
    .flatMap(({ packet }) => (packet!.length <= 128 ? [packet!] : []))
    .slice(0, 12),
];
/** Branches of a run that are solved. */
const SOLVED = 6;

function branchLines(branch: FlowBranch, earlier: readonly FlowBranch[], isSolved: boolean): string[] {
  const { slot, taken, comparison, bits, a, b } = branch;
  const shapes = [a, b].map((operand) => `${widthOf(operand)} ${possibleBits(operand).toString(16)}`);
  const lines = [
    `${slot} ${taken} ${comparison}${bits} ${shapes.join(' ')} ${textOf([a, b]).slice(0, 2000)}`,
  ];
  if (!isSolved) return lines;
  const solutions = solveBranch(branch, earlier, () => true);
  for (const solution of solutions)
    lines.push(
      `  ${[...solution].map(([field, value]) => `${textOf(field)}=${value}`).join()}` +
        ` gives ${evaluate(a, solution)} and ${evaluate(b, solution)}`,
    );
  lines.push(`  fields ${[a, b].map((operand) => [...fieldsOf(operand)].map(textOf).join(' ')).join(' | ')}`);
  return lines;
}

function flowsOf(object: BpfObject): string[] {
  const lines: string[] = [];
  for (const [index, { function: name, hook }] of object.programs.entries()) {
    if (hook === undefined) continue;
    const machine = new Machine(object, {});
    const interpreter = new Interpreter(machine, undefined, 20_000);
    const tracer = new FlowTracer(new FlowMemory(machine), (_, slot, taken) =>
      lines.push(`edge ${slot} ${taken}`),
    );
    interpreter.tracer = tracer;
    for (const [number, frame] of FRAMES.entries()) {
      machine.begin(hook, frame, 0, frame.length, 0, 1, 0);
      tracer.enterPacket(number);
      const { action, violation } = interpreter.run(index);
      lines.push(`${name}, frame ${number}: ${action} ${violation?.reason ?? ''}`);
    }
    const { branches, calls, effects } = tracer;
    for (const [at, branch] of branches.entries())
      lines.push(...branchLines(branch, branches.slice(Math.max(0, at - 5), at), at % 40 < SOLVED));
    // What a call returned is in the expressions that depend on it; flags are the program's.
    for (const { result: _, flags: __, ...call } of calls) lines.push(`call ${textOf(call).slice(0, 2000)}`);
    for (const effect of effects) lines.push(`effect ${textOf(effect)}`);
  }
  return lines;
}

describe('flows of objects', () => {
  it.each(everyObject())(
    '$name',
    async ({ name, object }) => {
      await expect(`${fingerprint(`${name} flow`, flowsOf(object))}\n`).toMatchFileSnapshot(
        `recorded/${name}.txt`,
      );
    },
    120_000,
  );
});
