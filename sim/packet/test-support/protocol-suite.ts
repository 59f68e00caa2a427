/** The tests that every protocol passes, under the same names: a reader who knows one protocol's tests knows all. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { headers } from '../arbitrary.ts';
import { fromHex, toHex } from '../bytes.ts';
import { maskOf } from '../declaration/place.ts';
import type { Protocol } from '../declaration/protocol.ts';
import { difference } from '../difference.ts';

export interface Sample<V> {
  /** A header from the wire, in hexadecimal, with no bytes behind it. */
  readonly wire: string;
  readonly value: V;
}

export function describeProtocol<F, V>(protocol: Protocol<F, V>, ...samples: readonly Sample<V>[]): void {
  describe(protocol.name, () => {
    it('decodes what the wire says', () => {
      for (const { wire, value } of samples) {
        const bytes = fromHex(wire);
        expect(protocol.decode(bytes)).toEqual({ ok: true, value, length: bytes.length });
      }
    });

    it('encodes what the wire says', () => {
      for (const { wire, value } of samples) {
        expect(toHex(protocol.encode(value))).toBe(toHex(fromHex(wire)));
        expect(protocol.complete(value as never)).toEqual(value);
      }
    });

    it('deconstructs: the view reads each field at any offset', () => {
      for (const { wire, value } of samples) {
        const header = fromHex(wire);
        for (const offset of [0, 1, 7]) {
          const bytes = new Uint8Array(offset + header.length + 3).fill(0xa5);
          bytes.set(header, offset);
          const view = protocol.view().at(bytes, offset) as unknown as Record<string, unknown>;
          for (const [field, expected] of statedFields(protocol, value)) {
            expect(view[field], field).toEqual(expected);
          }
        }
      }
    });

    it('constructs: the view writes each field, and nothing beside it', () => {
      for (const { wire, value } of samples) {
        const bytes = new Uint8Array(fromHex(wire).length + 8);
        for (const fill of [0x00, 0xff]) {
          for (const [field, written] of statedFields(protocol, value)) {
            bytes.fill(fill);
            const view = protocol.view().at(bytes, 4) as unknown as Record<string, unknown>;
            view[field] = written;
            expect(view[field], field).toEqual(written);
            const { at, size, ...place } = protocol.places[field as keyof F];
            const mask = size > 4 ? undefined : maskOf({ at, size, ...place });
            bytes.forEach((byte, index) => {
              const inWord = index - 4 - at;
              if (inWord >= 0 && inWord < size && mask === undefined) return;
              const touched = inWord >= 0 && inWord < size ? (mask! >>> ((size - 1 - inWord) * 8)) & 0xff : 0;
              expect(byte & ~touched, `${field}, byte ${index}`).toBe(fill & ~touched);
            });
          }
        }
      }
    });

    it('decodes what it encoded, at any offset', () => {
      fc.assert(
        fc.property(headers(protocol), fc.nat(5), (value, offset) => {
          const header = protocol.encode(value);
          const bytes = new Uint8Array(offset + header.length);
          bytes.set(header, offset);
          expect(protocol.decode(bytes, offset)).toEqual({ ok: true, value, length: header.length });
        }),
      );
    });

    it('rejects impossible lengths: every cut, saying what is missing', () => {
      for (const { wire } of samples) {
        const bytes = fromHex(wire);
        for (let end = 0; end < bytes.length; end++) {
          const result = protocol.decode(bytes, 0, end);
          // What runs to the end of the message may be cut anywhere.
          if (result.ok) {
            expect(runsToTheEnd(protocol)).toBe(true);
            continue;
          }
          if (result.error.kind !== 'length') continue;
          expect(result.error).toMatchObject({ offset: 0, available: end });
          expect(result.error.needed).toBeGreaterThan(end);
          expect(result.error.needed).toBeLessThanOrEqual(bytes.length);
        }
      }
    });

    it('takes any bytes without throwing, gives them back, and its tree stays within them', () => {
      const bytes = fromHex(samples[0]!.wire);
      const noises = fc.uint8Array({ maxLength: bytes.length + 20, size: 'max' });
      fc.assert(
        fc.property(noises, fc.nat(3), fc.boolean(), (noise, offset, plausible) => {
          if (plausible && noise.length > bytes.length + 3) noise.set(bytes.subarray(0, 2), offset);
          const result = protocol.decode(noise, offset);
          if (result.ok)
            expect(protocol.encode(result.value).length).toBeGreaterThanOrEqual(protocol.headerLength);
          const { fields } = protocol.dissect(noise, offset, noise.length, {});
          for (const field of fields) {
            expect(field.offset).toBeGreaterThanOrEqual(offset);
            expect(field.offset + field.length).toBeLessThanOrEqual(noise.length);
          }
        }),
      );
    });

    it('names the field in which two headers differ', () => {
      fc.assert(
        fc.property(headers(protocol), headers(protocol), (one, other) => {
          const [left, right] = [protocol.encode(one), protocol.encode(other)];
          const isSame = toHex(left) === toHex(right);
          expect(difference(left, right, protocol.name).length === 0).toBe(isSame);
        }),
      );
    });
  });
}

/** The fields of a value that the view has, those of its body among them. */
function statedFields<F, V>(protocol: Protocol<F, V>, value: V): [string, unknown][] {
  const { body = {}, ...base } = value as { readonly body?: object };
  return Object.entries({ ...base, ...body }).filter(([field]) => {
    const place = protocol.places[field as keyof F];
    return place !== undefined && sameKind(protocol, field, value);
  });
}

/** A view gives a field its own type; shapes of a body may give one name to fields at several places. */
function sameKind<F, V>(protocol: Protocol<F, V>, field: string, value: V): boolean {
  const { fields, variants } = protocol.declaration;
  if (field in fields) return true;
  const kind = (value as { readonly body: { readonly kind: string } }).body.kind;
  const shape = variants!.cases[kind]!;
  const first = Object.values(variants!.cases).find((other) => field in other.fields)!;
  return first.fields[field] === shape.fields[field];
}

/** Has a header a list or bytes at its end whose length nothing tells? */
function runsToTheEnd<F, V>({ declaration }: Protocol<F, V>): boolean {
  const { headerLength, tail, variants } = declaration;
  if (headerLength !== undefined) return false;
  return tail !== undefined || Object.values(variants?.cases ?? {}).some((shape) => shape.tail !== undefined);
}
