/** The account of a run: what was run, what came of it, and what no comparison looked at. */
import type { Engine } from '../sim/engines/engine.ts';
import { type OutcomeBatch, STATUS } from '../sim/engines/outcome-batch.ts';
import type { PacketBatch } from '../sim/packet/packet-batch.ts';
import { actionName } from '../sim/runtime/actions.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { BatchReport } from './batch-report.ts';
import { notCompared } from './compare.ts';
import { mapsNotCompared } from './compare-maps.ts';
import { JudgingAccount } from './judge-frames.ts';
import { type NotCompared, sumNotCompared } from './not-compared.ts';
import { type Defect, mergeDefects, mergeWarnings } from './report.ts';
import { linesNotCompared } from './trace-lines.ts';
import type { Warning } from './warning.ts';

export class RunStatistics {
  packets = 0;
  savedPackets = 0;
  savedCases = 0;
  /** Packets on which at least two engines' outcomes were compared. */
  compared = 0;
  readonly #program: Program;
  /** By entry, then by action. */
  readonly #actions: Map<number, number>[];
  readonly #pairs = new Set<string>();
  readonly #notCompared: NotCompared[] = [];
  /** What was not judged of the reference's frames. */
  readonly judging: JudgingAccount = new JudgingAccount();
  #reference: NotCompared['engine'] | undefined;
  readonly #defects: Defect[] = [];
  #warnings: Warning[] = [];

  constructor(program: Program) {
    this.#program = program;
    this.#actions = program.entries.map(() => new Map());
  }

  /** A case that all or some of the engines get. */
  enterCase(input: PacketBatch, saved: boolean): void {
    this.packets += input.count;
    if (!saved) return;
    this.savedPackets += input.count;
    this.savedCases++;
  }

  /** @param again the reference has been entered with these packets already */
  addReports(input: PacketBatch, reports: readonly BatchReport[], again: boolean): void {
    const [reference, ...others] = reports;
    if (reference === undefined) return;
    this.#reference = reference.engine.name;
    if (!again) this.#countActions(input, reference.output);
    if (!again) this.leave(linesNotCompared(this.#program, reports));
    for (const other of others) this.#noteBlindSpots(reference, other);
  }

  #countActions(input: PacketBatch, output: OutcomeBatch): void {
    // Stretches of the same action are entered at once.
    let entry = -1;
    let action = 0;
    let stretch = 0;
    for (let packet = 0; packet < output.count; packet++) {
      if (output.status[packet] !== STATUS.ran) continue;
      if (output.action[packet] === action && input.entry[packet] === entry) {
        stretch++;
        continue;
      }
      this.#enterActions(entry, action, stretch);
      entry = input.entry[packet]!;
      action = output.action[packet]!;
      stretch = 1;
    }
    this.#enterActions(entry, action, stretch);
  }

  #enterActions(entry: number, action: number, packets: number): void {
    const counts = this.#actions[entry];
    if (counts !== undefined) counts.set(action, (counts.get(action) ?? 0) + packets);
  }

  #noteBlindSpots(reference: BatchReport, other: BatchReport): void {
    const pair = `${reference.engine.name} ${other.engine.name}`;
    if (this.#pairs.has(pair)) return;
    this.#pairs.add(pair);
    this.#notCompared.push(...notCompared(this.#program, reference.engine, other.engine));
    if (this.#program.definition?.maps.length === 0) return;
    if (reference.maps === undefined || other.maps === undefined) return;
    for (const map of mapsNotCompared(reference.maps, other.maps, this.#program.definition?.maps)) {
      const blind = reference.maps.some((snapshot) => snapshot.definition.name === map)
        ? other.engine
        : reference.engine;
      this.#notCompared.push({ what: `map ${map}`, engine: blind.name });
    }
  }

  /** Packets that an engine did not get, by rule. */
  refused({ name }: Engine, rules: ReadonlyMap<string, number>): void {
    for (const [what, packets] of rules) this.#notCompared.push({ what, engine: name, packets });
  }

  /** What else was not compared. */
  leave(gaps: readonly NotCompared[]): void {
    this.#notCompared.push(...gaps);
  }

  addDefects(defects: readonly Defect[]): void {
    this.#defects.push(...defects);
  }

  addWarnings(warnings: readonly Warning[]): void {
    this.#warnings = mergeWarnings([...this.#warnings, ...warnings]);
  }

  warnings(): Warning[] {
    return [...this.#warnings, ...this.judging.warnings()];
  }

  defects(): Defect[] {
    return mergeDefects(this.#defects);
  }

  notCompared(): NotCompared[] {
    const unjudged = this.#reference === undefined ? [] : this.judging.notCompared(this.#reference);
    return sumNotCompared([...this.#notCompared, ...unjudged]);
  }

  actions(): Record<string, number> {
    const named: Record<string, number> = {};
    for (const [entry, counts] of this.#actions.entries()) {
      const hook = this.#program.entries[entry]!.hook;
      for (const [action, count] of [...counts].sort(([a], [b]) => a - b)) {
        const name = actionName(hook, action);
        named[name] = (named[name] ?? 0) + count;
      }
    }
    return named;
  }
}
