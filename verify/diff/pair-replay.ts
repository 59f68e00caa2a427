/** Tries single cases on two builds: the ground on which a class of packets is made small, and doubted. */
import type { Case } from '../../corpus/cases/case.ts';
import type { VmOptions } from '../../sim/engines/vm.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { World } from '../../sim/runtime/world.ts';
import { familyOf } from '../finding.ts';
import type { CaseReplay } from '../shrink.ts';
import { type PairFinding, PairLook } from './look.ts';
import type { BuildPair } from './pair.ts';

export class PairReplay implements CaseReplay {
  readonly #pair: BuildPair;
  readonly #options: VmOptions;
  #look: PairLook;
  #input = new PacketBatch(16);

  constructor(pair: BuildPair, options: VmOptions = {}) {
    this.#pair = pair;
    this.#options = options;
    this.#look = new PairLook(pair, options);
  }

  async find(candidate: Case, family: string): Promise<PairFinding | undefined> {
    for await (const finding of this.findings(candidate)) if (familyOf(finding) === family) return finding;
    return undefined;
  }

  /** What differs on a case, its maps last. */
  async *findings({
    stimuli,
    world,
  }: Pick<Case, 'stimuli' | 'world'>): AsyncGenerator<PairFinding, void, void> {
    if (!(await this.#run(stimuli, world))) return;
    for (const { packet, part, field } of this.#look.differing(this.#input)) {
      const finding = this.#look.finding(packet, part, field);
      if (finding !== undefined) yield finding;
    }
    const ofMaps = await this.#look.mapFinding(world, this.#input);
    if (ofMaps !== undefined) yield ofMaps;
  }

  /**
   * Is the difference the builds' own? Where one of them draws other random numbers than the other, or reads bytes of its
   * stack that nobody wrote, the two may differ by chance: then only what differs whatever chance brings is.
   */
  async isSettled({ stimuli, world }: Case, finding: PairFinding): Promise<boolean> {
    if (!(await this.#run(stimuli, world))) return true;
    const draws = !this.#look.drewTheSame(finding.packet);
    const reads = this.#look.readsUnwritten(finding.packet);
    if (!draws && !reads) return true;
    const seen = { old: new Set<string>(), new: new Set<string>() };
    const worlds: World[] = [
      ...(reads ? FILLS.map((stackFill) => ({ ...world, stackFill })) : []),
      ...(draws ? SEEDS.map((randomSeed) => ({ ...world, randomSeed })) : []),
    ];
    for (const one of [world, ...worlds]) {
      const shown = await this.#shown(stimuli, one, finding);
      if (shown === undefined) continue;
      seen.old.add(shown.old);
      seen.new.add(shown.new);
    }
    return ![...seen.old].some((one) => seen.new.has(one));
  }

  /** What each build shows in the part that differs; undefined where the case does not run, or maps agree. */
  async #shown(
    stimuli: Case['stimuli'],
    world: World,
    { packet, part }: PairFinding,
  ): Promise<{ old: string; new: string } | undefined> {
    if (!(await this.#run(stimuli, world))) return undefined;
    if (part === 'map') {
      const found = await this.#look.mapFinding(world, this.#input);
      if (found === undefined) return { old: 'same', new: 'same' };
      return { old: 'old', new: 'new' };
    }
    if (part === 'outside') {
      const outside = this.#look.outside(packet);
      if (outside.length === 0) return { old: 'same', new: 'same' };
      return {
        old: JSON.stringify(outside.map((one) => one.old)),
        new: JSON.stringify(outside.map((one) => one.new)),
      };
    }
    const { expected, got } = this.#look.outcomes(packet);
    const text = (outcome: typeof expected): string =>
      part === 'action'
        ? `${outcome.status} ${outcome.action}`
        : JSON.stringify({
            ...outcome,
            ...{ note: undefined, tstamp: String(outcome.tstamp) },
            packet: Buffer.from(outcome.packet).toString('hex'),
            metadata: Buffer.from(outcome.metadata).toString('hex'),
          });
    return { old: text(expected), new: text(got) };
  }

  async close(): Promise<void> {
    await this.#look.close();
  }

  async #run(stimuli: Case['stimuli'], world: World): Promise<boolean> {
    if (stimuli.length === 0) return false;
    if (stimuli.length > this.#input.capacity) this.#input = new PacketBatch(stimuli.length);
    this.#input.clear();
    for (const stimulus of stimuli) this.#input.push(stimulus);
    if (await this.#look.run(world, this.#input)) return true;
    // A world made too small may not load; the next one may.
    await this.#look.close();
    this.#look = new PairLook(this.#pair, this.#options);
    return false;
  }
}

/** Far apart in every bit: the machine's own runs have zeros. */
const FILLS = [0xff, 0x5a, 0xa5, 0x01, 0x80];
const SEEDS = [11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22];
