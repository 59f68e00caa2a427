import { describe, expect, it } from 'vitest';
import type { BpfMap, BpfObject } from '../sim/ebpf/bpf-object.ts';
import { testMap, testObject } from '../sim/ebpf/test-support/assemble.ts';
import { ASK, NO_PARAMETERS } from '../sim/ebpf/test-support/fib-texts.ts';
import { interpret } from '../sim/ebpf/test-support/run-both.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import type { Hook } from '../sim/runtime/actions.ts';
import type { World } from '../sim/runtime/world.ts';
import { placeOfUnreached, type Unreached, unreachedOf } from './unreached.ts';

const FLOWS = testMap('flows', 'HASH');
const PROGS = testMap('progs', 'PROG_ARRAY');

/** A line of C for each instruction of the first program, from 10 on, where wanted. */
function withLines(object: BpfObject, lines: readonly number[]): BpfObject {
  const [program, ...others] = object.programs;
  const lineInfo = lines.map((line, instruction) => ({
    instruction,
    file: 'x.c',
    line,
    column: 1,
    text: `line ${line}`,
  }));
  return { ...object, programs: [{ ...program!, lineInfo }, ...others] };
}

interface Details {
  readonly maps?: readonly BpfMap[];
  readonly world?: World;
  readonly lines?: readonly number[];
  readonly packets?: readonly number[];
  readonly hook?: Hook;
}

/** What packets with these first bytes leave out. */
function unreached(text: string | Readonly<Record<string, string>>, details: Details = {}): Unreached[] {
  const plain = testObject(typeof text === 'string' ? { main: text } : text, details.maps ?? []);
  const { hook = 'xdp' } = details;
  const placed = details.lines === undefined ? plain : withLines(plain, details.lines);
  const object = { ...placed, programs: placed.programs.map((one) => ({ ...one, hook })) };
  const packets = details.packets ?? [0];
  const batch = new PacketBatch(packets.length);
  for (const first of packets) batch.push({ packet: new Uint8Array(64).fill(first, 0, 1) });
  const { coverage } = interpret(object, batch, { hook, world: details.world ?? {} });
  return unreachedOf(object, { functions: coverage }, []);
}

const reasons = (...from: Parameters<typeof unreached>): string[] =>
  unreached(...from).map(({ because }) => because);

const LOOKUP = `*(u32 *)(r10 - 4) = 1
  r1 = map[flows]
  r2 = r10
  r2 += -4
  call bpf_map_lookup_elem`;
const OUT = '\nr0 = 2\nout:\nr0 = 1\nexit';
/** r6 = the packet's first byte, or out. */
const FIRST = `r2 = *(u32 *)(r1 + 0)
  r3 = *(u32 *)(r1 + 4)
  r4 = r2
  r4 += 1
  r6 = 0
  if r4 > r3 goto out
  r6 = *(u8 *)(r2 + 0)`;
const ONE_WAY = 'the condition went one way only';
const NO_ENTRY = 'map flows never had the entry that was looked up';
const maps = [FLOWS];
const world: World = {
  maps: { flows: [{ key: Uint8Array.of(1, 0, 0, 0), value: new Uint8Array(8) }] },
};

describe('a queue, a stack or a Bloom filter', () => {
  const taken = (helper: string, test: string): string => `*(u64 *)(r10 - 8) = 0
    r7 = 0
    r1 = map[m]
    r2 = r10
    r2 += -8
    call bpf_map_${helper}_elem
    ${test}${OUT}`;
  const value = { key: new Uint8Array(0), value: new Uint8Array(8) };
  const because = (type: 'QUEUE' | 'STACK' | 'BLOOM_FILTER', test: string, isFilled = false): string[] =>
    reasons(taken(type === 'BLOOM_FILTER' ? 'peek' : 'pop', test), {
      maps: [testMap('m', type, { keySize: 0, valueSize: 8 })],
      world: isFilled ? { maps: { m: [value] } } : {},
    });
  /** As compilers ask whether it failed. */
  const TESTS = [
    'if r0 s< 0 goto out',
    'if r0 s> -1 goto out',
    'if r0 != 0 goto out',
    'if r7 s> r0 goto out',
    'r0 <<= 32\nr0 s>>= 32\nif r0 s< r7 goto out',
    'r1 = 0x80000000 ll\nr0 &= r1\nif r0 != 0 goto out',
  ];

  it.each(TESTS)('is named: %s', (test) => {
    expect(because('QUEUE', test)).toEqual(['queue m is always empty']);
    expect(because('STACK', test)).toEqual(['stack m is always empty']);
    expect(because('BLOOM_FILTER', test)).toEqual(['Bloom filter m never had the value that was asked for']);
    expect(because('QUEUE', test, true)).toEqual(['queue m is never empty']);
    expect(because('BLOOM_FILTER', test, true)).toEqual([
      'Bloom filter m always had the value that was asked for',
    ]);
  });

  it('is no reason for a condition on what came out', () => {
    expect(because('QUEUE', 'r0 = *(u64 *)(r10 - 8)\nif r0 == 3 goto out', true)).toEqual([ONE_WAY]);
  });
});

describe('conditions of an object without lines', () => {
  it('are each named by their instruction, in order', () => {
    const places = unreached(`${FIRST}\nif r6 == 7 goto out\nif r6 == 9 goto out${OUT}`);
    expect(places.map(placeOfUnreached)).toEqual([
      'main, instruction 5',
      'main, instruction 7',
      'main, instruction 8',
    ]);
    expect(new Set(places.map(({ because }) => because))).toEqual(new Set([ONE_WAY]));
  });

  it('are named by their lines where there are such, one for each line', () => {
    const text = `${FIRST}\nif r6 == 7 goto out\nif r6 == 9 goto out${OUT}`;
    const places = unreached(text, { lines: [1, 1, 1, 1, 1, 1, 1, 4, 4] });
    expect(places.map(placeOfUnreached)).toEqual([
      expect.stringMatching(/:1$/),
      expect.stringMatching(/:4$/),
    ]);
    expect(places.every(({ instruction }) => instruction === undefined)).toBe(true);
  });
});

describe('what did not run behind a place', () => {
  const behind = (...from: Parameters<typeof unreached>): (number | undefined)[] =>
    unreached(...from).map((one) => one.behind);

  it('is counted up to what ran, or the end, for each way that leads there', () => {
    expect(behind(`${FIRST}\nif r6 == 7 goto out\nr0 = 2\nexit\nout:\nr0 = 1\nr0 += 1\nexit`)).toEqual([
      3, 3,
    ]);
    expect(behind(`${FIRST}\nif r6 == 7 goto out\nr0 = 2\nout:\nexit`)[1]).toBeUndefined();
  });

  it('is what a function that it calls would run as well', () => {
    const calls = 'if r6 == 7 goto out\nr0 = 2\nexit\nout:\ncall more\nexit\nmore:\nr0 = 1\nr0 += 1\nexit';
    expect(behind(`${FIRST}\n${calls}`)[1]).toBe(5);
  });
});

describe('a lookup that found nothing', () => {
  it('names the map, whichever way the null test goes', () => {
    expect(unreached(`${LOOKUP}\nif r0 == 0 goto out${OUT}`, { maps })).toEqual([
      { function: 'main', instruction: 6, because: NO_ENTRY, map: 'flows', behind: 1 },
    ]);
    expect(reasons(`${LOOKUP}\nif r0 != 0 goto out${OUT}`, { maps })).toEqual([NO_ENTRY]);
  });

  it('is no reason where it found something', () => {
    const found = ['bpf_map_lookup_elem never returned NULL'];
    expect(reasons(`${LOOKUP}\nif r0 == 0 goto out${OUT}`, { maps, world })).toEqual(found);
    expect(reasons(`${LOOKUP}\nif r0 != 0 goto out${OUT}`, { maps, world })).toEqual(found);
  });

  it('is followed through copies of the pointer', () => {
    expect(reasons(`${LOOKUP}\nr6 = r0\nr7 = r6\nif r7 == 0 goto out${OUT}`, { maps })).toEqual([NO_ENTRY]);
  });

  it('is no reason for tests of other registers, of other numbers and behind other calls', () => {
    expect(reasons(`r6 = 0\n${LOOKUP}\nif r6 == 0 goto out${OUT}`, { maps })).not.toContain(NO_ENTRY);
    const later = `${LOOKUP}\ncall bpf_get_smp_processor_id\nif r0 == 0 goto out${OUT}`;
    expect(reasons(later, { maps })).toEqual(['bpf_get_smp_processor_id returned 0 each time']);
    const value = `${LOOKUP}\nif r0 == 0 goto out\nr0 = *(u64 *)(r0 + 0)\nif r0 == 7 goto out${OUT}`;
    expect(reasons(value, { maps, world })).toEqual(['bpf_map_lookup_elem never returned NULL', ONE_WAY]);
  });
});

describe('a helper whose result is compared with 0', () => {
  const TRIM = 'r2 = 0\ncall bpf_xdp_adjust_head';

  it.each([
    ['if r0 != 0 goto out', 'bpf_xdp_adjust_head returned 0 each time'],
    ['if r0 == 0 goto out', 'bpf_xdp_adjust_head returned 0 each time'],
    ['r0 <<= 32\nr0 s>>= 32\nif r0 s< 0 goto out', 'bpf_xdp_adjust_head never failed'],
    ['r1 = r0\nif w1 s>= 0 goto out', 'bpf_xdp_adjust_head never failed'],
  ])('is named with what it never returned: %s', (text, because) => {
    expect(reasons(`${TRIM}\n${text}${OUT}`)).toEqual([because]);
  });

  it('failed where it failed each time', () => {
    const text = `r2 = 0x7000\ncall bpf_xdp_adjust_head\nr0 <<= 32\nr0 s>>= 32\nif r0 s< 0 goto out${OUT}`;
    expect(reasons(text)).toEqual(['bpf_xdp_adjust_head failed each time']);
    expect(reasons(`r2 = 0x7000\ncall bpf_xdp_adjust_head\nif r0 == 0 goto out${OUT}`)).toEqual([
      'bpf_xdp_adjust_head never returned 0',
    ]);
  });

  it('returned nothing that leads on, where other bits or other numbers are compared', () => {
    for (const text of ['r0 &= 8\nif r0 == 0 goto out', 'if r0 == 7 goto out'])
      expect([text, reasons(`${TRIM}\n${text}${OUT}`)]).toEqual([
        text,
        ['bpf_xdp_adjust_head returned nothing that leads there'],
      ]);
  });

  it('is not, where it is compared with what another register holds', () => {
    expect(reasons(`${TRIM}\nr1 = 0\nif r0 == r1 goto out${OUT}`)).toEqual([ONE_WAY]);
  });
});

describe('a register that has been compared before', () => {
  /** The entry was found, and what is asked afterwards is something else. */
  const later = (text: string): string[] =>
    reasons(`${LOOKUP}\nif r0 == 0 goto out\nr1 = r0\nr9 = r0\n${text}${OUT}`, { maps, world });

  it.each([
    ['a load', 'r1 = *(u64 *)(r9 + 0)'],
    ['a byte', 'r1 = *(u8 *)(r9 + 1)\nr1 &= 7'],
    ['a sum', 'r2 = *(u64 *)(r9 + 0)\nr1 = 0\nr1 += r2'],
    ['what was exchanged', 'r1 = 0\nr1 = xchg *(u64 *)(r9 + 0)'],
  ])('and holds %s is no lookup', (_, text) => {
    expect(later(`${text}\nif r1 == 0 goto out`)).toEqual([
      'bpf_map_lookup_elem never returned NULL',
      ONE_WAY,
    ]);
  });

  it('is the lookup’s, behind other calls, where these keep it', () => {
    const text = `${LOOKUP}\nr6 = r0\ncall bpf_get_smp_processor_id\nif r6 == 0 goto out${OUT}`;
    expect(reasons(text, { maps })).toEqual([NO_ENTRY]);
  });

  it('is a route’s, cut to the bits of an int', () => {
    const text = (cut: string): string[] =>
      reasons(`r6 = r1\n${NO_PARAMETERS}\n${ASK}\n${cut}\nif r1 == 0 goto out${OUT}`);
    const routed = [expect.stringMatching(/^bpf_fib_lookup returned nothing/)];
    for (const cut of ['r1 = r0', 'w1 = w0', 'r1 = r0\nr1 <<= 32\nr1 s>>= 32', 'r0 += -4\nr1 = r0'])
      expect([cut, text(cut)]).toEqual([cut, routed]);
    expect(text('r1 = r0\nr1 = *(u64 *)(r10 - 8)\nr1 &= 1')).toEqual([ONE_WAY]);
  });

  it('is not a helper’s whose number is the distance to a function', () => {
    // bpf_fib_lookup is helper 69.
    const between = 'r1 = 5\n'.repeat(66);
    const text = `call own\nif r0 == 0 goto out\n${between}exit\nout:\nexit\nown:\ncall bpf_get_smp_processor_id\nexit`;
    const { instructions } = testObject({ main: text }).programs[0]!;
    expect(instructions.imm[0]).toBe(69);
    expect(reasons(text)).toEqual([ONE_WAY]);
  });
});

describe('other conditions', () => {
  it('that went both ways are not listed', () => {
    const text = `${FIRST}\nif r6 == 7 goto out${OUT}`;
    const lines = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
    const missing = (...packets: number[]): (number | undefined)[] =>
      unreached(text, { packets, lines }).map(({ line }) => line);
    expect(missing(7)).toEqual([6, 8]);
    expect(missing(8)).toEqual([6, 8]);
    expect(missing(7, 8)).toEqual([6]);
  });

  it('on a route name the world', () => {
    const text = `r6 = r1
      ${NO_PARAMETERS}
      ${ASK}
      if r0 == 0 goto out${OUT}`;
    expect(reasons(text)).toEqual([
      'bpf_fib_lookup returned nothing that leads there: no world that was tried has such a route, and nothing behind it was judged',
    ]);
  });
});

describe('tail calls', () => {
  const CALL = 'r6 = r1\nr1 = r6\nr2 = map[progs]\nr3 = 0\ncall bpf_tail_call\nr0 = 2\nexit';
  const programs = { main: CALL, next: 'r0 = 1\nexit' };

  it('that found no program name the map', () => {
    expect(unreached(CALL, { maps: [PROGS] })).toEqual([
      {
        function: 'main',
        instruction: 5,
        because: 'the tail call found no program in that slot of map progs',
        programMap: 'progs',
      },
    ]);
  });

  it('are the only way into a program that is not run by itself', () => {
    const next = (maps: readonly BpfMap[]): string | undefined =>
      unreachedOf(
        testObject(programs, maps),
        {
          functions: [
            {
              function: 'next',
              instructions: Float64Array.of(0, 0),
              unreachable: new Uint8Array(2),
              branches: [],
              lines: [],
            },
          ],
        },
        [],
      )[0]?.because;
    expect(next([PROGS])).toBe('no tail call entered the program: no slot of map progs led here');
    expect(next([PROGS, { ...PROGS, name: 'others' }])).toBe('no tail call entered the program');
  });
});

describe('a callback', () => {
  /** What is said of the second function, which nothing entered. */
  function uncalled(text: string, objectMaps: readonly BpfMap[] = maps): string[] {
    const object = testObject({ main: text }, objectMaps);
    const row = { unreachable: new Uint8Array(64), branches: [], lines: [] };
    const [main, ...others] = object.programs[0]!.subprograms;
    const functions = [
      { ...row, function: main!.name, instructions: Float64Array.of(1) },
      ...others.map(({ name }) => ({ ...row, function: name, instructions: Float64Array.of(0) })),
      { ...row, function: 'of another object', instructions: Float64Array.of(0) },
    ];
    return unreachedOf(object, { functions }, []).map(({ function: name, because }) => `${name}: ${because}`);
  }
  const each = (load: string, between = ''): string => `${load}
    r2 = visit
    ${between}
    r3 = 0
    r4 = 0
    call bpf_for_each_map_elem
    r0 = 2
    exit
    visit:
    r0 = 0
    exit`;
  const NONE = 'bpf_for_each_map_elem found no entry in';

  it('of a map that had no entry names the map', () => {
    expect(uncalled(each('r1 = map[flows]'))).toEqual([`main_1: ${NONE} map flows`]);
    expect(uncalled(each('r6 = map[flows]\nr1 = r6'))).toEqual([`main_1: ${NONE} map flows`]);
    expect(uncalled(each('r1 = r6'))).toEqual([`main_1: ${NONE} the map`]);
  });

  it('that two programs have names the map of the one that was run', () => {
    const others = testMap('others', 'HASH');
    const object = testObject({ first: each('r1 = map[flows]'), second: each('r1 = map[others]') }, [
      FLOWS,
      others,
    ]);
    const programs = object.programs.map((program) => ({
      ...program,
      subprograms: program.subprograms.map((one, index) => (index === 0 ? one : { ...one, name: 'visit' })),
    }));
    const row = { function: 'visit', instructions: Float64Array.of(0), unreachable: new Uint8Array(64) };
    const reasonsOf = (...entries: string[]): string[] =>
      unreachedOf(
        { ...object, programs },
        { functions: [{ ...row, branches: [], lines: [] }] },
        entries.map((name) => ({ function: name })),
      ).map(({ because }) => because);
    expect(reasonsOf('first')).toEqual([`${NONE} map flows`]);
    expect(reasonsOf('second')).toEqual([`${NONE} map others`]);
    expect(reasonsOf('first', 'second')).toEqual([`${NONE} map flows`]);
    expect(reasonsOf()).toEqual([`${NONE} map flows`]);
  });

  it('whose map another one took the register of names none', () => {
    expect(uncalled(each('r1 = map[flows]\nr1 = *(u64 *)(r10 - 8)'))).toEqual([`main_1: ${NONE} the map`]);
    expect(uncalled(each('r1 = map[flows]\ncall bpf_ktime_get_ns'))).toEqual([`main_1: ${NONE} the map`]);
    expect(uncalled(each('r6 = map[flows]\ncall bpf_ktime_get_ns\nr1 = r6'))).toEqual([
      `main_1: ${NONE} map flows`,
    ]);
  });

  it('that is handed over twice is explained by the call that explains it', () => {
    const other = each('r1 = map[flows]').replace(
      'r1 = map[flows]',
      'r2 = visit\nr1 = 0\ncall bpf_ktime_get_ns\nr1 = map[flows]',
    );
    expect(uncalled(other)).toEqual([`main_1: ${NONE} map flows`]);
  });

  it('of a timer never runs in a test', () => {
    expect(uncalled(each('r1 = r6').replace('bpf_for_each_map_elem', '170'))).toEqual([
      'main_1: the callback of a timer runs when time has passed, and in a test none does',
    ]);
  });

  it('of another helper, or whose call is too far away, is not listed', () => {
    expect(uncalled(each('r1 = map[flows]').replace('bpf_for_each_map_elem', 'bpf_ktime_get_ns'))).toEqual(
      [],
    );
    const far = (count: number): string => each('r1 = map[flows]', 'r5 = 0\n'.repeat(count));
    expect(uncalled(far(19)).length).toBe(1);
    expect(uncalled(far(20))).toEqual([]);
  });

  it('that is called by its name is behind a condition, which is listed', () => {
    expect(uncalled('call own\nexit\nown:\nr0 = 0\nexit')).toEqual([]);
  });
});

describe('a field of a socket buffer that no test run sets', () => {
  const FROM_DEVICE = 'skb->napi_id is what only a device sets: it is 0 in every test run';
  const on = (text: string): string[] => reasons(`${text}${OUT}`, { hook: 'tc-ingress' });

  it('is named', () => {
    expect(on('r2 = *(u32 *)(r1 + 84)\nif r2 == 0 goto out')).toEqual([FROM_DEVICE]);
    expect(on('r6 = r1\nr1 = 0\nr7 = *(u32 *)(r6 + 84)\nr7 &= 1\nif r7 != 0 goto out')).toEqual([
      FROM_DEVICE,
    ]);
  });

  it('is none of the others, and nothing that is read elsewhere', () => {
    expect(on('r2 = *(u32 *)(r1 + 8)\nif r2 == 77 goto out')).toEqual([ONE_WAY]);
    expect(on('r2 = *(u32 *)(r1 + 20)\nif r2 == 0 goto out')).toEqual([ONE_WAY]);
    const stack =
      'r3 = *(u32 *)(r1 + 8)\n*(u32 *)(r10 - 12) = r3\nr6 = r10\nr6 += -96\nr2 = *(u32 *)(r6 + 84)';
    expect(on(`${stack}\nif r2 == 77 goto out`)).toEqual([ONE_WAY]);
  });
});

describe('the list', () => {
  const text = 'r0 = 1\nr1 = 5\nif r1 == 5 goto a\na:\nif r1 != 5 goto b\nb:\nexit';
  // Constants: no packet could go the other way.
  const unknown = `${FIRST}\nif r6 == 7 goto out\nif r6 == 8 goto out${OUT}`;

  it('leaves out what no packet can do', () => {
    expect(reasons(text)).toEqual([]);
  });

  it('has each line of C once, in order', () => {
    const at = (...lines: number[]): (number | undefined)[] =>
      unreached(unknown, { packets: [1], lines }).map(({ line }) => line);
    // The comparison of bounds is in slot 5, those of r6 in 7 and 8.
    expect(at(1, 1, 1, 1, 1, 9, 1, 6, 4, 1, 1, 1)).toEqual([4, 6, 9]);
    expect(at(1, 1, 1, 1, 1, 9, 1, 6, 6, 1, 1, 1)).toEqual([6, 9]);
  });

  it('keeps the reason that tells more of a line’s', () => {
    const two = `${FIRST}\nr7 = r6\n${LOOKUP}\nif r7 == 9 goto out\nif r0 == 0 goto out\nif r7 == 8 goto out${OUT}`;
    const lines = Array.from({ length: 40 }, () => 3);
    expect(reasons(two, { maps, lines })).toEqual([NO_ENTRY]);
  });

  it('shows the source', () => {
    const [first] = unreached(unknown, { packets: [1], lines: Array.from({ length: 12 }, () => 3) });
    expect(first).toEqual({ function: 'main', file: 'x.c', line: 3, text: 'line 3', because: ONE_WAY });
  });
});
