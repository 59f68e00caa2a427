/** Bounds what types can cost: a small hostile file may relate each of its types to each other, or nest them without end. */
import { ObjectError } from '../object-error.ts';

/** Members, enumerators and types looked at for one object; the largest programs in the field need some ten thousands. */
const LIMIT = 10_000_000;

export class Work {
  #left = LIMIT;

  /** @throws {ObjectError} when more than the limit was spent */
  spend(amount: number, where: string): void {
    this.#left -= amount;
    if (this.#left < 0)
      throw new ObjectError(where, 'types that can be compared in reasonable time', 'too many of them');
  }
}
