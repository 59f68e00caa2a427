/**
 * Which line broke what so far: the second packet that shows the same need not be made small, nor the twentieth of a line
 * that breaks everything. Either takes seconds, and nobody would look at it.
 */
import type { Program } from '../../sim/runtime/program.ts';
import { originOf } from '../origin.ts';
import type { Found } from '../segment.ts';
import { invariantOf } from './findings.ts';
import { FEW } from './group.ts';

export class BrokenLines {
  readonly #program: Program;
  /** Invariants by the line that breaks them. */
  readonly #broken = new Map<string, Set<string>>();

  constructor(program: Program) {
    this.#program = program;
  }

  /** Does a line break so much that all of it is one finding? */
  get isAnyCrowded(): boolean {
    return [...this.#broken.values()].some(({ size }) => size > FEW);
  }

  /** Enters what was found. @returns whether it says nothing new, or too much was said of its line before */
  async isKnown({ finding, case: shown }: Found): Promise<boolean> {
    const source = await originOf(this.#program, shown, finding);
    if (source === undefined) return false;
    const line = `${source.file}:${source.line}`;
    const broken = this.#broken.get(line) ?? new Set();
    this.#broken.set(line, broken);
    const invariant = invariantOf(finding, shown.stimuli[finding.packet]?.packet);
    const isKnown = broken.has(invariant) || broken.size > FEW;
    broken.add(invariant);
    return isKnown;
  }
}
