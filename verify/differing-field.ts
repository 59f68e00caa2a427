/** The name of the first field in which two frames differ: `icmp.checksum`. */

export function differingField(expected: Uint8Array, got: Uint8Array): string {
  if (expected.length !== got.length) return 'length';
  const at = expected.findIndex((byte, index) => byte !== got[index]);
  return `byte ${at}`;
}
