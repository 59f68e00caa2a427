/**
 * `BPF_F_PSEUDO_HDR` of `bpf_l4_csum_replace`. Neither a test run nor the machine shows it: both have frames whose checksum is
 * in the frame (CHECKSUM_NONE). Of a frame that a host sends with CHECKSUM_PARTIAL the field holds the sum of the
 * pseudo-header alone, and `inet_proto_csum_replace4` (net/core/utils.c) touches it only where the flag is given.
 *
 * So a second sum is kept, as that frame would have it: what was passed with the flag must come to what became of the
 * pseudo-header. Hosts leave the sums of TCP and UDP to a device; those of ICMP and ICMPv6 the kernel computes itself (`ndisc_send_skb`,
 * `icmpv6_push_pending_frames`, `rawv6_push_pending_frames`): of these the flag is a note. Asked of frames that came and left with a right checksum, which nothing but these calls has changed.
 */
import { CHECKSUM, HEADER, isIp, PART } from '../oracle/found.ts';
import { FramePair } from '../oracle/frame-pair.ts';
import { onesSum } from '../oracle/sum.ts';
import { type CallRemark, type CallStep, callsOf, lineOf, placeOf, type TracedRun } from './call-remark.ts';

const BPF_F_HDR_FIELD_MASK = 0xf;
const BPF_F_PSEUDO_HDR = 0x10;
/** Ones' complement sums are numbers modulo this. */
const ONES = 0xffff;
/** More calls than any program makes for one packet: then nobody says which of them it was. */
const MAX_CALLS = 10;

interface Replacement {
  readonly step: CallStep;
  readonly isFlagged: boolean;
  /** What it adds to the sum of what the checksum covers. */
  readonly difference: number;
}

/** Checksums that hosts leave to a device. */
const OFFLOADED: ReadonlySet<number> = new Set([HEADER.tcp, HEADER.udp]);

const pair = new FramePair();

/** At most one call, the first that lacks the flag or has it without need. */
export function pseudoHeaderFlags(run: TracedRun): CallRemark[] {
  const { came, left } = run;
  const calls = callsOf(run, 'bpf_l4_csum_replace');
  if (calls.length === 0) return [];
  // It corrects a sum that hardware took, as the program knows best.
  if (callsOf(run, 'bpf_csum_update').length > 0) return [];
  if (!pair.set(came, 0, came.length, left, 0, left.length)) return [];
  const message = outermostMessage();
  if (message === undefined) return [];
  const replacements = calls
    .filter(
      ({ call }) => call.result === 0n && message.at.has(Number(BigInt.asUintN(32, call.arguments[1]!))),
    )
    .map(replacementOf)
    .filter(({ difference }) => difference !== 0);
  if (replacements.length === 0 || total(replacements) !== message.changed) return [];
  const { ofPseudoHeader } = message;
  if (total(replacements.filter(({ isFlagged }) => isFlagged)) === ofPseudoHeader) return [];
  const wrong = wrongFlag(replacements, ofPseudoHeader);
  const isOffloaded = OFFLOADED.has(pair.is.kind[1]!);
  return [remarkOf(wrong ?? replacements[0]!, wrong === undefined, pair.is.at[1]!, isOffloaded)];
}

/**
 * The TCP, UDP or ICMP message right behind the outermost IP header, whose checksum came and left right. Inside of tunnels and
 * quoted packets, addresses lie in what an outer sum covers: there the flag may be left out on purpose. In front of it the frame
 * may have become longer or shorter, as a translator between IPv4 and IPv6 makes it: it is the same message, and as long.
 */
function outermostMessage():
  | {
      /** Where its checksum lay while the program ran: as it came, and as it left. */
      readonly at: ReadonlySet<number>;
      readonly changed: number;
      readonly ofPseudoHeader: number;
    }
  | undefined {
  const { was, is } = pair;
  const row = 1;
  if (is.count <= row || was.count <= row || is.match[row] !== row || !isIp(is.kind[0]!)) return undefined;
  if (is.status[row] !== CHECKSUM.good || was.status[row] !== CHECKSUM.good) return undefined;
  if (is.part[row] !== PART.whole || is.kind[row] !== was.kind[row]) return undefined;
  const lengthOf = ({ start, end }: typeof was): number => end[row]! - start[row]!;
  if (lengthOf(is) !== lengthOf(was)) return undefined;
  const sumOf = (frame: Uint8Array, list: typeof was): number =>
    onesSum(new DataView(frame.buffer, frame.byteOffset, frame.byteLength), list.start[row]!, list.end[row]!);
  // All that a right checksum covers comes to nothing, the pseudo-header included.
  const ofPseudoHeader = modulo(sumOf(pair.before, was) - sumOf(pair.after, is));
  const at = new Set([was.at[row]!, is.at[row]!]);
  return { at, changed: modulo(was.got[row]! - is.got[row]!), ofPseudoHeader };
}

function replacementOf(step: CallStep): Replacement {
  const [from, to, flags] = step.call.arguments.slice(2).map((value) => Number(BigInt.asUintN(32, value)));
  const size = flags! & BPF_F_HDR_FIELD_MASK;
  const mask = size === 2 ? 0xffff : 0xffff_ffff;
  const difference = ((to! & mask) >>> 0) - (size === 0 ? 0 : (from! & mask) >>> 0);
  // Values are as memory has them: to swap the bytes of a sum is to multiply it by 256.
  return { step, isFlagged: (flags! & BPF_F_PSEUDO_HDR) !== 0, difference: modulo(difference * 256) };
}

function total(replacements: readonly Replacement[]): number {
  return modulo(replacements.reduce((sum, { difference }) => sum + difference, 0));
}

/** The first of the fewest calls that would be right with their flag the other way round. */
function wrongFlag(replacements: readonly Replacement[], wanted: number): Replacement | undefined {
  if (replacements.length > MAX_CALLS) return undefined;
  let best: Replacement[] | undefined;
  for (let choice = 1; choice < 1 << replacements.length; choice++) {
    const chosen = replacements.filter((_, index) => (choice & (1 << index)) !== 0);
    if (best !== undefined && chosen.length >= best.length) continue;
    const flagged = replacements.filter((one) => one.isFlagged !== chosen.includes(one));
    if (total(flagged) === wanted) best = chosen;
  }
  return best?.[0];
}

function remarkOf(
  { step, isFlagged }: Replacement,
  isMixed: boolean,
  at: number,
  isOffloaded: boolean,
): CallRemark {
  const consequence = isOffloaded
    ? 'a frame whose checksum is left to the device (CHECKSUM_PARTIAL) leaves with a wrong one'
    : 'hosts leave no such checksum to the device, only the sum that a receiving device took (CHECKSUM_COMPLETE) gets wrong';
  const [expected, got, what] = isMixed
    ? ['two calls', 'one call', 'sums the pseudo-header together with what lies behind it']
    : isFlagged
      ? ['no BPF_F_PSEUDO_HDR', 'BPF_F_PSEUDO_HDR', 'says BPF_F_PSEUDO_HDR of what is no part of it']
      : [
          'BPF_F_PSEUDO_HDR',
          'no BPF_F_PSEUDO_HDR',
          'lacks BPF_F_PSEUDO_HDR for a change of the pseudo-header',
        ];
  return {
    place: placeOf(step),
    fault: {
      ...(isOffloaded ? {} : { severity: 'info' }),
      breach: {
        invariant: 'checksum/pseudo-header-flag',
        at,
        size: 0,
        expected,
        got,
        sentence: `bpf_l4_csum_replace ${what}: ${consequence}`,
      },
      ...lineOf(step),
    },
  };
}

function modulo(sum: number): number {
  return ((sum % ONES) + ONES) % ONES;
}
