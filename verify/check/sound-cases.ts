/**
 * Cases that a proof found, with packets as a network would carry them. A path asks for a few bytes and leaves the others 0: no
 * header, no checksum and no address of such a packet is right, and what cannot be right says nothing of the program.
 */
import type { Case } from '../../corpus/cases/case.ts';
import { layout, repair } from '../../corpus/simplify/packet-layout.ts';
import { completions, PLAIN_MAC } from '../../corpus/simplify/well-formed.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import { behindExtensions, behindTags, framed, innerPackets, KINDS } from './inner-packets.ts';
import { type Tunnel, tunnelOf } from './tunnel-packets.ts';

/** The case itself, then the same with sound packets: whether these still take the path shows when they run. */
export function withSoundPackets(found: Case): Case[] {
  const [stimulus, ...others] = found.stimuli;
  if (stimulus === undefined || others.length > 0) return [found];
  return [found, ...soundPackets(stimulus).map((one) => ({ ...found, stimuli: [one] }))];
}

/** The same packet with sound headers, several where there are several ways. */
export function soundPackets(stimulus: Stimulus): Stimulus[] {
  const { packet } = stimulus;
  const packets = new Map<string, Uint8Array>([[packet.join(), packet]]);
  // Addresses of the link come first: without them those of IP are taken for unset as well, and a route hangs on them.
  const bases = [addressed(packet), packet];
  for (const base of [...bases, ...bases.flatMap(trimmed)]) {
    for (const whole of [base, ...completions(base)]) {
      const sound = whole.slice();
      if (repair(sound, 'checksum')) packets.set(sound.join(), sound);
    }
  }
  const inside = [...soundBehindTags(packet), ...soundBehindExtensions(packet), ...soundInTunnels(packet)];
  for (const inner of inside) packets.set(inner.join(), inner);
  packets.delete(packet.join());
  return [...packets.values()].map((one) => ({ ...stimulus, packet: one }));
}

/** With sound packets behind the tags or labels of the link: the one that is there, and one of each kind. */
function soundBehindTags(packet: Uint8Array): Uint8Array[] {
  const tags = behindTags(addressed(packet));
  if (tags === undefined) return [];
  const { inner, around } = tags;
  const own = inner === undefined ? [] : soundPackets({ packet: inner }).map((one) => around(one.packet));
  return [...own, ...innerPackets(tags)];
}

/** With messages of each kind behind IPv6 extension headers, whatever else is wrong with the packet put right or left alone. */
function soundBehindExtensions(packet: Uint8Array): Uint8Array[] {
  const base = addressed(packet);
  const [whole = base] = completions(base);
  return [base, whole].flatMap(behindExtensions);
}

/** With packets of each kind in the tunnel that the packet begins with, and with the one that is there. */
function soundInTunnels(packet: Uint8Array): Uint8Array[] {
  const base = addressed(packet);
  const [whole = base] = completions(base);
  return [base, whole].flatMap((one) => {
    const outside = one.slice();
    repair(outside, 'checksum');
    const tunnel = tunnelOf(outside);
    return tunnel === undefined ? [] : inTunnel(tunnel);
  });
}

function inTunnel({ innerKind, inner, around, carries }: Tunnel): Uint8Array[] {
  const own = innerKind === 'ethernet' ? inner : framed(inner);
  const frames = own === undefined ? [] : soundPackets({ packet: own }).map((sound) => sound.packet);
  const made = [...frames, ...KINDS.map((packet) => framed(packet)!)].flatMap((frame) => {
    const { version, networkAt } = layout(frame);
    return carries.flatMap((kind) => {
      if (kind === 'ethernet') return [around(kind, addressed(frame))];
      return kind === `ipv${version}` ? [around(kind, frame.subarray(networkAt))] : [];
    });
  });
  return made.filter((one) => one !== undefined);
}

/** Without what follows the end that its own length states: the program may ask for that length. */
function trimmed(packet: Uint8Array): Uint8Array[] {
  const { upperAt, upperEnd } = layout(packet);
  return upperAt >= 0 && upperEnd > upperAt && upperEnd < packet.length ? [packet.slice(0, upperEnd)] : [];
}

function addressed(packet: Uint8Array): Uint8Array {
  if (packet.length < 12 || packet.subarray(0, 12).some((byte) => byte !== 0)) return packet;
  const copy = packet.slice();
  copy.set(PLAIN_MAC.destination, 0);
  copy.set(PLAIN_MAC.source, 6);
  return copy;
}
