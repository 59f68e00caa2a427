/** Where loads, atomic operations and local functions take their values from, against runs with other frames. */
import { describe, expect, it } from 'vitest';
import type { Hook } from '../../runtime/actions.ts';
import { Interpreter } from '../interpreter/interpreter.ts';
import { Machine } from '../machine.ts';
import { testMap, testObject } from '../test-support/assemble.ts';
import { evaluate, fieldsOf, type Operand, tracedValue } from './expression.ts';
import { FlowMemory } from './flow-memory.ts';
import { FlowTracer } from './flow-tracer.ts';
import { bitsOf, type InputField } from './inputs.ts';

interface Frame {
  readonly bytes: Uint8Array;
  readonly ifindex: number;
  readonly queue: number;
}

const FRAMES: readonly Frame[] = [
  [60, 7, 3],
  [60, 11, 40],
  [64, 7, 3],
].map(([length, ifindex, queue], frame) => ({
  bytes: Uint8Array.from({ length: length! }, (_, at) => (at * 37 + frame * 91 + 129) & 0xff),
  ifindex: ifindex!,
  queue: queue!,
}));

const MAPS = [testMap('held', 'ARRAY', { valueSize: 16 })];

/** Both sides of all conditions that a frame meets. */
function operandsOf(text: string, hook: Hook, { bytes, ifindex, queue }: Frame): Operand[] {
  const machine = new Machine(testObject({ main: text }, MAPS), {});
  const interpreter = new Interpreter(machine);
  const tracer = new FlowTracer(new FlowMemory(machine), () => {});
  interpreter.tracer = tracer;
  machine.begin(hook, bytes, 0, bytes.length, 0, ifindex, queue);
  tracer.enterPacket(0);
  expect(interpreter.run(0).violation?.reason).toBeUndefined();
  return tracer.branches.flatMap(({ a, b }) => [a, b]);
}

function inputOf({ bytes, ifindex, queue }: Frame, field: InputField): bigint {
  if (field.kind === 'packet') return BigInt(bytes[field.offset]!);
  if (field.kind === 'length') return BigInt(bytes.length);
  if (field.kind === 'context' && field.name === 'ingressIfindex') return BigInt(ifindex);
  if (field.kind === 'context' && field.name === 'rxQueueIndex') return BigInt(queue);
  return 0n;
}

/** Compares r0 with a number that it is not, so that every frame goes the same way. */
const SEEN = 'if r0 == 0x7abcdef1 goto out';
const XDP = `r6 = *(u32 *)(r1 + 0)\nr7 = *(u32 *)(r1 + 4)\nr8 = r6\nr8 += 48\nif r8 > r7 goto out`;
const END = 'out:\nr0 = 0\nexit';

describe('what a condition depends on', () => {
  it.each<[what: string, hook: Hook, text: string, fields: number]>([
    ['a byte at a place of the frame', 'tc-ingress', `r6 = r1\nr0 = *skb(u8)(21)\n${SEEN}`, 1],
    ['two bytes in network order', 'tc-ingress', `r6 = r1\nr0 = *skb(u16)(21)\n${SEEN}`, 2],
    ['four bytes in network order', 'tc-ingress', `r6 = r1\nr0 = *skb(u32)(21)\n${SEEN}`, 4],
    [
      'bytes behind a number in a register',
      'tc-ingress',
      `r6 = r1\nr2 = 5\nr0 = *skb(u32)(r2 + 16)\n${SEEN}`,
      4,
    ],
    ['a signed load', 'xdp', `${XDP}\nr0 = *(s16 *)(r6 + 12)\n${SEEN}`, 2],
    [
      'a load from the stack, half of it stored',
      'xdp',
      `${XDP}\n*(u64 *)(r10 - 8) = -2
      r0 = *(u32 *)(r6 + 8)\n*(u32 *)(r10 - 4) = r0\nr0 = *(u64 *)(r10 - 8)\n${SEEN}`,
      4,
    ],
    [
      'what an addition has fetched',
      'xdp',
      `${XDP}\nr2 = *(u64 *)(r6 + 8)\n*(u64 *)(r10 - 8) = r2
      r3 = *(u32 *)(r6 + 16)\nr0 = r3\nr0 = fetch_add *(u64 *)(r10 - 8)\n${SEEN}`,
      8,
    ],
    [
      'what it has left',
      'xdp',
      `${XDP}\nr2 = *(u64 *)(r6 + 8)\n*(u64 *)(r10 - 8) = r2
      r3 = *(u32 *)(r6 + 16)\nlock *(u64 *)(r10 - 8) += r3\nr0 = *(u64 *)(r10 - 8)\n${SEEN}`,
      12,
    ],
    [
      'and, or, exclusive or in 32 bits',
      'xdp',
      `${XDP}\nr2 = *(u64 *)(r6 + 8)\n*(u64 *)(r10 - 8) = r2
      r3 = *(u32 *)(r6 + 16)\nlock *(u32 *)(r10 - 8) &= r3\nr4 = *(u8 *)(r6 + 20)\nlock *(u32 *)(r10 - 8) |= r4
      r5 = *(u16 *)(r6 + 22)\nlock *(u32 *)(r10 - 8) ^= r5\nr0 = *(u64 *)(r10 - 8)\n${SEEN}`,
      15,
    ],
    [
      'what an exchange has fetched, and left',
      'xdp',
      `${XDP}\nr2 = *(u64 *)(r6 + 8)\n*(u64 *)(r10 - 8) = r2
      r0 = *(u32 *)(r6 + 16)\nr0 = xchg *(u64 *)(r10 - 8)\n${SEEN}\nr0 = *(u64 *)(r10 - 8)\n${SEEN}`,
      12,
    ],
    [
      'a value of a map that was stored',
      'xdp',
      `${XDP}\n*(u32 *)(r10 - 4) = 1\nr1 = map[held]\nr2 = r10\nr2 += -4
      call bpf_map_lookup_elem\nif r0 == 0 goto out\nr2 = *(u16 *)(r6 + 9)\n*(u16 *)(r0 + 3) = r2
      r0 = *(u64 *)(r0 + 0)\n${SEEN}`,
      8,
    ],
    [
      'the device and the queue',
      'xdp',
      `r0 = *(u32 *)(r1 + 12)\n${SEEN}\nr0 = *(u32 *)(r1 + 16)\n${SEEN}`,
      2,
    ],
    ['the length of an sk_buff', 'tc-ingress', `r0 = *(u32 *)(r1 + 0)\n${SEEN}`, 1],
    ['the EtherType of an sk_buff', 'tc-ingress', `r0 = *(u32 *)(r1 + 16)\n${SEEN}`, 2],
  ])('%s', (_what, hook, text, fields) => {
    const program = `${text}\n${END}`;
    const all = FRAMES.map((frame) => operandsOf(program, hook, frame));
    const inputs = new Set(all[0]!.flatMap((operand) => [...fieldsOf(operand)]));
    // At XDP the length stands in the check of the frame's end.
    const counted = [...inputs].filter(
      ({ kind }) => kind !== 'call' && (kind !== 'length' || hook !== 'xdp'),
    );
    expect(counted.length).toBe(fields);
    let moved = 0;
    for (const [index, frame] of FRAMES.entries()) {
      for (const [at, operand] of all[0]!.entries()) {
        const actual = tracedValue(all[index]![at]!);
        if ([...fieldsOf(operand)].some(({ kind }) => kind === 'call')) continue;
        const values = new Map([...fieldsOf(operand)].map((field) => [field, inputOf(frame, field)]));
        for (const [field, value] of values) expect(value >> BigInt(bitsOf(field))).toBe(0n);
        expect(evaluate(operand, values), `frame ${index}, operand ${at}`).toBe(actual);
        if (actual !== tracedValue(operand)) moved++;
      }
    }
    expect(moved).toBeGreaterThan(0);
  });
});

describe('bytes of the stack that the program never wrote', () => {
  const STACK_FILL = 0x8877_6655_4433_2211n;
  /** What the first condition compares with a number. */
  function compared(text: string, followsStack: boolean): Operand | undefined {
    const machine = new Machine(testObject({ main: text }), { stackFill: STACK_FILL });
    const interpreter = new Interpreter(machine);
    const tracer = new FlowTracer(new FlowMemory(machine), () => {}, { followsStack });
    interpreter.tracer = tracer;
    const { bytes } = FRAMES[0]!;
    machine.begin('xdp', bytes, 0, bytes.length, 0, 1, 0);
    tracer.enterPacket(0);
    expect(interpreter.run(0).violation?.reason).toBeUndefined();
    return tracer.branches[0]?.a;
  }
  const places = (operand: Operand | undefined): number[] =>
    [...fieldsOf(operand!)].map((field) => (field.kind === 'stack' ? field.address % 8 : -1));

  it('are inputs where somebody asks for them', () => {
    const half = `*(u32 *)(r10 - 8) = 1\nr0 = *(u64 *)(r10 - 8)\n${SEEN}\n${END}`;
    const all = half.replace('u32', 'u64');
    expect(compared(half, false)).toBeUndefined();
    expect(places(compared(half, true))).toEqual([4, 5, 6, 7]);
    expect(tracedValue(compared(half, true)!)).toBe(0x8877_6655_0000_0001n);
    expect(compared(all, true)).toBeUndefined();
  });

  it('are inputs of an addition to them', () => {
    const text = `r1 = 1\nlock *(u32 *)(r10 - 4) += r1\nr0 = *(u32 *)(r10 - 4)\n${SEEN}\n${END}`;
    const sum = compared(text, true)!;
    expect(places(sum)).toEqual([4, 5, 6, 7]);
    expect(tracedValue(sum)).toBe(0x8877_6656n);
  });

  it('are inputs anew in each call of a function', () => {
    const functions = 'f:\n*(u64 *)(r10 - 8) = 1\nr0 = 0\nexit\ng:\nr0 = *(u16 *)(r10 - 8)\nexit';
    const text = `call f\ncall g\n${SEEN}\n${END}\n${functions}`;
    expect(places(compared(text, true))).toEqual([0, 1]);
  });
});

describe('a long run', () => {
  /** A condition on the frame as the instruction of this number, behind one loop. */
  function branchAt(number: number): string {
    // Four before the loop, two in each round, and the load before the condition.
    const rounds = Math.floor((number - 6) / 2);
    const padding = number - 6 - 2 * rounds;
    return `r6 = r1\nr7 = *(u32 *)(r6 + 12)\nr8 = 0\nr9 = ${rounds}\nloop:\nr9 += -1\nif r9 != 0 goto loop
      ${'r8 += 1\n'.repeat(padding)}r0 = r7\nif r0 == 77 goto out\n${END}`;
  }

  it('is followed for 60,001 instructions, those of each packet by themselves', () => {
    for (const [number, isSeen] of [
      [60_000, true],
      [60_001, true],
      [60_002, false],
    ] as const) {
      const machine = new Machine(testObject({ main: branchAt(number) }), {});
      const interpreter = new Interpreter(machine);
      const tracer = new FlowTracer(new FlowMemory(machine), () => {});
      interpreter.tracer = tracer;
      for (const [packet, { bytes, ifindex, queue }] of FRAMES.entries()) {
        machine.begin('xdp', bytes, 0, bytes.length, 0, ifindex, queue);
        tracer.enterPacket(packet);
        interpreter.run(0);
        expect(tracer.branches.length, `${number}`).toBe(isSeen ? packet + 1 : 0);
      }
      expect(tracer.steps).toBe(3 * (number + 2));
    }
  });
});
