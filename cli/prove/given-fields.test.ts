/** Fields of the context that a kernel gives other values than a frame alone says: nothing behind them is unreachable. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SK_BUFF } from '../../sim/ebpf/context/sk-buff.ts';
import { XDP_MD } from '../../sim/ebpf/context/xdp-md.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { parse } from '../../sim/runtime/schema.ts';
import { runInProcess } from '../test-support/in-process.ts';
import { proveReportShape } from './report-json.ts';

let scratch: string;

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'xdpsim-given-'));
});
afterAll(() => rmSync(scratch, { recursive: true }));

/** What is proved of a program that asks whether a field is so. */
async function proved(section: string, offset: number, condition: string) {
  const path = join(scratch, 'asks.o');
  const text = `r2 = *(u32 *)(r1 + ${offset})\nr3 = *(u32 *)(r1 + 0)\nr0 = 0\nif ${condition} goto yes\nexit\nyes:\nr0 = 2\nexit`;
  writeFileSync(path, writeElf({ main: text }, [], {}, { section }));
  const { out } = await runInProcess('prove', path, '--json', '--report', scratch);
  return parse(proveReportShape, JSON.parse(out)).programs[0]!;
}

/** "confirmed", where packets take both ways, or which of them are none. */
async function asked(section: string, offset: number, condition: string): Promise<string> {
  const { branches, paths } = await proved(section, offset, condition);
  const { unreachable, undecided } = branches;
  if (unreachable + undecided > 0) return `${unreachable} unreachable, ${undecided} undecided`;
  return paths.every((one) => one.confirmed) ? 'confirmed' : 'unconfirmed';
}

it.each([
  ['a forwarded frame’s ingress_ifindex', 'tc/egress', SK_BUFF.ingressIfindex, 'r2 != 0'],
  ['wire_len of a frame of many small segments', 'tc/egress', SK_BUFF.wireLen, 'r2 > 60000'],
  ['wire_len that no test run takes', 'tc/egress', SK_BUFF.wireLen, 'r2 > 100000'],
  ['PACKET_LOOPBACK', 'tc', SK_BUFF.pktType, 'r2 == 5'],
  ['PACKET_OTHERHOST', 'tc', SK_BUFF.pktType, 'r2 == 3'],
  ['a device of a device map', 'xdp/devmap', XDP_MD.egressIfindex, 'r2 == 77'],
] as const)('%s is possible', async (_, section, offset, condition) => {
  expect(await asked(section, offset, condition)).toBe('confirmed');
});

it('a section that leaves open where the program is attached is followed at ingress, and that is said', async () => {
  const said = async (section: string): Promise<boolean> => {
    const { assumptions } = await proved(section, SK_BUFF.ingressIfindex, 'r2 == 0');
    return assumptions.some((one) => one.includes('attached at TC ingress'));
  };
  expect([await said('tc'), await said('tc/ingress'), await said('tc/egress')]).toEqual([true, false, false]);
  expect((await proved('tc', SK_BUFF.mark, 'r2 == 0')).assumptions.join()).not.toContain('attached');
});

it.each([
  ['a frame came in by the device that it is on', 'tc', SK_BUFF.ingressIfindex, 'r2 == 0'],
  ['no ifindex is negative', 'tc/egress', SK_BUFF.ingressIfindex, 'r2 > 2147483647'],
  ['wire_len is no shorter than the frame', 'tc/egress', SK_BUFF.wireLen, 'r2 < r3'],
  ['pkt_type has three bits', 'tc', SK_BUFF.pktType, 'r2 > 7'],
  ['an entry of a device map has a device', 'xdp/devmap', XDP_MD.egressIfindex, 'r2 == 0'],
] as const)('%s', async (_, section, offset, condition) => {
  expect(await asked(section, offset, condition)).toBe('1 unreachable, 0 undecided');
});
