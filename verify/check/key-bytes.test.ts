/** Which bytes of a frame stand in the key of an entry, as runs of small programs show it. */
import { describe, expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { data } from '../test-support/packets.ts';
import { KeyBytes } from './key-bytes.ts';
import { traceOf } from './probe.ts';

const PACKET = data(64);
/** What stands at byte 30 is the key. */
const KEY = PACKET.slice(30, 34);
const HASH = [testMap('hosts', 'HASH'), testMap('slots', 'ARRAY')];
const ENTRY = (key: Uint8Array): World => ({ maps: { hosts: [{ key, value: new Uint8Array(8) }] } });

/** r6 = the context, r7 = the frame; `TAKE` reads the key into r9 and looks it up. */
const begin = (hook: Hook): string => `r6 = r1
  r7 = *(u32 *)(r6 + ${hook === 'xdp' ? 0 : 76})
  r8 = *(u32 *)(r6 + ${hook === 'xdp' ? 4 : 80})
  r0 = r7
  r0 += 40
  if r0 > r8 goto out`;
const END = `out:
  r0 = 2
  exit`;
const LOOKUP = `*(u32 *)(r10 - 8) = r9
  r1 = map[hosts]
  r2 = r10
  r2 += -8
  call bpf_map_lookup_elem
  if r0 == 0 goto out`;
const TAKE = `r9 = *(u32 *)(r7 + 30)\n${LOOKUP}`;
const PUT = '*(u32 *)(r7 + 26) = r9';

async function areWritten(
  body: string,
  { hook = 'xdp', world = ENTRY(KEY), at = 26 }: { hook?: Hook; world?: World; at?: number } = {},
): Promise<boolean> {
  const text = body.includes(END) ? body : `${body}\n${END}`;
  const object = writeElf({ main: [begin(hook), text].join('\n') }, HASH);
  const program: Program = { name: 'p', entries: [{ function: 'main', hook }], object };
  const trace = (await traceOf(program, { world, stimuli: [{ packet: PACKET }] }))!;
  expect(trace).toBeDefined();
  return new KeyBytes(program, world, PACKET, trace).areWritten(at, at + 4);
}

const PIECES = [0, 1, 2, 3]
  .map((at) => `r1 = *(u8 *)(r7 + ${30 + at})\nr1 <<= ${8 * at}\n${at === 0 ? 'r9 = r1' : 'r9 |= r1'}`)
  .join('\n');

describe('bytes that stand in the key of an entry', () => {
  it.each<[what: string, body: string, hook?: Hook]>([
    ['out of a register', `${TAKE}\n${PUT}`],
    ['read again from the packet', `${TAKE}\nr1 = *(u32 *)(r7 + 30)\n*(u32 *)(r7 + 26) = r1`],
    ['read again from the stack', `${TAKE}\nr1 = *(u32 *)(r10 - 8)\n*(u32 *)(r7 + 26) = r1`],
    ['put together of bytes', `${PIECES}\n${LOOKUP}\n${PUT}`],
    [
      'that helpers copy',
      `r1 = r6\nr2 = 30\nr3 = r10\nr3 += -8\nr4 = 4\ncall bpf_skb_load_bytes
      r1 = map[hosts]\nr2 = r10\nr2 += -8\ncall bpf_map_lookup_elem\nif r0 == 0 goto out
      r1 = r6\nr2 = 26\nr3 = r10\nr3 += -8\nr4 = 4\nr5 = 0\ncall bpf_skb_store_bytes`,
      'tc-ingress',
    ],
    ['behind a function of the program', `${TAKE}\ncall own\n${PUT}\n${END}\nown:\nr9 = 0\nr0 = 0\nexit`],
  ])('%s', async (_, body, hook = 'xdp') => {
    expect(await areWritten(body, { hook })).toBe(true);
  });

  it('move with the frame', async () => {
    const moved = `${TAKE}\n${PUT}\nr1 = r6\nr2 = -4\ncall bpf_xdp_adjust_head`;
    expect(await areWritten(moved, { at: 30 })).toBe(true);
    expect(await areWritten(moved)).toBe(false);
  });

  it('are those that an entry of a trie asks for', async () => {
    const hosts = [testMap('hosts', 'LPM_TRIE', { keySize: 8, valueSize: 8 })];
    const text = `*(u32 *)(r10 - 8) = 32\nr9 = *(u32 *)(r7 + 30)\n*(u32 *)(r10 - 4) = r9
      r1 = map[hosts]\nr2 = r10\nr2 += -8\ncall bpf_map_lookup_elem\nif r0 == 0 goto out\n${PUT}\n${END}`;
    const object = writeElf({ main: [begin('xdp'), text].join('\n') }, hosts);
    const program: Program = { name: 'p', entries: [{ function: 'main', hook: 'xdp' }], object };
    const written = async (bits: number): Promise<boolean> => {
      const world = ENTRY(Uint8Array.of(bits, 0, 0, 0, ...KEY));
      const trace = (await traceOf(program, { world, stimuli: [{ packet: PACKET }] }))!;
      return new KeyBytes(program, world, PACKET, trace).areWritten(26, 30);
    };
    expect(await written(32)).toBe(true);
    expect(await written(16)).toBe(false);
  });

  it.each<[what: string, body: string, world?: World]>([
    ['a constant of the same value', `${TAKE}\nr9 = 0\n${PUT}`],
    ['beside them', `${TAKE}\nr9 = *(u32 *)(r7 + 31)\n${PUT}`],
    ['that were changed', `${TAKE}\nr9 += 1\n${PUT}`],
    ['that are not all of them', `${TAKE}\nr9 = *(u16 *)(r7 + 30)\n${PUT}`],
    ['that no map has', `${TAKE}\n${PUT}`, {}],
    ['that nobody looked up', `r9 = *(u32 *)(r7 + 30)\n${PUT}`],
    [
      'that are the number of a slot',
      `r9 = *(u32 *)(r7 + 30)\n*(u32 *)(r10 - 8) = r9\nr1 = map[slots]\nr2 = r10\nr2 += -8\ncall bpf_map_lookup_elem\n${PUT}`,
    ],
  ])('none are %s', async (_, body, world = ENTRY(KEY)) => {
    expect(await areWritten(body, { world })).toBe(false);
  });
});
