/**
 * Fragments stay what they are: a program that cannot send a second packet can neither cut a datagram into fragments
 * nor put one together, so fragment offset and "more fragments" of a packet of the same length stay as they came. An ICMP
 * error that it makes is whole, and so is what it puts into a tunnel, whatever the packet inside is a part of.
 *
 * The usual defect is a flag written in the wrong byte order: 0x4000 ("don't fragment") without `bpf_htons` is a
 * fragment at offset 512.
 */
import { HEADER, HEADER_FLAG, isIp } from '../oracle/found.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import { MATCH } from '../oracle/header-list.ts';
import { errorAbout } from './answers.ts';
import { type Breach, headerOf, type Invariant } from './invariant.ts';

/** Bytes of the least IP header that can be put in front. */
const IPV4_SIZE = 20;

export const fragments: Invariant = {
  name: 'fragments',
  judge(pair: FramePair): Breach | undefined {
    const { is } = pair;
    if (pair.cameBroken) return undefined;
    for (let row = 0; row < is.count; row++) {
      if ((is.flags[row]! & HEADER_FLAG.quoted) !== 0) return undefined;
      if (!isIp(is.kind[row]!)) continue;
      const breach = fragmentWord(pair, row);
      if (breach !== undefined) return breach;
    }
    return undefined;
  },
};

function fragmentWord(pair: FramePair, row: number): Breach | undefined {
  const { was, is } = pair;
  const match = is.match[row]!;
  if (match === MATCH.exposed || (is.flags[row]! & (HEADER_FLAG.cut | HEADER_FLAG.impossible)) !== 0) {
    return undefined;
  }
  const now = is.fragment[row]!;
  if (now !== 0 && errorAbout(pair, row) >= 0) return markedError(pair, row, now);
  if (isAroundFragment(pair, row)) return copiedOut(pair, row, now);
  if (match === MATCH.none) {
    // A header in front of a whole packet has no reason to be a fragment.
    if (now === 0 || was.count === 0 || was.fragment[0] !== 0 || !pair.isWritten(row)) return undefined;
    return breach(pair, row, 'set', 0, now);
  }
  const before = was.fragment[match]!;
  if (now === before || (was.flags[match]! & HEADER_FLAG.quoted) !== 0) return undefined;
  if (payloadOf(was, match) !== payloadOf(is, row)) return undefined;
  return breach(pair, row, before === 0 ? 'set' : now === 0 ? 'cleared' : 'changed', before, now);
}

/** Whatever it is about, an ICMP error is a packet of its own, and whole. */
function markedError(pair: FramePair, row: number, now: number): Breach {
  return {
    ...breach(pair, row, 'set', 0, now),
    sentence: `the ICMP error is a new packet, and is marked as ${named(now)}`,
    summary: 'an ICMP error is marked as a fragment',
  };
}

/** Is it a new header that is marked as a fragment, and holds the fragment that came as a whole? */
function isAroundFragment(pair: FramePair, row: number): boolean {
  const { was, is } = pair;
  if (is.fragment[row] === 0 || was.count === 0 || was.fragment[0] === 0) return false;
  const growth = pair.afterLength - pair.beforeLength;
  return growth >= IPV4_SIZE && pair.isWritten(row) && isKeptInside(pair, row);
}

/**
 * Does the packet that came lie behind this header? Nothing was translated then. Behind a later fragment's no header is looked
 * for, and the new one may be taken for the old one: version and addresses tell, since a TTL may have gone down.
 */
function isKeptInside(pair: FramePair, row: number): boolean {
  const { was, is } = pair;
  for (let inner = row + 1; inner < is.count; inner++)
    if (is.match[inner] === 0 && (is.flags[inner]! & HEADER_FLAG.quoted) === 0) return true;
  // What was put in between may be no header that is followed: Ethernet in UDP, on a port of the program's own.
  if (pair.liesInFrontOfAll(row)) return true;
  const start = is.headerEnd[row]!;
  const shift = was.start[0]! - start;
  const [addresses, size] = was.kind[0] === HEADER.ipv4 ? [12, IPV4_SIZE] : [8, 40];
  if (start + size > pair.afterLength) return false;
  return pair.isOld(start, start + 1, shift) && pair.isOld(start + addresses, start + size, shift);
}

/**
 * The fragment inside is one, and a whole packet to the tunnel (RFC 2003 §3.1): marked alike, its far end puts together what are
 * packets of their own, headers and all, and with the same identification those of different datagrams.
 */
function copiedOut(pair: FramePair, row: number, now: number): Breach {
  return {
    ...breach(pair, row, 'set', 0, now),
    sentence: `the new ${headerOf(pair, row).label} header holds a whole packet, and is marked as ${named(now)} as the one inside is`,
    summary: 'a new header is marked as a fragment as the packet inside is',
  };
}

/** How many bytes the IP packet carries behind its headers: what is cut into fragments gets shorter. */
function payloadOf(list: FramePair['is'], row: number): number {
  return list.claimedEnd[row]! - list.headerEnd[row]!;
}

function breach(pair: FramePair, row: number, id: string, before: number, now: number): Breach {
  const { is } = pair;
  const { layer, depth, label } = headerOf(pair, row);
  // Of a fragment that stays where it is, only the flag changed.
  const name = (before & ~7) === (now & ~7) && before !== 0 && now !== 0 ? namedWithFlag : named;
  const what =
    id === 'set'
      ? `the ${label} packet was whole and is now marked as ${named(now)}`
      : id === 'cleared'
        ? `the ${label} packet was ${named(before)} and is now marked as whole`
        : `the ${label} packet was ${name(before)} and is now marked as ${name(now)}`;
  const at = is.kind[row] === HEADER.ipv4 ? is.start[row]! + 6 : is.start[row]!;
  return {
    invariant: `fragments/${id}`,
    severity: 'error',
    layer,
    depth,
    at,
    size: is.kind[row] === HEADER.ipv4 ? 2 : is.headerEnd[row]! - at,
    expected: name(before),
    got: name(now),
    sentence: what,
    summary: 'the fragment offset or the flag for more fragments changed',
  };
}

/** @param fragment as in `FoundHeader` */
function named(fragment: number): string {
  if (fragment === 0) return 'no fragment';
  const offset = fragment & ~7;
  return offset === 0 ? 'a first fragment' : `a fragment at offset ${offset}`;
}

/** The same of a later fragment, with what "more fragments" says. */
function namedWithFlag(fragment: number): string {
  const isLast = (fragment & 7) === 0;
  return isLast ? `the last fragment, at offset ${fragment & ~7}` : `${named(fragment)} with more to follow`;
}
