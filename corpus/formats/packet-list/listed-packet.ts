/** Packets as lists in text: in sources, scripts, documents. */

export interface ListedPacket {
  readonly packet: Uint8Array;
  /** What it is, on one line. */
  readonly description?: string;
  /** What a program did to it, where it was run. */
  readonly expected?: {
    /** `XDP_TX`. */
    readonly action: string;
    readonly packet: Uint8Array;
  };
}

/** What texts name besides the packets. */
export interface ListContext {
  /** The program, as the command line names it. */
  readonly program: string;
}

/** One way to write packets down. */
export interface PacketListFormat {
  /** Of files, with the dot. */
  readonly endings: readonly string[];
  /** What people call it. */
  readonly label: string;
  readonly write: (packets: readonly ListedPacket[], context: ListContext) => string;
  /** @throws {InputError} naming the line that is wrong */
  readonly read: (text: string) => ListedPacket[];
}

/** Longer ones are no packet: what any reader of captures takes at most. */
export const MAX_PACKET = 262_144;
