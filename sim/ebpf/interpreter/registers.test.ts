/** All interpreters have the same registers: each must find its own constants and regions again. */
import { expect, it } from 'vitest';
import { Machine } from '../machine.ts';
import { testMap, testObject } from '../test-support/assemble.ts';
import { COUNTING_PACKET, runAgain } from '../test-support/run-text.ts';
import { Interpreter } from './interpreter.ts';

/** Adds a number to the value of a map in a round of its own, and leaves the sum in r0. */
function counting(step: number, maps: number): Interpreter {
  const names = Array.from({ length: maps }, (_, index) => `map${index}`);
  const last = names.at(-1)!;
  const text = `
    *(u32 *)(r10 - 4) = 0
    r2 = r10
    r2 += -4
    r1 = map[${last}]
    call bpf_map_lookup_elem
    if r0 == 0 goto out
    r3 = ${step} ll
    r1 = *(u64 *)(r0 + 0)
    r1 += r3
    *(u64 *)(r0 + 0) = r1
    r4 = map[${last}]+8
    r5 = *(u64 *)(r4 + 0)
    r1 += r5
    r0 = r1
out:
    exit`;
  const shape = { keySize: 4, valueSize: 16, maxEntries: 1 };
  const machine = new Machine(
    testObject(
      { main: text },
      names.map((name) => testMap(name, 'ARRAY', shape)),
    ),
    {},
  );
  return new Interpreter(machine);
}

it('find their constants, maps and values again, whoever ran between', () => {
  const runners = [1, 2, 3].map((step) => ({ step, interpreter: counting(1000 * step, step), sum: 0n }));
  for (const turn of [0, 1, 2, 0, 0, 2, 1, 0, 1, 2, 2]) {
    const runner = runners[turn]!;
    const { r0, violation } = runAgain(runner.interpreter);
    expect(violation).toBeUndefined();
    runner.sum += BigInt(1000 * runner.step);
    expect(r0, `turn of ${turn}`).toBe(runner.sum);
  }
});

it('know nothing of numbers that another one found out about', () => {
  // A byte that is compared with 5 is known from there on; the other program's is not compared.
  const lines = (compare: string): string => `
    r7 = *(u32 *)(r1 + 0)\nr8 = *(u32 *)(r1 + 4)\nr9 = r7\nr9 += 16\nif r9 > r8 goto out
    r2 = *(u8 *)(r7 + 5)\n${compare}
    r1 = map[ring]\nr3 = 0\ncall bpf_ringbuf_reserve\nif r0 == 0 goto out\nr1 = r0\nr2 = 0
    call bpf_ringbuf_discard\nout:\nr0 = 2\nexit`;
  const open = (compare: string): Interpreter =>
    new Interpreter(new Machine(testObject({ main: lines(compare) }, [testMap('ring', 'RINGBUF')]), {}));
  const knows = open('if r2 != 5 goto out');
  const guesses = open('r4 = 0');
  for (let round = 0; round < 3; round++) {
    expect(runAgain(knows, { packet: COUNTING_PACKET }).violation).toBeUndefined();
    expect(runAgain(guesses, { packet: COUNTING_PACKET }).violation?.reason).toBe(
      'R2 is not a known constant',
    );
  }
});

it('are refused to one that would run, or be made, while another one runs', () => {
  const [outer, inner] = [counting(1, 1), counting(2, 1)];
  const refused = 'no interpreter can be made, or run, while another one runs';
  outer.tracer = { before: () => runAgain(inner) };
  expect(() => runAgain(outer)).toThrow(refused);
  outer.tracer = { before: () => counting(3, 1) };
  expect(() => runAgain(outer)).toThrow(refused);
  outer.tracer = undefined;
  expect(runAgain(outer).violation).toBeUndefined();
  expect(runAgain(inner).r0).toBe(2n);
});
