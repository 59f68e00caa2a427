/**
 * What is wrong with a reply only because the packet came from the very address that the program has for its own, or sends to: packets
 * that are looked for take addresses from the program's constants, and a right reply to such a packet goes from there to there. The
 * same packet from another address tells. So it is with what programs send back for one port that do the same for all.
 */
import type { Case } from '../../corpus/cases/case.ts';
import type { Engine } from '../../sim/engines/engine.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import { isTpid } from '../../sim/packet/vlan.ts';
import { deliveryOf } from '../../sim/runtime/delivery.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { DNS_RULES } from '../invariants/dns-answer.ts';
import type { Judging } from '../judging.ts';
import { FramePair } from '../oracle/frame-pair.ts';
import { type Outcome, outcomeAt } from '../outcome.ts';
import type { Divergence } from '../report.ts';
import { CaseRunner } from './probe.ts';
import { networkAt, repaired, transportOf } from './variants.ts';
import { withWord } from './with-bytes.ts';

/** By invariant, the same packet with other addresses, each of which by itself would be wrong as well. */
const ELSEWHERE: Readonly<Record<string, (packet: Uint8Array) => (Uint8Array | undefined)[]>> = {
  'reply/askers-mac': (packet) => [fromMac(packet)],
  'arp/sender-mac': (packet) => [fromSender(packet)],
  'neighbour/askers-address': (packet) => [fromNeighbour(packet)],
  // A constant may be the one or the other.
  'reply/same-macs': (packet) => [fromMac(packet), toMac(packet)],
  'reply/new-header-to-itself': (packet) => [
    withAddress(packet, 'source'),
    withAddress(packet, 'destination'),
  ],
  // An answer to the group, as of multicast DNS (RFC 6762 §6), goes there whoever asks.
  'reply/to-group': (packet) => [fromGroup(packet)],
  // Whoever sends the datagrams of all ports back, with a time written into them say, does not answer for DNS.
  ...Object.fromEntries(DNS_RULES.map(({ id }) => [id, (packet: Uint8Array) => [toNoServer(packet)]])),
};

/** Does the program do the same with the packet from another host, and nothing is wrong then? */
export async function isByChance(
  program: Program,
  engine: Engine,
  { finding, case: shown }: Pick<Divergence, 'case' | 'finding'>,
  judging: Judging,
): Promise<boolean> {
  const { breach, packet: at, got } = finding;
  if (breach?.invariant === 'lengths/decapsulated')
    return isTakenOffAll(program, engine, { finding, case: shown });
  const others = breach === undefined ? undefined : ELSEWHERE[breach.invariant];
  const stimulus = shown.stimuli[at];
  if (others === undefined || stimulus === undefined) return false;
  for (const packet of others(stimulus.packet)) {
    if (packet === undefined) continue;
    const stimuli = shown.stimuli.with(at, { ...stimulus, packet });
    const now = await outcomeOf(program, engine, { ...shown, stimuli }, at);
    if (now === undefined || now.action !== got?.action) continue;
    if (!breaks(program, stimuli[at]!, now, judging, breach!.invariant)) return true;
  }
  return false;
}

/** For experiments on one's own link (IEEE 802): nothing is known of what follows. */
const UNKNOWN_TYPE = [0x88, 0xb5];

/** Does the program take as much off in front of a frame that is no tunnel's and has no tag? Then it has a header of its own in mind. */
async function isTakenOffAll(
  program: Program,
  engine: Engine,
  { finding, case: shown }: Pick<Divergence, 'case' | 'finding'>,
): Promise<boolean> {
  const { packet: at, got } = finding;
  const stimulus = shown.stimuli[at];
  if (stimulus === undefined || got === undefined) return false;
  const packet = stimulus.packet.slice();
  packet.set(UNKNOWN_TYPE, 2 * MAC_SIZE);
  const now = await outcomeOf(
    program,
    engine,
    { ...shown, stimuli: shown.stimuli.with(at, { ...stimulus, packet }) },
    at,
  );
  const left = now?.packet;
  if (left === undefined || left.length === packet.length) return false;
  const from = Buffer.from(stimulus.packet).indexOf(got.packet);
  return from > 0 && Buffer.compare(left, packet.subarray(from, from + left.length)) === 0;
}

/** What the program does with a packet of the case; undefined where it does not come to an end. */
async function outcomeOf(
  program: Program,
  engine: Engine,
  { world, stimuli }: Case,
  at: number,
): Promise<Outcome | undefined> {
  const runner = new CaseRunner(program, engine);
  try {
    const ran = await runner.run(world, stimuli);
    if (ran === undefined) return undefined;
    const outcome = outcomeAt(ran.output, at);
    return outcome.status === 'ran' ? outcome : undefined;
  } finally {
    await runner.close();
  }
}

const pair = new FramePair();

/** Is that wrong with this packet? Others of its case, in front of it, may have come from the address that this one no longer has. */
function breaks(
  { entries }: Program,
  { packet, entry }: Stimulus,
  { action, redirect, packet: left }: Outcome,
  { frames }: Judging,
  invariant: string,
): boolean {
  const { hook } = entries[entry ?? 0]!;
  const passage = { hook, action, delivery: deliveryOf(hook, action), redirect };
  const hasHeaders = pair.set(packet, 0, packet.length, left, 0, left.length);
  return frames.some(
    (one) =>
      (hasHeaders || (pair.isHeaderless && one.isOfAnyFrame === true)) &&
      one.judge(pair, passage)?.invariant === invariant,
  );
}

const MAC_SIZE = 6;
const ARP = 0x0806;
const ARP_SIZE = 28;
/** Where the sender's MAC address is in an ARP packet. */
const SENDER_AT = 8;
/** The same in a frame without a tag. */
const ARP_SENDER = 22;
/** Of a neighbour solicitation, in front of its options. */
const SOLICITATION_SIZE = 24;

/** From another host of the link, which in ARP says so itself. */
function fromMac(packet: Uint8Array): Uint8Array | undefined {
  if (packet.length < 2 * MAC_SIZE + 2) return undefined;
  const copy = packet.slice();
  const source = packet.subarray(MAC_SIZE, 2 * MAC_SIZE);
  const places = [MAC_SIZE];
  const isArp = packet[12] === ARP >> 8 && packet[13] === (ARP & 0xff);
  const sender = packet.subarray(ARP_SENDER, ARP_SENDER + MAC_SIZE);
  if (isArp && Buffer.compare(sender, source) === 0) places.push(ARP_SENDER);
  for (const at of places) change(copy, at + 3, 3);
  return copy;
}

/** From another sender of ARP, whatever the frame says. */
function fromSender(packet: Uint8Array): Uint8Array | undefined {
  let type = 2 * MAC_SIZE;
  while (type + 4 < packet.length && isTpid((packet[type]! << 8) | packet[type + 1]!)) type += 4;
  if (type + 2 + ARP_SIZE > packet.length) return undefined;
  const copy = packet.slice();
  change(copy, type + 2 + SENDER_AT + 3, 3);
  return copy;
}

/** From a neighbour with another link-layer address, which its solicitation gives in the first option. */
function fromNeighbour(packet: Uint8Array): Uint8Array | undefined {
  const message = transportOf(packet);
  const option = message === undefined ? 0 : message.at + SOLICITATION_SIZE;
  if (message === undefined || option + 8 > message.end) return undefined;
  const copy = packet.slice();
  change(copy, option + 2 + 4, 2);
  return repaired(copy, option + 2 + 4);
}

function toMac(packet: Uint8Array): Uint8Array | undefined {
  if (packet.length < MAC_SIZE) return undefined;
  const copy = packet.slice();
  change(copy, 3, 3);
  return copy;
}

/** From or to another host of the network, which the last bytes of its IP address tell. */
function withAddress(packet: Uint8Array, which: 'source' | 'destination'): Uint8Array | undefined {
  const ip = transportOf(packet, true);
  if (ip === undefined) return undefined;
  const copy = packet.slice();
  const header = networkAt(packet)!;
  const [at, size] = ip.version === 4 ? [12, 4] : [8, 16];
  const end = header + at + (which === 'source' ? size : 2 * size);
  change(copy, end - 1, 1);
  return repaired(copy, end - 2);
}

/** Groups for documentation (RFC 5771 §9.2, RFC 6676 §2), which no program has for its own. */
const GROUPS = {
  4: [233, 252, 0, 77],
  6: [0xff, 0x0e, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0d, 0xb8, 0, 77],
} as const;

/** From another address that no host has, to which a reply is as wrong. */
function fromGroup(packet: Uint8Array): Uint8Array | undefined {
  const ip = transportOf(packet, true);
  if (ip === undefined) return undefined;
  const copy = packet.slice();
  const group = GROUPS[ip.version];
  const at = networkAt(packet)! + (ip.version === 4 ? 12 : 8);
  copy.set(group, at);
  return repaired(copy, at + group.length - 2);
}

/** A port without a service. */
const NO_SERVICE = 30_011;

function toNoServer(packet: Uint8Array): Uint8Array | undefined {
  const transport = transportOf(packet);
  return transport && withWord({ packet }, transport.at + 2, NO_SERVICE).packet;
}

function change(bytes: Uint8Array, at: number, count: number): void {
  for (let index = at; index < at + count; index++) bytes[index]! ^= 0x5a;
}
