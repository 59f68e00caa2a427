/** What a run's values are computed from: everything that a case states, in pieces that can be changed one by one. */

/** One byte of a packet as it came. */
export interface PacketByte {
  readonly kind: 'packet';
  /** Which packet of the sequence. */
  readonly packet: number;
  /** From the frame's first byte; negative: metadata. */
  readonly offset: number;
}

/** The length of a packet's frame in bytes. */
export interface PacketLength {
  readonly kind: 'length';
  readonly packet: number;
}

/** How many bytes of metadata a packet comes with: a multiple of 4. */
export interface MetadataLength {
  readonly kind: 'metadata';
  readonly packet: number;
}

/** What a packet comes with besides its bytes. */
export interface PacketContext {
  readonly kind: 'context';
  readonly packet: number;
  readonly name:
    | 'ingressIfindex'
    | 'rxQueueIndex'
    /** `skb.ingressIfindex`: of frames on their way out. */
    | 'cameBy'
    | 'mark'
    | 'priority'
    | 'tstamp'
    | 'gsoSegs'
    | 'gsoSize'
    | 'queueMapping'
    | 'tcIndex'
    | 'tcClassid'
    | 'hash'
    | 'vlanPresent'
    | 'vlanTci'
    | 'vlanProto'
    | `cb${0 | 1 | 2 | 3 | 4}`;
}

/** One byte of what is known of the tunnel that a packet came out of. */
export interface TunnelByte {
  readonly kind: 'tunnel';
  readonly packet: number;
  /** Of `struct bpf_tunnel_key` as it is shown, or of the options. */
  readonly part: 'key' | 'options';
  readonly offset: number;
}

/** One byte of a map's value as the world states it, or of a global variable. */
export interface MapByte {
  readonly kind: 'map';
  /** Index of the map in the object. */
  readonly map: number;
  /** Of a queue or stack: which of the world's elements it is in, in the order in which they come out, as four bytes. */
  readonly key: Uint8Array;
  readonly offset: number;
}

/** A byte of the stack that the program reads and never wrote. */
export interface StackByte {
  readonly kind: 'stack';
  readonly address: number;
}

/** The value in r0 after a call that looked for something: null or a pointer, or the number that says whether it is there. */
export interface CallResult {
  readonly kind: 'call';
  /** Position in the trace's list of calls. */
  readonly call: number;
}

/** The world's clock, the CPU, or the device whose entry of a device map the program stands in. */
export interface Surroundings {
  readonly kind: 'time' | 'cpu' | 'egress';
  readonly packet: number;
}

/** A random number. */
export interface Chance {
  readonly kind: 'chance';
  readonly packet: number;
  /** How many were drawn before it, since the case began. */
  readonly draws: number;
}

export type InputField =
  | PacketByte
  | PacketLength
  | MetadataLength
  | PacketContext
  | TunnelByte
  | MapByte
  | StackByte
  | CallResult
  | Surroundings
  | Chance;

/** How many bits a field has. */
export function bitsOf(field: InputField): number {
  switch (field.kind) {
    case 'packet':
    case 'map':
    case 'stack':
    case 'metadata':
    case 'tunnel':
      return 8;
    case 'length':
      return 16;
    case 'context':
      return field.name === 'tstamp' ? 64 : 32;
    case 'cpu':
    case 'egress':
    case 'chance':
      return 32;
    default:
      return 64;
  }
}
