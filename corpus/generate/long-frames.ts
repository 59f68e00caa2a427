/** How long the frames are of batches for programs that take frames in several buffers. */
import type { Random } from './random.ts';

/** What a test run and a driver have in the first buffer, and in each that follows. */
const LINEAR = 3520;
const PAGE = 4096;
/** Frames of the usual MTUs: 1500, with a tag or two, 9000. */
const WIRE_LENGTHS: Uint16Array = Uint16Array.from([1514, 1515, 1518, 1522, 9014, 9018, 9022]);
/** The longest frame of a network with large MTUs. */
const JUMBO = 9018;

/**
 * The exact length of a frame that is to be long; 0 for one whose content decides, which every other one is. Most long
 * ones stay below the MTUs of real networks: up to 64 KiB each would make batches of hundreds of megabytes.
 */
export function drawLength(random: Random, maxLength: number): number {
  const bits = random.bits();
  if (bits < 0) return 0;
  const length = lengthBy(bits, random, maxLength);
  return Math.min(length, maxLength);
}

function lengthBy(bits: number, random: Random, maxLength: number): number {
  const near = ((bits >>> 4) & 7) - 3;
  switch (bits & 15) {
    case 0:
    case 1:
    case 2:
      // One page and a little: the border that programs stumble over.
      return LINEAR + near;
    case 3:
      return LINEAR + PAGE * (1 + ((bits >>> 8) & 1)) + near;
    case 4:
    case 5:
      return random.pick(WIRE_LENGTHS);
    case 6:
      return LINEAR + PAGE * ((bits >>> 8) & 15) + near;
    case 7:
      return maxLength - (near & 3);
    case 8:
      return 1515 + random.below(maxLength - 1514);
    default:
      return 1515 + random.below(JUMBO - 1514);
  }
}
