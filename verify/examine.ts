/** Compares the outcomes of one case with each other, and judges what the program did to each frame. */
import type { Engine } from '../sim/engines/engine.ts';
import { type OutcomeBatch, STATUS } from '../sim/engines/outcome-batch.ts';
import type { PacketBatch } from '../sim/packet/packet-batch.ts';
import type { Hook } from '../sim/runtime/actions.ts';
import type { MapSnapshot } from '../sim/runtime/map-snapshot.ts';
import type { Program } from '../sim/runtime/program.ts';
import { comparedParts, firstDifference, type OutcomeDifference } from './compare.ts';
import { firstMapDifference } from './compare-maps.ts';
import { differingField } from './differing-field.ts';
import { type Finding, outcomeAt } from './finding.ts';
import { type JudgingAccount, judgeFrames } from './judge-frames.ts';

/** What one engine showed of a case. */
export interface Showing {
  readonly engine: Engine;
  readonly output: OutcomeBatch;
  /** After the last packet; undefined where the engine cannot show maps. */
  readonly maps: readonly MapSnapshot[] | undefined;
}

/** How many differing packets of one batch are looked at to find different kinds of differences. */
const MAX_DIFFERENCES = 256;

/**
 * All kinds of findings on one case, the first of each kind, most telling first: per engine what differs from the
 * reference, then its maps, then checksums and invariants that the program broke.
 * @param showings the reference first
 * @param account is told what of the reference's frames was not judged
 */
export function* examine(
  program: Program,
  input: PacketBatch,
  showings: readonly Showing[],
  account?: JudgingAccount,
): Generator<Finding, void, void> {
  const [reference, ...others] = showings;
  if (reference === undefined) return;
  const hooks = program.entries.map((entry) => entry.hook);
  yield* violation(reference);
  const agreeing = new Set<Showing>();
  for (const other of others) {
    let differs = false;
    for (const finding of differences(program, hooks, input, reference, other)) {
      differs = true;
      yield finding;
    }
    if (!differs) agreeing.add(other);
  }
  for (const showing of showings) {
    // Frames that equal the reference's need no second judgement.
    if (!agreeing.has(showing))
      yield* judgeFrames(hooks, input, showing, showing === reference ? account : undefined);
  }
}

/** What the machine stopped is a finding by itself, also where every other engine stops it, or there is none. */
function* violation({ engine, output }: Showing): Generator<Finding, void, void> {
  const packet = output.status.subarray(0, output.count).indexOf(STATUS.violation);
  if (packet < 0) return;
  const got = outcomeAt(output, packet);
  yield {
    engines: ['oracle', engine.name],
    part: 'status',
    field: 'status',
    packet,
    expected: undefined,
    got,
  };
}

function* differences(
  program: Program,
  hooks: readonly Hook[],
  input: PacketBatch,
  reference: Showing,
  other: Showing,
): Generator<Finding, void, void> {
  const engines = [reference.engine.name, other.engine.name] as const;
  const observed = comparedParts(program, reference.engine.observes, other.engine.observes);
  const fields = new Set<string>();
  let from = 0;
  for (let looked = 0; looked < MAX_DIFFERENCES; looked++) {
    const difference: OutcomeDifference | undefined = firstDifference(
      reference.output,
      other.output,
      observed,
      hooks,
      input.entry,
      from,
    );
    if (difference === undefined) break;
    const { packet, part } = difference;
    from = packet + 1;
    const expected = outcomeAt(reference.output, packet);
    const got = outcomeAt(other.output, packet);
    const field = part === 'packet' ? differingField(expected.packet, got.packet) : part;
    if (fields.has(field)) continue;
    fields.add(field);
    yield { engines, part, field, packet, expected, got };
  }
  // Maps that differ after other outcomes tell nothing new.
  if (fields.size > 0 || reference.maps === undefined || other.maps === undefined) return;
  const map = firstMapDifference(reference.maps, other.maps, program.definition?.maps);
  if (map === undefined) return;
  const packet = input.count - 1;
  yield { engines, part: 'map', field: `map ${map.map}`, packet, expected: undefined, got: undefined, map };
}
