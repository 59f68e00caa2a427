/**
 * Headers for fast-check, from their declarations: `fc.assert(fc.property(headers(UDP), (header) => …))`. Values at
 * the ends of a field's range, those that have names and those that a declaration calls edges come often.
 */
import fc from 'fast-check';
import { ipv4ToText, ipv6ToText, macToText } from './addresses.ts';
import type { Field, Fields } from './declaration/field.ts';
import type { Protocol, Variant } from './declaration/protocol.ts';
import type { Tail } from './declaration/tail.ts';

/** Any numbers of `bits` bits, those at the ends of the range often. */
export function numbers(bits: number, edges: readonly number[] = []): fc.Arbitrary<number> {
  const most = 2 ** bits - 1;
  const ends = [0, 1, most, 2 ** (bits - 1), ...edges].filter((edge) => edge <= most);
  return fc.oneof(fc.constantFrom(...new Set(ends)), fc.nat(most));
}

function bytesOf(length: number): fc.Arbitrary<Uint8Array> {
  return fc
    .array(fc.oneof(fc.constant(0), fc.nat(255)), { minLength: length, maxLength: length })
    .map((bytes) => Uint8Array.from(bytes));
}

function fieldValues({ bits, shown, preset, options }: Field): fc.Arbitrary<unknown> {
  switch (shown) {
    case 'mac':
      return bytesOf(6).map((bytes) => macToText(bytes));
    case 'ipv4':
      return bytesOf(4).map((bytes) => ipv4ToText(bytes));
    case 'ipv6':
      return bytesOf(16).map((bytes) => ipv6ToText(bytes));
    case 'bytes':
      return bytesOf(bits / 8);
    default:
      return typeof preset === 'boolean' ? fc.boolean() : numbers(bits, options.edges);
  }
}

function fieldsOf(fields: Fields): Record<string, fc.Arbitrary<unknown>> {
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([, field]) => field.stated)
      .map(([name, field]) => [name, fieldValues(field)]),
  );
}

/** Tails that headers can count: what reads back as it was written. */
function tailOf(tail: Tail | undefined): Record<string, fc.Arbitrary<unknown>> {
  if (tail === undefined) return {};
  return {
    [tail.name]: fc
      .nat(5)
      .chain((units) => bytesOf(units * 8 + tail.offset).map((bytes) => tail.decode(bytes, 0, bytes.length))),
  };
}

function bodyOf(kind: string, { fields, tail }: Variant): fc.Arbitrary<unknown> {
  return fc.record({ kind: fc.constant(kind), ...fieldsOf(fields), ...tailOf(tail) });
}

/** Headers that decode as they are. */
export function headers<F, V>(protocol: Protocol<F, V>): fc.Arbitrary<V> {
  const { fields, sections = {}, variants, tail } = protocol.declaration;
  // Those of sections that are not there are left out when the header is written.
  const optional = Object.values(sections).map((section) => fieldsOf(section.fields));
  const base = { ...fieldsOf(fields), ...Object.assign({}, ...optional), ...tailOf(tail) };
  const cases = Object.entries(variants?.cases ?? {});
  const taken = cases.flatMap(([, { types = [] }]) => types);
  const shapes =
    variants === undefined
      ? [fc.record(base)]
      : cases.map(([kind, shape]) =>
          fc.record({
            ...base,
            [variants.by]:
              shape.types === undefined
                ? numbers(8).filter((type) => !taken.includes(type))
                : fc.constantFrom(...shape.types),
            body: bodyOf(kind, shape),
          }),
        );
  return fc
    .oneof(...shapes)
    .map((value) => protocol.decode(protocol.encode(value as V)))
    .filter((result) => result.ok)
    .map((result) => (result as { readonly value: V }).value);
}
