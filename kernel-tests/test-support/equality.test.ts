import { expect, it } from 'vitest';

class Hidden {
  readonly #numbers: readonly number[];
  constructor(...numbers: readonly number[]) {
    this.#numbers = numbers;
  }
  [Symbol.iterator](): Iterator<number> {
    return this.#numbers[Symbol.iterator]();
  }
}

it('takes nothing for equal that hides what differs', () => {
  expect(new Hidden(1)).not.toEqual(new Hidden(2));
  expect({ all: [new Hidden(1)] }).not.toEqual({ all: [new Hidden(2)] });
  expect([new URL('https://a.example')]).not.toEqual([new URL('https://b.example')]);
  expect(new Map([['a', Uint8Array.of(1)]])).not.toEqual(new Map([['a', Uint8Array.of(2)]]));
});

it('leaves to matchers what they take for equal', () => {
  expect({ a: 1, b: undefined }).toEqual({ a: 1 });
  expect({ a: 1, b: undefined }).not.toStrictEqual({ a: 1 });
  expect({ a: [1, 'x'] }).toEqual({ a: [expect.any(Number), expect.stringMatching(/x/)] });
  expect({ a: new Uint8Array(3), b: [new Hidden(1)] }).toEqual({ a: new Uint8Array(3), b: [new Hidden(1)] });
});
