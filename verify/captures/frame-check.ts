/** Ethernet's frame check sequence (IEEE 802.3 §3.2.9): CRC-32, sent with its lowest byte first. */
const POLYNOMIAL = 0xedb88320;
const TABLE: Int32Array = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  return crc;
});

/** The four bytes that go behind a frame. */
export function frameCheckSequence(frame: Uint8Array): Uint8Array {
  let crc = -1;
  for (const byte of frame) crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 0xff]!;
  const value = ~crc;
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}
