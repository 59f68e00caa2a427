/** What befalls a finished frame: cut, padded, changed blindly. */
import { BYTES } from './boundaries.ts';
import type { Draft } from './draft.ts';
import { TWIST } from './twists.ts';

/** The least frame on an Ethernet, without its check sequence. */
const ETHERNET_MINIMUM = 60;

/** Does to the frame what its twists say. */
export function damage(draft: Draft): void {
  if (draft.has(TWIST.padding)) pad(draft);
  if (draft.has(TWIST.truncate)) truncate(draft);
  if (draft.has(TWIST.mutate)) mutate(draft, 1 + draft.random.below(4));
}

/** Ends the frame at the border of a header, one byte before or after it, or anywhere. */
export function truncate(draft: Draft): void {
  const { random } = draft;
  if (draft.length === 0) return;
  let end: number;
  if (draft.borderCount > 0 && random.chance(216)) {
    end = draft.borders[random.below(draft.borderCount)]! + random.below(3) - 1;
  } else {
    end = draft.start + random.below(draft.length);
  }
  if (end < draft.at) draft.at = Math.max(end, draft.start);
}

/** To an Ethernet's least length, or by some bytes; zeros, or something that shows when it is summed. */
export function pad(draft: Draft): void {
  const { random } = draft;
  const bits = random.bits();
  let length = 1 + ((bits >>> 8) & 15);
  if ((bits & 1) === 0 && draft.length < ETHERNET_MINIMUM) length = ETHERNET_MINIMUM - draft.length;
  length = Math.min(length, Math.max(0, draft.maxLength - draft.length));
  if ((bits & 2) === 0) draft.fill(0, length);
  else draft.noise(length);
}

/** Changes `count` bytes, most of them in the headers. */
export function mutate(draft: Draft, count: number): void {
  const { bytes, random, start } = draft;
  const length = draft.length;
  if (length === 0) return;
  for (let left = count; left > 0; left--) {
    const bits = random.bits();
    const at = start + random.below((bits & 3) === 0 ? length : Math.min(length, 64));
    const byte = bytes[at]!;
    switch ((bits >>> 2) & 7) {
      case 0:
      case 1:
        bytes[at] = byte ^ (1 << ((bits >>> 8) & 7));
        break;
      case 2:
        bytes[at] = byte + 1;
        break;
      case 3:
        bytes[at] = byte - 1;
        break;
      case 4:
        bytes[at] = bits >>> 24;
        break;
      case 5: {
        // Exchanged with its neighbour: a word in the wrong byte order.
        const other = at + 1 < start + length ? at + 1 : start;
        bytes[at] = bytes[other]!;
        bytes[other] = byte;
        break;
      }
      default:
        bytes[at] = random.pick(BYTES);
    }
  }
}
