/** Classes of packets that two builds treat differently for one reason: entered one after the other, each with a small example. */
import type { Case } from '../../corpus/cases/case.ts';
import type { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { World } from '../../sim/runtime/world.ts';
import { familyOf } from '../finding.ts';
import { isAccepted } from '../kernel-verdict.ts';
import { KernelWitness } from '../kernel-witness.ts';
import type { NotCompared } from '../not-compared.ts';
import { type Shrunk, shrink } from '../shrink.ts';
import type { DiffClass, DiffOptions } from './diff-report.ts';
import type { PairFinding } from './look.ts';
import type { BuildPair } from './pair.ts';
import { PairReplay } from './pair-replay.ts';

const UNSETTLED =
  'packets whose outcome depends on random numbers that only one build draws, or on unwritten stack bytes';
const STOPPED = 'packets on which the machine stops a build that this kernel accepts, a defect of xdpsim';

export class DiffClasses {
  readonly #options: DiffOptions;
  readonly #pair: BuildPair;
  readonly #classes = new Map<string, DiffClass>();
  /** Classes that are none: by chance, or by a defect of the machine. */
  readonly #none = new Map<string, NotCompared>();
  readonly #left: NotCompared[] = [];
  /** The class of packets that took these ways, by field and signature. */
  readonly #ways = new Map<string, string>();
  #isCut = false;

  constructor(options: DiffOptions) {
    this.#options = options;
    this.#pair = options.pair;
  }

  get size(): number {
    return this.#classes.size;
  }

  get list(): readonly DiffClass[] {
    return [...this.#classes.values()];
  }

  /** Were there more than are kept? */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** Packets that differ and are of no class, with the reason. */
  get left(): readonly NotCompared[] {
    return this.#left;
  }

  /** The class of packets that took these ways; undefined where none did before. */
  ofWay(way: string): string | undefined {
    return this.#ways.get(way);
  }

  /** More packets of a class that is known. @returns false where it is not */
  count(key: string, packets: number): boolean {
    const known = this.#classes.get(key);
    const none = this.#none.get(key);
    if (known !== undefined) known.packets += packets;
    else if (none !== undefined) this.#left.push({ ...none, packets });
    return known !== undefined || none !== undefined;
  }

  /** @param way by which more packets of its class are known */
  async enter(
    world: World,
    input: PacketBatch,
    finding: PairFinding,
    packets: number,
    way: string,
  ): Promise<void> {
    const key = familyOf(finding);
    this.#ways.set(way, key);
    if (this.count(key, packets)) return;
    if (this.#classes.size >= this.#options.maxClasses) {
      this.#isCut = true;
      return;
    }
    const stimuli = Array.from({ length: finding.packet + 1 }, (_, index) => input.stimulus(index));
    const found = await this.#shortest({ program: this.#pair.old.name, world, stimuli }, finding);
    // What came before may have drawn numbers, too: nobody can tell whose difference it is.
    const isLost = finding.isDoubtful && found.case.stimuli.length > 1;
    const reason = isLost ? UNSETTLED : await this.#whyNone(found.case, found.finding);
    if (reason !== undefined) {
      const left = { what: reason, engine: this.#options.engine.name, packets };
      this.#none.set(key, left);
      this.#left.push(left);
      return;
    }
    const { shown, state, small } = await this.#small(found.case, found.finding);
    this.#classes.set(key, { finding: shown, case: small, state, packets });
  }

  /** The packet alone, where it needs none of those before it. */
  async #shortest(whole: Case, finding: PairFinding): Promise<{ case: Case; finding: PairFinding }> {
    const replay = new PairReplay(this.#pair, this.#options.vm);
    try {
      const alone = { ...whole, stimuli: whole.stimuli.slice(-1) };
      const found = await replay.find(alone, familyOf(finding));
      return found === undefined ? { case: whole, finding } : { case: alone, finding: found };
    } finally {
      await replay.close();
    }
  }

  async #small(
    whole: Case,
    finding: PairFinding,
  ): Promise<{ small: Case; shown: PairFinding; state: Shrunk['state'] }> {
    const { vm, shrinkSeconds, signal } = this.#options;
    const task = {
      program: this.#pair.old,
      engines: [],
      case: whole,
      finding,
      replay: () => new PairReplay(this.#pair, vm),
    };
    const limits = { maxSeconds: shrinkSeconds, ...(signal === undefined ? {} : { signal }) };
    const shrunk = await shrink(task, limits);
    if (shrunk.state === 'not repeated') return { small: whole, shown: finding, state: 'found' };
    // The replay finds nothing else than findings of pairs.
    return { small: shrunk.case, shown: shrunk.finding as PairFinding, state: shrunk.state };
  }

  /** Why a difference is not held against the builds; undefined where it is theirs. */
  async #whyNone(small: Case, finding: PairFinding): Promise<string | undefined> {
    const { vm, kernel } = this.#options;
    if (finding.part === 'status') {
      const stopped = finding.got?.status === 'violation' ? this.#pair.new : this.#pair.old;
      const verdict = await new KernelWitness(stopped, kernel).ask(small, finding.packet);
      return isAccepted(verdict) ? STOPPED : undefined;
    }
    const replay = new PairReplay(this.#pair, vm);
    try {
      return (await replay.isSettled(small, finding)) ? undefined : UNSETTLED;
    } finally {
      await replay.close();
    }
  }
}
