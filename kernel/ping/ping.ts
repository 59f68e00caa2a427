/**
 * Echo requests through the kernel's own stack, by raw sockets: what a user's `ping` would see of a program that
 * answers in the stack's place. Every reply is checked, not just counted.
 *
 * The package `raw-socket` serves where it can be loaded; otherwise a raw socket of our own does (`icmp-socket.ts`).
 */
import { type Availability, EngineError } from '../../sim/engines/engine.ts';
import { ipv6FromText } from '../../sim/packet/addresses.ts';
import { checksum, pseudoHeader6, verify } from '../../sim/packet/checksum.ts';
import { loadNative } from '../native-package.ts';
import type { Netns } from '../network/netns.ts';
import { type IcmpSocket, openIcmpSocket } from './icmp-socket.ts';

export interface PingOptions {
  /** IPv4 or IPv6 address in text. */
  readonly to: string;
  /** The namespace's own address that replies come to: part of the checksum that ICMPv6 replies are held against. */
  readonly from: string;
  readonly count: number;
  /** Bytes of payload behind the ICMP header; default 56, as `ping` has it. */
  readonly payload?: number;
  /** How many requests may be unanswered at a time; default 16. */
  readonly window?: number;
  /** How long to wait for replies after the last right one, in milliseconds; default 5000, of which it takes none. */
  readonly patience?: number;
}

export interface PingReport {
  readonly sent: number;
  /** Requests answered by exactly one right reply. */
  readonly answered: number;
  /** What was wrong with other replies, and which requests got none. */
  readonly faults: readonly string[];
}

const ICMP_HEADER = 8;
const NEXT_HEADER_ICMPV6 = 58;
const ECHO = {
  4: { request: 8, reply: 0 },
  6: { request: 128, reply: 129 },
} as const;

type RawSocket = typeof import('raw-socket');

/** Can pings be sent from this thread? Says nothing about rights. Always so on Linux. */
export function pingAvailability(): Availability {
  if (process.platform === 'linux') return { available: true };
  return { available: false, reason: `this is ${process.platform}, not Linux`, remedy: 'run it on Linux' };
}

/** Undefined where `raw-socket` serves; else why not, and what lets it. */
export function slowPing(): { readonly reason: string; readonly remedy: string } | undefined {
  const loaded = loadNative<RawSocket>('raw-socket');
  return 'module' in loaded ? undefined : loaded;
}

/**
 * Sends `count` echo requests from a namespace and waits for the replies.
 * @throws {EngineError} where the rights are missing, or the kernel refuses to send
 */
export async function ping(netns: Netns, options: PingOptions): Promise<PingReport> {
  const available = pingAvailability();
  if (!available.available) {
    throw new EngineError('environment', available.reason, { remedy: available.remedy });
  }
  const version = options.to.includes(':') ? 6 : 4;
  const socket = netns.enter(() => openSocket(version));
  try {
    return await new Conversation(socket, version, options).hold();
  } finally {
    socket.close();
  }
}

function openSocket(version: 4 | 6): IcmpSocket {
  const loaded = loadNative<RawSocket>('raw-socket');
  if (!('module' in loaded)) return openIcmpSocket(version);
  const { AddressFamily, Protocol, createSocket } = loaded.module;
  return createSocket({
    addressFamily: version === 6 ? AddressFamily.IPv6 : AddressFamily.IPv4,
    protocol: version === 6 ? Protocol.ICMPv6 : Protocol.ICMP,
    bufferSize: 65_536,
  });
}

/** One series of requests and their replies. */
class Conversation {
  readonly #socket: IcmpSocket;
  readonly #version: 4 | 6;
  readonly #options: PingOptions;
  readonly #identifier: number = process.pid & 0xffff;
  readonly #unanswered = new Set<number>();
  readonly #faults: string[] = [];
  #sent = 0;
  #answered = 0;
  #end: ((error?: Error) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(socket: IcmpSocket, version: 4 | 6, options: PingOptions) {
    this.#socket = socket;
    this.#version = version;
    this.#options = options;
  }

  async hold(): Promise<PingReport> {
    await new Promise<void>((resolve, reject) => {
      this.#end = (error) => (error === undefined ? resolve() : reject(error));
      this.#socket.on('message', (message) => this.#take(message));
      this.#socket.on('error', (error) => this.#end?.(error));
      this.#sendMore();
    }).finally(() => clearTimeout(this.#timer));
    for (const sequence of this.#unanswered) this.#faults.push(`request ${sequence} was not answered`);
    return { sent: this.#sent, answered: this.#answered, faults: this.#faults };
  }

  #sendMore(): void {
    const { count, window = 16, patience = 5000, to } = this.#options;
    while (this.#sent < count && this.#unanswered.size < window) {
      const sequence = this.#sent++;
      this.#unanswered.add(sequence);
      const request = this.#message(ECHO[this.#version].request, sequence);
      this.#socket.send(request, 0, request.length, to, (error) => {
        if (error === null) return;
        this.#end?.(new EngineError('environment', `an echo request cannot be sent: ${error.message}`));
      });
    }
    clearTimeout(this.#timer);
    if (this.#unanswered.size === 0) this.#end?.();
    else this.#timer = setTimeout(() => this.#end?.(), patience);
  }

  /** Header and payload; the payload depends on the sequence number in every byte, so that mixing replies up shows. */
  #message(type: number, sequence: number): Buffer {
    const { payload = 56 } = this.#options;
    const message = Buffer.alloc(ICMP_HEADER + payload);
    message.writeUInt8(type, 0);
    message.writeUInt16BE(this.#identifier, 4);
    message.writeUInt16BE(sequence & 0xffff, 6);
    for (let at = 0; at < payload; at++) message[ICMP_HEADER + at] = (sequence * 31 + at * 7) & 0xff;
    // A checksum of 0 is sent as it is: ICMP has no value for "none".
    if (this.#version === 4) message.writeUInt16BE(checksum(message, 0, message.length), 2);
    return message;
  }

  #take(packet: Buffer): void {
    const message = this.#version === 4 ? packet.subarray((packet.readUInt8(0) & 0xf) * 4) : packet;
    // Raw sockets see all ICMP of their namespace: errors, neighbour discovery, other people's echoes.
    if (message.length < ICMP_HEADER || message.readUInt8(0) !== ECHO[this.#version].reply) return;
    if (message.readUInt16BE(4) !== this.#identifier) return;
    const sequence = this.#sequenceOf(message.readUInt16BE(6));
    const fault = sequence === undefined ? 'nobody asked' : this.#faultOf(message, sequence);
    if (fault !== undefined) {
      this.#faults.push(`reply ${message.readUInt16BE(6)}: ${fault}`);
      return;
    }
    this.#unanswered.delete(sequence!);
    this.#answered += 1;
    this.#sendMore();
  }

  /** The unanswered request that has this number in its 16 bits. */
  #sequenceOf(low: number): number | undefined {
    for (const sequence of this.#unanswered) if ((sequence & 0xffff) === low) return sequence;
    return undefined;
  }

  #faultOf(reply: Buffer, sequence: number): string | undefined {
    const expected = this.#message(ECHO[this.#version].reply, sequence);
    if (reply.readUInt8(1) !== 0) return `code ${reply.readUInt8(1)}`;
    if (!reply.subarray(ICMP_HEADER).equals(expected.subarray(ICMP_HEADER))) return 'another payload';
    const initial = this.#version === 4 ? 0 : this.#pseudoHeader(reply.length);
    return verify(reply, 0, reply.length, initial) ? undefined : 'a wrong checksum';
  }

  /** The reply's source is the address asked, its destination our own (RFC 8200 §8.1). */
  #pseudoHeader(length: number): number {
    const addresses = new Uint8Array(32);
    addresses.set(ipv6FromText(this.#options.to), 0);
    addresses.set(ipv6FromText(this.#options.from), 16);
    return pseudoHeader6(addresses, 0, 16, NEXT_HEADER_ICMPV6, length);
  }
}
