import { expect, it } from 'vitest';
import { testMap } from '../test-support/assemble.ts';
import { COUNTING_PACKET, runText } from '../test-support/run-text.ts';
import { keyOf, RunPath } from './run-path.ts';

/**
 * The first byte of the packet chooses the way: 0 leads to the map, all others to the context. 18 instructions to the
 * branch at `other`.
 */
const TEXT = `r6 = r1
  r2 = *(u32 *)(r1 + 0)
  r3 = *(u32 *)(r1 + 4)
  r4 = r2
  r4 += 14
  if r4 > r3 goto out
  r5 = *(u8 *)(r2 + 0)
  *(u64 *)(r10 - 8) = 0
  if r5 != 0 goto other
  r1 = map[counts]
  r2 = r10
  r2 += -8
  call bpf_map_lookup_elem
  if r0 == 0 goto out
  *(u64 *)(r0 + 0) = 7
  r1 = map[seen]
  r2 = r10
  r2 += -8
  r3 = r10
  r3 += -8
  r4 = 0
  call bpf_map_update_elem
  call bpf_get_prandom_u32
  call f
  exit
  other:
  call bpf_ktime_get_ns
  r1 = r6
  r2 = -4
  call bpf_xdp_adjust_meta
  r0 = 1
  out:
  r0 = 2
  exit
  f:
  r0 = 3
  exit`;

const MAPS = [
  testMap('counts', 'ARRAY', { valueSize: 8, maxEntries: 2 }),
  testMap('seen', 'HASH', { keySize: 8, valueSize: 8, maxEntries: 4 }),
];

interface Line {
  readonly instruction: number;
  readonly line: number;
  readonly text?: string;
}

function pathOf(first: number, lines: readonly Line[] = [], text: string = TEXT): RunPath {
  const { interpreter, machine } = runText(text, { maps: MAPS });
  const lineInfo = lines.map((one) => ({ file: 'a.c', column: 1, text: '', ...one }));
  Object.assign(interpreter.programs[0]!.source, { lineInfo });
  const packet = Uint8Array.from(COUNTING_PACKET);
  packet[0] = first;
  machine.begin('xdp', packet, 0, packet.length, 0, 1, 0);
  const path = new RunPath();
  interpreter.tracer = path;
  expect(interpreter.run(0).violation).toBeUndefined();
  interpreter.tracer = undefined;
  return path;
}

const slot = (place: { readonly instruction: number } | undefined): number | undefined => place?.instruction;

it('has the conditional jumps in the order in which they ran', () => {
  expect(pathOf(0).branches.map(slot)).toEqual([5, 8, 14]);
  expect(pathOf(1).branches.map(slot)).toEqual([5, 8]);
  expect(pathOf(1).branches[0]).toEqual({
    program: 'main',
    instruction: 5,
    source: undefined,
    arm: undefined,
  });
});

it('knows who wrote which map last, by stores and by helpers; a lookup writes nothing', () => {
  const { mapWrites } = pathOf(0);
  expect(mapWrites.all.map(([name, place]) => [name, place.instruction])).toEqual([
    ['counts', 15],
    ['seen', 23],
  ]);
  expect(pathOf(1).mapWrites.all).toEqual([]);
});

it('knows the last call of each helper, and those whose result chance decides', () => {
  const { calls, chance } = pathOf(0);
  expect([...calls].map(([name, place]) => [name, place.instruction])).toEqual([
    ['bpf_map_lookup_elem', 13],
    ['bpf_map_update_elem', 23],
    ['bpf_get_prandom_u32', 24],
  ]);
  expect(chance).toEqual([7]);
  expect(pathOf(1).chance).toEqual([]);
});

it('knows where r0 was set last for the program: by a call of a function, not within it', () => {
  expect(slot(pathOf(0).result)).toBe(25);
  expect(slot(pathOf(1).result)).toBe(32);
});

it('has one number for runs that went the same way, and others for others', () => {
  expect(pathOf(0).signature).toBe(pathOf(0).signature);
  expect(pathOf(1).signature).toBe(pathOf(2).signature);
  expect(pathOf(0).signature).not.toBe(pathOf(1).signature);
});

it('knows the last store to the context, and that the stack is none', () => {
  expect(pathOf(0).contextWrite).toBeUndefined();
  const { interpreter, machine } = runText('*(u32 *)(r1 + 8) = 5\n*(u32 *)(r10 - 4) = 1\nr0 = 0\nexit', {
    hook: 'tc-ingress',
  });
  machine.begin('tc-ingress', COUNTING_PACKET, 0, 64, 0, 1, 0);
  const path = new RunPath();
  interpreter.tracer = path;
  interpreter.run(0);
  expect(slot(path.contextWrite)).toBe(0);
});

it('has each line once, in the order of the run, and says to which a branch led', () => {
  const lines = [
    { instruction: 0, line: 10, text: 'begin' },
    { instruction: 5, line: 12, text: 'if  (short)' },
    { instruction: 6, line: 13, text: 'first = *data' },
    { instruction: 8, line: 12, text: 'if  (short)' },
    { instruction: 9, line: 15, text: 'look  up' },
    { instruction: 27, line: 20 },
    { instruction: 32, line: 22, text: 'return' },
  ];
  const path = pathOf(1, lines);
  expect([...path.lines].map(({ line }) => line)).toEqual([10, 12, 13, 12, 20, 22]);
  expect(path.branches.map(({ source, arm }) => [source?.line, arm])).toEqual([
    [12, 'first = *data'],
    [12, 'a.c:20'],
  ]);
  expect(pathOf(0, lines).branches.map(({ arm }) => arm)).toEqual(['first = *data', 'look up', 'return']);
});

it('calls lines the same wherever they stand, and by their place where they have no text', () => {
  const line = { instruction: 3, file: 'b.c', line: 7, column: 2, text: 'x  =\t1;' };
  expect(keyOf(line)).toBe('x = 1;');
  expect(keyOf({ ...line, text: '' })).toBe('b.c:7');
});
