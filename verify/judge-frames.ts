/** Judges every frame that left one engine: its checksums, and the invariants. */
import { STATUS } from '../sim/engines/outcome-batch.ts';
import type { PacketBatch } from '../sim/packet/packet-batch.ts';
import type { Hook } from '../sim/runtime/actions.ts';
import { deliveryOf, leaves } from '../sim/runtime/delivery.ts';
import type { BatchReport } from './batch-report.ts';
import { checksumField } from './differing-field.ts';
import { FailingPackets, samplesOf } from './failing-packets.ts';
import type { Finding } from './finding.ts';
import type { Breach, Passage } from './invariants/invariant.ts';
import { type Judging, judgingOf, type Oracle } from './judging.ts';
import type { NotCompared } from './not-compared.ts';
import { FramePair } from './oracle/frame-pair.ts';
import { type ChecksumFault, ChecksumJudge } from './oracle/judge.ts';
import { outcomeAt } from './outcome.ts';
import type { Warning } from './warning.ts';

const judge = new ChecksumJudge();
const pair = new FramePair();
const passage: Passage = { hook: 'xdp', action: 0, delivery: 0, redirect: undefined };

/** What judging left open, counted: nothing is passed over in silence. */
export class JudgingAccount {
  /** Frames that were looked at. */
  judged = 0;
  /** Packets, by what of them was not judged. */
  readonly #unjudged = new Map<string, number>();
  readonly #warnings = new Map<string, { readonly breach: Breach; packets: number }>();

  enterUnjudged(what: string): void {
    this.#unjudged.set(what, (this.#unjudged.get(what) ?? 0) + 1);
  }

  /** A breach that may be intended. */
  enterWarning(breach: Breach): void {
    const seen = this.#warnings.get(breach.invariant);
    if (seen === undefined) this.#warnings.set(breach.invariant, { breach, packets: 1 });
    else seen.packets++;
  }

  notCompared(engine: NotCompared['engine']): NotCompared[] {
    return [...this.#unjudged].map(([what, packets]) => ({ what, engine, packets }));
  }

  warnings(): Warning[] {
    return [...this.#warnings.values()].map(({ breach, packets }) => ({
      severity: breach.severity === 'info' ? 'info' : 'warning',
      kind: breach.invariant,
      summary: breach.summary,
      packets,
    }));
  }
}

/**
 * One finding of each kind, on a whole packet where there is one.
 * @param account is told what was not judged, and of breaches that are no errors
 * @param oracle what is judged
 */
export function* judgeFrames(
  hooks: readonly Hook[],
  input: PacketBatch,
  { engine, output }: BatchReport,
  account?: JudgingAccount,
  oracle: Oracle | Judging = 'all',
): Generator<Finding, void, void> {
  const judging = judgingOf(oracle);
  if (!judging.checksums) return;
  const failing = new FailingPackets<Pick<Finding, 'part' | 'breach' | 'fault' | 'severity'>>();
  const enter = (breach: Breach, packet: number): void => {
    const { severity } = breach;
    if (severity !== 'error' && !judging.keepsWarnings) account?.enterWarning(breach);
    else failing.add(breach.invariant, packet, input, () => ({ part: 'invariant', breach, severity }));
  };
  const lost: { readonly field: string; readonly packet: number; readonly fault: ChecksumFault }[] = [];
  let removals = 0;
  for (let packet = 0; packet < output.count; packet++) {
    if (output.status[packet] !== STATUS.ran) continue;
    const hook = hooks[input.entry[packet]!] ?? 'xdp';
    const action = output.action[packet]!;
    passage.hook = hook;
    passage.action = action;
    passage.delivery = deliveryOf(hook, action);
    passage.redirect = engine.observes.redirect ? output.redirect[packet]! : undefined;
    for (const invariant of judging.outcomes) {
      const breach = invariant.judge(passage);
      if (breach !== undefined) enter(breach, packet);
    }
    if (!leaves(hook, action)) continue;
    if (account !== undefined) account.judged++;
    const isChanged = pair.set(
      input.bytes,
      input.offset[packet]!,
      input.length[packet]!,
      output.bytes,
      output.offset[packet]!,
      output.length[packet]!,
    );
    if (!isChanged) continue;
    if (judging.frames.length > 0 && pair.cameBroken)
      account?.enterUnjudged('lengths of packets that came with contradictory lengths');
    for (const invariant of judging.frames) {
      const breach = invariant.judge(pair, passage);
      if (breach !== undefined) enter(breach, packet);
    }
    const fault = judge.judgePair(pair);
    if (judge.removed) removals++;
    if (judge.unjudged !== undefined) account?.enterUnjudged(judge.unjudged);
    if (fault === undefined) continue;
    const field = checksumField(fault.layer, fault.depth);
    if (fault.kind === 'lost') lost.push({ field, packet, fault });
    else failing.add(field, packet, input, () => ({ part: 'checksum', fault }));
  }
  for (const { field, packet, fault } of lost) {
    // A program that takes UDP checksums off does so also where the right one would be 0x0000.
    if (removals > 0)
      account?.enterUnjudged('UDP checksums of 0x0000, which this program also sets on purpose');
    else failing.add(field, packet, input, () => ({ part: 'checksum', fault }));
  }
  for (const { kind, packet, detail, others } of failing.best()) {
    yield {
      ...detail,
      engines: ['oracle', engine.name],
      field: kind,
      packet,
      expected: undefined,
      got: outcomeAt(output, packet),
      ...(detail.fault === undefined ? {} : { others: samplesOf(input, output, others) }),
    };
  }
}
