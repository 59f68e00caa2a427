/** Which metadata counts as never written, of programs in assembly. */
import { expect, it } from 'vitest';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { PacketBatch, type Stimulus } from '../../sim/packet/packet-batch.ts';
import { XDP_DROP, XDP_PASS } from '../../sim/runtime/actions.ts';
import type { Program, ProgramEntry } from '../../sim/runtime/program.ts';
import { EngineSide } from '../engine-side.ts';
import { data, ethernet, ipv4 } from '../test-support/packets.ts';
import type { Seen } from './probe.ts';
import { UnwrittenMetadata } from './unwritten-metadata.ts';

/** Makes eight bytes of room: r7 is where it begins, r8 the frame, of which 14 bytes are there. */
const room = (body: string, action = XDP_PASS): string => `r6 = r1
  r2 = -8
  call bpf_xdp_adjust_meta
  if r0 != 0 goto out
  r7 = *(u32 *)(r6 + 8)
  r8 = *(u32 *)(r6 + 0)
  r9 = *(u32 *)(r6 + 4)
  r1 = r7
  r1 += 8
  if r1 > r8 goto out
  r1 = r8
  r1 += 14
  if r1 > r9 goto out
  ${body}
  r0 = ${action}
  exit
  out:
  r0 = 1
  exit`;
const ALL = '*(u64 *)(r7 + 0) = 0';
const HALF = '*(u32 *)(r7 + 0) = 5';
/** The rest for IPv4 only. */
const SOMETIMES = `${HALF}
  r1 = *(u16 *)(r8 + 12)
  if r1 != 8 goto left
  *(u8 *)(r7 + 4) = 1
  *(u8 *)(r7 + 5) = 1
  *(u16 *)(r7 + 6) = 1
  left:`;

const PACKETS = [{ packet: data(60) }, { packet: ethernet(0x0800, ipv4(17, data(20))) }];

async function found(
  text: string,
  stimuli: readonly Stimulus[] = PACKETS,
  entry: Partial<ProgramEntry> = {},
  known: readonly Stimulus[] = [],
): Promise<Seen | undefined> {
  const program: Program = {
    ...{ name: 'p', entries: [{ function: 'main', hook: 'xdp', ...entry }] },
    object: writeElf({ main: text }, []),
  };
  const machine = createVmEngine();
  const input = new PacketBatch(stimuli.length);
  for (const stimulus of stimuli) input.push(stimulus);
  const side = new EngineSide(machine, program, stimuli.length);
  expect(await side.run({}, input)).toBe(true);
  const metadata = new UnwrittenMetadata(program);
  metadata.observe({}, input, side);
  await side.close();
  return metadata.find(known.map((stimulus) => ({ world: {}, stimulus })));
}

it('is a warning where other packets have it written, or where none of it is', async () => {
  const seen = await found(room(SOMETIMES));
  expect(seen?.severity).toBe('warning');
  expect(seen?.breach).toMatchObject({
    invariant: 'uninitialized/metadata',
    sentence:
      '4 bytes of the metadata, from byte 4 on, lie in the room that bpf_xdp_adjust_meta made, which the kernel does not clear, and the program did not write them',
  });
  expect((await found(room('')))?.severity).toBe('warning');
});

it('is looked for with packets that go rare ways, too', async () => {
  // All but those that begin with nine have it written.
  const text = room(`r1 = *(u8 *)(r8 + 0)\nif r1 == 9 goto left\n${ALL}\nleft:`);
  const beginning = (first: number): Stimulus => ({ packet: Uint8Array.of(first, ...data(59)) });
  expect(await found(text, [beginning(1)], {}, [beginning(2)])).toBeUndefined();
  const seen = await found(text, [beginning(1)], {}, [beginning(2), beginning(9)]);
  expect(seen?.severity).toBe('warning');
  expect(seen!.stimuli[0]!.packet[0]).toBe(9);
});

it('does not leave with what a device map sends', async () => {
  expect(await found(room(''), PACKETS, { behindRedirect: 'devmap' })).toBeUndefined();
  expect((await found(room(''), PACKETS, { behindRedirect: 'cpumap' }))?.severity).toBe('warning');
});

it('is a note where no packet has it written, and the rest is', async () => {
  expect((await found(room(HALF)))?.severity).toBe('info');
  // Of IPv4 packets alone nothing says that the rest is ever meant.
  expect((await found(room(SOMETIMES), PACKETS.slice(0, 1)))?.severity).toBe('info');
});

it('is nothing where all is written, nor where nobody reads it', async () => {
  expect(await found(room(ALL))).toBeUndefined();
  expect(await found(room(SOMETIMES), PACKETS.slice(1))).toBeUndefined();
  expect(await found(room('', XDP_DROP))).toBeUndefined();
});

it('is nothing where the program put the room back, or took back what it wrote', async () => {
  const adjust = (by: number): string => `r1 = r6\n r2 = ${by}\n call bpf_xdp_adjust_meta`;
  expect(await found(room(adjust(8)))).toBeUndefined();
  expect(await found(room(`${ALL}\n${adjust(8)}\n${adjust(-8)}`))).toBeUndefined();
  expect((await found(room(`${adjust(8)}\n${adjust(-8)}`)))?.severity).toBe('warning');
});

it('goes along with the frame’s start, and ends where a packet’s own begins', async () => {
  const head = (by: number): string => `r1 = r6\n r2 = ${by}\n call bpf_xdp_adjust_head`;
  expect(await found(room(`${ALL}\n${head(-4)}`))).toBeUndefined();
  expect((await found(room(`${HALF}\n${head(-4)}`)))?.breach.sentence).toMatch(
    /^4 bytes of the metadata, from byte 4 on/,
  );
  const metadata = new Uint8Array(4).fill(7);
  const seen = await found(room(''), [{ packet: data(60), metadata }]);
  expect(seen?.breach.sentence).toMatch(/^8 bytes of the metadata, from byte 0 on/);
});

it('is nothing where a helper may have written it', async () => {
  const loads = 'r1 = r6\n r2 = 0\n r3 = r7\n r4 = 8\n call bpf_xdp_load_bytes';
  expect(await found(room(loads))).toBeUndefined();
});
