/** What IGMPv3 and MLDv2 say of groups and their sources: the same with addresses of 4 and of 16 bytes (RFC 9776, RFC 9777). */
import { ipv4FromText, ipv4ToText, ipv6FromText, ipv6ToText } from './addresses.ts';
import { NO_BYTES, readU16 } from './bytes.ts';
import type { Tail } from './declaration/tail.ts';
import { bytesNode, type TreeNode } from './dissection.ts';

const RECORD_TYPES: Readonly<Record<number, string>> = {
  1: 'is include',
  2: 'is exclude',
  3: 'change to include',
  4: 'change to exclude',
  5: 'allow new sources',
  6: 'block old sources',
};

export type GroupRecord =
  | {
      readonly type: number;
      readonly group: string;
      readonly sources: readonly string[];
      /** A multiple of 4 bytes; none has been defined. */
      readonly auxiliary: Uint8Array;
    }
  /** Bytes that are no record: cut off. */
  | { readonly type: 'rest'; readonly data: Uint8Array };

/** Bytes of type, lengths and number of sources. */
const HEAD = 4;

interface Addresses {
  readonly size: 4 | 16;
  toText(bytes: Uint8Array, at: number): string;
  fromText(text: string): Uint8Array;
}

const IPV4: Addresses = { size: 4, toText: ipv4ToText, fromText: ipv4FromText };
const IPV6: Addresses = { size: 16, toText: ipv6ToText, fromText: ipv6FromText };

function recordLength(bytes: Uint8Array, at: number, end: number, size: number): number {
  if (end - at < HEAD + size) return 0;
  const length = HEAD + size + readU16(bytes, at + 2) * size + bytes[at + 1]! * 4;
  return at + length <= end ? length : 0;
}

function sourcesAt({ size, toText }: Addresses, bytes: Uint8Array, at: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => toText(bytes, at + index * size));
}

function recordsOf(addresses: Addresses): Tail<'groups', readonly GroupRecord[]> {
  const { size, toText, fromText } = addresses;
  const decode = (bytes: Uint8Array, offset: number, end: number): GroupRecord[] => {
    const found: GroupRecord[] = [];
    let at = offset;
    while (at < end) {
      const length = recordLength(bytes, at, end, size);
      if (length === 0) {
        found.push({ type: 'rest', data: bytes.slice(at, end) });
        break;
      }
      const count = readU16(bytes, at + 2);
      const behind = at + HEAD + size * (1 + count);
      found.push({
        type: bytes[at]!,
        group: toText(bytes, at + HEAD),
        sources: sourcesAt(addresses, bytes, at + HEAD + size, count),
        auxiliary: bytes.slice(behind, at + length),
      });
      at += length;
    }
    return found;
  };
  return {
    name: 'groups',
    preset: [],
    offset: 0,
    decode,
    encode(records) {
      const bytes: number[] = [];
      for (const record of records) {
        if (record.type === 'rest') {
          bytes.push(...record.data);
          continue;
        }
        const { auxiliary, sources } = record;
        if (auxiliary.length % 4 !== 0 || auxiliary.length > 1020)
          throw new RangeError(
            `auxiliary data of ${auxiliary.length} bytes: a multiple of 4 up to 1020 is possible`,
          );
        bytes.push(record.type, auxiliary.length / 4, sources.length >> 8, sources.length & 0xff);
        for (const address of [record.group, ...sources]) bytes.push(...fromText(address));
        bytes.push(...auxiliary);
      }
      return Uint8Array.from(bytes);
    },
    dissect(bytes, offset, end) {
      const nodes: TreeNode[] = [];
      let at = offset;
      for (const record of decode(bytes, offset, end)) {
        const name = `group${nodes.length + 1}`;
        if (record.type === 'rest') {
          nodes.push(bytesNode(name, 'Malformed record', bytes, at, end - at));
          break;
        }
        const { type, group, sources, auxiliary } = record;
        const length = HEAD + size * (1 + sources.length) + auxiliary.length;
        const from = sources.length === 0 ? '' : ` from ${sources.join(', ')}`;
        const text = `${RECORD_TYPES[type] ?? `type ${type}`}: ${group}${from}`;
        nodes.push({ name, label: 'Group record', offset: at, length, text, children: [] });
        at += length;
      }
      return nodes;
    },
  };
}

export const IGMP_RECORDS: Tail<'groups', readonly GroupRecord[]> = recordsOf(IPV4);
export const MLD_RECORDS: Tail<'groups', readonly GroupRecord[]> = recordsOf(IPV6);

/** What the queries of the newer versions add. */
export type QuerierState =
  | {
      /** Reserved bits, the S flag and the querier's robustness variable. */
      readonly flags: number;
      /** The querier's query interval, as a code. */
      readonly interval: number;
      /** How many sources the query says that it lists. */
      readonly count: number;
      /** None where not all of them are there. */
      readonly sources: readonly string[];
      readonly rest: Uint8Array;
    }
  /** Cut off before the sources. */
  | { readonly rest: Uint8Array };

/** Undefined in queries of the older versions. */
function querierOf(addresses: Addresses): Tail<'querier', QuerierState | undefined> {
  const { size, fromText } = addresses;
  const decode = (bytes: Uint8Array, at: number, end: number): QuerierState | undefined => {
    if (at >= end) return undefined;
    if (end - at < HEAD) return { rest: bytes.slice(at, end) };
    const count = readU16(bytes, at + 2);
    const listed = at + HEAD + count * size <= end ? count : 0;
    return {
      flags: bytes[at]!,
      interval: bytes[at + 1]!,
      count,
      sources: sourcesAt(addresses, bytes, at + HEAD, listed),
      rest: bytes.slice(at + HEAD + listed * size, end),
    };
  };
  return {
    name: 'querier',
    preset: undefined,
    offset: 0,
    decode,
    encode(state) {
      if (state === undefined) return NO_BYTES;
      if (!('flags' in state)) return state.rest;
      const { flags, interval, count, sources, rest } = state;
      const bytes = [flags, interval, count >> 8, count & 0xff];
      for (const source of sources) bytes.push(...fromText(source));
      return Uint8Array.from([...bytes, ...rest]);
    },
    dissect(bytes, at, end) {
      const state = decode(bytes, at, end);
      if (state === undefined) return [];
      if (!('flags' in state)) return [bytesNode('querier', 'Querier, cut off', bytes, at, end - at)];
      const flags = `0x${state.flags.toString(16).padStart(2, '0')}`;
      const sources = state.sources.join(', ') || 'none';
      const text = `flags ${flags}, interval ${state.interval}, ${state.count} sources: ${sources}`;
      return [{ name: 'querier', label: 'Querier', offset: at, length: end - at, text, children: [] }];
    },
  };
}

export const IGMP_QUERIER: Tail<'querier', QuerierState | undefined> = querierOf(IPV4);
export const MLD_QUERIER: Tail<'querier', QuerierState | undefined> = querierOf(IPV6);
