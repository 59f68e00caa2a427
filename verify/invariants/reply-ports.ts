/**
 * A segment or datagram that is sent back to where it came from goes to the port that it came from, and comes from the one that it went
 * to: whoever exchanges the addresses exchanges the ports.
 */
import { DELIVERY } from '../../sim/runtime/delivery.ts';
import { HEADER, HEADER_FLAG, PART } from '../oracle/found.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import type { HeaderList } from '../oracle/header-list.ts';
import { TUNNEL_PORTS } from '../oracle/walk.ts';
import { comesFromDestination, goesBack, outermostIp } from './answers.ts';
import { type Breach, headerOf, type Invariant, type Passage } from './invariant.ts';
import { type Rule, rule } from './rule.ts';
import { sameIp } from './ttl.ts';

export const REPLY_PORT_RULES: readonly Rule[] = [
  rule(
    'reply/ports-left',
    'warning',
    'A reply whose ports were not exchanged',
    'The packet goes back with its IP addresses exchanged, and its TCP or UDP ports were not, or only one of them was: whoever asked has no socket for it, and TCP answers it with a reset. The destination of a reply is the port that the packet came from, its source the port that it went to. A warning, since a reflector for measurements may mean to exchange the addresses alone.',
  ),
];

export const replyPorts: Invariant = {
  name: 'reply-ports',
  judge(pair: FramePair, { delivery }: Readonly<Passage>): Breach | undefined {
    if (delivery !== DELIVERY.sentBack && delivery !== DELIVERY.redirected) return undefined;
    if (pair.cameBroken) return undefined;
    const row = outermostIp(pair.is);
    const came = row < 0 ? -1 : sameIp(pair, row);
    if (came < 0 || !hasPorts(pair.was, came + 1) || !hasPorts(pair.is, row + 1)) return undefined;
    if (pair.was.kind[came + 1] !== pair.is.kind[row + 1]) return undefined;
    if (!goesBack(pair, row, came) || !comesFromDestination(pair, row, came)) return undefined;
    const then = portsAt(pair.before, pair.beforeOffset + pair.was.start[came + 1]!);
    const now = portsAt(pair.after, pair.afterOffset + pair.is.start[row + 1]!);
    const isTcp = pair.is.kind[row + 1] === HEADER.tcp;
    return isLeft(then, now, isTcp) ? breachOf(pair, row + 1, then, now) : undefined;
  },
};

interface Ports {
  readonly source: number;
  readonly destination: number;
}

function portsAt(bytes: Uint8Array, at: number): Ports {
  const word = (from: number): number => (bytes[from]! << 8) | bytes[from + 1]!;
  return { source: word(at), destination: word(at + 2) };
}

function hasPorts(list: HeaderList, row: number): boolean {
  if (row >= list.count || list.part[row] !== PART.whole) return false;
  if (list.kind[row] !== HEADER.tcp && list.kind[row] !== HEADER.udp) return false;
  return (list.flags[row]! & (HEADER_FLAG.cut | HEADER_FLAG.impossible | HEADER_FLAG.quoted)) === 0;
}

/**
 * UDP ports that both sides send to, whatever port each sends from: PTP (IEEE 1588 annex C), HSRP (RFC 2281 §5), GLBP, and BFD, of one
 * hop and its echo, of several, and of a link in a group (RFC 5881 §4, RFC 5883 §5, RFC 7130 §2.2). So do tunnels.
 */
const ON_BOTH_SIDES: ReadonlySet<number> = new Set([
  319,
  320,
  1985,
  3222,
  3784,
  3785,
  4784,
  6784,
  ...TUNNEL_PORTS,
]);

/** Are they as they came, or is one of them written over both? Other ports the program, or a map, knows why to take. */
function isLeft(then: Ports, now: Ports, isTcp: boolean): boolean {
  if (then.source === then.destination || (!isTcp && ON_BOTH_SIDES.has(then.destination))) return false;
  if (now.source === then.source)
    return now.destination === then.destination || now.destination === then.source;
  return isTcp && now.source === then.destination && now.destination === then.destination;
}

function breachOf(pair: FramePair, row: number, then: Ports, now: Ports): Breach {
  const { layer, depth, label } = headerOf(pair, row);
  const text = ({ source, destination }: Ports): string => `${source} → ${destination}`;
  const wanted = { source: then.destination, destination: then.source };
  return {
    invariant: 'reply/ports-left',
    severity: 'warning',
    layer,
    depth,
    at: pair.is.start[row]!,
    size: 4,
    expected: text(wanted),
    got: text(now),
    sentence: `the packet goes back with its addresses exchanged, and its ${label} ports are ${text(now)}, as they came ${text(then)}`,
    summary: 'a reply whose ports were not exchanged',
  };
}
