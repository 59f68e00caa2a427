/**
 * Frames of more than one buffer, as a test run makes them (net/bpf/test_run.c): what helpers and kernel functions do at
 * every border of linear part, fragments and frame is the same in both machines and in the kernel.
 */
import { expect, it } from 'vitest';
import { longStimuli } from '../sim/engines/test-support/recordings.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import { compileProgram, expectAgreement } from './test-support/agreement.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const PACKETS = 1500;
const LINEAR = 3520;
const LONG_FRAMES = 'kernel-tests/frames/fragments.bpf.c';

function frames(longest: readonly number[]): PacketBatch {
  const batch = new PacketBatch(PACKETS);
  for (const stimulus of longStimuli(longest, PACKETS)) batch.push(stimulus);
  return batch;
}

// bpf_xdp_pull_data came with 6.18.
describeKernel('frames in several buffers', ['testrun', 'compiler', 'linux 6.18'], () => {
  it('are the same to machines and kernel at every border', async () => {
    const program = compileProgram(LONG_FRAMES);
    const outcomes = await expectAgreement(
      { ...program, entries: program.entries.filter(({ frags }) => frags) },
      frames([65_536, 65_536]),
    );
    expect(outcomes.filter((line) => /^\d+: 0 /.test(line))).toHaveLength(PACKETS);
  });

  it('are refused where a program has not asked for them', async () => {
    const program = compileProgram(LONG_FRAMES);
    const outcomes = await expectAgreement(
      { ...program, entries: program.entries.filter(({ frags }) => !frags) },
      frames([LINEAR]),
    );
    expect(outcomes.filter((line) => /^\d+: 0 /.test(line))).toHaveLength(PACKETS);
  });
});
