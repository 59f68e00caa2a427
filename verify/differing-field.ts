/** The name of the first field in which two frames differ: `icmp.checksum`. */
import { difference } from '../sim/packet/difference.ts';
import { CHECKSUM_LAYERS } from './oracle/found.ts';

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

/** A checksum of a packet: whose it is, and which one of its kind, 0 for the outermost. */
export interface NamedChecksum {
  readonly layer: string;
  readonly depth: number;
}

/** The layer and depth that such a field names, of whatever has a checksum; undefined for every other field. */
export function anyChecksumOfField(field: string): NamedChecksum | undefined {
  const parts = /^(\w+)(?:#(\d+))?\.checksum$/.exec(field);
  if (parts === null || !isLayer(parts[1]!)) return undefined;
  return { layer: parts[1]!, depth: parts[2] === undefined ? 0 : Number(parts[2]) - 1 };
}

/** The same of those that programs know, which worksheets and diagnoses are made of; undefined for every other field. */
export function checksumOfField(field: string): NamedChecksum | undefined {
  const named = anyChecksumOfField(field);
  return named !== undefined && KNOWN.has(named.layer) ? named : undefined;
}

const KNOWN: ReadonlySet<string> = new Set(['ipv4', 'icmp', 'icmpv6', 'tcp', 'udp']);

function isLayer(name: string): boolean {
  return (CHECKSUM_LAYERS as readonly string[]).includes(name);
}
