/**
 * What an MPLS label stands for is whoever gives it out to say (RFC 3032 §2.2): a program that takes off one label alone may know that
 * IPv4 lies behind it, and is given no other packet under that label. One that takes off any label has to look at the packet.
 */
import { createVmEngine } from '../../sim/engines/vm.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { BOTTOM_AT, closedStack, LABEL_SIZE, labelsOf } from '../oracle/label-stacks.ts';
import type { Outcome } from '../outcome.ts';
import type { Divergence } from '../report.ts';
import { CaseRunner } from './probe.ts';

/** What other labels differ by from the one that came, in their 20 bits: far enough to lie in no range with it. */
const DIFFERENCES = [0x5a5a5, 0xa5a50];

/** Does the program do something else with the same packet under another label than the last one that it came with? */
export async function looksAtLabel(
  program: Program,
  { case: { world, stimuli }, finding: { packet: at } }: Pick<Divergence, 'case' | 'finding'>,
): Promise<boolean> {
  const stimulus = stimuli[at];
  const entry = stimulus === undefined ? undefined : lastEntryOf(stimulus.packet);
  if (entry === undefined) return false;
  const runner = new CaseRunner(program, createVmEngine());
  try {
    const usual = await runner.outcome(world, stimulus!);
    for (const difference of DIFFERENCES) {
      const other = await runner.outcome(world, withLabel(stimulus!, entry, difference));
      if (usual !== undefined && other !== undefined && !isSame(usual, other)) return true;
    }
    return false;
  } finally {
    await runner.close();
  }
}

/** Where the last entry of the label stack begins; undefined: there is none. */
function lastEntryOf(packet: Uint8Array): number | undefined {
  const start = labelsOf(packet);
  const stack = start === undefined ? undefined : closedStack(packet, start);
  return stack === undefined ? undefined : stack.start + (stack.count - 1) * LABEL_SIZE;
}

function withLabel(stimulus: Stimulus, entry: number, difference: number): Stimulus {
  const packet = stimulus.packet.slice();
  packet[entry]! ^= difference >> 12;
  packet[entry + 1]! ^= (difference >> 4) & 0xff;
  packet[entry + BOTTOM_AT]! ^= (difference & 15) << 4;
  return { ...stimulus, packet };
}

function isSame(one: Outcome, other: Outcome): boolean {
  return one.action === other.action && Buffer.compare(one.packet, other.packet) === 0;
}
