/** Random terms, each beside a function that computes the same without any simplification. For tests only. */
import { allOnes, signed, type Term } from '../symbolic/term.ts';
import { TermPool } from '../symbolic/term-pool.ts';

/** A small generator with a seed of its own. */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 8) % below;
  };
}

/** What is compared: a term, and a function that computes the same without any simplification. */
export interface Twin {
  readonly term: Term;
  readonly value: (of: (name: Term) => bigint) => bigint;
}

export const WIDTHS: readonly number[] = [1, 4, 8, 16, 32, 64];

export class TwinMaker {
  readonly pool = new TermPool();
  readonly unknowns: Term[];
  readonly #random: (below: number) => number;

  constructor(random: (below: number) => number) {
    this.#random = random;
    this.unknowns = WIDTHS.flatMap((width) =>
      [0, 1].map((index) => this.pool.unknown(width, `v${width}_${index}`)),
    );
  }

  constant(width: number): Twin {
    const pick = this.#random(6);
    let value = 0n;
    if (pick === 0) value = allOnes(width);
    else if (pick === 1) value = 1n << BigInt(this.#random(width));
    else if (pick === 2) value = allOnes(this.#random(width) + 1);
    else if (pick > 3)
      for (let word = 0; word < 4; word++) value = (value << 16n) | BigInt(this.#random(65536));
    value = BigInt.asUintN(width, value);
    return { term: this.pool.constant(width, value), value: () => value };
  }

  make(width: number, depth: number): Twin {
    const { pool } = this;
    const random = this.#random;
    if (depth === 0 || random(8) === 0) {
      if (random(4) === 0 || !WIDTHS.includes(width)) return this.constant(width);
      const term = pool.unknown(width, `v${width}_${random(2)}`);
      return { term, value: (of) => of(term) };
    }
    const sub = (of: number = width): Twin => this.make(of, depth - 1);
    const mask = allOnes(width);
    const binary = (combine: (a: Term, b: Term) => Term, value: (a: bigint, b: bigint) => bigint): Twin => {
      const a = sub();
      const b = random(5) === 0 ? a : sub();
      return { term: combine(a.term, b.term), value: (of) => value(a.value(of), b.value(of)) & mask };
    };
    const compare = (
      combine: (a: Term, b: Term) => Term,
      value: (a: bigint, b: bigint, width: number) => boolean,
    ): Twin => {
      const of = WIDTHS[random(WIDTHS.length)]!;
      const a = sub(of);
      const b = random(5) === 0 ? a : sub(of);
      return {
        term: combine(a.term, b.term),
        value: (given) => (value(a.value(given), b.value(given), of) ? 1n : 0n),
      };
    };
    switch (random(width === 1 ? 20 : 16)) {
      case 0:
        return binary(
          (a, b) => pool.add(a, b),
          (a, b) => a + b,
        );
      case 1:
        return binary(
          (a, b) => pool.subtract(a, b),
          (a, b) => a - b + (1n << 64n),
        );
      case 2:
        return binary(
          (a, b) => pool.multiply(a, b),
          (a, b) => a * b,
        );
      case 3:
        return binary(
          (a, b) => pool.and(a, b),
          (a, b) => a & b,
        );
      case 4:
        return binary(
          (a, b) => pool.or(a, b),
          (a, b) => a | b,
        );
      case 5:
        return binary(
          (a, b) => pool.xor(a, b),
          (a, b) => a ^ b,
        );
      case 6: {
        const operation = (['udiv', 'urem', 'sdiv', 'srem'] as const)[random(4)]!;
        return binary(
          (a, b) => pool.divide(operation, a, b),
          (a, b) => {
            if (b === 0n) return operation === 'udiv' || operation === 'sdiv' ? 0n : a;
            if (operation === 'udiv') return a / b;
            if (operation === 'urem') return a % b;
            const [x, y] = [signed(width, a), signed(width, b)];
            return BigInt.asUintN(width, operation === 'sdiv' ? x / y : x % y);
          },
        );
      }
      case 7: {
        if (width < 4 || (width & (width - 1)) !== 0) return sub();
        const operation = (['shl', 'lshr', 'ashr'] as const)[random(3)]!;
        return binary(
          (a, b) => pool.shift(operation, a, b),
          (a, b) => {
            const by = b & BigInt(width - 1);
            if (operation === 'shl') return a << by;
            return operation === 'lshr' ? a >> by : BigInt.asUintN(width, signed(width, a) >> by);
          },
        );
      }
      case 8: {
        const by = random(width);
        const a = sub();
        return { term: pool.shiftLeft(a.term, by), value: (of) => (a.value(of) << BigInt(by)) & mask };
      }
      case 9: {
        const by = random(width);
        const a = sub();
        return { term: pool.shiftRight(a.term, by), value: (of) => a.value(of) >> BigInt(by) };
      }
      case 10: {
        const wider = WIDTHS.filter((one) => one > width);
        const of = wider[random(wider.length)];
        if (of === undefined) return sub();
        const low = random(of - width + 1);
        const a = sub(of);
        return {
          term: pool.extract(a.term, low, width),
          value: (given) => (a.value(given) >> BigInt(low)) & mask,
        };
      }
      case 11: {
        const cut = WIDTHS.filter((one) => one < width);
        const of = cut[random(cut.length)];
        if (of === undefined) return sub();
        const a = sub(of);
        const b = this.make(width - of, depth - 1);
        return {
          term: pool.concat([a.term, b.term]),
          value: (given) => (a.value(given) << BigInt(width - of)) | b.value(given),
        };
      }
      case 12: {
        const cut = WIDTHS.filter((one) => one < width);
        const of = cut[random(cut.length)];
        if (of === undefined) return sub();
        const a = sub(of);
        return {
          term: pool.signExtend(width, a.term),
          value: (given) => BigInt.asUintN(width, signed(of, a.value(given))),
        };
      }
      case 13: {
        const condition = sub(1);
        const a = sub();
        const b = sub();
        return {
          term: pool.ite(condition.term, a.term, b.term),
          value: (of) => (condition.value(of) === 1n ? a.value(of) : b.value(of)),
        };
      }
      case 14: {
        if (width % 8 !== 0) return sub();
        const a = sub();
        return {
          term: pool.swapBytes(a.term),
          value: (of) => {
            let rest = a.value(of);
            let swapped = 0n;
            for (let byte = 0; byte < width; byte += 8) {
              swapped = (swapped << 8n) | (rest & 0xffn);
              rest >>= 8n;
            }
            return swapped;
          },
        };
      }
      case 15: {
        const a = sub();
        return { term: pool.not(a.term), value: (of) => a.value(of) ^ mask };
      }
      case 16:
      case 17:
        return compare(
          (a, b) => pool.equal(a, b),
          (a, b) => a === b,
        );
      case 18:
        return compare(
          (a, b) => pool.less(a, b),
          (a, b) => a < b,
        );
      default:
        return compare(
          (a, b) => pool.lessSigned(a, b),
          (a, b, of) => signed(of, a) < signed(of, b),
        );
    }
  }
}
