/** Prefixes of addresses that programs are written for, whichever network they run in. */

export interface KnownPrefix {
  /** "10.0.0.0/8". */
  readonly name: string;
  readonly version: 4 | 6;
  readonly bytes: readonly number[];
  readonly bits: number;
}

/** RFC 1918, RFC 1122 §3.2.1.3, RFC 3927, RFC 5771 and RFC 1112 §4. */
const PREFIXES4: readonly KnownPrefix[] = [
  v4('10.0.0.0/8', [10], 8),
  v4('172.16.0.0/12', [172, 16], 12),
  v4('192.168.0.0/16', [192, 168], 16),
  v4('127.0.0.0/8', [127], 8),
  v4('169.254.0.0/16', [169, 254], 16),
  v4('224.0.0.0/4', [224], 4),
  v4('240.0.0.0/4', [240], 4),
];

/** RFC 4291 §2.4, RFC 4193 and RFC 3849. */
const PREFIXES6: readonly KnownPrefix[] = [
  v6('fe80::/10', [0xfe, 0x80], 10),
  v6('fc00::/7', [0xfc], 7),
  v6('ff00::/8', [0xff], 8),
  v6('2001:db8::/32', [0x20, 0x01, 0x0d, 0xb8], 32),
];

function v4(name: string, bytes: readonly number[], bits: number): KnownPrefix {
  return { name, version: 4, bytes, bits };
}

function v6(name: string, bytes: readonly number[], bits: number): KnownPrefix {
  return { name, version: 6, bytes, bits };
}

/** The one that an address, or its begin, is in; undefined where the begin is too short to say. */
export function knownPrefixOf(version: 4 | 6, begin: ArrayLike<number>): KnownPrefix | undefined {
  return (version === 4 ? PREFIXES4 : PREFIXES6).find((prefix) => isIn(prefix, begin));
}

function isIn({ bytes, bits }: KnownPrefix, begin: ArrayLike<number>): boolean {
  if (begin.length * 8 < bits) return false;
  return bytes.every((byte, at) => ((byte ^ begin[at]!) & maskAt(bits, at)) === 0);
}

/** Bits of one byte that a prefix has. */
function maskAt(bits: number, at: number): number {
  return (0xff00 >> Math.min(8, Math.max(0, bits - 8 * at))) & 0xff;
}

/** The same bytes where they are the prefix's, else others. */
export function inPrefix({ bytes, bits }: KnownPrefix, rest: readonly number[]): number[] {
  return rest.map((byte, at) => {
    const mask = maskAt(bits, at);
    return ((bytes[at] ?? 0) & mask) | (byte & ~mask & 0xff);
  });
}
