/** CRC-32C as SCTP uses it (RFC 9260 appendix A), bit by bit into a table: the oracle shares no code with the codecs. */

const TABLE: Uint32Array = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) !== 0 ? (value >>> 1) ^ 0x82f6_3b78 : value >>> 1;
  return value;
});

/**
 * The checksum of an SCTP packet as a little-endian number.
 * @param hole offset of four bytes that count as zeros: the checksum's own
 */
export function crc32c(bytes: Uint8Array, start: number, end: number, hole: number): number {
  let crc = 0xffff_ffff;
  for (let at = start; at < end; at++) {
    const byte = at >= hole && at < hole + 4 ? 0 : bytes[at]!;
    crc = TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}
