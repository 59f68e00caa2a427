/** The cases that guidance has kept, and those that it follows next. */
import type { Random } from '../../corpus/generate/random.ts';
import { fieldsOf } from '../../sim/ebpf/dataflow/expression.ts';
import type { FlowTrace } from '../../sim/ebpf/dataflow/flow-trace.ts';
import type { InputField } from '../../sim/ebpf/dataflow/inputs.ts';
import type { Machine } from '../../sim/ebpf/machine.ts';
import { ARRAYS } from '../../sim/runtime/maps.ts';
import type { Sequence } from './traced-runs.ts';

/** Kept cases from which leading up to a way begins, where none came near. */
const MOST_BEGINNINGS = 24;

/** Of a case, the branches that are solved. */
export type Where = 'wanted' | 'everywhere' | 'last packet';

export interface Kept {
  readonly sequence: Sequence;
  readonly fresh: readonly number[];
  /** Maps that it changes, by name: what number one has that user space makes depends on the world. */
  readonly changes: ReadonlySet<string>;
  /** Instructions that it runs. */
  readonly cost: number;
  /** Of its branches, those that are solved; absent: the wanted ones. */
  readonly where?: Where;
}

const NONE: ReadonlySet<string> = new Set();

export class CaseQueue {
  readonly #kept: Kept[] = [];
  readonly #next: Kept[] = [];
  /** Cases that change maps on which nothing was seen to hang yet, such as counters: what follows them comes last. */
  readonly #later: Kept[] = [];
  /** Maps on which a condition, or the key of a lookup, was seen to hang. */
  readonly #decisive = new Set<string>();
  /** Kept cases all of whose branches have been solved. */
  #solved = 0;

  get kept(): readonly Kept[] {
    return this.#kept;
  }

  /** Keeps a case, and has it followed. */
  keep(kept: Kept): void {
    this.#kept.push(kept);
    this.#next.push(kept);
  }

  /** Keeps a case that reached nothing new. */
  keepKnown(sequence: Sequence, cost: number): void {
    this.#kept.push({ sequence, fresh: [], changes: NONE, cost });
  }

  /** Has a case followed that is not kept. */
  add(sequence: Sequence, where: Where): void {
    this.#next.push({ sequence, fresh: [], changes: NONE, cost: 0, where });
  }

  /** Has what follows a case looked at after everything else. */
  postpone(kept: Kept): void {
    this.#later.push(kept);
  }

  /** @returns the case to follow now, which is no longer waiting */
  next(): Kept | undefined {
    return this.#next.shift();
  }

  nextPostponed(): Kept | undefined {
    return this.#later.shift();
  }

  /** @returns the kept cases that were not returned before */
  takeUnsolved(): Sequence[] {
    const unsolved = this.#kept.slice(this.#solved).map(({ sequence }) => sequence);
    this.#solved = this.#kept.length;
    return unsolved;
  }

  /** Which maps decide on this path? That an array has an element does not change. */
  noteDecisive({ branches, calls }: FlowTrace, { object }: Machine): void {
    const fields = new Set<InputField>();
    for (const { a, b } of branches) {
      fieldsOf(a, fields);
      fieldsOf(b, fields);
    }
    for (const { keyParts } of calls) for (const part of keyParts) fieldsOf(part, fields);
    for (const field of fields) {
      if (field.kind === 'map') this.#decisive.add(object.maps[field.map]!.name);
      if (field.kind !== 'call') continue;
      const { map } = calls[field.call]!;
      if (map < 0) continue;
      const { name, type } = object.maps[map]!;
      if (!ARRAYS.has(type)) this.#decisive.add(name);
    }
  }

  changesDecisive({ changes }: Kept): boolean {
    return [...changes].some((map) => this.#decisive.has(map));
  }

  /** The shortest of the kept cases: what is short yet can be led anywhere. */
  shortest(): Sequence[] {
    return this.#kept
      .slice()
      .sort((a, b) => a.cost - b.cost)
      .slice(0, MOST_BEGINNINGS)
      .map(({ sequence }) => sequence);
  }

  /** Draws a kept case. */
  draw(random: Random): Kept {
    return this.#kept[random.below(this.#kept.length)]!;
  }

  /**
   * Draws three kept cases.
   * @param count how often a way was gone
   * @returns the one whose rarest way was gone least
   */
  drawRare(random: Random, count: (way: number) => number): Kept {
    const rarity = ({ fresh }: Kept): number => Math.min(...fresh.map(count));
    let best = this.draw(random);
    for (let draw = 0; draw < 2; draw++) {
      const one = this.draw(random);
      if (rarity(one) < rarity(best)) best = one;
    }
    return best;
  }
}
