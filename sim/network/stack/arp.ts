/** ARP as a Linux host speaks it (net/ipv4/arp.c, with `arp_ignore`, `arp_announce` and `arp_filter` 0). */
import { ipv4ToText, isMulticast4, macToText } from '../../packet/addresses.ts';
import { ARP, ARP_REPLY, ARP_REQUEST, type ArpPacket } from '../../packet/arp.ts';
import { equal, isZero, readU16 } from '../../packet/bytes.ts';
import { ETHERTYPE } from '../../packet/numbers.ts';
import type { ScenarioDevice } from '../scenario.ts';
import { addressesOf } from './source-address.ts';
import type { Arrival, Stack } from './stack.ts';

/** ARPHRD_ETHER and ARPHRD_IEEE802: Ethernet devices hear both (RFC 2625, `arp_process`). */
const HARDWARE_TYPES: ReadonlySet<number> = new Set([1, 6]);
const BROADCAST_MAC: Uint8Array = new Uint8Array(6).fill(0xff);
const NO_MAC = '00:00:00:00:00:00';

/** Asks who has an address (`arp_solicit`). */
export function solicitByArp(
  stack: Stack,
  device: ScenarioDevice,
  target: Uint8Array,
  source: Uint8Array,
): undefined {
  const sender = stack.owns(source) ? source : addressesOf([device], 4)[0]?.address;
  stack.tell(device, `asks who has ${ipv4ToText(target)}`);
  sendArp(stack, device, BROADCAST_MAC, {
    operation: ARP_REQUEST,
    senderMac: macToText(device.mac),
    senderAddress: sender === undefined ? '0.0.0.0' : ipv4ToText(sender),
    targetMac: NO_MAC,
    targetAddress: ipv4ToText(target),
  });
}

/** `arp_process`. */
export function receiveArp(stack: Stack, { device, packet }: Arrival): undefined {
  if (
    packet.length < ARP.headerLength ||
    !HARDWARE_TYPES.has(readU16(packet, ARP.at.hardwareType)) ||
    readU16(packet, ARP.at.protocolType) !== ETHERTYPE.IPV4 ||
    packet[ARP.at.hardwareLength] !== 6 ||
    packet[ARP.at.protocolLength] !== 4
  ) {
    return stack.tell(device, 'gets no ARP for IPv4 over Ethernet: dropped');
  }
  const operation = readU16(packet, ARP.at.operation);
  if (operation !== ARP_REQUEST && operation !== ARP_REPLY) {
    return stack.tell(device, `knows nothing of ARP operation ${operation}: dropped`);
  }
  const senderMac = packet.subarray(ARP.at.senderMac, ARP.at.senderMac + 6);
  const sender = packet.subarray(ARP.at.senderAddress, ARP.at.senderAddress + 4);
  const target = packet.subarray(ARP.at.targetAddress, ARP.at.targetAddress + 4);
  if (isMulticast4(target, 0) || target[0] === 127)
    return stack.tell(device, 'ignores ARP for such an address');
  const isRequest = operation === ARP_REQUEST;
  const answer = (): undefined => {
    stack.tell(device, `answers that it has ${ipv4ToText(target)}`);
    sendArp(stack, device, senderMac, {
      operation: ARP_REPLY,
      senderMac: macToText(device.mac),
      senderAddress: ipv4ToText(target),
      targetMac: macToText(senderMac),
      targetAddress: ipv4ToText(sender),
    });
  };
  if (isZero(sender, 0, 4)) {
    // A probe for duplicate addresses (RFC 5227): nothing is learnt from it.
    if (isRequest && stack.owns(target)) return answer();
    return stack.tell(device, 'ignores an ARP probe');
  }
  // No route leads from a martian (`ip_route_input`): it gets no answer.
  const isMartian =
    stack.owns(sender) ||
    isMulticast4(sender, 0) ||
    sender[0] === 127 ||
    sender.every((byte) => byte === 0xff);
  if (isRequest && stack.owns(target) && !isMartian) {
    stack.neighbours.learn(device.ifindex, sender, senderMac, true);
    return answer();
  }
  if (!stack.neighbours.has(device.ifindex, sender)) {
    return stack.tell(device, 'ignores ARP that is not for it');
  }
  stack.tell(device, `learns that ${ipv4ToText(sender)} is at ${macToText(senderMac)}`);
  // What was learnt within the last second is not overwritten (`locktime`), and here no second ever
  // passes; only a host that announces itself is believed (`arp_is_garp`).
  const targetMac = packet.subarray(ARP.at.targetMac, ARP.at.targetMac + 6);
  const announces = equal(sender, 0, target, 0, 4) && (isRequest || equal(targetMac, 0, senderMac, 0, 6));
  stack.neighbours.learn(device.ifindex, sender, senderMac, announces);
}

function sendArp(stack: Stack, device: ScenarioDevice, mac: Uint8Array, packet: ArpPacket): undefined {
  const departure = { packet: ARP.encode(packet), mark: 0, freeIdentifications: 0 };
  stack.transmit(device, mac, ETHERTYPE.ARP, departure);
}
