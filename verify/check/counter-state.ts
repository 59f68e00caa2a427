/**
 * What registers, and places on the stack, may hold of maps' values where a program is. Pointers are told apart by the
 * instruction that made them, not by the register that they are in: compilers copy them, and put them aside on the stack.
 */

/** A register by its number, or a place on the stack by its offset from r10, which is negative. */
export type Holder = number;

/** A value, and how far behind it a pointer points. Holders that have the same name hold the same. */
export interface Name {
  readonly value: number;
  readonly plus: number;
}

/** What a holder may hold of a map's value. */
export interface Loaded {
  /** The load. */
  readonly from: number;
  readonly map: number;
  /** The pointer that it was loaded through. */
  readonly base: number;
  /** Bytes between that and the place. */
  readonly offset: number;
  readonly size: number;
  readonly isAdded: boolean;
  /** Was a lock held at the load, and ever since? */
  readonly isGuarded: boolean;
  /** Has each receive queue such a place of its own? */
  readonly isOfQueue: boolean;
}

export const NONE: readonly Loaded[] = [];

const REGISTERS = 16;
/** Places on the stack, and registers. */
const HOLDERS = 1024;
const STACK = 512;
/** Values that are no instruction's: what functions are entered with, constants, and what differs where ways meet. */
const ENTERED = -1;
const CONSTANT = -100;
const MEETING = -10_000_000;

/** The value that an instruction leaves in a register. */
export function madeBy(slot: number, register: number): number {
  return slot * REGISTERS + register;
}

/** The address of a map's only value, which is a constant. */
export function constantOf(map: number): number {
  return CONSTANT - map;
}

export class CounterState {
  readonly loaded: Map<Holder, readonly Loaded[]>;
  readonly #names: Map<Holder, Name>;
  /** Bytes of places on the stack. */
  readonly #sizes: Map<Holder, number>;
  isLocked: boolean;

  private constructor(
    loaded: Map<Holder, readonly Loaded[]>,
    names: Map<Holder, Name>,
    sizes: Map<Holder, number>,
    isLocked: boolean,
  ) {
    this.loaded = loaded;
    this.#names = names;
    this.#sizes = sizes;
    this.isLocked = isLocked;
  }

  /** Where a function begins. */
  static entered(): CounterState {
    const names = new Map<Holder, Name>();
    for (let register = 0; register < REGISTERS; register++)
      names.set(register, { value: ENTERED - register, plus: 0 });
    return new CounterState(new Map(), names, new Map(), false);
  }

  copy(): CounterState {
    return new CounterState(new Map(this.loaded), new Map(this.#names), new Map(this.#sizes), this.isLocked);
  }

  nameOf(holder: Holder): Name | undefined {
    return this.#names.get(holder);
  }

  /** A holder gets another value. @param name undefined: nothing is known of it */
  set(holder: Holder, loaded: readonly Loaded[], name: Name | undefined): void {
    if (loaded.length > 0) this.loaded.set(holder, loaded);
    else this.loaded.delete(holder);
    if (name === undefined) this.#names.delete(holder);
    else this.#names.set(holder, name);
  }

  /** An instruction makes a value anew: what is left of the one that it made before, in a loop, is another one. */
  begin(value: number): void {
    for (const [holder, name] of this.#names) if (name.value === value) this.#names.delete(holder);
    this.#loadedThrough(value, () => NONE);
  }

  /** Puts what a register holds aside, into bytes of the stack that hold something else from now on. */
  spill(register: number, at: Holder, size: number): void {
    // Of a number that is cut, nothing but what fits is left.
    const loaded = (this.loaded.get(register) ?? NONE).filter((one) => one.size <= size);
    this.#sizes.set(at, size);
    this.set(at, loaded, size === 8 ? this.#names.get(register) : undefined);
  }

  /** Bytes of the stack are written over. */
  forget(from: number, to: number): void {
    for (const [at, size] of this.#sizes) {
      if (at >= to || at + size <= from) continue;
      this.#sizes.delete(at);
      this.set(at, NONE, undefined);
    }
  }

  /** Whether a lock was taken or given back: it was not held all the while since any load. */
  lock(isLocked: boolean): void {
    this.isLocked = isLocked;
    for (const [holder, all] of this.loaded) {
      const left = all.map((one) => (one.isGuarded ? { ...one, isGuarded: false } : one));
      this.loaded.set(holder, union(NONE, left));
    }
  }

  /**
   * Takes in another way that leads to the same place. Pointers that are not the same on both get a name of that place's.
   * @param place number of the block that begins there
   * @returns whether that brings anything new
   */
  join(other: CounterState, place: number): boolean {
    const came = other.copy();
    let isNew = came.isLocked && !this.isLocked;
    this.isLocked ||= came.isLocked;
    const met = new Map<Holder, Name>();
    for (const holder of new Set([...this.#names.keys(), ...came.#names.keys()])) {
      const name = this.#names.get(holder);
      const value = MEETING - (place * HOLDERS + holder + STACK);
      if (name?.value !== value && isSame(name, came.#names.get(holder))) continue;
      // What a loop brings back of an earlier round is not what is there now.
      if (!isSame(came.#names.get(holder), { value, plus: 0 })) came.begin(value);
      met.set(holder, { value, plus: 0 });
    }
    for (const [holder, name] of met) {
      this.#rename(holder, name);
      came.#rename(holder, name);
    }
    for (const [holder, name] of met) {
      if (isSame(this.#names.get(holder), name)) continue;
      this.#names.set(holder, name);
      isNew = true;
    }
    for (const [at, size] of came.#sizes) this.#sizes.set(at, Math.max(size, this.#sizes.get(at) ?? 0));
    for (const [holder, all] of came.loaded) {
      const before = this.loaded.get(holder) ?? NONE;
      const joined = union(before, all);
      if (joined === before) continue;
      this.loaded.set(holder, joined);
      isNew = true;
    }
    return isNew;
  }

  /** What was loaded through a pointer was loaded through what the place calls it, too. */
  #rename(holder: Holder, { value }: Name): void {
    const name = this.#names.get(holder);
    if (name === undefined || name.value === value) return;
    this.#loadedThrough(name.value, (one) => [one, { ...one, base: value, offset: one.offset - name.plus }]);
  }

  #loadedThrough(base: number, change: (one: Loaded) => readonly Loaded[]): void {
    for (const [holder, all] of this.loaded) {
      if (!all.some((one) => one.base === base)) continue;
      const left = union(
        NONE,
        all.flatMap((one) => (one.base === base ? change(one) : [one])),
      );
      if (left.length > 0) this.loaded.set(holder, left);
      else this.loaded.delete(holder);
    }
  }
}

function isSame(one: Name | undefined, other: Name | undefined): boolean {
  return one?.value === other?.value && one?.plus === other?.plus;
}

export function added(all: readonly Loaded[]): readonly Loaded[] {
  return union(
    NONE,
    all.map((one) => (one.isAdded ? one : { ...one, isAdded: true })),
  );
}

/** @returns the first itself where the others bring nothing new */
export function union(one: readonly Loaded[], others: readonly Loaded[]): readonly Loaded[] {
  let all = one;
  for (const other of others) if (!all.some((known) => isLike(known, other))) all = [...all, other];
  return all;
}

function isLike(one: Loaded, other: Loaded): boolean {
  return (
    one.from === other.from &&
    one.base === other.base &&
    one.offset === other.offset &&
    one.isAdded === other.isAdded &&
    one.isGuarded === other.isGuarded
  );
}
