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

  /** @param packetAt where the packet starts in `bytes` */
  read(bytes: Uint8Array, packetAt: number, found: FoundChecksum): Conversation {
    const { addressLength } = found;
    const length = addressLength > 0 ? addressLength : this.ipv4 >= 0 ? 4 : 0;
    if (length === 0) return {};
    const source = packetAt + (addressLength > 0 ? found.source : this.ipv4 + 12);
    const destination = packetAt + (addressLength > 0 ? found.destination : this.ipv4 + 16);
    const text = length === 4 ? ipv4ToText : ipv6ToText;
    const addresses = { source: text(bytes, source), destination: text(bytes, destination) };
    const start = packetAt + found.start;
    if (!WITH_PORTS.has(CHECKSUM_LAYERS[found.layer]!) || found.end - found.start < 4) return addresses;
    return { ...addresses, sourcePort: readU16(bytes, start), destinationPort: readU16(bytes, start + 2) };
  }
}

/** Transports whose header starts with two ports. */
const WITH_PORTS: ReadonlySet<string> = new Set(['tcp', 'udp', 'udplite', 'sctp', 'dccp']);

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
