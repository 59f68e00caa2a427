/** Data packets of the Locator/ID Separation Protocol (RFC 9300, RFC 6830): IP in UDP. Its control messages have a port of their own. */

import { protocol } from './declaration/declare.ts';
import { flag, u8, u24, unsigned } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import { protocolByVersion } from './dissection.ts';

export const LISP_PORT = 4341;

export const LISP = protocol({
  name: 'lisp',
  label: 'Locator/ID Separation Protocol',
  source: 'RFC 9300 §5.1',
  fields: {
    noncePresent: flag('Nonce present', { filter: 'lisp-data.flags.nonce', preset: true }),
    locatorStatusPresent: flag('Locator status bits enabled', { filter: 'lisp-data.flags.lsb' }),
    echoNonce: flag('Echo nonce request', { filter: 'lisp-data.flags.enr' }),
    versionPresent: flag('Map version present', { filter: 'lisp-data.flags.mv' }),
    instancePresent: flag('Instance ID present', { filter: 'lisp-data.flags.iid' }),
    /** What follows is announced by a number in the last byte of the nonce (RFC 9305 §3). */
    nextPresent: flag('Next protocol present'),
    /** Not 0: what follows is encrypted (RFC 8061 §7). */
    key: unsigned(2, 'Key ID'),
    /** Or the versions of two mappings. */
    nonce: u24('Nonce'),
    /** Or the first of 32 locator status bits. */
    instance: u24('Instance ID'),
    locatorStatus: u8('Locator status bits'),
  },
  carries: ['ipv4', 'ipv6'],
  announcedBy: { udpPort: [LISP_PORT] },
  destinationPortOnly: true,
  summary: ({ instancePresent, instance }) => (instancePresent ? `instance ${instance}` : 'no instance'),
  follow: ({ value, bytes, offset, length, end }) => {
    const at = offset + length;
    const isOther = value.nextPresent || value.key !== 0;
    return { protocol: isOther ? 'data' : protocolByVersion(bytes, at, end), offset: at, end, context: {} };
  },
});

export type LispHeader = ValueOf<typeof LISP>;
