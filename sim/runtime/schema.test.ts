/** What each kind of schema takes, what it says of everything else, and where. */
import { describe, expect, it } from 'vitest';
import * as s from './schema.ts';
import { pathText, reasonOf, shown, throwingPlace } from './shape-error.ts';

/** What is said of a value: the problem with its place, or nothing. */
function problem(schema: s.Schema<unknown>, value: unknown, root?: string): string | undefined {
  try {
    s.parse(schema, value, root);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(s.ShapeError);
    return (error as Error).message;
  }
}

it.each<[name: string, schema: s.Schema<unknown>, fits: unknown[], not: [value: unknown, problem: string][]]>(
  [
    [
      'text',
      s.text,
      ['', 'a'],
      [
        [1, 'expected a string, got 1'],
        [undefined, 'expected a string, got nothing'],
      ],
    ],
    [
      'flag',
      s.flag,
      [true, false],
      [
        ['true', 'expected true or false, got "true"'],
        [0, 'expected true or false, got 0'],
      ],
    ],
    ['bigInteger', s.bigInteger, [0n, -5n], [[5, 'expected a bigint (5n), got 5']]],
    [
      'number',
      s.number,
      [0, -1.5],
      [
        [Number.NaN, 'expected a number, got NaN'],
        [Number.POSITIVE_INFINITY, 'expected a number, got Infinity'],
        ['1', 'expected a number, got "1"'],
      ],
    ],
    [
      'nonNegative',
      s.nonNegative,
      [0, 1.5],
      [
        [-0.5, 'expected a number from 0 on, got -0.5'],
        [Number.POSITIVE_INFINITY, 'expected a number from 0 on, got Infinity'],
      ],
    ],
    [
      'uint8',
      s.uint8,
      [0, 255],
      [
        [256, 'expected an integer from 0 to 255, got 256'],
        [-1, 'expected an integer from 0 to 255, got -1'],
        [1.5, 'expected an integer from 0 to 255, got 1.5'],
      ],
    ],
    ['uint16', s.uint16, [65_535], [[65_536, 'expected an integer from 0 to 65535, got 65536']]],
    [
      'uint32',
      s.uint32,
      [0xffff_ffff],
      [[2 ** 32, 'expected an integer from 0 to 4294967295, got 4294967296']],
    ],
    [
      'integer',
      s.integer(-2, 3),
      [-2, 3],
      [
        [-3, 'expected an integer from -2 to 3, got -3'],
        [4, 'expected an integer from -2 to 3, got 4'],
        [5n, 'expected an integer from -2 to 3, got 5n'],
      ],
    ],
    [
      'oneOf',
      s.oneOf('native', 'generic'),
      ['native'],
      [
        ['nativ', 'expected one of native, generic, got "nativ"; did you mean “native”?'],
        ['x', 'expected one of native, generic, got "x"'],
        [1, 'expected one of native, generic, got 1'],
      ],
    ],
    [
      'exactly',
      s.exactly(1, 'is of another version'),
      [1],
      [
        [2, 'is of another version'],
        ['1', 'is of another version'],
      ],
    ],
    [
      'matching',
      s.matching(/^a+$/, 'only a'),
      ['aa'],
      [
        ['ab', 'expected only a, got "ab"'],
        [1, 'expected only a, got 1'],
      ],
    ],
    [
      'byteArray',
      s.byteArray(),
      [new Uint8Array(3)],
      [
        [[1], 'expected a Uint8Array, got a list'],
        [new Uint16Array(2), 'expected a Uint8Array, got 4 bytes'],
      ],
    ],
    [
      'byteArray(2)',
      s.byteArray(2),
      [new Uint8Array(2)],
      [[new Uint8Array(3), 'expected a Uint8Array of 2 bytes, got 3 bytes']],
    ],
    ['callable', s.callable(), [() => 1], [[{}, 'expected a function, got an object']]],
    [
      'list',
      s.list(s.uint8),
      [[], [1, 2]],
      [
        [{}, 'expected a list, got an object'],
        [[1, 256], '[1]: expected an integer from 0 to 255, got 256'],
      ],
    ],
    [
      'listOfSome',
      s.listOfSome(s.text),
      [['a']],
      [
        [[], 'expected at least one item, got an empty list'],
        [null, 'expected a list, got null'],
      ],
    ],
    [
      'dictionary',
      s.dictionary(s.uint8),
      [{}, { a: 1 }],
      [
        [[], 'expected an object, got a list'],
        [{ a: 1, 'b c': 'x' }, '"b c": expected an integer from 0 to 255, got "x"'],
        [new Uint8Array(2), 'expected an object, got 2 bytes'],
      ],
    ],
    ['anything', s.anything, [undefined, null, 5], []],
  ],
)('%s', (_name, schema, fits, not) => {
  for (const value of fits) expect(s.parse(schema, value)).toEqual(value);
  expect(not.map(([value]) => problem(schema, value))).toEqual(not.map(([, said]) => said));
});

describe('an object', () => {
  interface Shape {
    readonly name: string;
    readonly size?: number;
    readonly inner?: { readonly deep: readonly number[] };
  }
  const inner = s.object<{ readonly deep: readonly number[] }>({ deep: s.list(s.uint8) });
  const fields = { name: s.text, size: s.optional(s.uint8), inner: s.optional(inner) };
  const strict = s.object<Shape>(fields);
  const loose = s.anyFields<Shape>(fields);

  it('has its fields, and others only where they are left out', () => {
    expect(s.parse(strict, { name: 'a', size: undefined })).toEqual({ name: 'a' });
    expect('size' in s.parse(strict, { name: 'a', size: undefined })).toBe(false);
    expect(s.parse(strict, { name: 'a', inner: { deep: [1] } })).toEqual({ name: 'a', inner: { deep: [1] } });
    expect(s.parse(loose, { name: 'a', more: 1 })).toEqual({ name: 'a' });
  });

  it.each<[value: unknown, strict: string | undefined, loose: string | undefined]>([
    [{}, 'name: is missing', 'name: is missing'],
    [{ name: undefined }, 'name: is missing', 'name: is missing'],
    [{ name: 'a', sizes: 1 }, 'sizes: unknown field; did you mean “size”?', undefined],
    [{ name: 'a', other: 1 }, 'other: unknown field; known are name, size, inner', undefined],
    [
      { name: 'a', inner: { deep: [1, -1] } },
      'inner.deep[1]: expected an integer from 0 to 255, got -1',
      'inner.deep[1]: expected an integer from 0 to 255, got -1',
    ],
    [
      { name: 'a', inner: [] },
      'inner: expected an object, got a list',
      'inner: expected an object, got a list',
    ],
    [null, 'expected an object, got null', 'expected an object, got null'],
    ['a', 'expected an object, got "a"', 'expected an object, got "a"'],
  ])('%j', (value, ofStrict, ofLoose) => {
    expect([problem(strict, value), problem(loose, value)]).toEqual([ofStrict, ofLoose]);
  });

  it('begins places where it is told to', () => {
    expect(problem(strict, {}, 'my.json')).toBe('my.json.name: is missing');
    expect(problem(strict, 5, 'my.json')).toBe('my.json: expected an object, got 5');
  });

  it('has a value for what is absent where there is a default', () => {
    const schema = s.object<{ readonly size: number }>({ size: s.defaulted(s.uint8, 7) });
    expect([s.parse(schema, {}), s.parse(schema, { size: 3 })]).toEqual([{ size: 7 }, { size: 3 }]);
    expect(problem(schema, { size: 'x' })).toBe('size: expected an integer from 0 to 255, got "x"');
  });

  it('keeps names that an assignment would not make', () => {
    const value = JSON.parse('{"__proto__": 1}');
    expect(Object.keys(s.parse(s.dictionary(s.uint8), value))).toEqual(['__proto__']);
    expect(problem(strict, JSON.parse('{"name": "a", "__proto__": 1}'))).toContain('unknown field');
  });

  it('says where reading it throws', () => {
    const hostile = {
      name: 'a',
      inner: {
        get deep(): never {
          throw new Error('on purpose');
        },
      },
    };
    expect(problem(strict, hostile, 'it')).toBe('it.inner.deep: cannot be read: on purpose');
  });

  it('says that it is nested too deeply', () => {
    interface Nested {
      readonly in?: Nested;
    }
    const nested: s.Schema<Nested> = s.lazy(() => s.object<Nested>({ in: s.optional(nested) }));
    let value: Nested = {};
    for (let depth = 0; depth < 5; depth++) value = { in: value };
    expect(problem(nested, value)).toBeUndefined();
    for (let depth = 0; depth < 100_000; depth++) value = { in: value };
    expect(problem(nested, value, 'it')).toBe('it: is nested too deeply');
  });
});

describe('texts that are read', () => {
  const even = s.parsed('an even number', (text) => {
    const number = Number(text);
    if (number % 2 !== 0) throw new SyntaxError(`${text} is odd`);
    return number;
  });

  it('become what they say, or say why not', () => {
    expect(s.parse(even, '4')).toBe(4);
    expect([problem(even, '3'), problem(even, 4)]).toEqual(['3 is odd', 'expected an even number, got 4']);
    const checked = s.checked('a word', (text) => {
      if (text === '') throw new SyntaxError('is empty');
    });
    expect([s.parse(checked, 'a'), problem(checked, '')]).toEqual(['a', 'is empty']);
    const failing = s.parsed('a word', () => {
      throw new TypeError('no SyntaxError');
    });
    expect(() => s.parse(failing, 'a')).toThrow('no SyntaxError');
    expect(
      s.parse(
        s.transformed(s.uint8, (number) => number + 1),
        4,
      ),
    ).toBe(5);
  });

  it('are one of several forms, by what they look like', () => {
    const number = s.uint8 as s.Schema<unknown>;
    const word = s.text as s.Schema<unknown>;
    const either = s.choice<unknown>('a number or a word', [number, word], (value) =>
      typeof value === 'number' ? number : typeof value === 'string' ? word : undefined,
    );
    expect([s.parse(either, 4), s.parse(either, 'a')]).toEqual([4, 'a']);
    expect([problem(either, 256), problem(either, null)]).toEqual([
      'expected an integer from 0 to 255, got 256',
      'expected a number or a word, got null',
    ]);
  });
});

describe('words for what is wrong', () => {
  it('show values briefly', () => {
    const long = 'a'.repeat(40);
    const values = [
      undefined,
      null,
      '',
      'a"b',
      long,
      `${long}b`,
      5n,
      -1.5,
      true,
      () => 1,
      Symbol('x'),
      [1],
      {},
      new Uint8Array(3),
      new Uint32Array(2),
    ];
    expect(values.map(shown)).toEqual([
      'nothing',
      'null',
      '""',
      '"a\\"b"',
      `"${long}"`,
      `"${long}"…`,
      '5n',
      '-1.5',
      'true',
      'a function',
      'a symbol',
      'a list',
      'an object',
      '3 bytes',
      '8 bytes',
    ]);
  });

  it('name places', () => {
    expect([
      pathText([], ''),
      pathText([], 'it'),
      pathText(['a', 0, 'b-c', 'd e', 1], ''),
      pathText([2], 'it'),
      pathText(['a'], 'it'),
    ]).toEqual(['', 'it', 'a[0].b-c."d e"[1]', 'it[2]', 'it.a']);
  });

  it('find what throws, also in circles, and what it says', () => {
    const circle: Record<string, unknown> = { list: [1, { ok: 1 }] };
    circle.self = circle;
    expect(throwingPlace(circle)).toBeUndefined();
    const bad = Object.defineProperty({}, 'x', {
      enumerable: true,
      get: () => {
        throw new Error('no');
      },
    });
    circle.list = [0, { y: bad }];
    expect(throwingPlace(circle)).toEqual(['list', 1, 'y', 'x']);
    const trap = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error('no');
        },
      },
    );
    expect(throwingPlace({ a: [trap] })).toEqual(['a', 0]);
    expect([5, null, new Uint8Array(2)].map(throwingPlace)).toEqual([undefined, undefined, undefined]);
    const unspeakable = {
      toString: () => {
        throw new Error('no');
      },
    };
    expect([reasonOf(new Error('why')), reasonOf('why'), reasonOf(5), reasonOf(unspeakable)]).toEqual([
      'why',
      'why',
      '5',
      'an error that cannot be shown',
    ]);
  });
});
