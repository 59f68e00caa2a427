/** Plays single cases to a few engines and says what is found: the ground on which shrinking stands. */
import type { Case } from '../corpus/cases/case.ts';
import type { Engine } from '../sim/engines/engine.ts';
import { isKernel } from '../sim/engines/register.ts';
import { mayReadUnwritten } from '../sim/engines/unwritten-stack.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import type { Program } from '../sim/runtime/program.ts';
import { letOthersTurn } from '../sim/runtime/turns.ts';
import { ClockMask } from './clock-mask.ts';
import { EngineSide } from './engine-side.ts';
import { examine } from './examine.ts';
import { type Finding, familyOf } from './finding.ts';
import type { Judging, Oracle } from './judging.ts';
import { isBetweenMachineAndKernel, StackMask } from './stack-mask.ts';
import { certainPackets } from './uncertain.ts';

export class Replay {
  readonly #program: Program;
  readonly #sides: EngineSide[];
  readonly #oracle: Oracle | Judging | undefined;
  #mask: ClockMask | undefined;
  #stack: StackMask | undefined;
  #input: PacketBatch = new PacketBatch(16);

  /**
   * @param engines the reference first; one alone is judged by the checksum oracle only
   * @param oracle what is judged of frames; default: all
   */
  constructor(program: Program, engines: readonly Engine[], oracle?: Oracle | Judging) {
    this.#program = program;
    this.#oracle = oracle;
    this.#sides = engines.map((engine) => new EngineSide(engine, program, 16));
  }

  /** The first finding of this family (`familyOf`) on the case; undefined also where an engine cannot run the case. */
  async find(candidate: Case, family: string): Promise<Finding | undefined> {
    for (const finding of await this.findings(candidate)) if (familyOf(finding) === family) return finding;
    return undefined;
  }

  /** All kinds of findings on the case. */
  async findings(candidate: Case): Promise<Finding[]> {
    const { stimuli, world } = candidate;
    if (stimuli.length === 0) return [];
    await letOthersTurn();
    if (stimuli.length > this.#input.capacity) this.#input = new PacketBatch(stimuli.length);
    this.#input.clear();
    for (const stimulus of stimuli) this.#input.push(stimulus);
    const reports: EngineSide[] = [];
    for (const [index, side] of this.#sides.entries()) {
      if (!side.takes(this.#input)) return [];
      if (await side.run(world, this.#input)) {
        reports.push(side);
        continue;
      }
      // A world made too small may not load; the next one may.
      await side.close();
      this.#sides[index] = new EngineSide(side.engine, this.#program, 16);
      return [];
    }
    const live = reports.filter((side) => side.live.length > 0);
    if (live.length > 0) {
      this.#mask ??= new ClockMask(
        this.#program,
        this.#sides.map((side) => side.engine),
      );
      await this.#mask.apply(world, this.#input, live);
    }
    const isCertain = certainPackets(reports, this.#input.count) === this.#input.count;
    const comparable = isCertain ? reports : reports.filter(({ engine }) => !isKernel(engine.name));
    const judged = (): Finding[] => [
      ...examine(this.#program, this.#input, comparable, undefined, this.#oracle),
    ];
    const findings = judged();
    if (!findings.some(isBetweenMachineAndKernel) || !mayReadUnwritten(this.#program)) return findings;
    this.#stack ??= new StackMask(this.#program);
    const settled = await this.#stack.apply(world, this.#input, comparable);
    return settled === undefined ? findings : judged();
  }

  async close(): Promise<void> {
    for (const side of this.#sides) await side.close();
    await this.#mask?.close();
    await this.#stack?.close();
  }
}
