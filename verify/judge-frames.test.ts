import { describe, expect, it } from 'vitest';
import { OutcomeBatch } from '../sim/engines/outcome-batch.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import { XDP_DROP, XDP_PASS } from '../sim/runtime/actions.ts';
import type { BatchReport } from './batch-report.ts';
import type { Finding } from './finding.ts';
import { mpls } from './invariants/mpls.ts';
import { JudgingAccount, judgeFrames } from './judge-frames.ts';
import { type Judging, judgingOf } from './judging.ts';
import { fakeEngine } from './test-support/engines.ts';
import { bytes, data, ethernet, ipv4, slowSum, u16, udp, V4_A, V4_B } from './test-support/packets.ts';

const L4 = 34;
const datagram = ethernet(0x0800, ipv4(17, udp(data(20))));

function edit(packet: Uint8Array, ...changes: [at: number, ...values: number[]][]): Uint8Array {
  const copy = packet.slice();
  for (const [at, ...values] of changes) copy.set(values, at);
  return copy;
}

interface Frame {
  readonly came: Uint8Array;
  readonly left: Uint8Array;
  readonly action?: number;
}

function judged(
  frames: readonly Frame[],
  oracle?: Judging,
): { findings: Finding[]; account: JudgingAccount } {
  const input = new PacketBatch(frames.length);
  const output = new OutcomeBatch(frames.length);
  for (const { came, left, action = XDP_PASS } of frames) {
    input.push({ packet: came });
    const at = output.reserve(left.length);
    output.bytes.set(left, at);
    output.commit(action, left.length);
  }
  const account = new JudgingAccount();
  const report: BatchReport = {
    engine: fakeEngine('vm', () => ({ action: XDP_PASS })),
    output,
    maps: undefined,
  };
  return { findings: [...judgeFrames(['xdp'], input, report, account, oracle)], account };
}

/** The datagram with a payload word that makes its checksum 0x0000, and that written as it is. */
const zero = (() => {
  const open = edit(datagram, [L4 + 6, 0, 0], [L4 + 8, 0, 0]);
  const sum = slowSum([...V4_A, ...V4_B, 0, 17, 0, 28, ...open.subarray(L4)]);
  return edit(open, [L4 + 8, ...u16(0xffff - sum)]);
})();
const lost = { came: datagram, left: zero };

describe('judgeFrames', () => {
  it('shows the packet that is nearest to a whole one, and keeps others for the cause', () => {
    const spoilt = (packet: Uint8Array): Frame => ({ came: packet, left: edit(packet, [L4 + 2, 9, 9]) });
    const fromNowhere = ethernet(
      0x0800,
      ipv4(17, udp(data(20), [0, 0, 0, 0], V4_B), { source: [0, 0, 0, 0] }),
    );
    const { findings } = judged([spoilt(fromNowhere), spoilt(datagram), spoilt(fromNowhere)]);
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({ part: 'checksum', field: 'udp.checksum', packet: 1 });
    expect(findings[0]!.others).toHaveLength(2);
  });

  it('says nothing else of a frame in which headers are taken for something that they are not', () => {
    const pushed = (last: number): Frame => ({
      came: datagram,
      left: bytes(
        datagram.subarray(0, 12),
        u16(0x8847),
        0,
        1,
        0x40 | last,
        64,
        edit(datagram, [L4 + 2, 9, 9]).subarray(14),
      ),
    });
    const { checksums, frames, ...others } = judgingOf('all');
    const judging = { ...others, checksums, frames: [mpls, ...frames] };
    const fields = (frame: Frame): string[] => judged([frame], judging).findings.map(({ field }) => field);
    expect(fields(pushed(1))).toEqual(['udp.checksum']);
    expect(fields(pushed(0))).toEqual(['mpls/bottom']);
  });

  it('tells packets apart that are special in other ways, where it is asked to, and not otherwise', () => {
    const plain = ethernet(0x0800, ipv4(17, udp(data(20))));
    const odd = ethernet(0x0800, ipv4(17, udp(data(21))));
    const came = [
      plain,
      odd,
      plain,
      bytes(odd, [0, 0]),
      ethernet(0x0800, ipv4(17, udp(data(20)), { options: [1, 1, 1, 0] })),
      ethernet(0x0800, ipv4(17, udp(data(20)), { fragment: 0x2000 })),
      ethernet(0x0800, ipv4(17, data(32), { fragment: 185 })),
    ];
    const frames = came.map((packet) => ({ came: packet, left: edit(packet, [packet.length - 4, 9, 9]) }));
    const all = judged(frames, { ...judgingOf('checksums'), tellsShapes: true }).findings;
    expect(all.map(({ packet, shape, others }) => [packet, shape, others?.length])).toEqual([
      [0, 'wrong good plain even', 1],
      [1, 'wrong good plain odd', 0],
      [3, 'wrong good padded odd', 0],
      [4, 'wrong good with options even', 0],
      [5, 'fragment unverifiable first fragment even', 0],
      [6, 'fragment unverifiable later fragment even', 0],
    ]);
    expect(all.every(({ field }) => field === 'udp.checksum')).toBe(true);
    const [one, ...more] = judged(frames, judgingOf('checksums')).findings;
    expect([one?.packet, one?.others?.length, more.length]).toEqual([0, 6, 0]);
    expect(one).not.toHaveProperty('shape');
  });

  it('judges only frames that leave', () => {
    expect(judged([{ came: datagram, left: datagram.slice(0, -1), action: XDP_DROP }]).findings).toEqual([]);
    expect(judged([{ came: datagram, left: datagram.slice(0, -1) }]).findings).toMatchObject([
      { part: 'invariant', field: 'lengths/total', engines: ['oracle', 'vm'] },
    ]);
  });

  it('judges frames in more than one buffer as all others', () => {
    const long = ethernet(0x0800, ipv4(17, udp(data(60_000))));
    expect(judged([{ came: long, left: edit(long, [59_000, 0xa5, 0x5a]) }]).findings).toMatchObject([
      { part: 'checksum', field: 'udp.checksum' },
    ]);
    expect(judged([{ came: long, left: long }]).findings).toEqual([]);
  });

  it('takes a UDP checksum of 0x0000 for a lost one, unless the program takes checksums off', () => {
    expect(judged([lost]).findings).toMatchObject([{ field: 'udp.checksum', fault: { kind: 'lost' } }]);
    const removed = { came: datagram, left: edit(datagram, [L4 + 6, 0, 0]) };
    const { findings, account } = judged([lost, removed]);
    expect(findings).toEqual([]);
    expect(account.notCompared('vm')).toMatchObject([{ packets: 1 }]);
  });

  it('counts what it did not judge, and what it only warns of', () => {
    const cut = datagram.slice(0, L4 + 12);
    const { findings, account } = judged([
      { came: cut, left: edit(cut, [L4 + 2, 9, 9]) },
      { came: cut, left: edit(cut, [L4 + 2, 8, 8]) },
      { came: datagram, left: bytes(datagram, [1, 2, 3, 4]) },
    ]);
    expect(findings).toEqual([]);
    expect(account.notCompared('vm').map(({ packets }) => packets)).toEqual([2, 2]);
    expect(account.warnings()).toMatchObject([{ severity: 'warning', kind: 'lengths/surplus', packets: 1 }]);
  });
});
