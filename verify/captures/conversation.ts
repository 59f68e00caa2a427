/** Whose packet it is: addresses and ports of a checksum that was found, as numbers first and as text when asked for. */
import { ipv4ToText, ipv6ToText } from '../../sim/packet/addresses.ts';
import { readU16 } from '../../sim/packet/bytes.ts';
import { type FoundChecksum, LAYER } from '../oracle/found.ts';
import type { FlowKey } from './flow-faults.ts';

export interface Conversation {
  readonly source?: string;
  readonly destination?: string;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
}

/** Where the hash of a conversation starts, and what its halves are multiplied with. */
export const FLOW_HASH = { start: 0x811c9dc5 | 0, low: 0x01000193, high: 0x5bd1e995 } as const;

/** Keeps the innermost IPv4 header, which states the addresses of messages without a pseudo-header. */
export class ConversationReader implements FlowKey {
  low = 0;
  high = 0;
  private ipv4 = -1;
  /** The addresses of the outermost ICMP message, which its extensions belong to: behind them a quoted packet's were read. */
  private messageLength = 0;
  private messageSource = 0;
  private messageDestination = 0;

  /** A new packet. */
  clear(): void {
    this.ipv4 = -1;
    this.messageLength = 0;
  }

  /** A packet of which only this is known. @param start of the header in the packet; -1 where there is none */
  noteIpv4(start: number): void {
    this.ipv4 = start;
  }

  /** To be called with every checksum, in order. */
  note(found: FoundChecksum): void {
    if (found.layer === LAYER.ipv4) this.ipv4 = found.start;
    const isMessage = found.layer === LAYER.icmp || found.layer === LAYER.icmpv6;
    if (!isMessage || this.messageLength > 0) return;
    this.messageSource = this.sourceOf(found);
    this.messageDestination = this.destinationOf(found);
    this.messageLength = this.addressLength(found);
  }

  /** Sets the key: a hash of the conversation, the layer and its depth. `fast-scan-fault.ts` comes to the same. */
  readKey(bytes: Uint8Array, packetAt: number, found: FoundChecksum): void {
    this.low = FLOW_HASH.start ^ found.layer;
    this.high = FLOW_HASH.start ^ found.depth;
    const length = this.addressLength(found);
    this.mix(bytes, packetAt + this.sourceOf(found), length);
    this.mix(bytes, packetAt + this.destinationOf(found), length);
    if (hasPorts(found)) this.mix(bytes, packetAt + found.start, 4);
  }

  /** Words of four bytes, little-endian as WebAssembly reads them. */
  private mix(bytes: Uint8Array, from: number, size: number): void {
    for (let at = from; at < from + size; at += 4) {
      const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
      this.low = Math.imul(this.low ^ word, FLOW_HASH.low);
      this.low ^= this.low >>> 15;
      this.high = Math.imul(this.high ^ this.low ^ (word >>> 7), FLOW_HASH.high);
    }
  }

  private addressLength(found: FoundChecksum): number {
    if (found.layer === LAYER.icmpext) return this.messageLength;
    return found.addressLength > 0 ? found.addressLength : this.ipv4 >= 0 ? 4 : 0;
  }

  private sourceOf(found: FoundChecksum): number {
    if (found.layer === LAYER.icmpext) return this.messageSource;
    return found.addressLength > 0 ? found.source : this.ipv4 + 12;
  }

  private destinationOf(found: FoundChecksum): number {
    if (found.layer === LAYER.icmpext) return this.messageDestination;
    return found.addressLength > 0 ? found.destination : this.ipv4 + 16;
  }

  /** @param packetAt where the packet starts in `bytes` */
  read(bytes: Uint8Array, packetAt: number, found: FoundChecksum): Conversation {
    const length = this.addressLength(found);
    if (length === 0) return {};
    const source = packetAt + this.sourceOf(found);
    const destination = packetAt + this.destinationOf(found);
    const text = length === 4 ? ipv4ToText : ipv6ToText;
    const addresses = { source: text(bytes, source), destination: text(bytes, destination) };
    const start = packetAt + found.start;
    if (!hasPorts(found)) return addresses;
    return { ...addresses, sourcePort: readU16(bytes, start), destinationPort: readU16(bytes, start + 2) };
  }
}

/** Transports whose header starts with two ports, as bits. */
const WITH_PORTS: number =
  (1 << LAYER.tcp) | (1 << LAYER.udp) | (1 << LAYER.udplite) | (1 << LAYER.sctp) | (1 << LAYER.dccp);

function hasPorts(found: FoundChecksum): boolean {
  return ((WITH_PORTS >> found.layer) & 1) === 1 && found.end - found.start >= 4;
}

/** "10.0.0.1:1024 → 10.0.0.2:80" */
export function conversationText(conversation: Conversation): string {
  const { source, destination, sourcePort, destinationPort } = conversation;
  if (source === undefined || destination === undefined) return '';
  return `${endText(source, sourcePort)} → ${endText(destination, destinationPort)}`;
}

function endText(address: string, port: number | undefined): string {
  if (port === undefined) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
