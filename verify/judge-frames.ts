/** Judges every frame that left one engine: its checksums, and the invariants. */
import { type OutcomeBatch, STATUS } from '../sim/engines/outcome-batch.ts';
import type { PacketBatch } from '../sim/packet/packet-batch.ts';
import type { Hook } from '../sim/runtime/actions.ts';
import { DELIVERY, deliveryOf } from '../sim/runtime/delivery.ts';
import type { BatchReport } from './batch-report.ts';
import { checksumField } from './differing-field.ts';
import { FailingPackets, samplesOf } from './failing-packets.ts';
import { faultShape } from './fault-shape.ts';
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

  enterUnjudged(what: string, packets: number = 1): void {
    this.#unjudged.set(what, (this.#unjudged.get(what) ?? 0) + packets);
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
  if (!judging.checksums && judging.outcomes.length === 0) return;
  const judgement = new Judgement(input, judging, account);
  judgeEach(hooks, input, output, engine.observes.redirect, judging, judgement);
  for (const { kind, shape, packet, detail, others } of judgement.best()) {
    yield {
      ...detail,
      ...(shape === undefined ? {} : { shape }),
      engines: ['oracle', engine.name],
      field: kind,
      packet,
      expected: undefined,
      got: outcomeAt(output, packet),
      ...(detail.fault === undefined ? {} : { others: samplesOf(input, output, others) }),
    };
  }
}

/** The loop over packets: a function of its own, since the variables of a generator function live on the heap. */
function judgeEach(
  hooks: readonly Hook[],
  input: PacketBatch,
  output: OutcomeBatch,
  showsRedirect: boolean,
  { checksums, frames, outcomes, shortest = 0, tellsShapes = false }: Judging,
  judgement: Judgement,
): void {
  for (let packet = 0; packet < output.count; packet++) {
    if (output.status[packet] !== STATUS.ran || input.length[packet]! < shortest) continue;
    const hook = hooks[input.entry[packet]!] ?? 'xdp';
    const action = output.action[packet]!;
    const delivery = deliveryOf(hook, action);
    passage.hook = hook;
    passage.action = action;
    passage.delivery = delivery;
    passage.redirect = showsRedirect ? output.redirect[packet]! : undefined;
    for (let at = 0; at < outcomes.length; at++) {
      const breach = outcomes[at]!.judge(passage);
      if (breach !== undefined) judgement.enterBreach(breach, packet);
    }
    if (!checksums || delivery === DELIVERY.dropped) continue;
    judgement.judged++;
    const isChanged = pair.set(
      input.bytes,
      input.offset[packet]!,
      input.length[packet]!,
      output.bytes,
      output.offset[packet]!,
      output.length[packet]!,
    );
    if (pair.isOutgrown) judgement.enterUnjudged(OUTGROWN);
    if (!isChanged && !pair.isHeaderless) continue;
    if (isChanged && pair.cameBroken && frames.length > 0) judgement.enterUnjudged(CAME_BROKEN);
    let isMisread = false;
    for (let at = 0; at < frames.length && !isMisread; at++) {
      if (!isChanged && frames[at]!.isOfAnyFrame !== true) continue;
      const breach = frames[at]!.judge(pair, passage);
      if (breach === undefined) continue;
      judgement.enterBreach(breach, packet);
      isMisread = breach.isMisread === true;
    }
    if (!isChanged || isMisread) continue;
    const fault = judge.judgePair(pair);
    if (judge.removed) judgement.removals++;
    if (judge.unjudged !== undefined) judgement.enterUnjudged(judge.unjudged);
    if (fault === undefined) continue;
    const shape = tellsShapes ? faultShape(pair, input.length[packet]!, fault) : undefined;
    judgement.enterFault(fault, packet, shape);
  }
}

const OUTGROWN = 'packets that grew beyond 65,535 bytes, which no length field can say';
const CAME_BROKEN = 'lengths of packets that came with contradictory lengths';

interface Lost {
  readonly field: string;
  readonly packet: number;
  readonly fault: ChecksumFault;
  readonly shape: string | undefined;
}

/** What was found on the frames of one batch. */
class Judgement {
  /** Frames that were looked at. */
  judged = 0;
  /** Frames whose UDP checksum was taken off on purpose. */
  removals = 0;
  readonly #input: PacketBatch;
  readonly #judging: Judging;
  readonly #account: JudgingAccount | undefined;
  readonly #failing = new FailingPackets<Pick<Finding, 'part' | 'breach' | 'fault' | 'severity'>>();
  readonly #lost: Lost[] = [];

  constructor(input: PacketBatch, judging: Judging, account: JudgingAccount | undefined) {
    this.#input = input;
    this.#judging = judging;
    this.#account = account;
  }

  enterUnjudged(what: string): void {
    this.#account?.enterUnjudged(what);
  }

  enterBreach(breach: Breach, packet: number): void {
    const { severity } = breach;
    if (severity !== 'error' && !this.#judging.keepsWarnings) this.#account?.enterWarning(breach);
    else {
      const detail = { part: 'invariant', breach, severity } as const;
      this.#failing.add(breach.invariant, packet, this.#input, () => detail);
    }
  }

  enterFault(fault: ChecksumFault, packet: number, shape: string | undefined): void {
    const field = checksumField(fault.layer, fault.depth);
    if (fault.kind === 'lost') this.#lost.push({ field, packet, fault, shape });
    else this.#failing.add(field, packet, this.#input, () => ({ part: 'checksum', fault }), shape);
  }

  /** The packet that shows each kind best. */
  best(): ReturnType<FailingPackets<Pick<Finding, 'part' | 'breach' | 'fault' | 'severity'>>['best']> {
    if (this.#account !== undefined) this.#account.judged += this.judged;
    for (const { field, packet, fault, shape } of this.#lost) {
      // A program that takes UDP checksums off does so also where the right one would be 0x0000.
      if (this.removals > 0)
        this.enterUnjudged('UDP checksums of 0x0000, which this program also sets on purpose');
      else this.#failing.add(field, packet, this.#input, () => ({ part: 'checksum', fault }), shape);
    }
    return this.#failing.best();
  }
}
