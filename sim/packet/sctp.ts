/** The Stream Control Transmission Protocol: the common header and its chunks (RFC 9260 §3). */
import { readU16, toHex } from './bytes.ts';
import { protocol } from './declaration/declare.ts';
import { hex, u16 } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import type { Tail } from './declaration/tail.ts';
import { bytesNode, type TreeNode } from './dissection.ts';
import { IPPROTO } from './numbers.ts';

const CHUNKS: Readonly<Record<number, string>> = {
  0: 'DATA',
  1: 'INIT',
  2: 'INIT ACK',
  3: 'SACK',
  4: 'HEARTBEAT',
  5: 'HEARTBEAT ACK',
  6: 'ABORT',
  7: 'SHUTDOWN',
  8: 'SHUTDOWN ACK',
  9: 'ERROR',
  10: 'COOKIE ECHO',
  11: 'COOKIE ACK',
  14: 'SHUTDOWN COMPLETE',
  64: 'I-DATA',
  130: 'RE-CONFIG',
  193: 'ASCONF',
};

export type SctpChunk =
  | {
      readonly type: number;
      readonly flags: number;
      readonly data: Uint8Array;
      /** Up to 3 bytes that fill a word and that the length does not count. */
      readonly padding: Uint8Array;
    }
  /** Bytes that are no chunks: a length below 4 or beyond the packet. */
  | { readonly type: 'rest'; readonly data: Uint8Array };

/** Bytes of type, flags and length. */
const HEAD = 4;

const chunks: Tail<'chunks', readonly SctpChunk[]> = {
  name: 'chunks',
  preset: [],
  offset: 0,
  decode(bytes, offset, end) {
    const found: SctpChunk[] = [];
    let at = offset;
    while (at < end) {
      const length = at + HEAD <= end ? readU16(bytes, at + 2) : 0;
      if (length < HEAD || at + length > end) {
        found.push({ type: 'rest', data: bytes.slice(at, end) });
        break;
      }
      const padded = Math.min(end, at + ((length + 3) & ~3));
      found.push({
        type: bytes[at]!,
        flags: bytes[at + 1]!,
        data: bytes.slice(at + HEAD, at + length),
        padding: bytes.slice(at + length, padded),
      });
      at = padded;
    }
    return found;
  },
  encode(value) {
    const bytes: number[] = [];
    for (const chunk of value) {
      if (chunk.type === 'rest') {
        bytes.push(...chunk.data);
        continue;
      }
      const length = HEAD + chunk.data.length;
      if (length > 0xffff) throw new RangeError(`an SCTP chunk of ${length} bytes: at most 65535 fit`);
      bytes.push(chunk.type, chunk.flags, length >> 8, length & 0xff, ...chunk.data, ...chunk.padding);
    }
    return Uint8Array.from(bytes);
  },
  dissect(bytes, offset, end) {
    const nodes: TreeNode[] = [];
    let at = offset;
    for (const chunk of chunks.decode(bytes, offset, end)) {
      const name = `chunk${nodes.length + 1}`;
      if (chunk.type === 'rest') {
        nodes.push(bytesNode(name, 'Malformed chunks', bytes, at, end - at));
        break;
      }
      const length = HEAD + chunk.data.length + chunk.padding.length;
      const label = `Chunk: ${CHUNKS[chunk.type] ?? `type ${chunk.type}`}`;
      const text = `flags 0x${chunk.flags.toString(16).padStart(2, '0')}, ${toHex(chunk.data)}`;
      nodes.push({ name, label, offset: at, length, text, children: [] });
      at += length;
    }
    return nodes;
  },
};

export const SCTP = protocol({
  name: 'sctp',
  label: 'Stream Control Transmission Protocol',
  source: 'RFC 9260 §3',
  fields: {
    sourcePort: u16('Source Port', { filter: 'sctp.srcport', scapy: 'sport', preset: 40000 }),
    destinationPort: u16('Destination Port', { filter: 'sctp.dstport', scapy: 'dport', preset: 9 }),
    verificationTag: hex(32, 'Verification Tag', {
      filter: 'sctp.verification_tag',
      scapy: 'tag',
      preset: 1,
    }),
    /** CRC32c over the packet (RFC 9260 appendix A), its lowest byte first. */
    checksum: hex(32, 'Checksum', {
      filter: 'sctp.checksum',
      scapy: 'chksum',
      computed: { what: 'checksum', algorithm: 'crc32c', covers: 'message' },
    }),
  },
  tail: chunks,
  announcedBy: { ipProtocol: [IPPROTO.SCTP] },
  summary: ({ sourcePort, destinationPort, chunks: [first] }) => {
    const what =
      first === undefined || first.type === 'rest' ? '' : ` [${CHUNKS[first.type] ?? `type ${first.type}`}]`;
    return `${sourcePort} → ${destinationPort}${what}`;
  },
  follow: () => undefined,
});

export type SctpHeader = ValueOf<typeof SCTP>;
