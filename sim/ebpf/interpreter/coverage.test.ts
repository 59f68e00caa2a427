import { describe, expect, it } from 'vitest';
import { PacketBatch } from '../../packet/packet-batch.ts';
import { reachOf } from '../analysis/reach.ts';
import { testObject } from '../test-support/assemble.ts';
import { compileAndRun, interpret } from '../test-support/run-both.ts';
import { runAgain, runText } from '../test-support/run-text.ts';
import { coverageOf } from './coverage.ts';
import type { Interpreter } from './interpreter.ts';

function coverage({ machine, programs: [program] }: Interpreter): ReturnType<typeof coverageOf> {
  return coverageOf(program!, reachOf(machine, program!.source, 'xdp'));
}

it('counts instructions and both ways of a branch', () => {
  const text = 'r2 = *(u32 *)(r1 + 12)\nr0 = 1\nif r2 == 1 goto one\nr0 = 2\none:\nexit';
  const { interpreter } = runText(text);
  runAgain(interpreter);
  const [main] = coverage(interpreter);
  expect([...main!.instructions]).toEqual([2, 2, 2, 0, 2]);
  expect(main!.branches).toEqual([expect.objectContaining({ instruction: 2, taken: 2, notTaken: 0 })]);
});

it('counts loops by their rounds', () => {
  const { interpreter } = runText('r0 = 0\nagain:\nr0 += 1\nif r0 != 5 goto again\nexit');
  const [main] = coverage(interpreter);
  expect([...main!.instructions]).toEqual([1, 5, 5, 1]);
  expect(main!.branches).toEqual([expect.objectContaining({ instruction: 2, taken: 4, notTaken: 1 })]);
});

describe('a jump that the budget does not allow is not taken', () => {
  // The first branch of the loop always goes one way: it must not seem to have gone the other.
  const head = 'r0 = 0\nagain:\nif r0 == 0 goto on\nr0 = 7\non:\n';
  const tails = { unconditional: 'goto again\nexit', conditional: 'if r0 == 0 goto again\nexit' };
  for (const [name, tail] of Object.entries(tails)) {
    it(`${name}, in the interpreter and in WebAssembly`, () => {
      const object = testObject({ main: head + tail });
      const batch = new PacketBatch(1);
      batch.push({ packet: new Uint8Array(14) });
      const judged = interpret(object, batch, { budget: 8 });
      expect(judged.outcomes).toMatchObject([{ stoppedAt: 3 }]);
      const [main] = judged.coverage;
      expect([...main!.instructions]).toEqual([1, 3, 0, 3, 0]);
      expect(main!.branches.map(({ taken, notTaken }) => [taken, notTaken])).toEqual(
        name === 'conditional'
          ? [
              [3, 0],
              [2, 0],
            ]
          : [[3, 0]],
      );
      expect(compileAndRun(object, batch, { budget: 8 }).coverage).toEqual(judged.coverage);
    });
  }
});

it('counts 16-byte instructions at their first slot', () => {
  const { interpreter } = runText('r0 = 0x100000000 ll\nexit');
  const [main] = coverage(interpreter);
  expect([...main!.instructions]).toEqual([1, Number.NaN, 1]);
});

it('tells functions apart', () => {
  const { interpreter } = runText('call f\ncall f\nexit\nf:\nr0 = 1\nexit');
  const [main, f] = coverage(interpreter);
  expect([...main!.instructions]).toEqual([1, 1, 1]);
  expect([...f!.instructions]).toEqual([2, 2]);
});

it('counts what ran before a violation, in the callers too, and nothing behind it', () => {
  const { interpreter, violation } = runText(
    'r0 = 0\ncall f\nr0 = 1\nexit\nf:\nr1 = 0\nr0 = *(u8 *)(r1 + 0)\nr0 = 2\nexit',
  );
  expect(violation).toBeDefined();
  const [main, f] = coverage(interpreter);
  expect([...main!.instructions]).toEqual([1, 1, 0, 0]);
  expect([...f!.instructions]).toEqual([1, 1, 0, 0]);
});

it('counts the callbacks of bpf_loop', () => {
  const { interpreter } = runText('r1 = 4\nr2 = f\nr3 = 0\nr4 = 0\ncall bpf_loop\nexit\nf:\nr0 = 0\nexit');
  expect([...coverage(interpreter)[1]!.instructions]).toEqual([4, 4]);
});

it('names the line of C of each instruction that has one, from the start of its function', () => {
  const { interpreter } = runText('call f\nexit\nf:\nr0 = 1\nexit');
  const lineInfo = [
    { instruction: 1, file: 'a.c', line: 7, column: 1, text: '' },
    { instruction: 2, file: 'b.h', line: 9, column: 1, text: '' },
  ];
  Object.assign(interpreter.programs[0]!.source, { lineInfo });
  expect(coverage(interpreter).map((one) => one.lines)).toEqual([
    [{ instruction: 1, file: 'a.c', line: 7 }],
    [
      { instruction: 0, file: 'b.h', line: 9 },
      { instruction: 1, file: 'b.h', line: 9 },
    ],
  ]);
});
