/**
 * The symbolic reader in lockstep with the interpreter: the path of one packet of a random program, whose every question is
 * answered by what the packet's bytes are. After each instruction all numbers in registers are what the machine has there,
 * and lie within what terms and path know of them; and so are frame and maps at the end.
 */
import { describe, expect, it } from 'vitest';
import type { Hook } from '../../runtime/actions.ts';
import { Interpreter } from '../interpreter/interpreter.ts';
import type { State } from '../interpreter/state.ts';
import { Machine } from '../machine.ts';
import { STACK_LIMIT } from '../memory.ts';
import { testObject } from '../test-support/assemble.ts';
import {
  onPacketBytes,
  RANDOM_MAPS,
  RANDOM_PACKET_BYTES,
  randomProgram,
} from '../test-support/random-program.ts';
import { blockByte, packetByte } from './access.ts';
import { Evaluator } from './evaluate.ts';
import { Inputs } from './inputs.ts';
import { Enumerate, NotFollowed, type PathState, PathViolation, Split } from './path-state.ts';
import { step } from './step.ts';
import type { Term } from './term.ts';
import { TermPool } from './term-pool.ts';

const PROGRAMS = 60;
const LENGTHS = [RANDOM_PACKET_BYTES - 1, RANDOM_PACKET_BYTES, 127];
const MOST_STEPS = 3000;

/** What the interpreter has in its registers before an instruction. */
interface Row {
  readonly slot: number;
  readonly values: readonly bigint[];
  /** Is the register a number to the verifier? */
  readonly isNumber: readonly boolean[];
}

function recorded(interpreter: Interpreter): { readonly rows: Row[]; readonly action: number } {
  const rows: Row[] = [];
  interpreter.tracer = {
    before({ lo, hi, tag }: State, pc: number) {
      if (rows.length >= MOST_STEPS) return;
      const values: bigint[] = [];
      const isNumber: boolean[] = [];
      for (let register = 0; register < 10; register++) {
        values.push((BigInt(hi[register]! >>> 0) << 32n) | BigInt(lo[register]! >>> 0));
        isNumber.push(interpreter.provenance.isScalar(tag[register]!) && tag[register] !== 0);
      }
      rows.push({ slot: pc, values, isNumber });
    },
  };
  const { violation, action } = interpreter.run(0);
  expect(violation?.reason).toBeUndefined();
  return { rows, action };
}

/** One instruction, however often its question has to be answered first. @returns why the path is left; undefined: it goes on */
function stepWith(inputs: Inputs, state: PathState, evaluator: Evaluator): string | undefined {
  const { pool, knowledge } = state;
  for (;;) {
    try {
      step(inputs, state);
      return undefined;
    } catch (error) {
      if (error instanceof Split) {
        const { condition } = error;
        const holds = evaluator.isTrue(condition);
        knowledge.add(holds ? condition : pool.not(condition), state.origin);
      } else if (error instanceof Enumerate) {
        const { term } = error;
        knowledge.add(pool.equal(term, pool.constant(term.width, evaluator.value(term))), state.origin);
      } else if (error instanceof NotFollowed || error instanceof PathViolation) return error.message;
      else throw error;
    }
  }
}

/** What of a register differs from the machine's, or from what is known of it; undefined: nothing. */
function difference(state: PathState, term: Term, value: bigint, expected: bigint): string | undefined {
  if (value !== expected) return `is 0x${value.toString(16)}, not 0x${expected.toString(16)}`;
  if (value < term.min || value > term.max) return `lies outside of ${term.min} to ${term.max}`;
  const { min, max } = state.knowledge.range(term);
  if (value < min || value > max) return `lies outside of ${min} to ${max}, which the path knows`;
  if ((value & term.ones) !== term.ones || (value & ~term.maybe) !== 0n) return 'has other bits';
  return undefined;
}

/** @returns instructions compared */
function compare(seed: number, length: number, hook: Hook): number {
  const { text: random } = randomProgram(seed, { straight: seed % 3 === 2 });
  const text = seed % 3 === 0 ? random : onPacketBytes(random);
  const machine = new Machine(testObject({ main: hook === 'xdp' ? text : forSkb(text) }, RANDOM_MAPS), {});
  const packet = Uint8Array.from({ length }, (_, index) => (index * 37 + seed * 101 + length * 13) & 0xff);
  const interpreter = new Interpreter(machine);
  machine.begin(hook, packet, 0, length, 0, 1, 0);
  const { rows, action } = recorded(interpreter);

  const pool = new TermPool();
  const inputs = new Inputs(pool, machine, hook, machine.object.programs[0]!);
  const values = new Map<Term, bigint>([
    [inputs.length, BigInt(length)],
    [inputs.ingressIfindex, 1n],
  ]);
  for (const [at, byte] of packet.entries()) values.set(inputs.frameByte(at), BigInt(byte));
  const evaluator = new Evaluator(values);
  const state = inputs.start(0);
  for (const [index, row] of rows.entries()) {
    const where = `seed ${seed}, ${length} bytes, step ${index} at slot ${row.slot}`;
    if (state.slot !== row.slot) expect.fail(`the path is at slot ${state.slot}: ${where}`);
    for (let register = 0; register < 10; register++) {
      const held = state.registers[register];
      if (held === undefined || held.region !== undefined || !row.isNumber[register]) continue;
      const problem = difference(state, held.term, evaluator.value(held.term), row.values[register]!);
      if (problem !== undefined) expect.fail(`r${register} ${problem}: ${where}`);
    }
    const left = stepWith(inputs, state, evaluator);
    if (left !== undefined) expect.fail(`the path is left (${left}): ${where}`);
  }
  if (rows.length === MOST_STEPS) return rows.length;
  expect(state.end).toMatchObject({ kind: 'exit' });
  if (state.end?.kind === 'exit') expect(Number(evaluator.value(state.end.action))).toBe(action);
  const bounds = [state.packet.meta, state.packet.data, state.packet.end].map((one) =>
    Number(evaluator.value(one)),
  );
  expect(bounds).toEqual([machine.packet.dataMeta, machine.packet.data, machine.packet.dataEnd]);
  const seen: number[] = [];
  for (let at = bounds[0]!; at < bounds[2]!; at++)
    seen.push(Number(evaluator.value(packetByte(inputs, state, at))));
  expect(seen, `frame of seed ${seed}`).toEqual([...machine.memory.read(bounds[0]!, seen.length)]);
  for (const { map, key, isThere, block } of state.entries) {
    const live = machine.maps[map]!;
    machine.memory.u8.set(
      key.map((one) => Number(evaluator.value(one))),
      STACK_LIMIT - 64,
    );
    const address = live.lookup(STACK_LIMIT - 64);
    expect(evaluator.isTrue(isThere), `entry of ${live.name}, seed ${seed}`).toBe(address !== 0);
    if (address === 0) continue;
    const bytes = Array.from({ length: live.valueSize }, (_, at) =>
      Number(evaluator.value(blockByte(inputs, state, block, at))),
    );
    expect(bytes, `value of ${live.name}, seed ${seed}`).toEqual([
      ...machine.memory.read(address, live.valueSize),
    ]);
  }
  return rows.length;
}

/** The same program on `struct __sk_buff`. */
function forSkb(text: string): string {
  return text
    .replaceAll('*(u32 *)(r6 + 0)', '*(u32 *)(r6 + 76)')
    .replaceAll('*(u32 *)(r6 + 4)', '*(u32 *)(r6 + 80)');
}

describe('paths of random programs', () => {
  it(`hold what the machine has in its registers, instruction by instruction (${PROGRAMS} programs)`, () => {
    let steps = 0;
    for (let seed = 0; seed < PROGRAMS; seed++) {
      for (const length of LENGTHS) steps += compare(seed, length, 'xdp');
    }
    expect(steps).toBeGreaterThan(PROGRAMS * 200);
  });

  it('on an sk_buff likewise', () => {
    let steps = 0;
    for (let seed = PROGRAMS; seed < 2 * PROGRAMS; seed += 6) steps += compare(seed, 127, 'tc-ingress');
    expect(steps).toBeGreaterThan(1000);
  });
});
