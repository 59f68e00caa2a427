/**
 * What is special about a packet whose checksum came out wrong, as a short text: packets that go wrong for one reason are mostly
 * alike in it, and a reason that spoils many packets is not to hide another one, which spoils few.
 */
import { HEADER, isIp, PART } from './oracle/found.ts';
import type { FramePair } from './oracle/frame-pair.ts';
import type { HeaderList } from './oracle/header-list.ts';
import type { ChecksumFault } from './oracle/judge.ts';

/**
 * Where the packet's data ends on an odd byte, in which part of a datagram it is, whether it has options or padding, and what was
 * to be said of the checksum as it came.
 * @param length of the frame as it came
 */
export function faultShape({ was }: FramePair, length: number, { kind, before }: ChecksumFault): string {
  const parity = length % 2 === 0 ? 'even' : 'odd';
  return `${kind} ${before?.status ?? 'none'} ${specialty(was, length)} ${parity}`;
}

/** The rarest of what a frame has. */
function specialty(headers: HeaderList, length: number): string {
  let part: number = PART.whole;
  let hasOptions = false;
  let end = length;
  for (let row = headers.count - 1; row >= 0; row--) {
    if (!isIp(headers.kind[row]!)) continue;
    part = Math.max(part, headers.part[row]!);
    const size = headers.headerEnd[row]! - headers.start[row]!;
    hasOptions ||= size > (headers.kind[row] === HEADER.ipv4 ? 20 : 40);
    end = headers.claimedEnd[row]!;
  }
  if (part === PART.laterFragment) return 'later fragment';
  if (part === PART.firstFragment) return 'first fragment';
  if (end < length) return 'padded';
  return hasOptions ? 'with options' : 'plain';
}
