import { Codec } from './codec.ts';
import type { Fields } from './field.ts';
import type {
  BodyValue,
  Declaration,
  FieldValues,
  Flat,
  Protocol,
  Sections,
  SectionValue,
  TailValue,
  VariantFields,
  Variants,
} from './protocol.ts';
import type { Tail } from './tail.ts';

/** All that a declaration means. @throws {RangeError} where it contradicts itself */
export function protocol<
  const F extends Fields,
  const T extends Tail | undefined = undefined,
  const B extends Variants | undefined = undefined,
  const S extends Sections | undefined = undefined,
>(
  declaration: Declaration<F, T, B, S>,
): Protocol<
  Flat<F & VariantFields<B>>,
  Flat<FieldValues<F> & TailValue<T> & BodyValue<B> & SectionValue<S>>
> {
  return new Codec(declaration as never) as never;
}
