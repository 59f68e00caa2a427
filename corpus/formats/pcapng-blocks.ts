/** What pcapng blocks are made of (draft-ietf-opsawg-pcapng §4): types, fields by offset, and options. */

/** Block types. Every other block is stepped over. */
export const BLOCK = {
  interfaceDescription: 1,
  /** Obsolete, but written by tools still in use. */
  packet: 2,
  simplePacket: 3,
  enhancedPacket: 6,
  sectionHeader: 0x0a0d0d0a,
} as const;

export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

/** Every block: type, total length, body, and the total length again. */
export const HEAD = { type: 0, length: 4, size: 8 } as const;
export const TRAILER_SIZE = 4;
export const SMALLEST_BLOCK = 12;

export const SECTION = { byteOrder: 8, major: 12, minor: 14, length: 16, options: 24, smallest: 28 } as const;
export const INTERFACE = { linkType: 8, snapLength: 12, options: 16, smallest: 20 } as const;
export const ENHANCED = {
  interface: 8,
  timeHigh: 12,
  timeLow: 16,
  captured: 20,
  original: 24,
  data: 28,
  smallest: 32,
} as const;
/** As the enhanced one, but for a 16-bit interface and a count of drops in the place of its 32-bit interface. */
export const OBSOLETE = { interface: 8, drops: 10 } as const;
export const SIMPLE = { original: 8, data: 12, smallest: 16 } as const;

/** Option codes; `opt_comment` and `opt_endofopt` are in pcapng-options.ts. */
export const SECTION_OPTION = { hardware: 2, os: 3, application: 4 } as const;
export const INTERFACE_OPTION = {
  name: 2,
  description: 3,
  tsresol: 9,
  fcsLength: 13,
  tsoffset: 14,
} as const;

/**
 * `if_tsresol`: a negative power of 10, or of 2 where the top bit is set.
 * @returns ticks per second
 */
export function ticksPerSecond(tsresol: number): bigint {
  return (tsresol & 0x80) === 0 ? 10n ** BigInt(tsresol) : 2n ** BigInt(tsresol & 0x7f);
}

/** The inverse of `ticksPerSecond`; undefined for what is neither a power of 10 nor of 2. */
export function tsresolOf(ticks: bigint): number | undefined {
  for (let exponent = 0; exponent < 128; exponent++) {
    if (10n ** BigInt(exponent) === ticks) return exponent;
    if (2n ** BigInt(exponent) === ticks) return exponent | 0x80;
  }
  return undefined;
}
