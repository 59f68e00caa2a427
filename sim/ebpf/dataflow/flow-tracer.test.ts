/**
 * What following a run says of its values, against runs with other packets: where these take the same way, the same
 * expressions must give what the machine computes then, in conditions as in the frame that leaves.
 */
import { describe, expect, it } from 'vitest';
import { Interpreter } from '../interpreter/interpreter.ts';
import type { State } from '../interpreter/state.ts';
import { Machine } from '../machine.ts';
import { testObject } from '../test-support/assemble.ts';
import { onPacketBytes, RANDOM_MAPS, randomProgram } from '../test-support/random-program.ts';
import { type Assignment, evaluate, fieldsOf, type Operand, tracedValue } from './expression.ts';
import { FlowMemory } from './flow-memory.ts';
import { FlowTracer } from './flow-tracer.ts';
import type { InputField } from './inputs.ts';

const PROGRAMS = 45;
const LENGTH = 120;
/** Words of the frame that are changed, one at a time. */
const CHANGES = 7;
/** Words of the frame in which random programs leave their registers. */
const RESULTS = 11;

interface Followed {
  /** The instructions that ran, and the addresses that they had in registers. */
  readonly way: readonly number[];
  /** Operands of conditions, then words of the frame as it leaves. */
  readonly operands: readonly Operand[];
}

function follow(text: string, packet: Uint8Array): Followed {
  const machine = new Machine(testObject({ main: text }, RANDOM_MAPS), {});
  const interpreter = new Interpreter(machine);
  const tracer = new FlowTracer(new FlowMemory(machine), () => {});
  const way: number[] = [];
  interpreter.tracer = {
    before(state: State, pc: number) {
      way.push(pc);
      // Expressions take addresses for what they were.
      for (let register = 0; register < 10; register++)
        if (state.tag[register]! > 0) way.push(state.lo[register]!);
      tracer.before(state, pc);
    },
  };
  machine.begin('xdp', packet, 0, packet.length, 0, 1, 0);
  tracer.enterPacket(0);
  const { violation } = interpreter.run(0);
  expect(violation?.reason).toBeUndefined();
  const operands = tracer.branches.flatMap(({ a, b }) => [a, b]);
  const { data } = machine.packet;
  for (let word = 0; word < RESULTS; word++) {
    const operand = tracer.memory.load(data + 8 * word, 8);
    expect(tracedValue(operand), `word ${word}`).toBe(machine.memory.u64(data + 8 * word));
    operands.push(operand);
  }
  return { way, operands };
}

/** What the inputs of an operand are in another packet. */
function inputsIn(packet: Uint8Array, operand: Operand): Assignment {
  const values = new Map<InputField, bigint>();
  for (const field of fieldsOf(operand))
    if (field.kind === 'packet') values.set(field, BigInt(packet[field.offset]!));
  return values;
}

const isSame = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((slot, index) => slot === b[index]);

describe('expressions of random programs', () => {
  it('give what other packets lead to, where these take the same way', () => {
    let compared = 0;
    let moved = 0;
    const wrong: string[] = [];
    for (let seed = 0; seed < PROGRAMS; seed++) {
      // No expression says what signed division gives.
      const text = onPacketBytes(randomProgram(seed, { straight: seed % 3 > 0 }).text)
        .replaceAll('s/=', '+=')
        .replaceAll('s%=', '^=');
      const packet = Uint8Array.from({ length: LENGTH }, (_, index) => (index * 37 + seed * 101) & 0xff);
      const first = follow(text, packet);
      // Evaluated with its own inputs, everything is what it was.
      for (const operand of first.operands) {
        expect(evaluate(operand, new Map())).toBe(tracedValue(operand));
        expect(evaluate(operand, inputsIn(packet, operand))).toBe(tracedValue(operand));
      }
      for (let change = 0; change < CHANGES; change++) {
        const other = packet.slice();
        for (let at = 8 * change; at < 8 * change + 8; at++) other[at]! ^= 1 << ((at + seed) % 8);
        const second = follow(text, other);
        if (!isSame(first.way, second.way)) continue;
        expect(second.operands).toHaveLength(first.operands.length);
        for (const [index, operand] of first.operands.entries()) {
          const predicted = evaluate(operand, inputsIn(other, operand));
          const actual = tracedValue(second.operands[index]!);
          compared++;
          if (actual !== tracedValue(operand)) moved++;
          if (predicted !== actual) wrong.push(`seed ${seed}, change ${change}, operand ${index}`);
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(compared).toBeGreaterThan(50 * PROGRAMS);
    expect(moved).toBeGreaterThan(4 * PROGRAMS);
  });
});
