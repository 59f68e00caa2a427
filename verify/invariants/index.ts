/** The register of invariants: one line each, in the order in which they are judged. */
import { ethertype } from './ethertype.ts';
import { fragments } from './fragments.ts';
import type { Invariant } from './invariant.ts';
import { lengths } from './lengths.ts';
import { protocolNumber } from './protocol-number.ts';

export const INVARIANTS: readonly Invariant[] = [lengths, fragments, ethertype, protocolNumber];
