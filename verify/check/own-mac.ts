/**
 * Replies to the MAC address that the packet came to: a program that looks the address up, or has one of its own, only happens
 * to write that one. The same packet to another host tells.
 */
import { createVmEngine } from '../../sim/engines/vm.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { outcomeAt } from '../outcome.ts';
import type { Divergence } from '../report.ts';
import { CaseRunner } from './probe.ts';

/** Does the reply to the same packet, had it come to another MAC address, go elsewhere than there? */
export async function isMacChosen(
  program: Program,
  { case: { world, stimuli }, finding }: Pick<Divergence, 'case' | 'finding'>,
): Promise<boolean> {
  const asked = toAnotherHost(stimuli[finding.packet]!);
  const runner = new CaseRunner(program, createVmEngine());
  try {
    const ran = await runner.run(world, [...stimuli.slice(0, finding.packet), asked]);
    if (ran === undefined) return false;
    const { status, action, packet } = outcomeAt(ran.output, finding.packet);
    if (status !== 'ran' || action !== finding.got?.action) return false;
    return Buffer.compare(packet.subarray(0, 6), asked.packet.subarray(0, 6)) !== 0;
  } finally {
    await runner.close();
  }
}

function toAnotherHost(stimulus: Stimulus): Stimulus {
  const packet = stimulus.packet.slice();
  for (const at of [3, 4, 5]) packet[at]! ^= 0x5a;
  return { ...stimulus, packet };
}
