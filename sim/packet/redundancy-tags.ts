/**
 * Tags by which receivers know the two copies of a frame that came over two ways: HSR's (IEC 62439-3) and that of 802.1CB. As
 * with 802.1Q, a tag's header is what stands behind the EtherType that announces it, the EtherType of what follows included.
 */

import { protocol } from './declaration/declare.ts';
import { hex, reserved, u16, unsigned } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import { followTyped } from './ethernet.ts';
import { ETHERTYPE, etherTypeName } from './numbers.ts';

/** @param filter Wireshark's name, which is another one in each tag */
const etherType = (filter: string): ReturnType<typeof hex> =>
  hex(16, 'Type', {
    filter,
    scapy: 'type',
    names: etherTypeName,
    computed: { what: 'next', space: 'etherType' },
    preset: ETHERTYPE.LOCAL_EXPERIMENTAL_1,
  });

/** High-availability Seamless Redundancy, as the kernel's `struct hsr_tag` has it (include/linux/if_hsr.h). */
export const HSR = protocol({
  name: 'hsr',
  label: 'High-availability Seamless Redundancy',
  source: 'IEC 62439-3 §5',
  fields: {
    /** Network and lane: by which of the two ways it goes. */
    path: unsigned(4, 'Path', { filter: 'hsr.path' }),
    /** Of the tag and all behind it (net/hsr/hsr_forward.c, `hsr_fill_tag`). */
    size: unsigned(12, 'LSDU size', {
      filter: 'hsr.lsdu_size',
      computed: { what: 'length', less: 0, unit: 1 },
    }),
    sequence: u16('Sequence number', { filter: 'hsr.sequence_nr' }),
    etherType: etherType('hsr.type'),
  },
  carries: ['llc'],
  announcedBy: { etherType: [ETHERTYPE.HSR] },
  follow: followTyped,
  summary: ({ path, sequence }) => `path ${path}, sequence number ${sequence}`,
});

export const RTAG = protocol({
  name: 'rtag',
  label: '802.1CB Redundancy Tag',
  source: 'IEEE 802.1CB §7.8',
  fields: {
    reserved: reserved(16),
    sequence: u16('Sequence number', { filter: 'ieee8021cb.seq' }),
    etherType: etherType('ieee8021cb.etype'),
  },
  carries: ['llc'],
  announcedBy: { etherType: [ETHERTYPE.RTAG] },
  follow: followTyped,
  summary: ({ sequence }) => `sequence number ${sequence}`,
});

export type HsrTag = ValueOf<typeof HSR>;
export type RedundancyTag = ValueOf<typeof RTAG>;
