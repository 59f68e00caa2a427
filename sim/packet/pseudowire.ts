/** What stands below a stack of labels: IP, or an Ethernet pseudowire, with a control word or without. */

import { protocol } from './declaration/declare.ts';
import { constant, reserved, u16 } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import { protocolByVersion } from './dissection.ts';
import { looksLikeFrame, looksLikeIp } from './looks-like.ts';

/** Bytes of the control word. */
const CONTROL_WORD = 4;

export const PW_CONTROL_WORD = protocol({
  name: 'pwethcw',
  label: 'Ethernet pseudowire control word',
  source: 'RFC 4448 §4.6',
  fields: {
    /** Tells it from IP, whose versions stand here (RFC 4385 §3). */
    zero: constant(4, 'First bits', 0),
    reserved: reserved(12),
    sequence: u16('Sequence number', { filter: 'pweth.cw.sequence_number' }),
  },
  carries: ['ethernet'],
  summary: ({ sequence }) => `sequence number ${sequence}`,
  follow: ({ offset, length, end }) => ({ protocol: 'ethernet', offset: offset + length, end, context: {} }),
});

/**
 * The name of the protocol below the last label. Nothing states it (RFC 4928 §3): four bits tell IP's versions, but a
 * frame's address may begin with them, too. So only what can hardly be anything else is taken for a frame.
 */
export function belowLabels(bytes: Uint8Array, at: number, end: number): string {
  const ip = protocolByVersion(bytes, at, end);
  const isFrame = looksLikeFrame(bytes, at, end);
  if (ip !== 'data') return isFrame && looksLikeIp(bytes, at, end, false) === 0 ? 'ethernet' : ip;
  if (at < end && bytes[at]! >> 4 === 0 && looksLikeFrame(bytes, at + CONTROL_WORD, end)) return 'pwethcw';
  return isFrame ? 'ethernet' : 'data';
}

export type PwControlWord = ValueOf<typeof PW_CONTROL_WORD>;
