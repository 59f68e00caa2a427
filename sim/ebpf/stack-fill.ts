/** What bytes of the stack hold that nobody wrote, as a world has it. */
import type { World } from '../runtime/world.ts';

const BYTES = 8;

/** What the byte at an address of the stack holds until the program writes there. */
export function unwrittenByte({ stackFill = 0 }: Pick<World, 'stackFill'>, address: number): number {
  if (typeof stackFill === 'number') return stackFill & 0xff;
  return Number((stackFill >> BigInt(8 * (address % BYTES))) & 0xffn);
}

/**
 * A stack that holds certain bytes where nobody wrote; `base` elsewhere.
 * @returns undefined where two addresses want different bytes in one place of the eight
 */
export function fillWith(
  base: bigint,
  wanted: Iterable<readonly [address: number, byte: number]>,
): bigint | undefined {
  const places = new Map<number, number>();
  let fill = base;
  for (const [address, byte] of wanted) {
    const place = address % BYTES;
    if ((places.get(place) ?? byte) !== byte) return undefined;
    places.set(place, byte);
    const shift = BigInt(8 * place);
    fill = (fill & ~(0xffn << shift)) | (BigInt(byte) << shift);
  }
  return fill;
}
