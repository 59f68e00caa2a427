/** Which bytes and numbers of a run come from maps, as runs of small programs show it. */
import { describe, expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { type WrittenData, writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { data } from '../test-support/packets.ts';
import { MapContents } from './map-contents.ts';
import { traceOf } from './probe.ts';

const MAPS = [testMap('counts', 'ARRAY'), testMap('ports', 'DEVMAP')];
const DATA: WrittenData = { '.rodata': { set: [7, 0, 0, 0] } };
/** r6 = the context, r7 = the frame, of which 32 bytes are there, r9 = a value of the map. */
const begin = (hook: Hook): string => `r6 = r1
  r7 = *(u32 *)(r6 + ${hook === 'xdp' ? 0 : 76})
  r8 = *(u32 *)(r6 + ${hook === 'xdp' ? 4 : 80})
  r0 = r7
  r0 += 32
  if r0 > r8 goto out
  *(u32 *)(r10 - 32) = 0
  r1 = map[counts]
  r2 = r10
  r2 += -32
  call bpf_map_lookup_elem
  if r0 == 0 goto out
  r9 = r0`;
const END = `out:
  r0 = 2
  exit`;

async function contentsOf(body: string, { hook = 'xdp', world = {} }: { hook?: Hook; world?: World } = {}) {
  const object = writeElf({ main: [begin(hook), body].join('\n') }, MAPS, DATA);
  const program: Program = { name: 'p', entries: [{ function: 'main', hook }], object };
  const trace = (await traceOf(program, { world, stimuli: [{ packet: data(64) }] }))!;
  return new MapContents(program, world, trace);
}

const LOWER = 'r1 = *(u8 *)(r7 + 22)\nr1 += -1\n*(u8 *)(r7 + 22) = r1';
const FROM_MAP = 'r1 = *(u8 *)(r9 + 0)\n*(u8 *)(r7 + 22) = r1';

describe('what comes out of a queue', () => {
  const maps = [testMap('jobs', 'QUEUE', { valueSize: 4 }), testMap('seen', 'BLOOM_FILTER', { keySize: 0 })];
  const value = (size: number) => ({ key: new Uint8Array(0), value: new Uint8Array(size) });
  const world: World = { maps: { jobs: [value(4)], seen: [value(4)] } };
  const isFromMap = async (map: string, helper: string, from: number): Promise<boolean> => {
    const text = `r7 = *(u32 *)(r1 + 0)\nr8 = *(u32 *)(r1 + 4)\nr0 = r7\nr0 += 32\nif r0 > r8 goto out
      *(u64 *)(r10 - 16) = 0\n*(u64 *)(r10 - 8) = 0\nr1 = map[${map}]\nr2 = r10\nr2 += -16
      call bpf_map_${helper}_elem\nr1 = *(u8 *)(r10 - ${from})\n*(u8 *)(r7 + 22) = r1\n${END}`;
    const object = writeElf({ main: text }, maps);
    const program: Program = { name: 'p', entries: [{ function: 'main', hook: 'xdp' }], object };
    const trace = (await traceOf(program, { world, stimuli: [{ packet: data(64) }] }))!;
    return new MapContents(program, world, trace).isWritten(22, 23);
  };

  it('is its contents, and what lies beside it is not', async () => {
    expect(await isFromMap('jobs', 'pop', 16)).toBe(true);
    expect(await isFromMap('jobs', 'peek', 13)).toBe(true);
    expect(await isFromMap('jobs', 'pop', 12)).toBe(false);
  });

  it('is none of a Bloom filter, which is asked for what the program holds', async () => {
    expect(await isFromMap('seen', 'peek', 16)).toBe(false);
  });
});

describe('a byte of the frame', () => {
  const isWritten = async (body: string, hook: Hook = 'xdp', at = 22): Promise<boolean> =>
    (await contentsOf(body.includes(END) ? body : `${body}\n${END}`, { hook })).isWritten(at, at + 1);

  it.each<[what: string, body: string, hook?: Hook, at?: number]>([
    ['that nobody wrote', 'r1 = 0'],
    ['that was lowered by one', LOWER],
    ['that was lowered because a map said so', `r1 = *(u8 *)(r9 + 0)\nif r1 != 0 goto out\n${LOWER}`],
    ['beside one from a map', FROM_MAP, 'xdp', 23],
    ['that was written over', `${FROM_MAP}\n*(u8 *)(r7 + 22) = 3`],
    ['that a register of its own holds', `r2 = *(u8 *)(r9 + 0)\nr2 = 5\n*(u8 *)(r7 + 22) = r2`],
    [
      'that lay on the stack',
      `r1 = *(u8 *)(r7 + 22)\n*(u64 *)(r10 - 8) = r1\nr1 = *(u64 *)(r10 - 8)\n*(u8 *)(r7 + 22) = r1`,
    ],
    [
      'that a helper wrote',
      'r1 = r6\nr2 = 22\nr3 = r10\nr3 += -32\nr4 = 1\nr5 = 0\ncall bpf_skb_store_bytes',
      'tc-ingress',
    ],
    [
      'that a helper wrote beside one from a map',
      'r1 = *(u8 *)(r9 + 0)\n*(u8 *)(r10 - 31) = r1\nr1 = r6\nr2 = 22\nr3 = r10\nr3 += -32\nr4 = 2\nr5 = 0\ncall bpf_skb_store_bytes',
      'tc-ingress',
    ],
    [
      'that a helper read and another wrote, beside one from a map',
      'r1 = *(u8 *)(r9 + 0)\n*(u8 *)(r7 + 20) = r1\nr1 = r6\nr2 = 18\nr3 = r10\nr3 += -16\nr4 = 2\ncall bpf_skb_load_bytes\nr1 = r6\nr2 = 22\nr3 = r10\nr3 += -16\nr4 = 2\nr5 = 0\ncall bpf_skb_store_bytes',
      'tc-ingress',
    ],
    [
      'that a helper wrote beside one from a map, where another has moved the frame',
      'r1 = *(u8 *)(r9 + 0)\n*(u8 *)(r10 - 31) = r1\nr1 = r6\nr2 = 4\nr3 = 0\ncall bpf_skb_change_head\nr1 = r6\nr2 = 22\nr3 = r10\nr3 += -32\nr4 = 2\nr5 = 0\ncall bpf_skb_store_bytes',
      'tc-ingress',
    ],
    [
      'the same, looked at afterwards',
      'r1 = *(u8 *)(r9 + 0)\n*(u8 *)(r10 - 31) = r1\nr1 = r6\nr2 = 4\nr3 = 0\ncall bpf_skb_change_head\nr1 = r6\nr2 = 22\nr3 = r10\nr3 += -32\nr4 = 2\nr5 = 0\ncall bpf_skb_store_bytes\nr7 = *(u32 *)(r6 + 76)',
      'tc-ingress',
    ],
    ['that another was made room before', `${LOWER}\nr1 = r6\nr2 = -4\ncall bpf_xdp_adjust_head`, 'xdp', 26],
    ['whose old place a map wrote', `${FROM_MAP}\nr1 = r6\nr2 = -4\ncall bpf_xdp_adjust_head`],
  ])('%s is the program’s', async (_, body, hook, at) => {
    expect(await isWritten(body, hook, at)).toBe(false);
  });

  it.each<[what: string, body: string, hook?: Hook, at?: number]>([
    ['that a map holds', FROM_MAP],
    ['of more that it holds', 'r1 = *(u32 *)(r9 + 0)\n*(u32 *)(r7 + 20) = r1'],
    [
      'that was lowered by what it holds',
      'r2 = *(u8 *)(r9 + 0)\nr1 = *(u8 *)(r7 + 22)\nr1 -= r2\n*(u8 *)(r7 + 22) = r1',
    ],
    [
      'that lay on the stack',
      'r1 = *(u8 *)(r9 + 0)\n*(u64 *)(r10 - 8) = r1\nr1 = *(u64 *)(r10 - 8)\n*(u8 *)(r7 + 22) = r1',
    ],
    [
      'that a helper wrote',
      'r1 = *(u8 *)(r9 + 0)\n*(u8 *)(r10 - 31) = r1\nr1 = r6\nr2 = 21\nr3 = r10\nr3 += -32\nr4 = 2\nr5 = 0\ncall bpf_skb_store_bytes',
      'tc-ingress',
    ],
    [
      'that a helper read from where a map wrote',
      'r1 = *(u8 *)(r9 + 0)\n*(u8 *)(r7 + 18) = r1\nr1 = r6\nr2 = 18\nr3 = r10\nr3 += -16\nr4 = 2\ncall bpf_skb_load_bytes\nr1 = r6\nr2 = 22\nr3 = r10\nr3 += -16\nr4 = 2\nr5 = 0\ncall bpf_skb_store_bytes',
      'tc-ingress',
    ],
    [
      'that a helper wrote where another has moved the frame',
      'r1 = *(u8 *)(r9 + 0)\n*(u8 *)(r10 - 31) = r1\nr1 = r6\nr2 = 4\nr3 = 0\ncall bpf_skb_change_head\nr1 = r6\nr2 = 21\nr3 = r10\nr3 += -32\nr4 = 2\nr5 = 0\ncall bpf_skb_store_bytes',
      'tc-ingress',
    ],
    [
      'the same, looked at afterwards',
      'r1 = *(u8 *)(r9 + 0)\n*(u8 *)(r10 - 31) = r1\nr1 = r6\nr2 = 4\nr3 = 0\ncall bpf_skb_change_head\nr1 = r6\nr2 = 21\nr3 = r10\nr3 += -32\nr4 = 2\nr5 = 0\ncall bpf_skb_store_bytes\nr7 = *(u32 *)(r6 + 76)',
      'tc-ingress',
    ],
    ['that an atomic operation fetched', 'r1 = 1\nr1 = fetch_add *(u32 *)(r9 + 0)\n*(u8 *)(r7 + 22) = r1'],
    [
      'that a helper wrote',
      `r1 = *(u8 *)(r9 + 0)\n*(u64 *)(r10 - 8) = r1
      r1 = r6\nr2 = 22\nr3 = r10\nr3 += -8\nr4 = 1\nr5 = 0\ncall bpf_skb_store_bytes`,
      'tc-ingress',
    ],
    ['that was moved', `${FROM_MAP}\nr1 = r6\nr2 = -4\ncall bpf_xdp_adjust_head`, 'xdp', 26],
    [
      'that a function of the program gave',
      `r1 = r9\ncall pick\n*(u8 *)(r7 + 22) = r0\n${END}\npick:\nr0 = *(u8 *)(r1 + 0)\nexit`,
    ],
  ])('%s is the map’s', async (_, body, hook, at) => {
    expect(await isWritten(body, hook, at)).toBe(true);
  });
});

describe('a redirect', () => {
  const flagsOf = async (body: string): Promise<readonly [target: boolean, flags: boolean]> => {
    const contents = await contentsOf(`${body}\nexit\n${END}`);
    return [contents.isRedirected(), contents.areRedirectFlags()];
  };

  it('has flags of its own, whoever says where it goes', async () => {
    expect(await flagsOf('r1 = *(u32 *)(r9 + 0)\nr2 = 4\ncall bpf_redirect')).toEqual([true, false]);
    expect(await flagsOf('r1 = 2\nr2 = *(u32 *)(r9 + 0)\ncall bpf_redirect')).toEqual([true, true]);
    expect(await flagsOf('r1 = 2\nr2 = 4\ncall bpf_redirect')).toEqual([false, false]);
    const map = 'r1 = map[ports]\nr2 = *(u32 *)(r9 + 0)';
    expect(await flagsOf(`${map}\nr3 = 64\ncall bpf_redirect_map`)).toEqual([true, false]);
    expect(await flagsOf(`${map}\nr3 = r2\ncall bpf_redirect_map`)).toEqual([true, true]);
  });
});

describe('contents that stand in for a field', () => {
  const FIELD = { from: 24, to: 26 };
  const SUM = 'r1 = *(u16 *)(r9 + 4)\nr2 = *(u16 *)(r7 + 24)\nr2 += r1\n*(u16 *)(r7 + 24) = r2';
  const ADDRESS = 'r3 = *(u32 *)(r9 + 0)\n*(u32 *)(r7 + 26) = r3';
  const isOnly = async (body: string, fields: { from: number; to: number }[] = []): Promise<boolean> =>
    (await contentsOf(`${body}\n${END}`)).isOnlyIn(FIELD, fields, 64);
  const isCopied = async (body: string): Promise<boolean> =>
    (await contentsOf(`${body}\n${END}`)).isCopied(FIELD);

  it('go there and nowhere else, or to another field of the kind', async () => {
    expect(await isOnly(`${SUM}\n${ADDRESS}`)).toBe(true);
    expect(await isOnly(`${SUM}\n*(u16 *)(r7 + 30) = r2`, [{ from: 30, to: 32 }])).toBe(true);
  });

  it('are none that the frame holds as well', async () => {
    expect(await isOnly(`${SUM}\n*(u16 *)(r7 + 30) = r1`)).toBe(false);
    expect(await isOnly(`${ADDRESS}\nr3 <<= 3\n*(u16 *)(r7 + 24) = r3`)).toBe(false);
    expect(await isOnly(`${ADDRESS}\nr1 = *(u16 *)(r9 + 4)\n*(u16 *)(r7 + 24) = 7`)).toBe(false);
  });

  it('are none that the run put into the map itself', async () => {
    expect(await isOnly(`*(u16 *)(r9 + 4) = 9\n${SUM}`)).toBe(false);
    const update =
      'r1 = map[counts]\nr2 = r10\nr2 += -32\nr3 = r10\nr3 += -32\nr4 = 0\ncall bpf_map_update_elem';
    const zeros = '*(u64 *)(r10 - 32) = 0\n*(u64 *)(r10 - 24) = 0';
    expect(await isOnly(`${zeros}\n${update}\n${SUM}`)).toBe(false);
  });

  it('are told byte by byte where a wider word is copied', async () => {
    const word =
      'r1 = *(u32 *)(r9 + 0)\n*(u32 *)(r7 + 24) = r1\nr1 = *(u16 *)(r7 + 24)\nr1 += 1\n*(u16 *)(r7 + 24) = r1';
    expect(await isOnly(word)).toBe(true);
  });

  it('are copied as they stand, by way of the stack too, and not made into something else', async () => {
    expect(await isCopied('r1 = *(u32 *)(r9 + 0)\n*(u32 *)(r7 + 24) = r1')).toBe(true);
    expect(
      await isCopied(
        'r1 = *(u32 *)(r9 + 0)\n*(u64 *)(r10 - 8) = r1\nr1 = *(u64 *)(r10 - 8)\n*(u16 *)(r7 + 24) = r1',
      ),
    ).toBe(true);
    expect(await isCopied('r1 = *(u16 *)(r9 + 0)\nr1 <<= 4\n*(u16 *)(r7 + 24) = r1')).toBe(false);
    expect(await isCopied('r1 = *(u8 *)(r9 + 0)\n*(u16 *)(r7 + 24) = r1')).toBe(false);
    expect(await isCopied('r1 = *(u16 *)(r9 + 0)\n*(u16 *)(r7 + 22) = r1')).toBe(false);
  });
});
