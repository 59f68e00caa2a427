/** Bytes of one piece of memory on one path: terms, or parts of pointers. Copies share what they do not change. */
import type { Value } from './path-value.ts';
import type { Term } from './term.ts';
import type { TermPool } from './term-pool.ts';

/** A byte of a pointer that was stored whole. */
interface PointerByte {
  readonly pointer: Value;
  /** Of its eight bytes, counted from the lowest. */
  readonly index: number;
}

type Cell = Term | PointerByte;

function isPointerByte(cell: Cell): cell is PointerByte {
  return 'pointer' in cell;
}

export class PathMemory {
  #cells: Map<number, Cell>;
  #isShared: boolean;

  constructor(cells: Map<number, Cell> = new Map(), isShared: boolean = false) {
    this.#cells = cells;
    this.#isShared = isShared;
  }

  copy(): PathMemory {
    this.#isShared = true;
    return new PathMemory(this.#cells, true);
  }

  /** Undefined: never written. A byte of a pointer comes as the byte of its address. */
  byte(pool: TermPool, at: number): Term | undefined {
    const cell = this.#cells.get(at);
    if (cell === undefined) return undefined;
    return isPointerByte(cell) ? pool.extract(cell.pointer.term, cell.index * 8, 8) : cell;
  }

  setByte(at: number, byte: Term): void {
    this.#own().set(at, byte);
  }

  /** The pointer whose eight bytes lie at `at`. */
  pointer(at: number): Value | undefined {
    const first = this.#cells.get(at);
    if (first === undefined || !isPointerByte(first) || first.index !== 0) return undefined;
    for (let index = 1; index < 8; index++) {
      const cell = this.#cells.get(at + index);
      if (
        cell === undefined ||
        !isPointerByte(cell) ||
        cell.pointer !== first.pointer ||
        cell.index !== index
      ) {
        return undefined;
      }
    }
    return first.pointer;
  }

  setPointer(at: number, pointer: Value): void {
    const cells = this.#own();
    for (let index = 0; index < 8; index++) cells.set(at + index, { pointer, index });
  }

  /** Stores a term of whole bytes, the lowest first. */
  store(pool: TermPool, at: number, term: Term): void {
    const cells = this.#own();
    for (let index = 0; index * 8 < term.width; index++)
      cells.set(at + index, pool.extract(term, index * 8, 8));
  }

  forget(at: number): void {
    this.#own().delete(at);
  }

  /** Puts other terms in the place of those that are there. */
  rename(rename: (term: Term) => Term): void {
    if (this.isEmpty) return;
    const cells = new Map<number, Cell>();
    const pointers = new Map<Value, Value>();
    const renamedPointer = (pointer: Value): Value => {
      const renamed = pointers.get(pointer) ?? { ...pointer, term: rename(pointer.term) };
      pointers.set(pointer, renamed);
      return renamed;
    };
    for (const [at, cell] of this.#cells)
      cells.set(at, isPointerByte(cell) ? { ...cell, pointer: renamedPointer(cell.pointer) } : rename(cell));
    this.#cells = cells;
    this.#isShared = false;
  }

  get isEmpty(): boolean {
    return this.#cells.size === 0;
  }

  /** Where something was written, in order. */
  written(): number[] {
    return [...this.#cells.keys()].sort((a, b) => a - b);
  }

  clear(): void {
    this.#cells = new Map();
    this.#isShared = false;
  }

  #own(): Map<number, Cell> {
    if (this.#isShared) {
      this.#cells = new Map(this.#cells);
      this.#isShared = false;
    }
    return this.#cells;
  }
}
