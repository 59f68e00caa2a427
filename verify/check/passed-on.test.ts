/** Bytes that nobody wrote where neither frame nor maps show them. */
import { describe, expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { data } from '../test-support/packets.ts';
import { PassedOn } from './passed-on.ts';
import type { Seen } from './probe.ts';

const MAPS = [
  testMap('events', 'PERF_EVENT_ARRAY', { keySize: 4, valueSize: 4 }),
  testMap('ring', 'RINGBUF', { keySize: 0, valueSize: 0, maxEntries: 4096 }),
  testMap('queue', 'QUEUE', { keySize: 0, valueSize: 8 }),
  testMap('stack', 'STACK', { keySize: 0, valueSize: 8 }),
  testMap('bloom', 'BLOOM_FILTER', { keySize: 0, valueSize: 8 }),
  testMap('hash', 'HASH', { keySize: 8, valueSize: 4 }),
];

/** r6 is the context. */
function found(body: string, { hook = 'xdp', isElsewhere = false } = {}): Promise<Seen[]> {
  const main = `r6 = r1\n${body}\nr0 = 2\nexit`;
  const entries: Program['entries'] = [{ function: 'main', hook: hook as Hook }];
  const program: Program = { name: 'p', entries, object: writeElf({ main }, MAPS) };
  return new PassedOn(program).find([{ world: {}, stimulus: { packet: data(60) } }], isElsewhere);
}

function said(seen: readonly Seen[]): unknown[] {
  return seen.map(({ breach, severity }) => [breach.invariant, severity, breach.sentence]);
}

const HALF = '*(u32 *)(r10 - 8) = 1';
const WHOLE = '*(u64 *)(r10 - 8) = 1';
const event = (written: string): string =>
  `${written}\nr1 = r6\nr2 = map[events]\nr3 = 0\nr4 = r10\nr4 += -8\nr5 = 8\ncall bpf_perf_event_output`;
const output = (written: string): string =>
  `${written}\nr1 = map[ring]\nr2 = r10\nr2 += -8\nr3 = 8\nr4 = 0\ncall bpf_ringbuf_output`;
const push = (map: string, written: string): string =>
  `${written}\nr1 = map[${map}]\nr2 = r10\nr2 += -8\nr3 = 0\ncall bpf_map_push_elem`;
const ask = (written: string): string =>
  `${written}\nr1 = map[hash]\nr2 = r10\nr2 += -8\ncall bpf_map_lookup_elem`;
const tunnel = (written: string, flags: number, size = 44): string => {
  const zeros = Array.from({ length: 6 }, (_, at) => `*(u64 *)(r10 - ${8 * (at + 1)}) = 0`);
  const key = `r1 = r6\nr2 = r10\nr2 += -48\nr3 = ${size}\nr4 = ${flags}`;
  return `${written === '' ? '' : zeros.filter((line) => !line.includes(written)).join('\n')}\n${key}\ncall bpf_skb_set_tunnel_key`;
};

describe('bytes of the stack that were never written', () => {
  it.each([
    ['a perf event', event, 'bpf_perf_event_output'],
    ['a record of a ring buffer', output, 'bpf_ringbuf_output'],
  ])('go to user space with %s', async (_what, handed, name) => {
    expect(said(await found(handed(HALF)))).toEqual([
      [
        'uninitialized/passed',
        undefined,
        `what ${name} is handed: 4 of its 8 bytes, from byte 4 on, are of the stack, and the program never wrote them: user space gets whatever was there before`,
      ],
    ]);
    expect(await found(handed(WHOLE))).toEqual([]);
  });

  it('are copied, too', async () => {
    const copied = `${HALF}\nr1 = *(u64 *)(r10 - 8)\n*(u64 *)(r10 - 16) = r1`;
    const from = event('').replace('r4 += -8', 'r4 += -16');
    expect((await found(`${copied}\n${from}`)).length).toBe(1);
    const masked = copied.replace('*(u64 *)(r10 - 16)', 'r1 <<= 32\n*(u64 *)(r10 - 16)');
    expect(await found(`${masked}\n${from}`)).toEqual([]);
  });

  it.each([
    ['queue', 'warning'],
    ['stack', 'warning'],
    ['bloom', undefined],
  ])('are in a value of a map that shows none: %s', async (map, severity) => {
    expect(said(await found(push(map, HALF)))).toEqual([
      [
        'uninitialized/map',
        severity,
        `a value of map ${map} holds bytes of the stack that the program never wrote: 4 of its 8 bytes, from byte 4 on, are whatever was there before`,
      ],
    ]);
    expect(await found(push(map, WHOLE))).toEqual([]);
  });

  it('are in a key that a map is asked for: said where nothing else is', async () => {
    const [seen, ...others] = await found(ask(HALF));
    expect(others).toEqual([]);
    expect(seen?.breach.sentence).toMatch(/^the key that bpf_map_lookup_elem is handed: 4 of its 8 bytes/);
    expect(await found(ask(WHOLE))).toEqual([]);
    expect(await found(ask(HALF), { isElsewhere: true })).toEqual([]);
    expect((await found(`${ask(HALF)}\n${event('')}`)).map(({ breach }) => breach.sentence)).toEqual([
      expect.stringMatching(/^what bpf_perf_event_output is handed/),
    ]);
  });

  it('are in the key of a tunnel, where it is read', async () => {
    const tc = { hook: 'tc-egress' };
    // Identifier and address.
    expect((await found(tunnel('r10 - 48', 0), tc)).length).toBe(1);
    expect(await found(tunnel('r10 - 80', 0), tc)).toEqual([]);
    // The rest of an IPv6 address.
    expect(await found(tunnel('r10 - 40', 0), tc)).toEqual([]);
    expect((await found(tunnel('r10 - 40', 1), tc)).length).toBe(1);
  });

  it('are asked of each call by itself, and decide nothing here', async () => {
    expect((await found(`${event(HALF)}\n${output('')}`)).length).toBe(2);
    const decides = `r1 = *(u32 *)(r10 - 16)\nif r1 == 0 goto over\n${event(WHOLE)}\nover:`;
    expect(await found(decides)).toEqual([]);
  });
});

describe('bytes of a sample that were never written', () => {
  const sample = (size: number, written: string, end = 'submit'): string =>
    `r1 = map[ring]\nr2 = ${size}\nr3 = 0\ncall bpf_ringbuf_reserve\nif r0 == 0 goto full\n${written}\nr1 = r0\nr2 = 0\ncall bpf_ringbuf_${end}\nfull:`;
  const words = (...at: number[]): string => at.map((place) => `*(u32 *)(r0 + ${place}) = 0`).join('\n');

  it('are a note where a member must lie', async () => {
    expect(said(await found(sample(12, words(0, 8))))).toEqual([
      [
        'uninitialized/passed',
        'info',
        'the sample for bpf_ringbuf_submit: 4 of its 12 bytes, from byte 4 on, are never written, and hold what an earlier sample left there',
      ],
    ]);
    expect(await found(sample(12, words(0, 4, 8)))).toEqual([]);
  });

  it('are nothing where the sample is thrown away', async () => {
    expect(await found(sample(12, words(0, 8), 'discard'))).toEqual([]);
  });

  it('are nothing where they may be padding, or a buffer that is filled in part', async () => {
    expect(await found(sample(16, `${words(0)}\n*(u64 *)(r0 + 8) = 0`))).toEqual([]);
    expect(await found(sample(8, '*(u8 *)(r0 + 0) = 1\n*(u32 *)(r0 + 4) = 0'))).toEqual([]);
    expect(await found(sample(16, words(0, 8, 12)))).toEqual([]);
    expect(await found(sample(64, words(0)))).toEqual([]);
  });
});
