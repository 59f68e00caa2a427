/** The name of the first field in which two frames differ: `icmp.checksum`. */
import { difference } from '../sim/packet/difference.ts';

/**
 * Payload and whatever else has no field is `bytes`: where exactly it differs would change from one shrunk packet
 * to the next.
 */
export function differingField(expected: Uint8Array, got: Uint8Array): string {
  const path = difference(expected, got)[0]?.path ?? 'bytes';
  return path.startsWith('byte') ? 'bytes' : path;
}

/** The field of a checksum in the same notation: `ipv4#2.checksum`. */
export function checksumField(layer: string, depth: number): string {
  return `${layer}${depth === 0 ? '' : `#${depth + 1}`}.checksum`;
}

/** The layer and depth that such a field names; undefined for every other field. */
export function checksumOfField(
  field: string,
): { readonly layer: string; readonly depth: number } | undefined {
  const parts = /^(ipv4|icmp|icmpv6|tcp|udp)(?:#(\d+))?\.checksum$/.exec(field);
  if (parts === null) return undefined;
  return { layer: parts[1]!, depth: parts[2] === undefined ? 0 : Number(parts[2]) - 1 };
}
