/** CRC-32C, Castagnoli's polynomial, bits reversed (RFC 9260 appendix A): the checksum of SCTP. */

const POLYNOMIAL = 0x82f6_3b78;

let table: Uint32Array | undefined;

function makeTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, index) => {
    let value = index;
    for (let bit = 0; bit < 8; bit++) value = (value & 1) === 0 ? value >>> 1 : (value >>> 1) ^ POLYNOMIAL;
    return value;
  });
}

/** The CRC of a range, as a number: its lowest byte comes first on the wire. @param before a CRC to go on from */
export function crc32c(bytes: Uint8Array, offset: number, length: number, before: number = 0): number {
  table ??= makeTable();
  let crc = ~before;
  for (let at = offset; at < offset + length; at++) crc = table[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/**
 * The CRC of an SCTP packet, whose checksum field counts as zero.
 * @param field where the four bytes of the checksum lie, from `offset`
 */
export function sctpChecksum(bytes: Uint8Array, offset: number, length: number, field: number = 8): number {
  const front = crc32c(bytes, offset, field);
  const zeros = crc32c(new Uint8Array(4), 0, 4, front);
  return crc32c(bytes, offset + field + 4, length - field - 4, zeros);
}
