/** Fields of 16 bits that packets carry in network order, and whose size, or part, programs compare: lengths, ports, windows and VLAN ids. */
import { swapped } from '../../sim/packet/checksum.ts';
import { IPPROTO } from '../../sim/packet/numbers.ts';
import { TCPOPT } from '../../sim/packet/tcp-options.ts';
import { isTpid } from '../../sim/packet/vlan.ts';
import { read16 } from '../oracle/announcement.ts';
import { networkAt, transportOf } from './variants.ts';

/** Where the type of a frame without tags stands, and the first tag's number. */
const TYPE_AT = 12;
const TAG_AT = 14;
const VERSION_4 = 4;

const TCP_SIZE = 20;
const DATA_OFFSET_AT = 12;
const WINDOW_AT = 14;
const MSS_LENGTH = 4;

/** What is compared, as far as it says which comparisons can be meant. */
export type NumberKind = 'length' | 'port' | 'vlan' | 'window';

/** A field in a packet. */
export interface NumberField {
  readonly kind: NumberKind;
  /** "IPv4 total length". */
  readonly name: string;
  readonly at: number;
  /** Bits, the lowest ones, that count. */
  readonly bits: 12 | 16;
}

/** Those of the outermost headers. */
export function* numberFields(frame: Uint8Array): Generator<NumberField, void, void> {
  if (frame.length >= TAG_AT + 4 && isTpid(read16(frame, TYPE_AT)))
    yield { kind: 'vlan', name: 'VLAN id', at: TAG_AT, bits: 12 };
  const network = networkAt(frame);
  if (network === undefined) return;
  const isV4 = frame[network]! >> 4 === VERSION_4;
  const [name, at] = isV4 ? ['IPv4 total length', network + 2] : ['IPv6 payload length', network + 4];
  yield { kind: 'length', name: name as string, at: at as number, bits: 16 };
  const transport = transportOf(frame);
  if (transport === undefined) return;
  const { protocol, at: header } = transport;
  if (protocol === IPPROTO.UDP) yield { kind: 'length', name: 'UDP length', at: header + 4, bits: 16 };
  if (protocol !== IPPROTO.UDP && protocol !== IPPROTO.TCP) return;
  yield { kind: 'port', name: 'source port', at: header, bits: 16 };
  yield { kind: 'port', name: 'destination port', at: header + 2, bits: 16 };
  if (protocol === IPPROTO.TCP) yield* tcpNumbers(frame, header);
}

/** The window, and the maximum segment size where the options state one. */
function* tcpNumbers(frame: Uint8Array, header: number): Generator<NumberField, void, void> {
  if (header + TCP_SIZE > frame.length) return;
  yield { kind: 'window', name: 'TCP window', at: header + WINDOW_AT, bits: 16 };
  const end = Math.min(frame.length, header + (frame[header + DATA_OFFSET_AT]! >> 4) * 4);
  const option = segmentSizeAt(frame, header + TCP_SIZE, end);
  if (option !== undefined) yield { kind: 'length', name: 'maximum segment size', at: option, bits: 16 };
}

/** Where the number of the option lies (RFC 9293 §3.2). */
function segmentSizeAt(frame: Uint8Array, start: number, end: number): number | undefined {
  for (let at = start; at + MSS_LENGTH <= end; ) {
    const kind = frame[at]!;
    if (kind === TCPOPT.EOL) return undefined;
    if (kind === TCPOPT.MSS) return frame[at + 1] === MSS_LENGTH ? at + 2 : undefined;
    at += kind === TCPOPT.NOP ? 1 : Math.max(2, frame[at + 1]!);
  }
  return undefined;
}

/** The number as a program reads it that forgets its byte order. */
export function misreadAt(frame: Uint8Array, { at, bits }: NumberField): number {
  return swapped(read16(frame, at)) & (sizeOf(bits) - 1);
}

/** How many numbers there are. */
export function sizeOf(bits: number): number {
  return 1 << bits;
}
