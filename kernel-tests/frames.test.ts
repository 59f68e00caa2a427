/**
 * Frames of more than one buffer, as a test run makes them (net/bpf/test_run.c): what helpers and kernel functions do at
 * every border of linear part, fragments and frame is the same in both machines and in the kernel.
 */
import { expect, it } from 'vitest';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import { compileProgram, expectAgreement } from './test-support/agreement.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const PACKETS = 1500;
const LINEAR = 3520;
const PAGE = 4096;

/** Lengths about every border, and anything between; the longest seldom, since every byte of them is compared. */
function frames(entries: number, longest: number): PacketBatch {
  let state = 20_261_126;
  const below = (limit: number): number => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) + 0x9e37_79b9) | 0;
    return ((state ^ (state >>> 13)) >>> 0) % limit;
  };
  const around = (border: number): number => border + below(5) - 2;
  const batch = new PacketBatch(PACKETS);
  for (let index = 0; index < PACKETS; index++) {
    const length = [
      14 + below(80),
      1514,
      around(LINEAR),
      around(LINEAR + PAGE),
      around(LINEAR + 2 * PAGE),
      9018,
      14 + below(12_000),
      below(4) === 0 ? around(LINEAR + below(16) * PAGE) : 4000,
      below(6) === 0 ? longest - below(3) : 7700,
    ][below(9)]!;
    const packet = new Uint8Array(Math.min(length, longest));
    for (let at = 0; at < packet.length; at++)
      packet[at] = at < 32 ? below(256) : at * 7 + (at >>> 8) + index;
    const metadata =
      below(4) === 0 ? { metadata: Uint8Array.from({ length: 4 * (1 + below(6)) }, () => below(256)) } : {};
    batch.push({ packet, ...metadata, entry: below(entries) });
  }
  return batch;
}

// bpf_xdp_pull_data came with 6.18.
describeKernel('frames in several buffers', ['testrun', 'compiler', 'linux 6.18'], () => {
  it('are the same to machines and kernel at every border', { timeout: 60_000 }, async () => {
    const program = compileProgram('kernel-tests/frames/fragments.bpf.c');
    const outcomes = await expectAgreement(
      { ...program, entries: program.entries.filter(({ frags }) => frags) },
      frames(2, 65_536),
    );
    expect(outcomes.filter((line) => /^\d+: 0 /.test(line))).toHaveLength(PACKETS);
  });

  it('are refused where a program has not asked for them', async () => {
    const program = compileProgram('kernel-tests/frames/fragments.bpf.c');
    const outcomes = await expectAgreement(
      { ...program, entries: program.entries.filter(({ frags }) => !frags) },
      frames(1, LINEAR),
    );
    expect(outcomes.filter((line) => /^\d+: 0 /.test(line))).toHaveLength(PACKETS);
  });
});
