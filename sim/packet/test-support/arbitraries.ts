/** Numbers and addresses for the properties of the codecs. For test files only. */
import fc from 'fast-check';
import { ipv4ToText, ipv6ToText, macToText } from '../addresses.ts';

const number = (bits: number): fc.Arbitrary<number> =>
  fc.oneof(fc.constantFrom(0, 1, 2 ** bits - 1, 2 ** (bits - 1)), fc.nat(2 ** bits - 1));

export const bit: fc.Arbitrary<boolean> = fc.boolean();
export const u3: fc.Arbitrary<number> = number(3);
export const u4: fc.Arbitrary<number> = number(4);
export const u8: fc.Arbitrary<number> = number(8);
export const u12: fc.Arbitrary<number> = number(12);
export const u13: fc.Arbitrary<number> = number(13);
export const u16: fc.Arbitrary<number> = number(16);
export const u20: fc.Arbitrary<number> = number(20);
export const u32: fc.Arbitrary<number> = number(32);

export const bytesOf = (length: number): fc.Arbitrary<Uint8Array> =>
  fc
    .array(fc.oneof(fc.constant(0), fc.nat(255)), { minLength: length, maxLength: length })
    .map((bytes) => Uint8Array.from(bytes));

export const mac: fc.Arbitrary<string> = bytesOf(6).map((bytes) => macToText(bytes));
export const ipv4Address: fc.Arbitrary<string> = bytesOf(4).map((bytes) => ipv4ToText(bytes));
export const ipv6Address: fc.Arbitrary<string> = bytesOf(16).map((bytes) => ipv6ToText(bytes));
