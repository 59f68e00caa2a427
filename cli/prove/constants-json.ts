/** The constants of the loader that a proof speaks of, as JSON. */
import { list, object, type Schema, text } from '../../sim/runtime/schema.ts';
import type { ReadConstants } from '../../verify/prove/constants.ts';

export const constantsShape: Schema<ReadConstants> = object<ReadConstants>({
  any: list(text),
  fixed: list(text),
});
