/** Frames that come out of a tunnel: what helpers show of it in both machines (net/core/filter.c, `bpf_skb_get_tunnel_key`). */
import { describe, expect, it } from 'vitest';
import { writeElf } from '../ebpf/test-support/write-elf.ts';
import { toHex } from '../packet/bytes.ts';
import { PacketBatch, type SkbTunnel } from '../packet/packet-batch.ts';
import type { Engine } from './engine.ts';
import { OutcomeBatch } from './outcome-batch.ts';
import { createVmEngine } from './vm.ts';
import { createWasmEngine } from './wasm.ts';

/** The first frame came out of no tunnel, and so did the last. */
async function shown(engine: Engine, text: string, tunnels: readonly SkbTunnel[]): Promise<string[]> {
  const object = writeElf({ main: text }, []);
  const entries = [{ function: 'main', hook: 'tc-ingress' }] as const;
  const session = await engine.open({ name: 'p', entries, object }, {});
  const input = new PacketBatch(tunnels.length + 2);
  const packet = new Uint8Array(80);
  input.push({ packet });
  for (const tunnel of tunnels) input.push({ packet, skb: { tunnel } });
  input.push({ packet, skb: { mark: 1 } });
  const output = new OutcomeBatch(tunnels.length + 2);
  await session.run(input, output);
  await session.close();
  return Array.from({ length: output.count }, (_, index) => {
    const at = output.offset[index]!;
    return `${output.action[index]} ${toHex(output.bytes, at + 20, 44)}`;
  });
}

/** What a call writes is put into the frame. */
async function seen(call: string, size: number, tunnels: readonly SkbTunnel[]): Promise<string[]> {
  const fill = [8, 16, 24, 32, 40, 48].map((at) => `*(u64 *)(r10 - ${at}) = -1`).join('\n');
  const text = `r6 = r1
    ${fill}
    r2 = r10
    r2 += -48
    r3 = ${size}
    ${call}
    r7 = r0
    r1 = r6
    r2 = 20
    r3 = r10
    r3 += -48
    r4 = ${size}
    r5 = 0
    call bpf_skb_store_bytes
    r0 = r7
    exit`;
  const [vm, wasm] = await Promise.all(
    [createVmEngine(), createWasmEngine()].map((engine) => shown(engine, text, tunnels)),
  );
  expect(wasm).toEqual(vm);
  return vm!;
}

const OVER4: SkbTunnel = { id: 0x01020304, remote: '10.0.0.1', local: '10.0.0.2', tos: 5, ttl: 6 };
const OVER6: SkbTunnel = { id: 7, remote: '2001:db8::1', local: '2001:db8::2', label: 0x12345 };
const zeros = (bytes: number): string => '00'.repeat(bytes);
const pad = (text: string): string => text.padEnd(88, '0');
const KEY4 = `04030201 0100000a ${zeros(12)} 05 06 0000 00000000 0200000a ${zeros(12)}`.replaceAll(' ', '');
const KEY6 = `07000000 20010db8${zeros(11)}01 00 00 0000 45230100 20010db8${zeros(11)}02`.replaceAll(' ', '');

describe('bpf_skb_get_tunnel_key', () => {
  const get = (flags: number): string => `r4 = ${flags}\ncall bpf_skb_get_tunnel_key`;
  const NONE = `-22 ${zeros(44)}`;

  it('shows the tunnel of each frame, of the family that is asked for, and clears what it does not fill', async () => {
    const OTHER = `-71 ${zeros(44)}`;
    expect(await seen(get(0), 44, [OVER4, OVER6, {}])).toEqual([
      NONE,
      `0 ${KEY4}`,
      OTHER,
      `0 ${zeros(44)}`,
      NONE,
    ]);
    expect(await seen(get(1), 44, [OVER4, OVER6, {}])).toEqual([NONE, OTHER, `0 ${KEY6}`, OTHER, NONE]);
    expect(await seen(get(2), 44, [OVER4])).toEqual([NONE, NONE, NONE]);
  });

  it('shows as much as is asked for, in the sizes that there were', async () => {
    for (const size of [8, 22, 24, 28])
      expect((await seen(get(0), size, [OVER4]))[1]).toBe(`0 ${pad(KEY4.slice(0, 2 * size))}`);
    for (const size of [4, 23, 40]) expect((await seen(get(0), size, [OVER4]))[1]).toBe(NONE);
    // Eight bytes have no room for an IPv6 address.
    expect((await seen(get(1), 8, [OVER6]))[1]).toBe(NONE);
    expect((await seen(get(1), 22, [OVER6]))[1]).toBe(`0 ${pad(KEY6.slice(0, 44))}`);
  });

  it('shows the flags where it is asked to: those that are stated, and that there are options', async () => {
    const flagsOf = async (tunnel: SkbTunnel): Promise<string> =>
      (await seen(get(16), 44, [tunnel]))[1]!.slice(2 + 44, 2 + 48);
    expect(await flagsOf({})).toBe('2005');
    expect(await flagsOf({ flags: 0x0004 })).toBe('0004');
    expect(await flagsOf({ options: '00000001' })).toBe('f805');
    expect(await flagsOf({ flags: 0x0804, options: '00000001' })).toBe('0804');
  });
});

describe('bpf_skb_get_tunnel_opt', () => {
  const GET = 'call bpf_skb_get_tunnel_opt';

  it('gives the options of each frame, and zeros behind them', async () => {
    const tunnels = [
      { options: '01020304' },
      {},
      { options: '0102030405060708' },
      { options: '' },
      { flags: 0x0804 },
    ];
    expect(await seen(GET, 8, tunnels)).toEqual([
      `-2 ${zeros(44)}`,
      `4 ${pad('01020304')}`,
      `-2 ${zeros(44)}`,
      `8 ${pad('0102030405060708')}`,
      `0 ${zeros(44)}`,
      `0 ${zeros(44)}`,
      `-2 ${zeros(44)}`,
    ]);
    expect((await seen(GET, 7, tunnels))[3]).toBe(`-12 ${zeros(44)}`);
  });
});

describe('a key that the program states', () => {
  it('takes the place of what the frame came with, and only such a one gets options', async () => {
    const set = 'call bpf_skb_set_tunnel_opt';
    const returned = async (call: string, size: number): Promise<string[]> =>
      (await seen(call, size, [OVER4])).map((line) => line.split(' ')[0]!);
    expect(await returned(set, 4)).toEqual(['-22', '-22', '-22']);
    const key = `*(u64 *)(r10 - 48) = 7\nr4 = 0\ncall bpf_skb_set_tunnel_key\nr1 = r6\nr2 = r10\nr2 += -48`;
    expect(await returned(`${key}\nr3 = 4\n${set}`, 8)).toEqual(['0', '0', '0']);
    // What goes into the tunnel comes out of it the other way.
    const again = `${key}\nr3 = 44\nr4 = 0\ncall bpf_skb_get_tunnel_key`;
    expect(await seen(again, 8, [OVER4])).toEqual([0, 1, 2].map(() => `0 ${pad('07')}`));
  });
});
