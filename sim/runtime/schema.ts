/**
 * The vocabulary of schemas: what the files and modules of users must look like, stated once. A schema checks a value
 * and makes of it what the program works with; it says at which place a value is wrong, and what was expected there;
 * and it is written out as JSON Schema (docs/schema/, `npm run schema`).
 *
 * The schemas are valibot's. Here stand the sentences, and what valibot is too lenient about: a list is no object, a
 * field named like one of `Object.prototype` is a field, a getter may throw.
 */
import * as v from 'valibot';
import { nearestName } from './nearest-name.ts';
import { pathText, reasonOf, ShapeError, shown, throwingPlace } from './shape-error.ts';

export { ShapeError } from './shape-error.ts';

/** Turns a value of any kind into a `Value`, or says why not. */
export type Schema<Value> = v.GenericSchema<unknown, Value>;
/** A field that may be absent. */
export interface Optional<Value> {
  readonly optional: Schema<Value>;
}

type FieldOf<Value, Name extends keyof Value> =
  Record<never, never> extends Pick<Value, Name> ? Optional<NonNullable<Value[Name]>> : Schema<Value[Name]>;
/** A schema for each property of `Value`: a forgotten one, or one too many, does not compile. */
export type Fields<Value> = { readonly [Name in keyof Value]-?: FieldOf<Value, Name> };

/**
 * What a schema makes of a value.
 * @param root what messages call the value itself; default: nothing, places are relative to it
 * @throws {ShapeError} for the first place that is wrong: `worlds[0].world: expected an object, got null`
 */
export function parse<Value>(schema: Schema<Value>, value: unknown, root: string = ''): Value {
  let result: v.SafeParseResult<Schema<Value>>;
  try {
    result = v.safeParse(schema, value, { abortEarly: true });
  } catch (error) {
    if (error instanceof RangeError) throw new ShapeError(root, 'is nested too deeply');
    // A getter, or a trap of a proxy: the error does not say where it was met.
    throw new ShapeError(pathText(throwingPlace(value) ?? [], root), `cannot be read: ${reasonOf(error)}`);
  }
  if (result.success) return result.output;
  const { path, message } = result.issues[0];
  const keys = (path ?? []).map(({ key }) => key);
  throw new ShapeError(pathText(keys, root), message);
}

type Dataset = v.UnknownDataset;
type Config = v.Config<v.BaseIssue<unknown>>;
type Run = (dataset: Dataset, config: Config) => v.OutputDataset<unknown, v.BaseIssue<unknown>>;

/** The same schema, as JSON Schema sees it, with another way to check. */
function checkedBy<Value>(base: v.GenericSchema, run: Run): Schema<Value> {
  return { ...base, '~run': run } as unknown as Schema<Value>;
}

/** @param at the place within the value, for one of its fields */
function refuse(
  base: v.GenericSchema,
  dataset: Dataset,
  config: Config,
  message: string,
  at?: string,
): v.OutputDataset<unknown, v.BaseIssue<unknown>> {
  const input = dataset.value as Record<string, unknown>;
  const path = [{ type: 'object', origin: 'key', input, key: at, value: undefined }] as const;
  // `_addIssue` is how valibot's own schemas make theirs; its types know the kinds that it has.
  v._addIssue(base as never, 'type', dataset as never, config as never, {
    message,
    ...(at === undefined ? {} : { path: path as never }),
  });
  return dataset as never;
}

function expected(words: string): (issue: { readonly input: unknown }) => string {
  return ({ input }) => `expected ${words}, got ${shown(input)}`;
}

/** Makes a field one that may be absent, or `undefined`. */
export function optional<Value>(schema: Schema<Value>): Optional<Value> {
  return { optional: schema };
}

/** Makes a field one that has a value also where it is absent. */
export function defaulted<Value>(schema: Schema<Value>, value: Value): Schema<Value> {
  return v.optional(schema, value as never) as unknown as Schema<Value>;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

/** An object with these fields and no others. */
export function object<Value extends object>(fields: Fields<Value>): Schema<Value> {
  return objectOf(v.strictObject(entriesOf(fields), 'is missing'), Object.keys(fields), true);
}

/** An object with these fields; others are left out. */
export function anyFields<Value extends object>(fields: Fields<Value>): Schema<Value> {
  return objectOf(v.object(entriesOf(fields), 'is missing'), Object.keys(fields), false);
}

function entriesOf<Value>(fields: Fields<Value>): Record<string, v.GenericSchema> {
  const entries: Record<string, v.GenericSchema> = Object.create(null);
  for (const [name, field] of Object.entries<Schema<unknown> | Optional<unknown>>(fields)) {
    entries[name] = 'optional' in field ? v.exactOptional(field.optional) : field;
  }
  return entries;
}

function objectOf<Value>(base: v.GenericSchema, names: readonly string[], isStrict: boolean): Schema<Value> {
  return checkedBy(base, (dataset, config) => {
    const { value } = dataset;
    if (!isRecord(value)) return refuse(base, dataset, config, expected('an object')({ input: value }));
    for (const name in isStrict ? value : {}) {
      if (names.includes(name)) continue;
      const near = nearestName(name, names);
      const hint = near === undefined ? `known are ${names.join(', ')}` : `did you mean “${near}”?`;
      return refuse(base, dataset, config, `unknown field; ${hint}`, name);
    }
    // Each property is read once: a proxy may answer differently the second time.
    const plain: Record<string, unknown> = Object.create(null);
    for (const name of names) {
      const item = name in value ? value[name] : undefined;
      if (item !== undefined) plain[name] = item;
    }
    return base['~run']({ value: plain }, config as never);
  });
}

/** An object whose field names are the user's: of maps, globals, namespaces. */
export function dictionary<Value>(item: Schema<Value>): Schema<Readonly<Record<string, Value>>> {
  const base = v.record(v.string(), item);
  return checkedBy(base, (dataset, config) => {
    const { value } = dataset;
    if (!isRecord(value)) return refuse(base, dataset, config, expected('an object')({ input: value }));
    const fields: [string, unknown][] = [];
    for (const key of Object.keys(value)) {
      const one = item['~run']({ value: value[key] }, config as never);
      if (one.issues !== undefined) {
        for (const issue of one.issues) {
          const step = { type: 'object', origin: 'value', input: value, key, value: value[key] } as const;
          (issue as { path?: unknown[] }).path = [step, ...(issue.path ?? [])];
        }
        return one;
      }
      fields.push([key, one.value]);
    }
    // Also fields that an assignment would not make: `__proto__`.
    return { typed: true, value: Object.fromEntries(fields) };
  });
}

export function list<Value>(item: Schema<Value>): Schema<readonly Value[]> {
  return v.array(item, expected('a list'));
}

/** A list with at least one item. */
export function listOfSome<Value>(item: Schema<Value>): Schema<readonly Value[]> {
  return v.pipe(
    v.array(item, expected('a list')),
    v.minLength(1, 'expected at least one item, got an empty list'),
  );
}

/** Whatever JSON there is: what it must be is said elsewhere. */
export const anything: Schema<unknown> = v.unknown();

/** Anything, with words about it for editors. */
export function anythingAs(words: string): Schema<unknown> {
  return v.pipe(v.unknown(), v.description(words));
}

export const text: Schema<string> = v.string(expected('a string'));
export const flag: Schema<boolean> = v.boolean(expected('true or false'));
export const bigInteger: Schema<bigint> = v.bigint(expected('a bigint (5n)'));

export function integer(least: number, most: number): Schema<number> {
  const message = expected(`an integer from ${least} to ${most}`);
  return v.pipe(v.number(message), v.integer(message), v.minValue(least, message), v.maxValue(most, message));
}
/** Any finite number. */
export const number: Schema<number> = v.pipe(v.number(expected('a number')), v.finite(expected('a number')));
/** A finite number that is not negative. */
export const nonNegative: Schema<number> = v.pipe(
  v.number(expected('a number from 0 on')),
  v.finite(expected('a number from 0 on')),
  v.minValue(0, expected('a number from 0 on')),
);
export const uint8: Schema<number> = integer(0, 0xff);
export const uint16: Schema<number> = integer(0, 0xffff);
export const uint32: Schema<number> = integer(0, 0xffff_ffff);

export function oneOf<const Value extends string>(...values: readonly Value[]): Schema<Value> {
  return v.picklist(values, ({ input }) => {
    const near = typeof input === 'string' ? nearestName(input, values) : undefined;
    const hint = near === undefined ? '' : `; did you mean “${near}”?`;
    return `${expected(`one of ${values.join(', ')}`)({ input })}${hint}`;
  });
}

/** This value and no other; `problem` says what another means. */
export function exactly<const Value extends string | number>(value: Value, problem: string): Schema<Value> {
  return v.literal(value, problem);
}

/** A string that matches; `words` say what it is. */
export function matching(pattern: RegExp, words: string): Schema<string> {
  return v.pipe(v.string(expected(words)), v.regex(pattern, expected(words)));
}

/** A string that `read` understands; what it throws as SyntaxError is the message. */
export function parsed<Value>(words: string, read: (text: string) => Value): Schema<Value> {
  return v.pipe(
    v.string(expected(words)),
    v.description(words),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      try {
        return read(dataset.value);
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
        addIssue({ message: error.message });
        return NEVER as never;
      }
    }),
  );
}

/** The same for a string that stays one. */
export function checked(words: string, read: (text: string) => unknown): Schema<string> {
  return parsed(words, (text) => {
    read(text);
    return text;
  });
}

export function transformed<From, To>(schema: Schema<From>, to: (value: From) => To): Schema<To> {
  return v.pipe(schema, v.transform(to));
}

/** One of several forms; `pick` tells by the value which of them it is meant to be. */
export function choice<Value>(
  words: string,
  options: readonly Schema<Value>[],
  pick: (value: unknown) => Schema<Value> | undefined,
): Schema<Value> {
  const base = v.union([...options]);
  return checkedBy(base, (dataset, config) => {
    const option = pick(dataset.value);
    if (option === undefined) return refuse(base, dataset, config, expected(words)({ input: dataset.value }));
    return option['~run'](dataset, config as never);
  });
}

/** For schemas that contain themselves. */
export function lazy<Value>(schema: () => Schema<Value>): Schema<Value> {
  return v.lazy(schema);
}

/** Bytes of a module: a `Uint8Array` itself, not what only looks like one. */
export function byteArray(length?: number): Schema<Uint8Array> {
  const words = length === undefined ? 'a Uint8Array' : `a Uint8Array of ${length} bytes`;
  return v.custom<Uint8Array>(
    (value) =>
      ArrayBuffer.isView(value) &&
      value instanceof Uint8Array &&
      (length === undefined || value.length === length),
    expected(words),
  );
}

// biome-ignore lint/complexity/noBannedTypes: any function will do, its type is the caller's to state
export function callable<Value extends Function>(): Schema<Value> {
  return v.custom<Value>((value) => typeof value === 'function', expected('a function'));
}
