/** Sequences of calls of helpers, as programs whose paths are followed in lockstep. For tests only. */
import type { Hook } from '../../runtime/actions.ts';
import type { World } from '../../runtime/world.ts';
import type { BpfMap } from '../bpf-object.ts';
import { Machine, type MachineOptions } from '../machine.ts';
import { testObject } from './assemble.ts';
import { lockstep } from './lockstep.ts';

/** Of a frame. */
export const LENGTH = 60;

/** @param change single bytes */
export function frameOf(
  type: number,
  length: number = LENGTH,
  change: Readonly<Record<number, number>> = {},
): Uint8Array {
  const frame = Uint8Array.from({ length }, (_, at) => (at * 29 + 3) & 0xff);
  const header = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, type >> 8, type & 0xff, type === 0x86dd ? 0x60 : 0x45];
  frame.set(header.slice(0, length));
  for (const [at, byte] of Object.entries(change)) frame[Number(at)] = byte;
  return frame;
}

/** A call with numbers as arguments; `context` and `stack` stand for pointers. */
export function call(name: string, ...args: readonly (number | bigint | 'context' | 'stack')[]): string {
  const set = args.map((value, index) => {
    const to = `r${index + 1}`;
    if (value === 'context') return `${to} = r6`;
    return value === 'stack' ? `${to} = r10\n${to} += -32` : `${to} = ${value} ll`;
  });
  return `${set.join('\n')}\ncall ${name}`;
}

/** Numbers on the stack, and the context in r6. */
const BEGIN = `r6 = r1
  ${[8, 16, 24, 32].map((at) => `*(u64 *)(r10 - ${at}) = ${0x1122_3344 + at}`).join('\n')}`;
/** Fields of an sk_buff that follow from its frame, or that helpers set: behind the last call. */
const FIELDS = [0, 4, 16, 20, 24, 28, 68].map((at) => `r7 = *(u32 *)(r6 + ${at})`).join('\n');
/** What the helper has left on the stack. */
const END = '\nr8 = *(u64 *)(r10 - 32)\nr8 = *(u64 *)(r10 - 24)\nr0 = 2\nexit';
/** The path knows how long the frame is. */
const KNOWN = `r7 = *(u32 *)(r6 + 0)\nr8 = *(u32 *)(r6 + 4)\nr7 += ${LENGTH}\nif r7 != r8 goto out`;

export interface Surroundings {
  readonly options?: MachineOptions;
  readonly maps?: readonly BpfMap[];
  readonly world?: World;
}

/** What differs, or why the path is left, for each of the sequences of calls that is not followed as the machine runs it. */
export function followed(
  hook: Hook,
  packet: Uint8Array,
  sequences: readonly (readonly string[])[],
  { options = {}, maps = [], world = {} }: Surroundings = {},
): string[] {
  const fields = hook === 'xdp' ? '' : `\n${FIELDS}`;
  const known = hook === 'xdp' && packet.length === LENGTH ? `\n${KNOWN}` : '';
  // Programs of one object: a machine is made once.
  const programs = sequences.map((calls, index) => [
    `p${index}`,
    `${BEGIN}${known}\n${calls.join(`${fields}\n`)}${fields}\nout:${END}`,
  ]);
  const machine = new Machine(testObject(Object.fromEntries(programs), maps), world, options);
  return sequences.flatMap((calls, program) => {
    machine.reset();
    const { left, difference } = lockstep({ machine, program, hook, packet, mostSteps: 3000 });
    return left === undefined && difference === undefined
      ? []
      : [`${calls.join('; ')}: ${left ?? difference}`];
  });
}

/** The calls of so many sequences after each other, where none stands in the way of another. */
export function joined(sequences: readonly (readonly string[])[], count = 16): string[][] {
  const rows: string[][] = [];
  for (let from = 0; from < sequences.length; from += count)
    rows.push(sequences.slice(from, from + count).flat());
  return rows;
}
