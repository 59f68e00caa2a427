/** What befalls a finished frame: cut, padded, changed blindly. */
import { BYTES } from './boundaries.ts';
import * as MUTATION from './mutation-bits.ts';
import type { PacketBuilder } from './packet-builder.ts';

/** The least frame on an Ethernet, without its check sequence. */
const ETHERNET_MINIMUM = 60;

/** Does to the frame what its mutations say. */
export function damage(builder: PacketBuilder): void {
  if (!builder.has(MUTATION.padding | MUTATION.truncate | MUTATION.mutate)) return;
  if (builder.has(MUTATION.padding)) pad(builder);
  if (builder.has(MUTATION.truncate)) truncate(builder);
  if (builder.has(MUTATION.mutate)) mutate(builder, 1 + builder.random.below(4));
}

/** Ends the frame at the border of a header, one byte before or after it, or anywhere. */
export function truncate(builder: PacketBuilder): void {
  const { random } = builder;
  if (builder.length === 0) return;
  let end: number;
  if (builder.borderCount > 0 && random.chance(216)) {
    end = builder.borders[random.below(builder.borderCount)]! + random.below(3) - 1;
  } else {
    end = builder.start + random.below(builder.length);
  }
  if (end < builder.at) builder.at = Math.max(end, builder.start);
}

/** To an Ethernet's least length, or by some bytes; zeros, or something that shows when it is summed. */
export function pad(builder: PacketBuilder): void {
  const { random } = builder;
  const bits = random.bits();
  let length = 1 + ((bits >>> 8) & 15);
  if ((bits & 1) === 0 && builder.length < ETHERNET_MINIMUM) length = ETHERNET_MINIMUM - builder.length;
  length = Math.min(length, Math.max(0, builder.maxLength - builder.length));
  if ((bits & 2) === 0) builder.fill(0, length);
  else builder.noise(length);
}

/** Changes `count` bytes, most of them in the headers. */
export function mutate(builder: PacketBuilder, count: number): void {
  const { bytes, random, start } = builder;
  const length = builder.length;
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
