/** What programs do with `bpf_fib_lookup`, in a world with one route: mistakes, and right programs that look alike. */
import { describe, expect, it } from 'vitest';
import { ASK, IPV4_PARAMETERS } from '../../sim/ebpf/test-support/fib-texts.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { STATUS } from '../../sim/engines/outcome-batch.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { macFromText } from '../../sim/packet/addresses.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { EngineSide } from '../engine-side.ts';
import { data, ethernet, ipv4, ipv6, udp, V6_A } from '../test-support/packets.ts';
import { HelperCalls } from './helper-calls.ts';

const NEXT = macFromText('02:00:00:00:00:77');
const WORLD: World = {
  devices: [
    {
      ifindex: 2,
      name: 'lan',
      mac: macFromText('02:00:00:00:02:02'),
      addresses: ['10.0.0.254/24'],
      forwarding: true,
    },
    {
      ifindex: 3,
      name: 'wan',
      mac: macFromText('02:00:00:00:02:03'),
      addresses: ['192.0.2.2/24'],
      forwarding: true,
    },
  ],
  routes: [{ to: '0.0.0.0/0', via: '192.0.2.1', ifindex: 3 }],
  neighbours: [{ ifindex: 3, address: '192.0.2.1', mac: NEXT }],
};
const { neighbours: _, ...UNKNOWN } = WORLD;

const to = (last: number): Uint8Array =>
  ethernet(0x0800, ipv4(17, udp(data(20)), { destination: [198, 51, 100, last] }));
const PACKETS = [to(8), to(9)];

/** The rules that are found broken, each with what was got. */
async function found(
  text: string,
  { world = WORLD, hook = 'xdp', packets = PACKETS }: Partial<Options> = {},
): Promise<string[]> {
  const program: Program = {
    ...{ name: 'p', entries: [{ function: 'main', hook }] },
    object: writeElf({ main: text }),
  };
  const side = new EngineSide(createVmEngine(), program, packets.length);
  const input = new PacketBatch(packets.length);
  for (const packet of packets) input.push({ packet, ingressIfindex: 2 });
  expect(await side.run(world, input)).toBe(true);
  expect([...side.output.status.subarray(0, packets.length)]).toEqual(packets.map(() => STATUS.ran));
  const calls = new HelperCalls(program, true);
  calls.observe(world, input, side);
  await side.close();
  return (await calls.find()).map(({ breach }) => `${breach.invariant}: ${breach.got}`);
}

interface Options {
  readonly world: World;
  readonly hook: Hook;
  readonly packets: readonly Uint8Array[];
}

interface Router {
  readonly parameters?: string;
  readonly ask?: string;
  /** What is done once the lookup has answered r0. */
  readonly use?: string;
  readonly out?: string;
}

const isFound = 'if r0 != 0 goto pass';
const written = (to: number, from: number): string =>
  [0, 2, 4].map((at) => `r1 = *(u16 *)(r10 - ${64 - from - at})\n*(u16 *)(r7 + ${to + at}) = r1`).join('\n');
const dmac = written(0, 58);
const smac = written(6, 52);
const redirected = `r1 = *(u32 *)(r10 - 56)
  r2 = 0
  call bpf_redirect
  exit`;

/** A router, at XDP; the parameters are on the stack, from fp-64 on. */
function router({ parameters = IPV4_PARAMETERS, ask = ASK, use, out = redirected }: Router = {}): string {
  return `r6 = r1
    r7 = *(u32 *)(r1 + 0)
    r8 = *(u32 *)(r1 + 4)
    r0 = r7
    r0 += 54
    if r0 > r8 goto pass
    ${parameters}
    ${ask}
    ${use ?? `${isFound}\n${dmac}\n${smac}`}
    ${out}
    pass:
    r0 = 2
    exit`;
}

const toFixed = `r1 = 0x55
  *(u8 *)(r7 + 5) = r1`;

describe('the MAC addresses of a route', () => {
  it('are written, or come from elsewhere', async () => {
    expect(await found(router())).toEqual([]);
    expect(await found(router({ use: `${isFound}\n${toFixed}` }))).toEqual([]);
  });

  it('are left out at the price of a frame that nobody takes', async () => {
    const mac = expect.stringContaining('lookup/mac-left: 02:00:00:00:00:0');
    expect(await found(router({ use: isFound }))).toEqual([mac]);
    expect(await found(router({ use: `${isFound}\n${smac}` }))).toEqual([mac]);
    expect(await found(router({ use: `${isFound}\n${dmac}` }))).toEqual([
      expect.stringContaining('lookup/source-mac-left: 02:00:00:00:00:0'),
    ]);
  });

  it('are no matter where the frame goes elsewhere, or to the stack', async () => {
    const elsewhere = redirected.replace('r1 = *(u32 *)(r10 - 56)', 'r1 = 2');
    expect(await found(router({ use: isFound, out: elsewhere }))).toEqual([]);
    expect(await found(router({ use: isFound, out: 'r0 = 2\nexit' }))).toEqual([]);
  });

  it('are not the other way round', async () => {
    const use = `${isFound}\n${written(0, 52)}\n${written(6, 58)}`;
    expect(await found(router({ use }))).toEqual(['lookup/macs-exchanged: 02:00:00:00:02:03']);
    expect(await found(router({ use, out: 'r0 = 2\nexit' }))).toEqual([]);
    // To the device whose own address it is, the frame came so.
    const packets = PACKETS.map((packet) => {
      const copy = packet.slice();
      copy.set(macFromText('02:00:00:00:02:03'), 0);
      return copy;
    });
    expect(await found(router(), { packets })).toEqual([]);
    expect(await found(router({ use }), { packets })).toEqual(['lookup/macs-exchanged: 02:00:00:00:02:03']);
  });

  it('are for the device of the route', async () => {
    const out = redirected.replace('*(u32 *)(r10 - 56)', '*(u32 *)(r6 + 12)');
    expect(await found(router({ out }))).toEqual(['lookup/device-left: device 2']);
    // A third device is a decision of the program's own, and one of one device has no other.
    expect(await found(router({ out: redirected.replace('*(u32 *)(r10 - 56)', '5') }))).toEqual([]);
    expect(await found(router({ out: 'r0 = 3\nexit' }))).toEqual([]);
    expect(await found(router({ use: `${isFound}\n${toFixed}`, out }))).toEqual([]);
  });

  it('are of the way to the destination', async () => {
    const parameters = IPV4_PARAMETERS.replace('(r7 + 26)', '(r7 + 99)')
      .replace('(r7 + 30)', '(r7 + 26)')
      .replace('(r7 + 99)', '(r7 + 30)');
    expect(await found(router({ parameters }))).toEqual([
      'lookup/addresses-exchanged: the way to its source',
    ]);
    expect(await found(router({ parameters, use: isFound, out: 'r0 = 2\nexit' }))).toEqual([]);
    // An answer goes that way.
    const turned = `${isFound}\n${dmac}\n${smac}
      r1 = *(u32 *)(r7 + 26)\nr2 = *(u32 *)(r7 + 30)\n*(u32 *)(r7 + 26) = r2\n*(u32 *)(r7 + 30) = r1`;
    expect(await found(router({ parameters, use: turned }))).toEqual([]);
  });

  it('are no matter where the way back to the source is looked up, to compare devices', async () => {
    const back = IPV4_PARAMETERS.replace('*(u32 *)(r7 + 30)', '*(u32 *)(r7 + 26)');
    expect(await found(router({ parameters: back, use: isFound }))).toEqual([]);
  });

  it('are the kernel’s to write for bpf_redirect_neigh', async () => {
    const neigh = (call: string): string =>
      router({ use: '', out: redirected })
        .replace('r7 = *(u32 *)(r1 + 0)', 'r7 = *(u32 *)(r1 + 76)')
        .replace('r8 = *(u32 *)(r1 + 4)', 'r8 = *(u32 *)(r1 + 80)')
        .replace('*(u32 *)(r6 + 12)', '*(u32 *)(r6 + 36)')
        .replace('call bpf_redirect\n', call);
    const resolved = 'r2 = 0\nr3 = 0\nr4 = 0\ncall bpf_redirect_neigh\n';
    for (const world of [WORLD, UNKNOWN])
      expect(await found(neigh(resolved), { hook: 'tc-ingress', world })).toEqual([]);
    expect(await found(neigh('call bpf_redirect\n'), { hook: 'tc-ingress' })).toEqual([
      expect.stringContaining('lookup/mac-left: 02:'),
    ]);
  });
});

describe('a neighbour that is not known', () => {
  const unfilled = 'lookup/no-neighbour: 00:00:00:00:00:00';
  const any = `${dmac}\n${smac}`;

  it('has no address to be written', async () => {
    expect(await found(router({ use: any }), { world: UNKNOWN })).toEqual([unfilled]);
    expect(await found(router({ use: '' }), { world: UNKNOWN })).toEqual([
      expect.stringContaining('lookup/no-neighbour: 02:00:00:00:00:0'),
    ]);
    expect(await found(router({ use: any }))).toEqual([]);
  });

  it('leaves the frame to the stack, or to an address from elsewhere', async () => {
    expect(await found(router(), { world: UNKNOWN })).toEqual([]);
    expect(await found(router({ use: toFixed }), { world: UNKNOWN })).toEqual([]);
  });

  it('was not asked for with BPF_FIB_LOOKUP_SKIP_NEIGH', async () => {
    const ask = ASK.replace('r4 = 0', 'r4 = 4');
    expect(await found(router({ ask }))).toEqual([unfilled]);
    expect(await found(router({ ask, use: `${isFound}\n${toFixed}` }))).toEqual([]);
  });
});

describe('the family of a lookup', () => {
  const as = (family: number): string =>
    IPV4_PARAMETERS.replace('*(u8 *)(r10 - 64) = 2', `*(u8 *)(r10 - 64) = ${family}`);

  it('is that of the address', async () => {
    expect(await found(router({ parameters: as(10) }))).toEqual(['lookup/family: AF_INET6']);
    expect(await found(router({ parameters: as(0) }))).toEqual(['lookup/family: 0']);
    // One packet may have such an address by chance.
    expect(await found(router({ parameters: as(10) }), { packets: [to(8)] })).toEqual([]);
  });

  it('may be another one where something else is looked up', async () => {
    const gateway = `${as(10)}\n*(u32 *)(r10 - 32) = 0x80fe`;
    expect(await found(router({ parameters: gateway }))).toEqual([]);
    const mapped = `${as(10)}\nr1 = *(u32 *)(r10 - 32)\n*(u32 *)(r10 - 20) = r1\n*(u32 *)(r10 - 32) = 0`;
    expect(await found(router({ parameters: mapped }))).toEqual([]);
  });

  it('is that of an IPv6 address, too', async () => {
    const six = (family: number): string =>
      `${as(family)}\n${[0, 4, 8, 12].map((at) => `r1 = *(u32 *)(r7 + ${38 + at})\n*(u32 *)(r10 - ${32 - at}) = r1`).join('\n')}`;
    const packets = [V6_A, [...V6_A.slice(0, 15), 9]].map((one) =>
      ethernet(0x86dd, ipv6(17, udp(data(20), V6_A, one), V6_A, one)),
    );
    expect(await found(router({ parameters: six(2) }), { packets })).toEqual(['lookup/family: AF_INET']);
    expect(await found(router({ parameters: six(10) }), { packets })).toEqual([]);
  });
});

describe('what a program never wrote of the parameters', () => {
  const without = (...offsets: number[]): string =>
    IPV4_PARAMETERS.split('\n')
      .filter((line) => !offsets.some((offset) => line.includes(`*(u64 *)(r10 - ${offset}) = 0`)))
      .join('\n');

  it('is read by the kernel', async () => {
    expect(await found(router({ parameters: without(64) }))).toEqual([
      'lookup/not-cleared: bytes of the stack as l4_protocol, sport, dport, tot_len',
    ]);
  });

  it('is no matter where the kernel does not read it: MAC addresses, tags, the rest of an IPv4 address', async () => {
    expect(await found(router({ parameters: without(8, 16, 24, 40) }))).toEqual([]);
    // But for the table, with BPF_FIB_LOOKUP_TBID, which the machine does not model.
    expect(await found(router({ parameters: without(56) }))).toEqual([
      'lookup/not-cleared: bytes of the stack as tos',
    ]);
  });
});
