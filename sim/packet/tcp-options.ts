/** TCP options (RFC 9293 §3.1; IANA "TCP Option Kind Numbers"). */
import { readU16, readU32, toHex } from './bytes.ts';
import { type Option, optionList, zerosTo } from './declaration/tail.ts';

export const TCPOPT = {
  EOL: 0,
  NOP: 1,
  MSS: 2,
  WINDOW_SCALE: 3,
  SACK_PERMITTED: 4,
  SACK: 5,
  TIMESTAMPS: 8,
  MD5: 19,
  USER_TIMEOUT: 28,
  AO: 29,
  MPTCP: 30,
  FAST_OPEN: 34,
} as const;

/** Up to the 40 bytes that the data offset can count. */
export const TCP_OPTIONS = optionList({
  of: 'TCP',
  single: [TCPOPT.EOL, TCPOPT.NOP],
  last: TCPOPT.EOL,
  unit: 1,
  uncounted: 0,
  names: {
    0: 'End of Option List',
    1: 'No-Operation',
    2: 'Maximum segment size',
    3: 'Window scale',
    4: 'SACK permitted',
    5: 'SACK',
    8: 'Timestamps',
    19: 'MD5 signature',
    28: 'User timeout',
    29: 'Authentication',
    30: 'Multipath TCP',
    34: 'Fast Open cookie',
  },
  unknown: (kind) => `kind ${kind}`,
  show: optionText,
  pad: zerosTo(4),
  most: 40,
});

/** Maximum segment size in bytes (RFC 9293 §3.7.1). */
export function mssOption(size: number): Option {
  return { type: TCPOPT.MSS, data: Uint8Array.of(size >>> 8, size) };
}

function optionText(kind: number, data: Uint8Array): string {
  if (kind === TCPOPT.MSS && data.length === 2) return `${readU16(data, 0)} bytes`;
  if (kind === TCPOPT.WINDOW_SCALE && data.length === 1) return `shift ${data[0]}`;
  if (kind === TCPOPT.TIMESTAMPS && data.length === 8) return `${readU32(data, 0)}, echo ${readU32(data, 4)}`;
  if (kind === TCPOPT.SACK && data.length > 0 && data.length % 8 === 0) {
    const blocks: string[] = [];
    for (let at = 0; at < data.length; at += 8) blocks.push(`${readU32(data, at)}–${readU32(data, at + 4)}`);
    return blocks.join(', ');
  }
  return toHex(data);
}

/**
 * The kind of an option by its name as `TCPOPT` has it, in any case and with `-` for `_`: `window-scale`.
 * @throws {SyntaxError} where there is none of that name
 */
export function tcpOptionFromText(text: string): number {
  const name = text.toUpperCase().replaceAll('-', '_');
  const kind = Object.entries(TCPOPT).find(([known]) => known === name)?.[1];
  if (kind !== undefined) return kind;
  const known = Object.keys(TCPOPT).map((one) => one.toLowerCase().replaceAll('_', '-'));
  throw new SyntaxError(`no TCP option ${JSON.stringify(text)}; known are ${known.join(', ')}, and numbers`);
}
