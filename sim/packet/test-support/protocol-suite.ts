/**
 * The tests that every protocol passes, under the same names: a reader who knows one protocol's tests knows all.
 * For test files only.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../bytes.ts';
import type { Decoded } from '../decoding.ts';
import type { Dissect } from '../dissection.ts';

export interface ProtocolSuite<Value, View extends { at(bytes: Uint8Array, offset: number): View }> {
  readonly name: string;
  /** A header from the wire, in hexadecimal, with no bytes behind it. */
  readonly wire: string;
  readonly value: Value;
  readonly view: () => View;
  /** What the view reads from `wire`; what is settable is written back, too. */
  readonly reads: Partial<Record<keyof View, unknown>>;
  readonly decode: (bytes: Uint8Array, offset?: number, end?: number) => Decoded<Value>;
  readonly encode: (value: Value) => Uint8Array;
  readonly dissect: Dissect;
  /** Values that `decode` gives back as they are. */
  readonly values: fc.Arbitrary<Value>;
}

export function describeProtocol<Value, View extends { at(bytes: Uint8Array, offset: number): View }>(
  suite: ProtocolSuite<Value, View>,
): void {
  const { name, value, decode, encode, dissect } = suite;
  const wire = fromHex(suite.wire);

  describe(name, () => {
    it('deconstructs: the view reads each field at any offset', () => {
      for (const offset of [0, 1, 7]) {
        const bytes = new Uint8Array(offset + wire.length + 3).fill(0xa5);
        bytes.set(wire, offset);
        const view = suite.view().at(bytes, offset);
        for (const [field, expected] of Object.entries(suite.reads)) {
          const got = view[field as keyof View];
          // Fields named …At are places: they move along.
          const want = field.endsWith('At') ? (expected as number) + offset : expected;
          expect(got, field).toEqual(want);
        }
      }
    });

    it('constructs: the view writes each field, and nothing beside it', () => {
      const bytes = new Uint8Array(wire.length + 8);
      for (const fill of [0x00, 0xff]) {
        for (const field of settable(suite.view())) {
          bytes.fill(fill);
          const view = suite.view().at(bytes, 4);
          const record = view as unknown as Record<string, unknown>;
          const before = Object.fromEntries(settable(view).map((other) => [other, record[other]]));
          record[field] = suite.reads[field as keyof View];
          expect(record[field], field).toEqual(suite.reads[field as keyof View]);
          expect([...bytes.subarray(0, 4), ...bytes.subarray(4 + wire.length)]).toEqual(
            new Array(8).fill(fill),
          );
          // Writing what was there before brings all bytes back: no neighbour was touched.
          record[field] = before[field];
          expect(new Set(bytes), field).toEqual(new Set([fill]));
        }
      }
    });

    it('decodes what the wire says', () => {
      expect(decode(wire)).toEqual({ ok: true, value, length: wire.length });
    });

    it('encodes what the wire says', () => {
      expect(toHex(encode(value))).toBe(toHex(wire));
    });

    it('decodes what it encoded', () => {
      fc.assert(
        fc.property(suite.values, fc.nat(5), (some, offset) => {
          const header = encode(some);
          const bytes = new Uint8Array(offset + header.length);
          bytes.set(header, offset);
          expect(decode(bytes, offset)).toEqual({ ok: true, value: some, length: header.length });
        }),
      );
    });

    it('rejects impossible lengths: every cut, saying what is missing', () => {
      for (let end = 0; end < wire.length; end++) {
        const result = decode(wire, 0, end);
        // A list of options that runs to the end may be cut anywhere, and says so in the value.
        if (result.ok) {
          expect(JSON.stringify(result.value)).toContain('options');
          continue;
        }
        if (result.error.kind !== 'length') continue;
        expect(result.error).toMatchObject({ offset: 0, available: end });
        expect(result.error.needed).toBeGreaterThan(end);
        expect(result.error.needed).toBeLessThanOrEqual(wire.length);
      }
    });

    it('takes any bytes without throwing, and its tree stays within them', () => {
      fc.assert(
        fc.property(
          fc.uint8Array({ maxLength: wire.length + 20, size: 'max' }),
          fc.nat(3),
          (noise, offset) => {
            if (noise.length > 8) noise.set(wire.subarray(0, 2), offset);
            const result = decode(noise, offset);
            if (result.ok) expect(toHex(encode(result.value)).length).toBeGreaterThan(0);
            const { fields } = dissect(noise, offset, noise.length, {});
            for (const field of fields) {
              expect(field.offset).toBeGreaterThanOrEqual(offset);
              expect(field.offset + field.length).toBeLessThanOrEqual(noise.length);
            }
          },
        ),
      );
    });
  });
}

/** The names of the properties that a view has a setter for. */
function settable(view: object): string[] {
  const descriptors = Object.getOwnPropertyDescriptors(Object.getPrototypeOf(view) as object);
  return Object.entries(descriptors)
    .filter(([, descriptor]) => descriptor.set !== undefined)
    .map(([field]) => field);
}
