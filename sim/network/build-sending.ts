/** The packets that a scenario's steps send from a stack, as bytes. */

import { addressFromText, addressToText } from '../packet/addresses.ts';
import { echoRequest, echoRequest6, frame, ipv4, ipv6, type LayerStack, tcp, udp } from '../packet/build.ts';
import { isZero } from '../packet/bytes.ts';
import { verify } from '../packet/checksum.ts';
import { IPV4, ipv4HeaderLength } from '../packet/ipv4.ts';
import { isIpv6 } from '../packet/ipv6.ts';
import { RoutingTables } from '../runtime/fib-lookup.ts';
import { InputError } from '../runtime/input-error.ts';
import type { ScenarioNamespace } from './scenario.ts';
import type { StepShape } from './scenario-shape.ts';
import { sourceFor } from './stack/source-address.ts';

/** A packet that cannot be sent so. */
export class SendingError extends InputError {}

const DEFAULT_TTL = 64;
const DEFAULT_PING_PAYLOAD = 56;
const DEFAULT_UDP_PAYLOAD = 8;
/** The port of `discard` (RFC 863). */
const DISCARD = 9;
/** Any that is not 0: the kernel puts a number of its own into a raw packet that has none (net/ipv4/raw.c). */
const IDENTIFICATION = 1;

/**
 * The IP packet of a step that has one.
 * @throws {SendingError} where it is no packet, or has no source address
 */
export function buildSending(step: StepShape, namespace: ScenarioNamespace): Uint8Array {
  const { ping, udp: datagram, tcp: segment, packet } = step;
  if (packet !== undefined) return checkPacket(packet.hex);
  const sent = ping ?? datagram ?? segment;
  if (sent === undefined) throw new SendingError('nothing is sent');
  const isIpv4 = !sent.to.includes(':');
  const source = sent.source ?? chooseSource(namespace, sent.to);
  if (source.includes(':') === isIpv4) throw new SendingError(`${source} and ${sent.to} are of two families`);
  const addresses = { source, destination: sent.to };
  const ttl = sent.ttl ?? DEFAULT_TTL;
  const header = isIpv4
    ? ipv4({ ...addresses, ttl, identification: IDENTIFICATION, dontFragment: true })
    : ipv6({ ...addresses, hopLimit: ttl });
  if (ping !== undefined) {
    const { identifier = 1, sequence = 1, payload = DEFAULT_PING_PAYLOAD } = ping;
    return packetOf(header, (isIpv4 ? echoRequest : echoRequest6)({ identifier, sequence }), payload);
  }
  if (datagram !== undefined) {
    const { sourcePort = 40_000, destinationPort = DISCARD, payload = DEFAULT_UDP_PAYLOAD } = datagram;
    return packetOf(header, udp({ sourcePort, destinationPort }), payload);
  }
  const { sourcePort = 40_000, destinationPort = 80, flags } = segment!;
  const numbers = flags === undefined ? {} : { flags };
  return packetOf(header, tcp({ sourcePort, destinationPort, ...numbers }), 0);
}

/** Counting bytes behind the upper header, as `ping` sends them. */
function packetOf(header: LayerStack, upper: LayerStack, payload: number): Uint8Array {
  return frame(
    header,
    upper,
    Uint8Array.from({ length: payload }, (_, index) => index & 0xff),
  );
}

function chooseSource(namespace: ScenarioNamespace, to: string): string {
  const destination = addressFromText(to);
  const tables = new RoutingTables(namespace);
  const route = destination.length === 4 ? tables.find4(destination) : tables.find6(destination, 0);
  const source = route === undefined ? undefined : sourceFor(namespace.devices, route, destination);
  if (source === undefined)
    throw new SendingError(`${namespace.name} has no route to ${to}, or no address for it`);
  return addressToText(source);
}

/** The kernel fills in what an IPv4 header lacks or has wrong (net/ipv4/raw.c, `raw_send_hdrinc`): here nothing may be left to it. */
function checkPacket(bytes: Uint8Array): Uint8Array {
  if (isIpv6(bytes, 0, bytes.length)) return bytes;
  const headerLength = ipv4HeaderLength(bytes, 0, bytes.length);
  if (headerLength === 0) throw new SendingError('it does not begin with a whole IPv4 or IPv6 header');
  const header = IPV4.view().at(bytes, 0);
  if (header.totalLength !== bytes.length) {
    throw new SendingError(`its total length is ${header.totalLength}, and it has ${bytes.length} bytes`);
  }
  if (header.identification === 0)
    throw new SendingError('its identification is 0: the kernel would choose one');
  if (isZero(bytes, IPV4.at.source, 4))
    throw new SendingError('its source is 0.0.0.0: the kernel would choose one');
  if (!verify(bytes, 0, headerLength))
    throw new SendingError('its header checksum is wrong: the kernel would right it');
  return bytes;
}
