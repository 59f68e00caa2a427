/**
 * Instructions, memory, maps, functions, loops and walks in lockstep with the interpreter, over programs that are written for what
 * random ones do not come to.
 */
import { describe, expect, it } from 'vitest';
import type { Hook } from '../../runtime/actions.ts';
import type { BpfMap } from '../bpf-object.ts';
import { Machine } from '../machine.ts';
import { testMap, testObject } from '../test-support/assemble.ts';
import { frameOf } from '../test-support/call-sequences.ts';
import { lockstep } from '../test-support/lockstep.ts';

const MAPS = [
  testMap('list', 'ARRAY', { valueSize: 16 }),
  testMap('table', 'HASH'),
  testMap('recent', 'LRU_HASH', { valueSize: 8 }),
  testMap('trie', 'LPM_TRIE', { keySize: 8, valueSize: 8 }),
  testMap('devices', 'DEVMAP'),
  testMap('ring', 'RINGBUF'),
  testMap('jumps', 'PROG_ARRAY', { initial: [{ key: 1, name: 'other' }] }),
];
const OTHER = 'r2 = *(u32 *)(r1 + 0)\nr3 = r10\nr0 = 1\nexit';

/** @param reason why a path may be left before its end; absent: none may be */
function follows(
  text: string,
  hook: Hook = 'xdp',
  maps: readonly BpfMap[] = MAPS,
  reason: string | undefined = undefined,
): void {
  const machine = new Machine(testObject({ main: text, other: OTHER }, maps), {});
  const { left, difference } = lockstep({
    machine,
    program: 0,
    hook,
    packet: frameOf(0x0800),
    mostSteps: 2000,
  });
  const expected = left === reason ? reason : undefined;
  expect({ text, left, difference }).toEqual({ text, left: expected, difference: undefined });
}

const END = 'r0 = 2\nout:\nexit';
const NUMBERS = ['0x8877665544332211', '0x7f', '-1', '0x80000000', '0x8000000000000000', '0'];
/** Bytes of the frame in r2 and r3, so that the path does not know them. */
const UNKNOWN = `r6 = r1\nr7 = *(u32 *)(r1 + 0)\nr8 = *(u32 *)(r1 + 4)\nr9 = r7\nr9 += 48\nif r9 > r8 goto out
  r2 = *(u64 *)(r7 + 16)\nr3 = *(u64 *)(r7 + 29)`;

describe('instructions', () => {
  const both = (lines: readonly string[]): void => {
    for (const number of NUMBERS) {
      const known = lines.map((line) => `r2 = ${number} ll\nr3 = 0x1234567890abcdef ll\n${line}`);
      follows(`${known.join('\n')}\n${END}`);
    }
    const unknown = lines.map((line) => `r2 = *(u64 *)(r7 + 16)\nr3 = *(u64 *)(r7 + 29)\n${line}`);
    follows(`${UNKNOWN}\n${unknown.join('\n')}\n${END}`);
  };

  it('extend signs, turn bytes around, negate', () => {
    both([
      ...[8, 16, 32].map((bits) => `r4 = (s${bits})r2`),
      ...[8, 16].map((bits) => `w4 = (s${bits})w2`),
      ...['be', 'le', 'bswap'].flatMap((kind) => [16, 32, 64].map((bits) => `r2 = ${kind}${bits} r2`)),
      ...['r2 = -r2', 'w2 = -w2', 'w4 = w2', 'w4 = -5', 'r4 = -5'],
    ]);
  });

  it('compute with registers and with numbers, in 64 and in 32 bits', () => {
    const operators = ['+=', '-=', '*=', '/=', '%=', '|=', '&=', '^=', '<<=', '>>=', 's>>=', 's/=', 's%='];
    for (const operator of operators)
      both(
        ['r', 'w'].flatMap((kind) =>
          ['3', `${kind}3`, '-7', '63'].map((other) => `${kind}2 ${operator} ${other}`),
        ),
      );
  });

  it('compare', () => {
    const conditions = ['==', '!=', '>', '>=', '<', '<=', '&', 's>', 's>=', 's<', 's<='];
    let label = 0;
    const lines = conditions.flatMap((condition) =>
      ['r', 'w'].flatMap((kind) =>
        ['0x7f', `${kind}3`, '-1', `${kind}2`].map((other) => {
          label++;
          return `r5 = 1\nif ${kind}2 ${condition} ${other} goto l${label}\nr5 = 2\nl${label}:`;
        }),
      ),
    );
    // Labels are unique in each program.
    for (const number of NUMBERS)
      follows(`r2 = ${number} ll\nr3 = 0x1234567890abcdef ll\n${lines.join('\n')}\n${END}`);
    follows(`${UNKNOWN}\n${lines.join('\n')}\n${END}`);
  });

  it('load with and without signs from stack, frame and maps; store parts of a word', () => {
    const loads = [8, 16, 32].flatMap((bits) =>
      ['u', 's'].flatMap((sign) => [0, 1, 2, 3].map((at) => [bits, `r4 = *(${sign}${bits} *)`, at] as const)),
    );
    const value = `*(u32 *)(r10 - 4) = 1\nr1 = map[list]\nr2 = r10\nr2 += -4\ncall bpf_map_lookup_elem\nif r0 == 0 goto out`;
    const lines = loads.flatMap(([bits, load, at]) => [
      `${load}(r7 + ${16 + at})`,
      `${load}(r10 - ${16 - (bits / 8) * at})`,
      `${load}(r0 + ${at})`,
    ]);
    follows(`${UNKNOWN}\n*(u64 *)(r10 - 16) = r2\n*(u64 *)(r10 - 8) = r3\n${value}\nr3 = *(u64 *)(r7 + 30)
      *(u64 *)(r0 + 0) = r3\n*(u16 *)(r0 + 5) = -2\n*(u8 *)(r0 + 2) = r3\n${lines.join('\n')}\nr4 = *(u64 *)(r0 + 8)\n${END}`);
  });

  it('change memory in one step', () => {
    const value = `*(u32 *)(r10 - 4) = 1\nr1 = map[list]\nr2 = r10\nr2 += -4\ncall bpf_map_lookup_elem\nif r0 == 0 goto out\nr9 = r0`;
    const lines = [64, 32].flatMap((bits) =>
      ['r10 - 16', 'r9 + 8'].flatMap((place) => {
        const memory = `*(u${bits} *)(${place})`;
        const plain = ['+=', '|=', '&=', '^='].map((operator) => `lock ${memory} ${operator} r3`);
        const fetched = ['add', 'or', 'and', 'xor'].map((name) => `r4 = r3\nr4 = fetch_${name} ${memory}`);
        const others = [
          `r4 = r3\nr4 = xchg ${memory}`,
          `r0 = r4\nr5 = 77\ncmpxchg ${memory} r5`,
          `r0 = ${memory}\nr5 = 78\ncmpxchg ${memory} r5`,
          `r4 = load_acquire((u${bits} *)(${place}))`,
          `store_release((u${bits} *)(${place}), r3)`,
          `r4 = load_acquire((u${bits} *)(${place}))`,
        ];
        return [...plain, ...fetched, ...others].map((line) => `${line}\nr5 = *(u64 *)(${place})`);
      }),
    );
    follows(`${UNKNOWN}\n${value}\nr2 = *(u64 *)(r7 + 16)\nr3 = *(u64 *)(r7 + 29)
      *(u64 *)(r10 - 16) = r2\n*(u64 *)(r9 + 8) = r2\nr4 = r3\n${lines.join('\n')}\n${END}`);
  });

  it('load from an sk_buff by place, in network order', () => {
    const loads = ['u8', 'u16', 'u32'].flatMap((size) => [
      `r0 = *skb(${size})(15)`,
      `r2 = 5\nr0 = *skb(${size})(r2 + 16)`,
    ]);
    follows(`r6 = r1\n${loads.join('\n')}\n${END}`, 'tc-ingress');
    for (const [size, at] of [
      ['u8', 59],
      ['u8', 60],
      ['u16', 58],
      ['u16', 59],
      ['u32', 56],
      ['u32', 57],
    ] as const)
      follows(`r6 = r1\nr0 = 7\nr0 = *skb(${size})(${at})\nr0 = 2\nexit`, 'tc-ingress');
  });
});

describe('maps', () => {
  const at = (map: string, key: number, more: string): string =>
    `*(u32 *)(r10 - 8) = ${key}\n*(u32 *)(r10 - 4) = 0x0201a8c0\nr1 = map[${map}]\nr2 = r10\nr2 += -8\n${more}`;
  const lookup = (map: string, key: number, label: string): string =>
    `${at(map, key, 'call bpf_map_lookup_elem')}\nif r0 == 0 goto ${label}\nr4 = *(u64 *)(r0 + 0)\n${label}:\nr5 = 0`;
  const update = (map: string, key: number, flags: number): string =>
    at(map, key, `r3 = r10\nr3 += -32\nr4 = ${flags} ll\ncall bpf_map_update_elem`);
  const remove = (map: string, key: number): string => at(map, key, 'call bpf_map_delete_elem');
  const BEGIN = '*(u64 *)(r10 - 32) = 0x1234\n*(u64 *)(r10 - 24) = 0x5678';

  it.each(['list', 'table', 'recent', 'trie'])('what is stored in %s is found, with every flag', (map) => {
    let label = 0;
    const keys = map === 'trie' ? [24, 32, 33, 0, 8] : [0, 1, 3, 4, -1];
    const rows = keys.flatMap((key) =>
      [0, 2, 1, 1, 2, 3, 4, 5, 0x1_0000_0000].map(
        (flags) => `${update(map, key, flags)}\n${lookup(map, key, `l${label++}`)}`,
      ),
    );
    // Where a prefix is not there a lookup may find a shorter one, of which the path knows nothing.
    const left =
      map === 'trie' ? 'a lookup of a prefix that is not there, below others that may be' : undefined;
    for (const row of rows) follows(`${BEGIN}\n${row}\n${END}`, 'xdp', MAPS, left);
    const sequence = keys
      .slice(0, map === 'trie' ? 1 : 3)
      .flatMap((key) => [
        remove(map, key),
        update(map, key, 2),
        update(map, key, 1),
        update(map, key, 1),
        '*(u64 *)(r10 - 32) = 99',
        update(map, key, 2),
        lookup(map, key, `l${label++}`),
        remove(map, key),
        lookup(map, key, `l${label++}`),
        update(map, key, 0),
      ]);
    follows(`${BEGIN}\n${sequence.join('\n')}\n${END}`, 'xdp', MAPS, left);
  });

  it('prefixes of a trie count by their bits alone', () => {
    const put = (
      length: number,
      address: number,
    ): string => `*(u32 *)(r10 - 8) = ${length}\n*(u32 *)(r10 - 4) = ${address}
      r1 = map[trie]\nr2 = r10\nr2 += -8\nr3 = r10\nr3 += -32\nr4 = 1\ncall bpf_map_update_elem`;
    for (const length of [0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33])
      follows(
        `${BEGIN}\n${put(length, 0x0201a8c0)}\n${put(length, 0x1_0201a8 | 0)}\n${put(length, 0x0301a8c0)}\n${put(length, 0x820129c0 | 0)}\n${END}`,
      );
  });

  it('a redirect through a map of devices that holds none gives its flags', () => {
    for (const flags of [0, 1, 2, 3, 4, 16, 64])
      for (const key of [0, 3, 4])
        follows(`r1 = map[devices]\nr2 = ${key}\nr3 = ${flags}\ncall bpf_redirect_map\nr5 = r0\n${END}`);
  });

  it('records find room in a ring, and no more than it has', () => {
    const output = (size: number, flags: number): string =>
      `r1 = map[ring]\nr2 = r10\nr2 += -32\nr3 = ${size}\nr4 = ${flags}\ncall bpf_ringbuf_output`;
    const query = (what: number): string => `r1 = map[ring]\nr2 = ${what}\ncall bpf_ringbuf_query`;
    const reserve = (size: number, flags: number, label: string): string =>
      `r1 = map[ring]\nr2 = ${size}\nr3 = ${flags}\ncall bpf_ringbuf_reserve\nif r0 == 0 goto ${label}\nr1 = r0\nr2 = 0\ncall bpf_ringbuf_submit\n${label}:`;
    const filled = `${BEGIN}\n*(u64 *)(r10 - 16) = 1\n*(u64 *)(r10 - 8) = 2`;
    const queries = [0, 1, 2, 3, 4].map(query).join('\n');
    for (const [size, flags] of [
      [1, 0],
      [8, 1],
      [9, 2],
      [32, 3],
      [16, 4],
    ] as const)
      follows(`${filled}\n${output(size, flags)}\n${queries}\n${END}`);
    for (const [index, size] of [1, 8, 4072, 4080, 4081, 4088, 4096].entries())
      follows(
        `${filled}\n${reserve(size, 0, `l${index}`)}\n${query(0)}\n${output(8, 0)}\n${query(0)}\n${output(1, 0)}\n${END}`,
      );
    follows(`${filled}\n${reserve(8, 1, 'l')}\n${queries}\n${END}`);
  });
});

describe('functions', () => {
  it('keep the registers of their callers, and have stacks of their own', () => {
    follows(`r6 = 6\nr7 = 7\nr8 = 8\nr9 = 9\n*(u64 *)(r10 - 8) = 1\nr1 = r10\nr1 += -8\nr2 = 5\ncall first\nr1 = *(u64 *)(r10 - 8)\nr2 = r6\nr2 += r9\n${END}
      first:\nr6 = r1\nr7 = 70\nr8 = 80\nr9 = 90\n*(u64 *)(r10 - 8) = r2\n*(u64 *)(r1 + 0) = 44\nr1 = r10\nr1 += -8\ncall second\nr0 += r7\nr3 = *(u64 *)(r6 + 0)\nexit
      second:\nr0 = *(u64 *)(r1 + 0)\n*(u64 *)(r1 + 0) = 3\n*(u64 *)(r10 - 8) = 9\nexit`);
  });

  it('go round in loops as often as is asked, or until they have enough', () => {
    const loop = (rounds: number | bigint, flags: number, enough: number): string =>
      `*(u64 *)(r10 - 8) = 0\nr1 = ${rounds} ll\nr2 = round\nr3 = r10\nr3 += -8\nr4 = ${flags}\ncall bpf_loop\nr7 = *(u64 *)(r10 - 8)\n${END}
      round:\nr3 = *(u64 *)(r2 + 0)\nr3 += r1\n*(u64 *)(r2 + 0) = r3\nr0 = 0\nif r1 != ${enough} goto on\nr0 = 1\non:\nexit`;
    for (const rounds of [0, 1, 2, 5, 8_388_609, 0x1_0000_0002]) follows(loop(rounds, 0, 3));
    follows(loop(8_388_608, 0, 1));
    follows(loop(2, 1, 3));
  });

  it('visit elements of arrays and tables, known and deleted ones', () => {
    const put = (map: string, key: number): string =>
      `*(u32 *)(r10 - 16) = ${key}\nr1 = map[${map}]\nr2 = r10\nr2 += -16\nr3 = r10\nr3 += -32\nr4 = 0\ncall bpf_map_update_elem`;
    const walk = (map: string, flags: number, enough: number): string =>
      `*(u64 *)(r10 - 32) = 5\n*(u64 *)(r10 - 24) = 6\n*(u64 *)(r10 - 8) = 0\n${[0, 1, 3].map((key) => put(map, key)).join('\n')}
      r1 = map[${map}]\nr2 = visit\nr3 = r10\nr3 += -8\nr4 = ${flags}\ncall bpf_for_each_map_elem\nr6 = r0\nr7 = *(u64 *)(r10 - 8)
      ${put(map, 2)}\n${END}
      visit:\nr6 = *(u32 *)(r2 + 0)\nr7 = *(u64 *)(r3 + 0)\nr8 = *(u64 *)(r4 + 0)\nr8 += r6\nr8 += r7\n*(u64 *)(r4 + 0) = r8
      *(u64 *)(r3 + 0) = r6\nr0 = 0\nif r8 < ${enough} goto on\nr0 = 1\non:\nexit`;
    for (const map of ['list', 'table'])
      for (const [flags, enough] of [
        [0, 100],
        [0, 8],
        [1, 100],
      ] as const)
        follows(walk(map, flags, enough));
  });

  it('are left for another program by a tail call, where there is one', () => {
    for (const index of [0, 1, 2, 4])
      follows(`r6 = r1\nr2 = map[jumps]\nr3 = ${index}\ncall bpf_tail_call\nr7 = r6\n${END}`);
  });

  it('compare strings up to their zero, or their length', () => {
    const texts = ['abc\0', 'abd\0', 'ab\0\0', 'abb\0', '\0\0\0\0', 'abcd'];
    const words = testMap('words', 'ARRAY', {
      maxEntries: 1,
      mapFlags: 0x80,
      global: { bytes: new TextEncoder().encode('abc\0'), readOnly: true, variables: new Map() },
      valueSize: 4,
    });
    for (const text of texts)
      for (const size of [1, 2, 3, 4]) {
        const bytes = [...text]
          .map((one, at) => `*(u8 *)(r10 - ${8 - at}) = ${one.charCodeAt(0)}`)
          .join('\n');
        const call = `r1 = r10\nr1 += -8\nr2 = ${size}\nr3 = map[words]+0\ncall bpf_strncmp\nr7 = r0`;
        follows(`${bytes}\n${call}\n${END}`, 'xdp', [words]);
      }
  });
});
