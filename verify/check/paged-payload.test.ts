/** Programs in assembly that look at payload, and frames whose payload lies in pages of its own. */
import { expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { EngineSide } from '../engine-side.ts';
import { data, ethernet, ipv4, tcp, udp } from '../test-support/packets.ts';
import { PagedPayload } from './paged-payload.ts';
import type { Seen } from './probe.ts';
import { TransportSightings } from './transport-sightings.ts';

const [DATA, END] = [76, 80];

function program(text: string, hook: Hook = 'tc-ingress'): Program {
  const maps = [testMap('counts', 'ARRAY', { keySize: 4, valueSize: 8, maxEntries: 2 })];
  return { name: 'p', entries: [{ function: 'main', hook }], object: writeElf({ main: text }, maps) };
}

/** Jumps to `short` where the frame has fewer than so many bytes between data and data_end. */
const needs = (bytes: number, [from, to] = [DATA, END]): string => `r7 = *(u32 *)(r6 + ${from})
  r8 = *(u32 *)(r6 + ${to})
  r0 = r7
  r0 += ${bytes}
  if r0 > r8 goto short`;

/** Drops what has a byte of payload; TCP's begins at 54, UDP's at 42. */
const drops = (before: string, bytes: number, context?: [number, number]): string => `r6 = r1
  ${before}
  ${needs(bytes, context)}
  r0 = 2
  exit
  short:
  r0 = 0
  exit`;

const PULL = 'r1 = r6\nr2 = 60\ncall bpf_skb_pull_data';
const TCP = ethernet(0x0800, ipv4(6, tcp(data(32))));
const UDP = ethernet(0x0800, ipv4(17, udp(data(32))));

async function found(tested: Program, ...packets: Uint8Array[]): Promise<Seen[]> {
  const machine = createVmEngine();
  const input = new PacketBatch(packets.length);
  for (const packet of packets) input.push({ packet });
  const side = new EngineSide(machine, tested, packets.length);
  expect(await side.run({}, input)).toBe(true);
  const sightings = new TransportSightings();
  sightings.observe({}, input, side);
  await side.close();
  return new PagedPayload(tested, false, sightings).find(machine);
}

it('is found where payload in pages comes to another action, as a warning of TCP', async () => {
  const [seen, ...others] = await found(program(drops('', 55)), UDP, TCP);
  expect(others).toEqual([]);
  expect(seen).toMatchObject({
    severity: 'warning',
    breach: {
      ...{ invariant: 'payload/not-linear', at: 54, expected: 'TC_ACT_SHOT', got: 'TC_ACT_OK' },
      sentence:
        'with its payload in pages (the first 54 bytes are between data and data_end) the frame comes to TC_ACT_OK, in one piece to TC_ACT_SHOT',
    },
  });
  expect(seen!.stimuli[0]!.skb).toEqual({ linear: 54 });
});

it('is a note of UDP', async () => {
  const [seen] = await found(program(drops('', 43)), UDP);
  expect(seen).toMatchObject({ severity: 'info', breach: { at: 42 } });
});

it('is none of headers, of frames without payload, and of programs that pull', async () => {
  expect(await found(program(drops('', 54)), TCP)).toEqual([]);
  expect(await found(program(drops('', 55)), ethernet(0x0800, ipv4(6, tcp(data(0)))))).toEqual([]);
  expect(await found(program(drops(PULL, 55)), TCP, UDP)).toEqual([]);
});

it('is none of XDP', async () => {
  expect(await found(program(drops('', 55, [0, 4]), 'xdp'), TCP, UDP)).toEqual([]);
});

it('is found in fields of __sk_buff, and as a note in maps', async () => {
  const marks = `r6 = r1\n${needs(55)}\n*(u32 *)(r6 + 8) = 7\nshort:\nr0 = 0\nexit`;
  const [marked] = await found(program(marks), TCP);
  expect(marked).toMatchObject({
    severity: 'warning',
    breach: { expected: 'the same as in one piece', got: 'other fields of __sk_buff' },
  });
  const counts = `r6 = r1\n${needs(55)}\n*(u32 *)(r10 - 4) = 0
    r1 = map[counts]\nr2 = r10\nr2 += -4\ncall bpf_map_lookup_elem\nif r0 == 0 goto short
    r1 = 1\n*(u64 *)(r0 + 0) = r1\nshort:\nr0 = 0\nexit`;
  const [counted] = await found(program(counts), TCP);
  expect(counted).toMatchObject({
    severity: 'info',
    breach: { expected: 'the same as in one piece', got: 'other contents of maps' },
  });
});
