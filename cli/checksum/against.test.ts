import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { afterAll, describe, expect, it } from 'vitest';
import { PcapEncoder } from '../../corpus/formats/pcap.ts';
import { packet } from '../../sim/packet/build.ts';
import { readU16, writeU16 } from '../../sim/packet/bytes.ts';
import { update } from '../../sim/packet/checksum.ts';
import { runInProcess } from '../test-support/in-process.ts';
import { type AgainstReport, againstReportShape } from './against.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-against-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

let files = 0;

function capture(frames: readonly Uint8Array[]): string {
  const encoder = new PcapEncoder();
  for (const frame of frames) encoder.packet(frame, 0, frame.length, 0, 0);
  const path = join(scratch, `${files++}.pcap`);
  writeFileSync(path, encoder.take().slice());
  return path;
}

async function against(
  before: readonly Uint8Array[],
  after: readonly Uint8Array[],
  ...options: string[]
): Promise<AgainstReport & { code: number }> {
  const { out, code } = await runInProcess(
    'checksum',
    capture(before),
    '--against',
    capture(after),
    '--json',
    ...options,
  );
  return { ...v.parse(againstReportShape, JSON.parse(out)), code };
}

const A = { source: '10.0.0.1', destination: '10.0.0.2' };
const payload = (seed: number, size = 40): Uint8Array =>
  Uint8Array.from({ length: size }, (_, at) => (at * 37 + seed) & 0xff);
const udp = (seed: number): Uint8Array =>
  packet
    .ethernet()
    .ipv4({ ...A, identification: seed })
    .udp({ sourcePort: 1000 + seed, destinationPort: 5353 })
    .payload(payload(seed))
    .bytes();
const tcp = (seed: number, fields: { ttl?: number; source?: string } = {}): Uint8Array =>
  packet
    .ethernet()
    .ipv4({ ...A, identification: seed, ...fields })
    .tcp({ sourcePort: 2000, destinationPort: 80, sequence: 1 + seed * 40 })
    .payload(payload(seed))
    .bytes();
const BEFORE = [udp(1), tcp(2), udp(3), tcp(4), udp(5)];

/** What a router does: TTL lowered, checksum updated. */
function routed(frame: Uint8Array): Uint8Array {
  const out = frame.slice();
  const before = readU16(out, 22);
  out[22]!--;
  writeU16(out, 24, update(readU16(out, 24), before, readU16(out, 22)));
  return out;
}

/** Source NAT that forgets the transport's checksum, or does not. */
function translated(frame: Uint8Array, forgets: boolean): Uint8Array {
  const out = frame.slice();
  const before = [readU16(out, 26), readU16(out, 28)];
  out.set([192, 168, 7, 7], 26);
  const field = out[23] === 6 ? 50 : 40;
  for (const [index, old] of before.entries()) {
    writeU16(out, 24, update(readU16(out, 24), old, readU16(out, 26 + index * 2)));
    if (!forgets) writeU16(out, field, update(readU16(out, field), old, readU16(out, 26 + index * 2)));
  }
  return out;
}

describe('a capture against one from behind a device', () => {
  it('finds nothing where every checksum was updated, whatever order and however many are dropped', async () => {
    const after = [4, 0, 3, 1].map((index) => routed(translated(BEFORE[index]!, false)));
    expect(await against(BEFORE, after)).toMatchObject({
      code: 0,
      paired: 4,
      before: { packets: 5, alone: 1 },
      after: { packets: 4, alone: 0 },
      faultCount: 0,
    });
  });

  it('names each checksum that was right and is wrong, with both packets and the cause', async () => {
    const after = BEFORE.slice(1).map((frame) => translated(frame, true));
    const { code, faults } = await against(BEFORE, after);
    expect(code).toBe(1);
    expect(faults.map(({ packet: number, before, layer, kind }) => [number, before, layer, kind])).toEqual([
      [1, 2, 'tcp', 'wrong'],
      [2, 3, 'udp', 'wrong'],
      [3, 4, 'tcp', 'wrong'],
      [4, 5, 'udp', 'wrong'],
    ]);
    expect(faults[0]).toMatchObject({
      source: '192.168.7.7',
      destinationPort: 80,
      cause: { id: 'not updated' },
    });
  });

  it('does not hold against the device what came wrong', async () => {
    const wrong = BEFORE.map((frame) => {
      const out = frame.slice();
      out[60]! ^= 0x5a;
      return out;
    });
    expect(
      await against(
        wrong,
        wrong.map((frame) => routed(translated(frame, false))),
      ),
    ).toMatchObject({ code: 0, paired: 5 });
  });

  it('recognises packets in a tunnel, answers, and changed payloads', async () => {
    const tunnelled = BEFORE.map((frame) =>
      packet
        .ethernet()
        .ipv4({ source: '192.0.2.1', destination: '192.0.2.2' })
        .udp({ destinationPort: 4789 })
        .vxlan({ vni: 9 })
        .payload(routed(frame))
        .bytes(),
    );
    expect(await against(BEFORE, tunnelled)).toMatchObject({ code: 0, paired: 5 });
    const echo = packet
      .ethernet()
      .ipv4(A)
      .echoRequest({ identifier: 7, sequence: 9 })
      .payload(payload(8))
      .bytes();
    const reply = echo.slice();
    reply[34] = 0;
    expect(await against([echo], [reply])).toMatchObject({ code: 1, paired: 1, faults: [{ layer: 'icmp' }] });
    const changed = BEFORE[0]!.slice();
    changed[50]! ^= 0xff;
    expect(await against(BEFORE, [changed])).toMatchObject({
      code: 1,
      paired: 1,
      faults: [{ layer: 'udp', before: 1 }],
    });
  });

  it('tells packets apart that carry the same', async () => {
    const same = (port: number): Uint8Array =>
      packet.ethernet().ipv4(A).udp({ sourcePort: port, destinationPort: 7 }).payload(payload(1)).bytes();
    const frames = [1, 2, 3].map((port) => same(5000 + port));
    const last = translated(frames[2]!, true);
    const { faults } = await against(frames, [frames[1]!, frames[0]!, last]);
    expect(faults).toMatchObject([{ packet: 3, before: 3 }]);
  });

  it('leaves to the network card what it has yet to fill in, unless --strict', async () => {
    const out = translated(BEFORE[0]!, true);
    let sum = 17 + 48;
    for (let at = 26; at < 34; at += 2) sum += readU16(out, at);
    writeU16(out, 40, (sum & 0xffff) + (sum >>> 16));
    expect(await against(BEFORE, [out])).toMatchObject({ code: 0, offload: 1, faultCount: 0 });
    expect(await against(BEFORE, [out], '--strict')).toMatchObject({ code: 1, offload: 0, faultCount: 1 });
  });

  it('is incomplete where nothing could be compared', async () => {
    expect(await against([udp(1)], [udp(2)])).toMatchObject({
      code: 4,
      paired: 0,
      before: { alone: 1 },
      after: { alone: 1 },
    });
  });

  it('prints it for people', async () => {
    const { out } = await runInProcess(
      'checksum',
      capture(BEFORE),
      '--against',
      capture([translated(BEFORE[1]!, true)]),
    );
    expect(out).toMatch(/: 1 packet paired\n {2}4 only in .*dropped/);
    expect(out).toMatch(
      /packet 1 \(2 before\): tcp checksum was right and is wrong: got 0x\w+, expected 0x\w+\n {4}192\.168\.7\.7:2000 → 10\.0\.0\.2:80: .*source address/,
    );
    expect(out).toContain('1 packet with a checksum that was made wrong');
  });
});

it('says nothing of packets where one of the captures cannot be read at all', async () => {
  for (const json of [[], ['--json']]) {
    const before = await runInProcess(
      'checksum',
      join(scratch, 'nowhere'),
      '--against',
      capture(BEFORE),
      ...json,
    );
    expect(before).toMatchObject({ code: 2, out: '' });
    expect(before.err).toBe(`xdpsim: ${join(scratch, 'nowhere')}: no such file or directory\n`);
    const after = await runInProcess('checksum', capture(BEFORE), '--against', scratch, ...json);
    expect(after).toMatchObject({ code: 2, out: '' });
  }
});
