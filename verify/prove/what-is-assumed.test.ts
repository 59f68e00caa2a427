/** What a proof takes for granted, in sentences, and what of a term is for user space to say. */
import { describe, expect, it } from 'vitest';
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { Machine } from '../../sim/ebpf/machine.ts';
import { Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { Answer, PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import type { Term } from '../../sim/ebpf/symbolic/term.ts';
import { TermPool } from '../../sim/ebpf/symbolic/term-pool.ts';
import { testMap, testObject } from '../../sim/ebpf/test-support/assemble.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import { namingAfter } from './against/map-names.ts';
import { assumptionsOf } from './assumptions.ts';
import { ContentsGuide, contentsBeside, contentsIn } from './contents.ts';

const pool = new TermPool();
const section = (name: string, readOnly: boolean): BpfMap => ({
  ...testMap(name, 'ARRAY', { valueSize: 8, maxEntries: 1 }),
  global: {
    bytes: new Uint8Array(8),
    readOnly,
    variables: new Map([['v', { offset: 0, size: 4, typeId: undefined }]]),
  },
});

function inputsOf(maps: readonly BpfMap[], hook: Hook = 'xdp', frags: boolean = false): Inputs {
  const object = testObject({ main: 'exit' }, maps);
  const limits = { shortest: 20, longest: 90, mostMetadata: 12 };
  return new Inputs(pool, new Machine(object, {}), hook, { ...object.programs[0]!, frags }, limits);
}

const ALWAYS = 'the instructions and helpers mean what the machine of this version takes them to mean';

describe('a proof takes for granted', () => {
  it('how long frames are', () => {
    expect(assumptionsOf(inputsOf([]), [], [], [])).toEqual(['frames have 20 to 90 bytes', ALWAYS]);
    expect(assumptionsOf(inputsOf([], 'tc-ingress'), [], [], [])).toEqual([
      'frames have 20 to 90 bytes, all of them linear',
      ALWAYS,
    ]);
    expect(assumptionsOf(inputsOf([], 'xdp', true), [], [], [])).toEqual([
      'frames have 20 to 90 bytes, each of them in one buffer',
      ALWAYS,
    ]);
  });

  it('what maps and read-only data hold, where there are some', () => {
    const contents =
      'maps hold anything before the packet comes, and nobody changes them while it is processed';
    const readOnly = 'read-only data is as it is in the object';
    const said = (...maps: readonly BpfMap[]): string[] =>
      assumptionsOf(inputsOf(maps), [], [], []).slice(1, -1);
    expect(said(testMap('m', 'HASH'))).toEqual([contents]);
    expect(said(section('.rodata', true))).toEqual([readOnly]);
    expect(said(section('.kconfig', true))).toEqual([
      'the kernel’s version and configuration are those that the machine sees here',
    ]);
    expect(said(section('.data', false))).toEqual([]);
    expect(said(testMap('m', 'HASH'), section('.data', false), section('.rodata', true))).toEqual([
      readOnly,
      contents,
    ]);
  });

  it('what helpers answer, what paths and properties say, each once', () => {
    const inputs = inputsOf([]);
    const path = (helpers: readonly string[], ...sentences: readonly string[]): PathState => {
      const state = inputs.start(0);
      state.answers = helpers.map((helper) => ({ helper }) as Answer);
      for (const one of sentences) state.assume(one);
      return state;
    };
    const paths = [path(['bpf_z', 'bpf_a'], 'one'), path(['bpf_a'], 'two', 'one')];
    expect(assumptionsOf(inputs, paths, ['a tunnel', 'cut off'], ['of a property']).slice(1)).toEqual([
      'bpf_a, bpf_z: any result that the helper’s record permits',
      'one',
      'two',
      'of a property',
      'checksums are not judged in what is a tunnel, cut off',
      ALWAYS,
    ]);
  });
});

describe('what user space says', () => {
  const maps = [testMap('flows', 'HASH'), section('.data', false)];
  const inputs = inputsOf(maps);
  const unknown = (name: string): Term => pool.unknown(8, name);
  const [packet, entry, variable, other] = ['p3', 'map0.1.2', 'global1.3', 'map1.0.0'].map(unknown) as [
    Term,
    Term,
    Term,
    Term,
  ];

  it('is what values and variables hold', () => {
    expect(contentsIn(inputs, entry)).toBe('flows');
    expect(contentsIn(inputs, pool.add(packet, variable))).toBe('.data');
    expect(contentsIn(inputs, packet)).toBeUndefined();
    for (const name of ['map0', 'mapped0.1', 'xmap0.1', 'global.own0.1'])
      expect([name, contentsIn(inputs, unknown(name))]).toEqual([name, undefined]);
  });

  it('has a number where the map is another program’s', () => {
    const first = new Machine(testObject({ main: 'exit' }, maps), {});
    const second = new Machine(testObject({ main: 'exit' }, [maps[1]!]), {});
    const program = second.object.programs[0]!;
    const naming = namingAfter(first, second);
    const both = new Inputs(pool, second, 'xdp', program, undefined, naming);
    expect([contentsIn(both, entry), contentsIn(both, variable)]).toEqual(['#0', '.data']);
  });

  it('counts where the others do not hang on the same', () => {
    const sum = pool.add(packet, entry);
    expect(contentsBeside(inputs, sum, [])).toBe('flows');
    expect(contentsBeside(inputs, sum, [packet])).toBe('flows');
    expect(contentsBeside(inputs, sum, [pool.add(entry, unknown('p9'))])).toBeUndefined();
    expect(contentsBeside(inputs, pool.add(sum, variable), [entry])).toBe('.data');
    expect(contentsBeside(inputs, packet, [])).toBeUndefined();
  });

  it('is noticed where it decides something, the first one', () => {
    const asked: Term[] = [];
    const guide = {
      pool,
      decide: (one: Term) => asked.push(one) > 1,
      number: (one: Term) => BigInt(asked.push(one)),
    };
    const watching = new ContentsGuide(inputs, guide);
    const is = (one: Term): Term => pool.equal(one, pool.constant(8, 1));
    expect([watching.decide(is(packet)), watching.number(packet), watching.contents]).toEqual([
      false,
      2n,
      undefined,
    ]);
    expect([watching.number(other), watching.contents]).toEqual([3n, '.data']);
    expect([watching.decide(is(entry)), watching.contents]).toEqual([true, '.data']);
    const sums = new ContentsGuide(inputs, guide);
    expect([sums.decide(is(entry), 'checksum'), sums.contents]).toEqual([true, undefined]);
    expect([sums.decide(is(entry), 'headers'), sums.contents]).toEqual([true, 'flows']);
    const second = new ContentsGuide(inputs, guide);
    second.decide(is(entry));
    second.number(other);
    expect([second.contents, second.pool]).toEqual(['flows', pool]);
  });
});

describe('maps of two objects are the same', () => {
  const hash = (more: Partial<BpfMap> = {}): BpfMap => testMap('m', 'HASH', more);
  const machine = (...maps: readonly BpfMap[]): Machine =>
    new Machine(testObject({ main: 'exit' }, maps), {});
  const pair = (a: BpfMap, b: BpfMap) => namingAfter(machine(testMap('x', 'ARRAY'), a), machine(b));

  it.each<readonly [string, BpfMap, boolean]>([
    ['of one form', hash(), true],
    ['of another type', testMap('m', 'LRU_HASH', { valueSize: 8 }), false],
    ['of longer keys', hash({ keySize: 8 }), false],
    ['of longer values', hash({ valueSize: 16 }), false],
    ['with more room', hash({ maxEntries: 5 }), false],
    ['of another name', testMap('n', 'HASH'), false],
    ['that holds variables', { ...section('m', false) }, false],
  ])('where they are %s: %s', (_, other, is) => {
    const naming = pair(hash(), other);
    expect(naming.number(0)).toBe(is ? 1 : 100_000);
    expect([naming.map(1), naming.map(0)]).toEqual([is ? 0 : undefined, undefined]);
    expect(naming.map(naming.number(0))).toBe(0);
    expect(naming.map(100_003)).toBe(3);
  });

  it('by name and size, where they are variables', () => {
    const variables = (...all: readonly (readonly [string, number, number])[]): BpfMap => ({
      ...section('.data', false),
      global: {
        ...section('.data', false).global!,
        variables: new Map(all.map(([name, offset, size]) => [name, { offset, size, typeId: undefined }])),
      },
    });
    const naming = pair(
      variables(['a', 0, 4], ['b', 4, 2], ['c', 6, 1]),
      variables(['b', 0, 2], ['a', 3, 4], ['c', 7, 2], ['d', 2, 1]),
    );
    const at = (place: number): number | undefined => naming.global(0, place)?.at;
    expect([0, 1, 2, 3, 4, 5, 6, 7].map(at)).toEqual([4, 5, undefined, 0, 1, 2, 3, undefined]);
    expect(naming.global(0, 3)).toEqual({ number: 1, at: 0 });
    // Larger ones of the same name may be the same section.
    expect(naming.number(0)).toBe(1);
    expect(pair(hash(), hash()).global(0, 0)).toBeUndefined();
    expect(pair(hash(), section('.data', false)).global(0, 0)).toBeUndefined();
  });
});
