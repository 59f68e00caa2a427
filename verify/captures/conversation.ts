/** Whose packet it is: addresses and ports of a checksum that was found, as numbers first and as text when asked for. */
import { ipv4ToText, ipv6ToText } from '../../sim/packet/addresses.ts';
import { readU16 } from '../../sim/packet/bytes.ts';
import { CHECKSUM_LAYERS, type FoundChecksum, LAYER } from '../oracle/found.ts';

export interface Conversation {
  readonly source?: string;
  readonly destination?: string;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
}

/** Keeps the innermost IPv4 header, which states the addresses of messages without a pseudo-header. */
export class ConversationReader {
  private ipv4 = -1;

  /** A new packet. */
  clear(): void {
    this.ipv4 = -1;
  }

  /** To be called with every checksum, in order. */
  note(found: FoundChecksum): void {
    if (found.layer === LAYER.ipv4) this.ipv4 = found.start;
  }

  /** A number for the conversation, the layer and its depth: a hash of 52 bits. */
  key(bytes: Uint8Array, packetAt: number, found: FoundChecksum): number {
    let low = 0x811c9dc5 ^ found.layer;
    let high = 0x811c9dc5 ^ found.depth;
    const add = (from: number, size: number): void => {
      for (let at = from; at < from + size; at++) {
        low = Math.imul(low ^ bytes[at]!, 0x01000193);
        high = Math.imul(high ^ low ^ (low >>> 13), 0x01000193);
      }
    };
    const length = this.addressLength(found);
    add(packetAt + this.sourceOf(found), length);
    add(packetAt + this.destinationOf(found), length);
    if (hasPorts(found)) add(packetAt + found.start, 4);
    return (low >>> 6) * 2 ** 26 + (high >>> 6);
  }

  private addressLength(found: FoundChecksum): number {
    return found.addressLength > 0 ? found.addressLength : this.ipv4 >= 0 ? 4 : 0;
  }

  private sourceOf(found: FoundChecksum): number {
    return found.addressLength > 0 ? found.source : this.ipv4 + 12;
  }

  private destinationOf(found: FoundChecksum): number {
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

/** Transports whose header starts with two ports. */
const WITH_PORTS: ReadonlySet<string> = new Set(['tcp', 'udp', 'udplite', 'sctp', 'dccp']);

function hasPorts(found: FoundChecksum): boolean {
  return WITH_PORTS.has(CHECKSUM_LAYERS[found.layer]!) && found.end - found.start >= 4;
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
