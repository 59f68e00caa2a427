/**
 * More packets on which a checksum fails. A formula may give the bytes of one packet by chance, and of all that a run
 * happened to see where they are alike; packets that differ from the one at hand in a single word, each in another, are
 * not alike.
 */
import type { Case } from '../corpus/cases/case.ts';
import { faults } from '../corpus/simplify/well-formed.ts';
import type { Engine } from '../sim/engines/engine.ts';
import type { Stimulus } from '../sim/packet/packet-batch.ts';
import type { Program } from '../sim/runtime/program.ts';
import { ChecksumRepair } from './check/sweep-packets.ts';
import { type Finding, familyOf } from './finding.ts';
import type { Judging, Oracle } from './judging.ts';
import type { Sample } from './outcome.ts';
import { Replay } from './replay.ts';
import type { Found } from './segment.ts';

/** What stands behind it is payload, of which a few words tell as much as all. */
const LAST_WORD = 128;
const ETHERNET_HEADER = 14;

/** Where it is asked, and how. */
export interface NeighbourOptions {
  readonly program: Program;
  /** Those of the run; the finding says which of them it was made on. */
  readonly engines: readonly Engine[];
  readonly oracle?: Oracle | Judging;
}

/** What was found, with the packets around it that fail like it; as it is where it is none of a checksum. */
export async function withNeighbours(
  found: Found,
  { program, engines, oracle }: NeighbourOptions,
): Promise<Found> {
  const { finding, case: shown } = found;
  const stimulus = shown.stimuli[finding.packet];
  const isSum = finding.fault !== undefined && finding.fault.kind !== 'fragment';
  if (!isSum || stimulus === undefined || found.hasNeighbours === true) return found;
  const own = engines.filter(({ name }) => finding.engines.includes(name));
  const replay = new Replay(program, own, oracle);
  try {
    const samples = await failing(finding, shown, stimulus, replay);
    const others = [...(finding.others ?? []), ...samples];
    return { ...found, finding: { ...finding, others }, hasNeighbours: true };
  } finally {
    await replay.close();
  }
}

/** Each alone: what packets before it left in maps would be another reason to fail. */
async function failing(finding: Finding, shown: Case, stimulus: Stimulus, replay: Replay): Promise<Sample[]> {
  const samples: Sample[] = [];
  const family = familyOf(finding);
  const left = async (one: Stimulus): Promise<Uint8Array | undefined> =>
    (await replay.find({ ...shown, stimuli: [one] }, family))?.got?.packet;
  if ((await left(stimulus)) === undefined) return samples;
  for (const packet of neighboursOf(stimulus.packet)) {
    const after = await left({ ...stimulus, packet });
    if (after !== undefined) samples.push({ came: packet, left: after });
  }
  return samples;
}

const repair = new ChecksumRepair();

/** Each word of the headers, and what lies behind them, with another value and with none; checksums follow. */
function* neighboursOf(packet: Uint8Array): Generator<Uint8Array, void, void> {
  const sound = faults(packet);
  const words = Math.max(0, (Math.min(packet.length, LAST_WORD) - ETHERNET_HEADER) >> 1);
  for (let number = 0; number < words; number++) {
    const at = ETHERNET_HEADER + 2 * ((number * STEP) % words);
    for (const value of [spread(number), 0]) {
      const copy = packet.slice();
      repair.apply(copy, 0, copy.length, at, value, -1);
      if (faults(copy) <= sound && Buffer.compare(copy, packet) !== 0) yield copy;
    }
  }
}

/** Words that follow one another are of one field: what comes first should be of many. No number of words is a multiple. */
const STEP = 61;

/** Numbers without a pattern, the same in every run (Fibonacci hashing). */
function spread(number: number): number {
  return (Math.imul(number + 1, 0x9e37_79b1) >>> 11) & 0xffff;
}
